"""Records of runs, in `runs/`: what was submitted, from which state of the code, and how it ended."""

from hera_k8s_utils._moved import forward

__getattr__ = forward(__name__)
