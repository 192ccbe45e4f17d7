"""Programs with which users assert their configuration: `python -m hera_k8s_utils.tests.parser`."""
