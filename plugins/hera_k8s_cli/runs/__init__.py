"""Runs on the command line: which one is meant, following it, and how it ended."""
