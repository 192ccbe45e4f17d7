"""The version of the distribution: `from hera_utils.version import version`."""

version = "0.3.0"
