"""Consequences of options that say where secrets go, or which program runs."""

from __future__ import annotations

from dataclasses import dataclass

from hera_k8s_utils.redaction import remember_address, shown_address


@dataclass(frozen=True)
class Consequence:
    """What follows from an option: `the token of ARGO_TOKEN` `goes to` `https://argo.example`.

    subject: what is sent or run.
    verb: in the present tense, `goes to`.
    object: where it goes.
    conditional: the verb for what is refused, `would go to`.
    """

    subject: str
    verb: str
    object: str
    conditional: str

    def __str__(self) -> str:
        return f"{self.subject} {self.verb} {self.object}"

    @property
    def refused(self) -> str:
        """The consequence in the conditional."""
        return f"{self.subject} {self.conditional} {self.object}"


def sends(subject: str, server: str) -> Consequence:
    """A secret goes to a server; a secret in the server's address is masked from now on."""
    remember_address(server)
    return Consequence(subject, "goes to", shown_address(server), "would go to")
