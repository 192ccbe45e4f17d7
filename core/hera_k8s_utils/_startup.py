"""Imported before anything else: `python -m hera_k8s_utils` imports no module of the working directory.

`-m` puts the working directory first on `sys.path`. A json.py there would be imported for the library's, and a
`*.dist-info` there would count as an installed plugin, before the user has named any file of it. The program
`hera-k8s` has no such entry.
"""

import sys


def _leave_out_working_directory() -> None:
    given = sys.orig_argv[1 : len(sys.orig_argv) - len(sys.argv) + 1]
    ours = given[-1:] in (["hera_k8s_utils"], ["-mhera_k8s_utils"])
    if sys.argv[:1] == ["-m"] and ours and not getattr(sys.flags, "safe_path", False):
        del sys.path[0]


_leave_out_working_directory()
