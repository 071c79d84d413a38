"""What can be said of a child, and what is refused (OTP: sup_start_map*, child_specs, sup_flags)."""

import dataclasses
from typing import Any

import pytest

from supervision.child_spec import BRUTAL_KILL, INFINITY, ChildSpec, Intensity, Restart
from supervision.dynamic_supervisor import DynamicChildren
from supervision.supervisor import supervisor_spec
from tests.supervision.stage import Stage


def test_child_spec_has_otps_defaults() -> None:
    spec = Stage().spec("a")
    assert (spec.restart, spec.grace_seconds, spec.significant) == (Restart.PERMANENT, 5.0, False)


def test_supervisor_spec_has_otps_defaults() -> None:
    """Its children have graces of their own, so it is never hurried."""
    spec = supervisor_spec("root", [])
    assert (spec.restart, spec.grace_seconds, spec.significant) == (Restart.PERMANENT, INFINITY, False)
    assert DynamicChildren("crowd", children_max=1).spec().grace_seconds == INFINITY


def test_child_spec_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Stage().spec("a").id = "b"  # type: ignore[misc]  # that is the point


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"id": ""}, "a child needs an id"),
        ({"grace_seconds": -0.1}, "child a: the grace cannot be negative"),
        ({"significant": True}, "child a: a permanent child never ends by itself"),
    ],
)
def test_child_spec_with_a_fault_is_refused_when_built(fault: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ChildSpec(**{"id": "a", "start": Stage().start, **fault})


@pytest.mark.parametrize("grace_seconds", [BRUTAL_KILL, 0.5, INFINITY])
def test_child_spec_takes_any_grace(grace_seconds: float) -> None:
    assert Stage().spec("a", grace_seconds=grace_seconds).grace_seconds == grace_seconds


@pytest.mark.parametrize(("restarts", "period_seconds"), [(-1, 5.0), (3, 0.0), (3, -1.0)])
def test_intensity_that_means_nothing_is_refused(restarts: int, period_seconds: float) -> None:
    with pytest.raises(ValueError, match="an intensity needs restarts >= 0 and a period > 0"):
        Intensity(restarts, period_seconds)


def test_intensity_of_zero_restarts_is_allowed() -> None:
    assert Intensity(0, 1.0).restarts == 0
