"""What every actor of one tree shares: where reports go, where faults and delays come from, and the timers.

Time, randomness and faults come in through this one value, so that a whole tree can run from one seed.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any, final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from supervision.report import Report
    from supervision.slot import Slot
    from supervision.timers import TimerQueue


class Point(enum.Enum):
    """Named points in an actor's loop at which a fault can be made to happen with a message in hand.

    The first three are passed by every actor with every message, the others by those that have such a moment.
    """

    BEFORE_DECIDE = "before decide"
    AFTER_DECIDE = "after decide"
    IN_APPLY = "in apply"
    BATCH_BUILT = "batch built"
    COMMITTED = "committed but not answered"
    ANSWERED = "answered but not written"


@final
class KillHere(Exception):
    """Raised by a probe: the incarnation ends at this point as if it had been killed there.

    Trio kills at checkpoints only, where an actor seldom has a message in hand.
    """


@final
@dataclass(slots=True)
class Runtime:
    """One per tree.

    Attributes:
        report: Where supervisors' reports go; it must not raise, since a supervisor would crash of it.
        random: The tree's randomness.
        probe: Called at each named point with the slot and the message; it may raise.
        pause: Awaited by an actor that was woken, before it looks into its mailbox: the simulation's delays.
        timers: The timers of all actors, once there is an actor that keeps them.
    """

    report: Callable[[Report], None]
    random: Random = field(default_factory=Random)
    probe: Callable[[Point, Slot[Any], object], None] | None = None
    pause: Callable[[], Awaitable[None]] | None = None
    timers: TimerQueue | None = None
