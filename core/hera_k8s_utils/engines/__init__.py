"""Toolkit for authors of execution engines: submission exactly once, and logs of many pods."""
