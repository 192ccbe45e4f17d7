"""Engines for workflows: through the Argo server, or as objects of the Kubernetes API."""
