"""Command lines as Kubernetes Jobs: `hera-k8s jobs submit`, `status`, `pods`, `logs`, `cancel` and `wait`."""
