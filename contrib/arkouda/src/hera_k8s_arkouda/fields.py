"""Validation of the fields of a deployment: names, labels, quantities, counts, addresses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

from hera_k8s_utils import OptionsError

PULL_POLICIES: Final = ("Always", "IfNotPresent", "Never")
LOG_LEVELS: Final = ("DEBUG", "INFO", "WARN", "ERROR", "CRITICAL")

_LABEL_NAME: Final = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_SERVICE: Final = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_POSIX: Final = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
_QUANTITY: Final = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(m|k|[MGTPE]|[KMGTPE]i)?")


class ValidationErrors:
    """The invalid fields of a record, collected so that a user can fix all of them at once."""

    def __init__(self, of: str) -> None:
        self._of = of
        self._found: list[str] = []

    def require(self, field: str, value: Any, fits: bool, wanted: str) -> None:
        """Record a field whose value is missing or invalid."""
        if value in ("", None):
            self._found.append(f"{field} is missing: {wanted}")
        elif not fits:
            self._found.append(f"{field}={value!r}: {wanted}")

    def service(self, field: str, value: str, *, max_length: int = 63) -> None:
        """The name of a service (RFC 1035)."""
        wanted = (
            f"must be lower-case letters, digits and dashes, starting with a letter, at most {max_length} characters"
        )
        self.require(field, value, len(value) <= max_length and _SERVICE.fullmatch(value) is not None, wanted)

    def object_name(self, field: str, value: str) -> None:
        """The name of most objects (RFC 1123)."""
        fits = len(value) <= 253 and _SUBDOMAIN.fullmatch(value) is not None
        self.require(field, value, fits, "must be an object name: lower-case letters, digits, dashes and dots")

    def label_value(self, field: str, value: str) -> None:
        """The value of a label."""
        fits = len(value) <= 63 and _LABEL_NAME.fullmatch(value) is not None
        self.require(
            field, value, fits, "must be a label value: letters, digits, `-`, `_` and `.`, at most 63 characters"
        )

    def label(self, field: str, value: str) -> None:
        """A label, `key: value`."""
        self.require(
            field,
            value,
            bool(value) and label_pair(value) is not None,
            'must be a label, such as "release: kube-stack"',
        )

    def tag(self, field: str, value: str) -> None:
        """The tag of an image."""
        self.require(field, value, _TAG.fullmatch(value) is not None, "must be a release, such as v2024.04.19")

    def account(self, field: str, value: str) -> None:
        """The name of a user or a group of the operating system."""
        self.require(
            field, value, _POSIX.fullmatch(value) is not None, "must be the name of a user or group, such as ubuntu"
        )

    def count(self, field: str, value: int, *, minimum: int = 1, maximum: int | None = None) -> None:
        """A whole number within bounds."""
        high = f" and at most {maximum}" if maximum is not None else ""
        whole = isinstance(value, int) and not isinstance(value, bool)
        fits = whole and value >= minimum and (maximum is None or value <= maximum)
        self.require(field, value, fits, f"must be a whole number, at least {minimum}{high}")

    def quantity(self, field: str, value: str, example: str) -> None:
        """A Kubernetes quantity above zero."""
        self.require(field, value, is_quantity(value), f"must be a quantity above zero, such as {example}")

    def url(self, field: str, value: str) -> None:
        """The URL of a server."""
        self.require(field, value, is_url(value), "must be a URL, such as https://kubernetes.default.svc")

    def host(self, field: str, value: str) -> None:
        """The name or address of a host."""
        fits = len(value) <= 253 and re.fullmatch(r"[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?", value) is not None
        self.require(field, value, fits, "must be a host name, such as arkouda-metrics.arkouda")

    def one_of(self, field: str, value: str, choices: tuple[str, ...]) -> None:
        """One of several choices."""
        self.require(field, value, value in choices, f"must be one of {', '.join(choices)}")

    def raise_if_any(self, hint: str) -> None:
        """Raise `OptionsError` naming every invalid field."""
        if self._found:
            raise OptionsError(f"{self._of}: invalid values", found="".join(self._lines()), hint=hint)

    def _lines(self) -> Iterator[str]:
        for found in self._found:
            yield f"\n  {found}"


def label_pair(text: str) -> tuple[str, str] | None:
    """Key and value of `key: value`; None if it is not a label."""
    key, colon, value = (part.strip() for part in text.partition(":"))
    prefix, slash, name = key.rpartition("/")
    if not colon or not _LABEL_NAME.fullmatch(name) or len(name) > 63 or len(value) > 63:
        return None
    if slash and not (len(prefix) <= 253 and _SUBDOMAIN.fullmatch(prefix)):
        return None
    return (key, value) if not value or _LABEL_NAME.fullmatch(value) else None


def is_quantity(text: str) -> bool:
    """Whether the text is a quantity above zero: `2000m`, `2`, `2048Mi`."""
    matched = _QUANTITY.fullmatch(text)
    return matched is not None and float(matched[1]) > 0


def is_url(text: str) -> bool:
    """Whether the text is a server's URL: scheme and host, optional port and path, no user or query."""
    if re.search(r"[\s\"'\\{}]", text):
        return False
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    plain = not (parts.query or parts.fragment or parts.username or parts.password)
    return parts.scheme in ("http", "https") and bool(parts.hostname) and plain and port != 0
