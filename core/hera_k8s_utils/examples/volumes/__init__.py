"""A persistent volume claim: its parser, its environment, and a workflow that mounts it."""
