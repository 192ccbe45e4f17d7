"""The language of Argo's workflows: what a manifest refers to, asks for and gets wrong."""
