"""The path of `hera_k8s_utils.compat.environment` in version 0.1, which scripts import."""

from hera_k8s_utils.compat.environment import ClusterStruct, Struct, num_exp_environment

__all__ = ["ClusterStruct", "Struct", "num_exp_environment"]
