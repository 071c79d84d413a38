"""What every actor of one tree shares: where reports go, where faults come from, and the timers.

Time, randomness and faults come in through this one value, so that a whole tree can run from one seed.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any, final

if TYPE_CHECKING:
    from collections.abc import Callable

    from supervision.report import Report
    from supervision.slot import Slot
    from supervision.timers import TimerQueue


class Point(enum.Enum):
    """Named points in an actor's loop at which a fault can be made to happen with a message in hand."""

    BEFORE_DECIDE = "before decide"
    AFTER_DECIDE = "after decide"
    IN_APPLY = "in apply"


@final
@dataclass(slots=True)
class Runtime:
    """One per tree. `probe` is called at each named point; it may raise, or kill the slot it is given."""

    report: Callable[[Report], None]
    random: Random = field(default_factory=Random)
    probe: Callable[[Point, Slot[Any], object], None] | None = None
    timers: TimerQueue | None = None
