"""Argo's template language: substitution, `when`, `depends`."""
