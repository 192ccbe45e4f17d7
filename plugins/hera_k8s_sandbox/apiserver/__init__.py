"""The Kubernetes API: routes, requests, watches, tables and reviews."""
