"""The sandbox: the Kubernetes API and the Argo server on a loopback port, with pods as local processes."""

from hera_k8s_sandbox import _moved_paths
from hera_k8s_utils._moved import install

install(_moved_paths.MODULES, _moved_paths.NAMES)
