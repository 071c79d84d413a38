"""What happens when, outside the server: one queue of things to do, worked off by one task.

Network and clients of the simulation are synchronous and live by this; a task for each would cost more than
all they do.
"""

from __future__ import annotations

import heapq
import itertools
from typing import TYPE_CHECKING, NamedTuple, final

import trio

if TYPE_CHECKING:
    from collections.abc import Callable


class _Entry(NamedTuple):
    at: float
    number: int  # of two things at the same time, the one that was planned first comes first
    happen: Callable[[], None]


@final
class Agenda:
    """See the module's docstring."""

    def __init__(self) -> None:
        self._entries: list[_Entry] = []
        self._numbers = itertools.count()
        self._sooner: trio.Event | None = None

    @property
    def now(self) -> float:
        """Seconds of Trio's clock."""
        return trio.current_time()

    def at(self, time: float, happen: Callable[[], None]) -> None:
        """Do this at that time, or as soon as possible afterwards."""
        entry = _Entry(time, next(self._numbers), happen)
        is_first = not self._entries or entry < self._entries[0]
        heapq.heappush(self._entries, entry)
        if is_first and self._sooner is not None:
            self._sooner.set()

    def after(self, seconds: float, happen: Callable[[], None]) -> None:
        """Do this in so many seconds."""
        self.at(trio.current_time() + seconds, happen)

    async def run(self) -> None:
        """Work it off until cancelled; what a thing raises ends all."""
        entries = self._entries
        while True:
            while entries and entries[0].at <= trio.current_time():
                heapq.heappop(entries).happen()
            self._sooner = trio.Event()
            with trio.move_on_at(entries[0].at if entries else float("inf")):
                await self._sooner.wait()
