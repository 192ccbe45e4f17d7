"""Errors of expressions."""

from __future__ import annotations


class ExpressionError(ValueError):
    """An expression cannot be read or evaluated."""


class UnknownFunction(ExpressionError):
    """An expression calls a function that is not there.

    name: which.
    """

    def __init__(self, name: str) -> None:
        super().__init__(f"unknown name {name}")
        self.name = name
