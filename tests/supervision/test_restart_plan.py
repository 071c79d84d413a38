"""Which siblings share a restart."""

import pytest

from supervision.child_spec import Strategy
from supervision.restart_plan import RestartPlan, plan_restart


@pytest.mark.parametrize(
    ("strategy", "died", "stop", "start"),
    [
        (Strategy.ONE_FOR_ONE, "a", "", "a"),
        (Strategy.ONE_FOR_ONE, "c", "", "c"),
        (Strategy.REST_FOR_ONE, "a", "dcb", "abcd"),
        (Strategy.REST_FOR_ONE, "c", "d", "cd"),
        (Strategy.REST_FOR_ONE, "d", "", "d"),
        (Strategy.ONE_FOR_ALL, "a", "dcb", "abcd"),
        (Strategy.ONE_FOR_ALL, "c", "dba", "abcd"),
    ],
)
def test_plan_restart_follows_the_strategy(strategy: Strategy, died: str, stop: str, start: str) -> None:
    assert plan_restart(strategy, "abcd", died) == RestartPlan(tuple(stop), tuple(start))


def test_plan_restart_of_a_stranger_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="'x' is not in list"):
        plan_restart(Strategy.ONE_FOR_ONE, "abc", "x")
