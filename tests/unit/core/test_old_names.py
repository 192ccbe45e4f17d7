"""Old names of methods, fields and keyword arguments: they work for one release, and warn with the new name."""

from __future__ import annotations

import pytest

from hera_k8s_utils import Credential, FailureBudget, Inputs, Layout
from hera_k8s_utils.network.retry import RetryPolicy


class _ByNumber:
    def encode(self, point: object) -> str:
        return str(point)

    def decode(self, path: str) -> dict[str, object]:
        raise NotImplementedError(path)


def test_a_method_of_0_2_is_the_one_of_today() -> None:
    budget = FailureBudget("trial", RetryPolicy(), "")
    with pytest.warns(DeprecationWarning, match=r"FailureBudget\.relieve is now reset"):
        budget.relieve()  # type: ignore[attr-defined]
    assert not budget.failing


def test_a_field_of_0_2_is_taken_by_the_constructor_and_read() -> None:
    with pytest.warns(DeprecationWarning, match=r"Credential\(provisions=\) is now auto_provision="):
        credential = Credential(provisions=True)  # type: ignore[call-arg]
    with pytest.warns(DeprecationWarning, match=r"Credential\.provisions is now auto_provision"):
        assert credential.provisions  # type: ignore[attr-defined]
    assert credential == Credential(auto_provision=True)


def test_a_layout_answers_to_its_names_of_0_2() -> None:
    inputs = Inputs(parameters={"seed": [1]})
    layout = Layout(_ByNumber(), inputs, None)
    with pytest.warns(DeprecationWarning, match=r"Layout\.name is now dns_name"):
        assert layout.name(inputs[0]) == layout.dns_name(inputs[0])  # type: ignore[attr-defined]
