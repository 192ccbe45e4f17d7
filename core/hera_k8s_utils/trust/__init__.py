"""Trust: what files that another user may have written can make the program do."""

from typing import TYPE_CHECKING

from hera_k8s_utils._public import names_of

if TYPE_CHECKING:
    from hera_k8s_utils.trust.consequences import Consequence, sends
    from hera_k8s_utils.trust.directories import (
        SAFE,
        allow,
        allowed_directories,
        disallow,
        is_allowed,
        refuse_foreign_experiment,
    )
    from hera_k8s_utils.trust.ownership import objection
    from hera_k8s_utils.trust.seals import fingerprint, is_sealed, sealed
    from hera_k8s_utils.trust.user_files import user_directory, write_own

__getattr__ = names_of(
    __name__,
    {
        "consequences": ["Consequence", "sends"],
        "directories": ["SAFE", "allow", "allowed_directories", "disallow", "is_allowed", "refuse_foreign_experiment"],
        "ownership": ["objection"],
        "seals": ["fingerprint", "is_sealed", "sealed"],
        "user_files": ["user_directory", "write_own"],
    },
)

__all__ = [
    "SAFE",
    "Consequence",
    "allow",
    "allowed_directories",
    "disallow",
    "fingerprint",
    "is_allowed",
    "is_sealed",
    "objection",
    "refuse_foreign_experiment",
    "sealed",
    "sends",
    "user_directory",
    "write_own",
]
