"""Workflows: what Argo's workflow controller makes of a Workflow object, without its cluster."""
