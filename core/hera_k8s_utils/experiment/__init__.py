"""The experiment and what it builds: the model, the manifest, what a workload needs, and the state of a run."""

from hera_k8s_utils._moved import forward

__getattr__ = forward(__name__)
