"""Whether one more restart is too many."""

from supervision.child_spec import Intensity
from supervision.restart_intensity import STORM_CHILDREN_MIN, RestartedChildren, RestartWindow, is_storm

THRICE = Intensity(restarts=3, period_seconds=5.0)


def test_window_allows_as_many_restarts_as_the_intensity_says() -> None:
    window = RestartWindow()
    assert [window.add(now, THRICE) for now in (0.0, 1.0, 2.0, 3.0)] == [True, True, True, False]


def test_window_with_intensity_zero_allows_none() -> None:
    assert not RestartWindow().add(0.0, Intensity(0, 5.0))


def test_window_forgets_what_is_a_period_old() -> None:
    window = RestartWindow()
    for now in (0.0, 1.0, 2.0):
        assert window.add(now, THRICE)
    assert window.add(5.0, THRICE)
    assert not window.add(5.5, THRICE)


def test_restarted_children_counts_each_child_once() -> None:
    restarted = RestartedChildren()
    assert [restarted.add(id_, 0.0, 5.0) for id_ in ("a", "a", "b", "a")] == [1, 1, 2, 2]


def test_restarted_children_forgets_children_that_have_been_well_for_a_period() -> None:
    restarted = RestartedChildren()
    restarted.add("a", 0.0, 5.0)
    restarted.add("b", 3.0, 5.0)
    assert restarted.add("c", 5.0, 5.0) == 2
    assert restarted.add("c", 60.0, 5.0) == 1


def test_storm_is_more_than_half_of_the_living() -> None:
    assert not is_storm(50, 100)
    assert is_storm(51, 100)


def test_storm_needs_a_minimum_however_few_live() -> None:
    assert not is_storm(STORM_CHILDREN_MIN - 1, 1)
    assert is_storm(STORM_CHILDREN_MIN, 1)
