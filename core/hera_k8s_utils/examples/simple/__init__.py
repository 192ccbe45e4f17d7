"""One task that prints what a pod finds: `python -m hera_k8s_utils.examples.simple.print_environment`."""
