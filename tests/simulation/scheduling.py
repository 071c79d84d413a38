"""Interleavings from a seed: Trio's own shuffling, and delays after each wake of an actor.

Trio's scheduler is random unless it is seeded, and offers that only in private. This is the one place that
reaches for it.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import trio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from random import Random

_scheduler: Any = trio._core._run


@contextmanager
def seeded_scheduling(seed: int) -> Iterator[None]:
    """Within this, Trio picks the order of runnable tasks from the seed; enter it around `trio.run`."""
    state, deterministic = _scheduler._r.getstate(), _scheduler._ALLOW_DETERMINISTIC_SCHEDULING
    _scheduler._r.seed(seed)
    _scheduler._ALLOW_DETERMINISTIC_SCHEDULING = True
    try:
        yield
    finally:
        _scheduler._r.setstate(state)
        _scheduler._ALLOW_DETERMINISTIC_SCHEDULING = deterministic


def delays(random: Random, seconds_max: float, share: float = 0.5) -> Callable[[], Awaitable[None]]:
    """For `Runtime.pause`: of so many wakes the share is delayed, each by up to so many seconds.

    Trio's own shuffling explores little: a task that was woken runs within a tick or two of the others.
    """

    async def pause() -> None:
        if random.random() < share:
            await trio.sleep(random.uniform(0, seconds_max))

    return pause
