"""The site ACME: what an experiment may write."""

from acme_hera_k8s.plugin import Quota

__all__ = ["Quota"]
