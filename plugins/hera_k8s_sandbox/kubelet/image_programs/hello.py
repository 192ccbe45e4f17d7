"""What the image hello-world runs: a greeting."""

print("Hello from Docker! Or rather from this machine: the sandbox pulls no images.")
