"""Scripts to begin with: `python -m hera_utils.examples.hello_world_container`."""
