"""The path of the version in 0.1: `from hera_k8s_utils.version import version`."""

from hera_k8s_utils._version import __version__ as version

__all__ = ["version"]
