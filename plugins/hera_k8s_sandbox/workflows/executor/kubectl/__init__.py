"""Resource templates: what Argo's executor does with kubectl, done by a process in the pod under the pod's account."""
