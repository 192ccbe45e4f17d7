"""Rules for the values of a deployment: names, labels, quantities, counts, addresses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

from hera_k8s_utils import OptionsError

PULL_POLICIES: Final = ("Always", "IfNotPresent", "Never")
LOG_LEVELS: Final = ("DEBUG", "INFO", "WARN", "ERROR", "CRITICAL")

_LABEL_WORD: Final = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_SERVICE: Final = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_POSIX: Final = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
_QUANTITY: Final = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(m|k|[MGTPE]|[KMGTPE]i)?")


class ValidationErrors:
    """What is wrong with the fields of one record, gathered so that a user mends them in one go."""

    def __init__(self, of: str) -> None:
        self._of = of
        self._found: list[str] = []

    def require(self, field: str, value: Any, fits: bool, wanted: str) -> None:
        """Note a field whose value does not fit."""
        if value in ("", None):
            self._found.append(f"{field} is missing: {wanted}")
        elif not fits:
            self._found.append(f"{field}={value!r}: {wanted}")

    def service(self, field: str, value: str, *, longest: int = 63) -> None:
        """A name that services are called by (RFC 1035)."""
        wanted = f"lower-case letters, digits and dashes, a letter first, {longest} characters at most"
        self.require(field, value, len(value) <= longest and _SERVICE.fullmatch(value) is not None, wanted)

    def object_name(self, field: str, value: str) -> None:
        """A name that most objects may have (RFC 1123)."""
        fits = len(value) <= 253 and _SUBDOMAIN.fullmatch(value) is not None
        self.require(field, value, fits, "the name of an object: lower-case letters, digits, dashes and dots")

    def label_value(self, field: str, value: str) -> None:
        """The value of a label."""
        fits = len(value) <= 63 and _LABEL_WORD.fullmatch(value) is not None
        self.require(field, value, fits, "the value of a label: letters, digits, `-`, `_` and `.`, 63 at most")

    def label(self, field: str, value: str) -> None:
        """A label, `key: value`."""
        self.require(
            field, value, bool(value) and label_pair(value) is not None, 'a label, such as "release: kube-stack"'
        )

    def tag(self, field: str, value: str) -> None:
        """The tag of an image."""
        self.require(field, value, _TAG.fullmatch(value) is not None, "a release, such as v2024.04.19")

    def account(self, field: str, value: str) -> None:
        """The name of a user or a group of the operating system."""
        self.require(field, value, _POSIX.fullmatch(value) is not None, "the name of a user or a group, such as ubuntu")

    def count(self, field: str, value: int, *, least: int = 1, most: int | None = None) -> None:
        """A whole number within bounds."""
        high = f" and {most} at most" if most is not None else ""
        whole = isinstance(value, int) and not isinstance(value, bool)
        fits = whole and value >= least and (most is None or value <= most)
        self.require(field, value, fits, f"a whole number, {least} at least{high}")

    def quantity(self, field: str, value: str, example: str) -> None:
        """A quantity of Kubernetes above nought."""
        self.require(field, value, is_quantity(value), f"a quantity above nought, such as {example}")

    def url(self, field: str, value: str) -> None:
        """The address of a server."""
        self.require(field, value, is_url(value), "an address, such as https://kubernetes.default.svc")

    def host(self, field: str, value: str) -> None:
        """The name or the address of a host."""
        fits = len(value) <= 253 and re.fullmatch(r"[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?", value) is not None
        self.require(field, value, fits, "the name of a host, such as arkouda-metrics.arkouda")

    def one_of(self, field: str, value: str, choices: tuple[str, ...]) -> None:
        """One of a few words."""
        self.require(field, value, value in choices, f"one of {', '.join(choices)}")

    def raise_if_any(self, hint: str) -> None:
        """Raise `OptionsError` naming every field that does not fit."""
        if self._found:
            raise OptionsError(f"{self._of} cannot be described so", found="".join(self._lines()), hint=hint)

    def _lines(self) -> Iterator[str]:
        for found in self._found:
            yield f"\n  {found}"


def label_pair(text: str) -> tuple[str, str] | None:
    """Key and value of `key: value`; None for what is no label."""
    key, colon, value = (part.strip() for part in text.partition(":"))
    prefix, slash, name = key.rpartition("/")
    if not colon or not _LABEL_WORD.fullmatch(name) or len(name) > 63 or len(value) > 63:
        return None
    if slash and not (len(prefix) <= 253 and _SUBDOMAIN.fullmatch(prefix)):
        return None
    return (key, value) if not value or _LABEL_WORD.fullmatch(value) else None


def is_quantity(text: str) -> bool:
    """Whether a text is a quantity above nought: `2000m`, `2`, `2048Mi`."""
    matched = _QUANTITY.fullmatch(text)
    return matched is not None and float(matched[1]) > 0


def is_url(text: str) -> bool:
    """Whether a text is the address of a server: scheme, host, perhaps a port and a path, and no user or query."""
    if re.search(r"[\s\"'\\{}]", text):
        return False
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    plain = not (parts.query or parts.fragment or parts.username or parts.password)
    return parts.scheme in ("http", "https") and bool(parts.hostname) and plain and port != 0
