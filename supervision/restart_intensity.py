"""Pure sliding windows that tell whether one more restart is too many.

A fixed supervisor counts all its restarts together, as OTP does. A dynamic supervisor counts per child and,
for itself, how many of its children restarted, so that one child that cannot live is given up while a storm
still escalates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

if TYPE_CHECKING:
    from supervision.child_spec import Intensity

STORM_SHARE: Final = 0.5
"""A dynamic supervisor gives up when more than this share of its children restarted within the period."""
STORM_CHILDREN_MIN: Final = 10
"""Fewer children than this are no storm, however few there are."""


@final
class RestartWindow:
    """The times of recent restarts of one supervisor or one child."""

    __slots__ = ("_times",)

    def __init__(self) -> None:
        self._times: list[float] = []

    def add(self, now: float, intensity: Intensity) -> bool:
        """Count a restart at `now` (seconds); true while the intensity is not exceeded."""
        since = now - intensity.period_seconds
        self._times = [time for time in self._times if time > since]
        self._times.append(now)
        return len(self._times) <= intensity.restarts

    def __len__(self) -> int:
        """How many restarts are remembered."""
        return len(self._times)


@final
class RestartedChildren:
    """Which children of a dynamic supervisor restarted lately, each counted once."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last: dict[str, float] = {}  # by id, the longest ago first

    def add(self, id_: str, now: float, period_seconds: float) -> int:
        """Count a restart of this child at `now` (seconds); how many restarted within the period."""
        last = self._last
        last.pop(id_, None)
        last[id_] = now
        while (oldest := next(iter(last))) != id_ and last[oldest] <= now - period_seconds:
            del last[oldest]
        return len(last)


def is_storm(restarted: int, living: int) -> bool:
    """Whether so many restarted children within a period are a storm among that many living ones."""
    return restarted >= STORM_CHILDREN_MIN and restarted > living * STORM_SHARE
