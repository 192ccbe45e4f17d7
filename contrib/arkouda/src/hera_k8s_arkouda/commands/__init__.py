"""The commands `hera-k8s arkouda ...`: what they share is in `surroundings` and `running`."""
