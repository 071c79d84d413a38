"""The sliding windows against their definitions."""

from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from supervision.child_spec import Intensity
from supervision.restart_intensity import RestartedChildren, RestartWindow

GAPS = st.lists(st.integers(0, 40), min_size=1, max_size=60)
"""Tenths of a second between restarts."""
INTENSITIES = st.builds(Intensity, st.integers(0, 6), st.integers(1, 10).map(float))


def times(gaps: list[int]) -> list[float]:
    return [tenths / 10 for tenths in accumulate(gaps)]


@given(GAPS, INTENSITIES)
def test_window_allows_exactly_what_the_definition_allows(gaps: list[int], intensity: Intensity) -> None:
    window, past = RestartWindow(), list[float]()
    for now in times(gaps):
        past.append(now)
        within = [time for time in past if time > now - intensity.period_seconds]
        assert window.add(now, intensity) is (len(within) <= intensity.restarts)
        assert len(window) == len(within)


@given(GAPS, INTENSITIES)
def test_window_that_is_obeyed_never_remembers_more_than_the_intensity(
    gaps: list[int], intensity: Intensity
) -> None:
    """Who gives up when told so has bounded memory."""
    window = RestartWindow()
    for now in times(gaps):
        if not window.add(now, intensity):
            window = RestartWindow()
        assert len(window) <= intensity.restarts


@given(st.lists(st.tuples(st.integers(0, 40), st.sampled_from("abcdefgh")), min_size=1, max_size=60))
def test_restarted_children_counts_the_distinct_ones_of_the_period(restarts: list[tuple[int, str]]) -> None:
    counted, past = RestartedChildren(), list[tuple[float, str]]()
    for now, id_ in zip(times([gap for gap, _ in restarts]), [id_ for _, id_ in restarts], strict=True):
        past.append((now, id_))
        assert counted.add(id_, now, 3.0) == len({other for time, other in past if time > now - 3.0})
