"""`python -m hera_k8s_utils` is `hera-k8s`."""

import sys

from .cli import main

sys.exit(main())
