"""What all tests share: which clusters they meet."""

pytest_plugins = ["clusters"]
