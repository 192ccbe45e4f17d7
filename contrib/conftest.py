"""Tests of the distributions here have the fixtures of the main suite."""

import importlib.util
from pathlib import Path

_SHARED = Path(__file__).resolve().parent.parent / "tests" / "conftest.py"
_SPEC = importlib.util.spec_from_file_location("hera_k8s_shared_fixtures", _SHARED)
assert _SPEC is not None
assert _SPEC.loader is not None
_MODULE = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_MODULE)

clean_environment, work = _MODULE.clean_environment, _MODULE.work
repository, sandbox = _MODULE.repository, _MODULE.sandbox
