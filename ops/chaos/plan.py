"""The plan of faults: a pure function of the options, so that a run can be repeated by its seed.

Faults are dealt like cards: each kind at each point is a card, and the shuffled deck is dealt over and over,
so that none is left out for long. What ends the whole server has a deck of its own, dealt more slowly.
"""

from collections.abc import Iterator
from random import Random
from typing import Final, NamedTuple

from ops.chaos.kinds import KINDS
from ops.chaos.options import Options

# Before the first fault: something must be on its way.
QUIET_SECONDS: Final = 1.0
# The shortest run has so many for faults.
_LEAST_SECONDS: Final = 0.5
# Between two ends of the whole server: long enough to start it and have every client resume.
WHOLE_SECONDS: Final = 15.0
# Whom a fault is for is this number, counted round and round among those there are.
VICTIMS: Final = 1 << 30
# How long a client does not read, a database stands still.
LASTS_SECONDS: Final = (0.1, 0.9)
# A time is moved by up to this share of the interval, either way.
_JITTER: Final = 0.45


class Fault(NamedTuple):
    """One fault to make.

    Attributes:
        at: When, in seconds since the clients began to chat.
        kind: One of `kinds.KINDS`.
        point: `rest`, or the name of a point.
        victim: Whom of those there are, counted round and round.
        seconds: For how long, where it lasts.
    """

    at: float
    kind: str
    point: str
    victim: int
    seconds: float


def plan(options: Options) -> tuple[Fault, ...]:
    """Every fault of a run, in the order of time."""
    random = Random(f"plan {options.seed}")  # noqa: S311 - to be repeated, not to be secret
    few = tuple(_deal(random, options, WHOLE_SECONDS, ends_server=True))
    many = tuple(_deal(random, options, 1 / options.rate, ends_server=False))
    return tuple(sorted((*few, *many)))


def cards(options: Options, *, ends_server: bool) -> list[tuple[str, str]]:
    """Each kind with each point that was chosen and that it can meet."""
    return [
        (name, point)
        for name in options.kinds
        if KINDS[name].ends_server is ends_server
        for point in KINDS[name].at
        if point in options.points
    ]


def planned_points(faults: tuple[Fault, ...]) -> frozenset[str]:
    """At which points the plan means to meet a message in hand."""
    return frozenset(fault.point for fault in faults if fault.point != "rest")


def _deal(random: Random, options: Options, every: float, *, ends_server: bool) -> Iterator[Fault]:
    whole, deck = cards(options, ends_server=ends_server), list[tuple[str, str]]()
    if not whole:
        return
    available = max(options.seconds - QUIET_SECONDS, _LEAST_SECONDS)
    every = min(every, available)
    for number in range(int(available / every)):
        if not deck:
            deck = random.sample(whole, len(whole))
        kind, point = deck.pop()
        at = QUIET_SECONDS + (number + 0.5 + random.uniform(-_JITTER, _JITTER)) * every
        yield Fault(at, kind, point, random.randrange(VICTIMS), random.uniform(*LASTS_SECONDS))
