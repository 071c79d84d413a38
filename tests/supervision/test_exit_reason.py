"""Why an actor ended."""

import pytest

from supervision.exit_reason import (
    Crashed,
    ExitReason,
    Killed,
    Normal,
    Shutdown,
    describe,
    is_abnormal,
    sole_cause,
)


@pytest.mark.parametrize(
    ("reason", "abnormal", "text"),
    [
        (Normal(), False, "normal"),
        (Shutdown("maintenance"), False, "shutdown: maintenance"),
        (Killed("its grace is over"), True, "killed: its grace is over"),
        (Crashed(KeyError("x")), True, "crashed: KeyError: 'x'"),
        (Crashed(ExceptionGroup("g", [ValueError("deep")])), True, "crashed: ValueError: deep"),
    ],
)
def test_exit_reason_is_abnormal_only_when_nobody_wanted_it(
    reason: ExitReason, abnormal: bool, text: str
) -> None:
    assert is_abnormal(reason) is abnormal
    assert describe(reason) == text


def test_exit_reasons_of_different_kinds_are_never_equal() -> None:
    reasons: list[object] = [Shutdown("x"), Killed("x"), Normal(), ()]
    assert [reasons.index(reason) for reason in reasons] == [0, 1, 2, 3]


def test_exit_reasons_are_all_true() -> None:
    """So that `reason or other` does what it says."""
    assert all((Normal(), Shutdown(), Killed(), Crashed(ValueError())))


def test_sole_cause_unwraps_groups_of_one_only() -> None:
    inner = ValueError("x")
    assert sole_cause(inner) is inner
    assert sole_cause(ExceptionGroup("outer", [ExceptionGroup("inner", [inner])])) is inner
    two = ExceptionGroup("two", [inner, KeyError("y")])
    assert sole_cause(two) is two
