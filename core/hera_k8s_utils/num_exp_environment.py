"""The path of `hera_k8s_utils.compat.environment` in version 0.1, which scripts import."""

from hera_k8s_utils.compat.environment import Struct, num_exp_environment

__all__ = ["Struct", "num_exp_environment"]
