"""The kubelet: runs the containers of pods as local processes, with their mounts, probes and logs."""

from hera_k8s_utils._moved import forward

__getattr__ = forward(__name__)
