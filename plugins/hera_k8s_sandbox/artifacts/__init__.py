"""Artifacts: where they are kept, and when they are deleted."""
