"""The command line `hera-k8s`."""
