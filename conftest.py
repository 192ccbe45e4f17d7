"""What all tests share: the machine that they run on, and which clusters they meet."""

pytest_plugins = ["machine", "clusters"]
