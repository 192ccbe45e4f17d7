"""hera_k8s_utils."""
