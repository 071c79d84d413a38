"""The ways in which the memory store can be made to fail, as a real database fails.

Whoever drives a simulation hands a `FaultHook` to the store; it is asked once at each call.
"""

from collections.abc import Callable
from enum import Enum, unique
from typing import TypeAlias


@unique
class Fault(Enum):
    """What goes wrong with one call. For a read all of them mean: no answer."""

    AWAY = "away"  # nothing was attempted, and the caller is told so
    LOST_REQUEST = "lost request"  # nothing took effect, but the caller cannot know
    LOST_HALFWAY = (
        "lost halfway"  # the first writes took effect, in order as servers do it, and nobody knows how many
    )
    LOST_ANSWER = "lost answer"  # all of it took effect, but the caller cannot know


# Asked with the name of the method about to be carried out.
FaultHook: TypeAlias = Callable[[str], Fault | None]


def no_fault(_operation: str) -> Fault | None:
    """Let everything succeed."""
    return None
