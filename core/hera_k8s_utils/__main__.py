"""`python -m hera_k8s_utils` runs the command `hera-k8s` of this distribution."""

import sys
from importlib.metadata import distribution

(command,) = distribution("hera-k8s-utils").entry_points.select(group="console_scripts", name="hera-k8s")
sys.exit(command.load()())
