"""The commands of `hera-k8s`, one module each: what it takes, what it does, and its line in the help."""
