"""The API of Argo's server."""
