"""The examples of version 0.1, by their names: `python -m hera_k8s_utils.examples.simple.print_environment`.

More of them, and in the style of today, are in the directory `examples/` of the sources.
"""
