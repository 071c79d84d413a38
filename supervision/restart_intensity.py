"""Pure sliding windows that tell whether one more restart is too many.

A fixed supervisor counts all its restarts together, as OTP does. A dynamic supervisor counts per child and,
for itself, restarts as a share of its living children, so that one child that cannot live is given up while a
storm still escalates.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, final

if TYPE_CHECKING:
    from supervision.child_spec import Intensity

STORM_SHARE: Final = 0.5
"""A dynamic supervisor gives up when more than this share of its children restarted within the period."""
STORM_CHILDREN_MIN: Final = 10
"""Below this many restarts there is no storm, however few children there are."""


@final
class RestartWindow:
    """The times of recent restarts of one supervisor or one child."""

    __slots__ = ("_times",)

    def __init__(self) -> None:
        self._times: deque[float] = deque()

    def add(self, now: float, intensity: Intensity) -> bool:
        """Count a restart at `now` (seconds); true while the intensity is not exceeded."""
        self._times.append(now)
        return self.count(now, intensity.period_seconds) <= intensity.restarts

    def count(self, now: float, period_seconds: float) -> int:
        """Restarts within the period that ends now; older ones are forgotten."""
        times = self._times
        while times and times[0] <= now - period_seconds:
            times.popleft()
        return len(times)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is remembered, so that the window can be dropped."""
        return not self._times


def is_storm(restarts: int, living: int) -> bool:
    """Whether that many restarts within a period are a storm for that many living children."""
    return restarts >= STORM_CHILDREN_MIN and restarts > living * STORM_SHARE
