"""The commands `hera-k8s arkouda ...`: `context` and `workflow_run` hold what they share."""
