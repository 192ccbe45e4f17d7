"""Plugins that all tests share: what this machine offers, and which clusters the tests use."""

pytest_plugins = ["machine", "clusters"]
