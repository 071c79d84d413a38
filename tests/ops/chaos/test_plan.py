"""Tests of `ops.chaos.plan`: the same seed makes the same faults, and every card is dealt."""

import pytest

from ops.chaos.kinds import KINDS, POINTS, kinds_by_default
from ops.chaos.options import Options
from ops.chaos.plan import QUIET_SECONDS, WHOLE_SECONDS, cards, plan, planned_points

EVERYTHING = Options(10, 300.0, 7, kinds_by_default(own=True), POINTS, 2.0, 1.0)


def test_plan_is_a_function_of_the_options() -> None:
    assert plan(EVERYTHING) == plan(EVERYTHING._replace())
    assert plan(EVERYTHING) != plan(EVERYTHING._replace(seed=8))


def test_plan_is_what_it_was() -> None:
    """A plan that changes with the program repeats nobody's run: then say so in the change log."""
    options = EVERYTHING._replace(seconds=4.0, rate=1.0, kinds=("session", "cut"), points=("rest",))
    assert [(round(fault.at, 3), fault.kind, fault.point, fault.victim) for fault in plan(options)] == [
        (1.342, "session", "rest", 335984450),
        (2.569, "cut", "rest", 114999033),
        (3.112, "cut", "rest", 1050073878),
    ]


def test_plan_is_in_order_of_time_and_within_the_run() -> None:
    faults = plan(EVERYTHING)
    times = [fault.at for fault in faults]
    assert times == sorted(times)
    assert times[0] >= QUIET_SECONDS
    assert times[-1] <= EVERYTHING.seconds


def test_plan_makes_as_many_faults_as_the_rate_says() -> None:
    of_parts = [fault for fault in plan(EVERYTHING) if not KINDS[fault.kind].ends_server]
    of_whole = [fault for fault in plan(EVERYTHING) if KINDS[fault.kind].ends_server]
    assert len(of_parts) == int((EVERYTHING.seconds - QUIET_SECONDS) * EVERYTHING.rate)
    assert len(of_whole) == int((EVERYTHING.seconds - QUIET_SECONDS) / WHOLE_SECONDS)


@pytest.mark.parametrize("ends_server", [True, False])
def test_plan_deals_every_card_before_one_comes_again(ends_server: bool) -> None:
    whole = cards(EVERYTHING, ends_server=ends_server)
    dealt = [
        (fault.kind, fault.point)
        for fault in plan(EVERYTHING)
        if KINDS[fault.kind].ends_server is ends_server
    ]
    assert set(dealt[: len(whole)]) == set(whole)
    assert len(set(dealt[: len(whole)])) == len(whole)


def test_plan_of_the_shortest_run_has_a_fault_of_each_sort() -> None:
    faults = plan(EVERYTHING._replace(seconds=2.0, rate=0.5))
    assert sorted(KINDS[fault.kind].ends_server for fault in faults) == [False, True]


def test_plan_without_cards_is_empty() -> None:
    assert plan(EVERYTHING._replace(kinds=("listener",), points=("in apply",))) == ()


def test_cards_are_the_chosen_kinds_at_the_chosen_points() -> None:
    options = EVERYTHING._replace(kinds=("registry", "cut", "server"), points=("rest", "after decide"))
    assert cards(options, ends_server=False) == [
        ("registry", "rest"),
        ("registry", "after decide"),
        ("cut", "rest"),
    ]
    assert cards(options, ends_server=True) == [("server", "rest")]


def test_planned_points_are_those_with_a_message_in_hand() -> None:
    options = EVERYTHING._replace(kinds=("registry",), points=("rest", "after decide"))
    assert planned_points(plan(options)) == {"after decide"}
