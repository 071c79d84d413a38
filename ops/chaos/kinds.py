"""Every kind of fault that the harness can make, and the points at which each can meet a message in hand.

Actors are those of `ops.faults.KINDS`, where a new kind is one line; a point is there as soon as the server
has it in `supervision.runtime.Point`.
"""

from collections.abc import Mapping
from enum import Enum, unique
from typing import Final, NamedTuple

from ops import faults


@unique
class How(Enum):
    """What the harness does to make a fault."""

    ASK = "ask"  # over the control socket
    KILL = "kill"  # SIGKILL to the server
    RESTART = "restart"  # SIGTERM to the server
    SLOW = "slow"  # SIGSTOP and SIGCONT to the database
    CUT = "cut"  # reset a client's connection
    STALL = "stall"  # a client does not read


class FaultKind(NamedTuple):
    """One kind.

    Attributes:
        how: What is done.
        at: `rest` and points at which it can be done.
        ends_server: Whether the whole server goes.
        needs_own: Whether the server must be the harness's own.
    """

    how: How
    at: tuple[str, ...] = (faults.AT_REST,)
    ends_server: bool = False
    needs_own: bool = False


def _actor(kind: faults.Kind) -> FaultKind:
    return FaultKind(How.ASK, (faults.AT_REST, *(point for point in kind.points if point in faults.POINTS)))


KINDS: Final[Mapping[str, FaultKind]] = {
    **{name: _actor(kind) for name, kind in faults.KINDS.items()},
    faults.DATABASE_PROCESS: FaultKind(How.ASK),
    "server": FaultKind(How.KILL, ends_server=True, needs_own=True),
    faults.SERVER_PROCESS: FaultKind(How.ASK, tuple(faults.POINTS), ends_server=True, needs_own=True),
    "restart": FaultKind(How.RESTART, ends_server=True, needs_own=True),
    "slow database": FaultKind(How.SLOW, needs_own=True),
    "cut": FaultKind(How.CUT),
    "stall": FaultKind(How.STALL),
}
POINTS: Final = (faults.AT_REST, *faults.POINTS)

NOT_BY_DEFAULT: Final = frozenset({"control"})
"""The harness itself speaks to the server through it."""


def kinds_by_default(*, own: bool) -> tuple[str, ...]:
    """Everything that can be done to a server, of the harness's own or another."""
    return tuple(
        name for name, kind in KINDS.items() if name not in NOT_BY_DEFAULT and (own or not kind.needs_own)
    )
