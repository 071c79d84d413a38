"""What a supervisor needs to know of a child, in OTP's words; frozen, and checked when built."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, final

from supervision.mailbox import BYTES_MAX, MESSAGES_MAX

if TYPE_CHECKING:
    from collections.abc import Callable

    from supervision.actor import Actor
    from supervision.slot import Slot

BRUTAL_KILL: Final = 0.0
"""A grace of nothing: the child is cancelled without being asked."""
INFINITY: Final = math.inf
"""A grace without end, for supervisors: each of their children has its own."""


class Restart(enum.Enum):
    """Whether a child that ended is started again."""

    PERMANENT = "permanent"  # always
    TRANSIENT = "transient"  # only if it ended abnormally
    TEMPORARY = "temporary"  # never


class Strategy(enum.Enum):
    """Which siblings share a child's restart."""

    ONE_FOR_ONE = "one_for_one"
    ONE_FOR_ALL = "one_for_all"
    REST_FOR_ONE = "rest_for_one"


class AutoShutdown(enum.Enum):
    """Whether a supervisor ends when its significant children have ended by themselves."""

    NEVER = "never"
    ANY_SIGNIFICANT = "any_significant"
    ALL_SIGNIFICANT = "all_significant"


@final
@dataclass(frozen=True, slots=True)
class Intensity:
    """How many restarts within how many seconds are too many once exceeded."""

    restarts: int = 3
    period_seconds: float = 5.0

    def __post_init__(self) -> None:
        """Check the bounds.

        Raises:
            ValueError: a negative count or a period that is not positive.
        """
        if self.restarts < 0 or self.period_seconds <= 0:
            raise ValueError(f"an intensity needs restarts >= 0 and a period > 0, not {self}")


@final
@dataclass(frozen=True, slots=True)
class ChildSpec:
    """One child: `start` makes an incarnation for a slot; the slot and its mailbox outlive incarnations."""

    id: str
    start: Callable[[Slot[Any]], Actor[Any, Any]]
    restart: Restart = Restart.PERMANENT
    grace_seconds: float = 5.0
    significant: bool = False
    messages_max: int = MESSAGES_MAX
    bytes_max: int = BYTES_MAX
    abandoned: Callable[[list[Any]], None] | None = None
    """What to do with the messages that the slot leaves when it ends for good.

    Replies in them have been failed.
    """

    def __post_init__(self) -> None:
        """Check the bounds.

        Raises:
            ValueError: no id, a negative grace, or a significant child that would always be restarted.
        """
        if not self.id:
            raise ValueError("a child needs an id")
        if self.grace_seconds < 0:
            raise ValueError(f"child {self.id}: the grace cannot be negative")
        if self.significant and self.restart is Restart.PERMANENT:
            raise ValueError(
                f"child {self.id}: a permanent child never ends by itself, so it cannot be significant"
            )


def should_restart(restart: Restart, *, abnormal: bool) -> bool:
    """OTP's table: permanent always, transient after an abnormal end, temporary never."""
    return restart is Restart.PERMANENT or (restart is Restart.TRANSIENT and abnormal)
