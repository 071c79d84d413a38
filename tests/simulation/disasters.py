"""What is done to a server and to the network while people use them, as the seed will have it."""

from __future__ import annotations

from collections import deque
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, final

from store.memory.faults import Fault
from supervision.runtime import KillHere, Point
from supervision.tree import walk

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from supervision.slot import Slot
    from tests.actors.house import House
    from tests.simulation.agenda import Agenda
    from tests.simulation.ledger import Ledger
    from tests.simulation.network import Line

CHAOS = "chaos"
"""Why actors die that are killed at rest."""
BETWEEN_DISASTERS_SECONDS = 2.0
KILLS_PER_MINUTE_MAX = 8
"""Of all actors together: below what a supervisor takes for a part that cannot live."""
MINUTE_SECONDS = 61.0
KILL_SHARE = 0.1
"""How many of the messages that pass while a kill is due are in hand at it."""
STORE_TROUBLE_SECONDS_MAX = 8.0
"""Longer than the server keeps people waiting for a database that is away."""
SLOW_STORE_SECONDS_MAX = 1.0
TROUBLE_ECHO_SECONDS = 3.0
"""So long after its end a server may still be busy with what it could not store."""

MORTAL = ("/users/", "/sessions/", "/connections/", "/registry", "/store/batcher", "/timers")


class Disaster(Enum):
    """One kind of thing that goes wrong."""

    CUT_ONE = auto()
    CUT_ALL = auto()
    KILL_AT_REST = auto()
    KILL_IN_HAND = auto()
    STORE_AWAY = auto()
    STORE_LOSES = auto()
    STORE_SLOW = auto()
    CRASH = auto()
    RESTART = auto()


WEIGHTS = {
    Disaster.CUT_ONE: 12,
    Disaster.CUT_ALL: 1,
    Disaster.KILL_AT_REST: 8,
    Disaster.KILL_IN_HAND: 12,
    Disaster.STORE_AWAY: 2,
    Disaster.STORE_LOSES: 3,
    Disaster.STORE_SLOW: 3,
    Disaster.CRASH: 3,
    Disaster.RESTART: 1,
}


@final
class Disasters:
    """See the module's docstring.

    Attributes:
        lines: Between clients and the server; those that are cut are forgotten.
        is_over: Whether nothing goes wrong any more.
    """

    def __init__(
        self,
        house: House,
        agenda: Agenda,
        random: Random,
        ledger: Ledger,
        note: Callable[[str, str], None],
    ) -> None:
        self.lines: list[Line] = []
        self.is_over = False
        self._house = house
        self._agenda = agenda
        self._random = random
        self._ledger = ledger
        self._note = note
        self._kills: deque[float] = deque()
        self._kills_due = 0
        self._failing: dict[Fault, float] = {}  # until when, and then calls fail at random
        self._slow_until = 0.0
        self._trouble_since = 0.0
        house.runtime.probe = self._probe
        house.faults = self._store_fault
        house.delay = self._store_delay

    def next(self) -> Disaster | None:
        """What happens next; all but crash and restart, which take their time, has happened by then."""
        (what,) = self._random.choices(list(WEIGHTS), list(WEIGHTS.values()))
        self._note("disaster", what.name)
        self._ledger.counts[what.name] += 1
        match what:
            case Disaster.CUT_ONE:
                self._cut(1)
            case Disaster.CUT_ALL:
                self._cut(len(self.lines))
            case Disaster.KILL_AT_REST:
                self._kill_at_rest()
            case Disaster.KILL_IN_HAND:
                self._kills_due += 1
            case Disaster.STORE_SLOW:
                self._slow_until = self._agenda.now + self._random.uniform(0, STORE_TROUBLE_SECONDS_MAX)
            case Disaster.STORE_AWAY:
                self._fail([Fault.AWAY])
            case Disaster.STORE_LOSES:
                self._fail([Fault.LOST_REQUEST, Fault.LOST_HALFWAY, Fault.LOST_ANSWER])
            case _:
                return what
        return None

    def end(self) -> None:
        """From now on nothing goes wrong."""
        self.is_over = True
        self._kills_due = 0
        self._failing.clear()
        self._slow_until = 0.0

    # -- the network

    def _cut(self, count: int) -> None:
        self.lines = [line for line in self.lines if not line.is_cut]
        for line in self._random.sample(self.lines, min(count, len(self.lines))):
            line.cut()

    def server_is_gone(self) -> None:
        """Every connection to it ends with it."""
        for line in self.lines:
            line.cut(is_server_gone=True)
        self.lines.clear()

    # -- actors

    def _may_kill(self) -> bool:
        now = self._agenda.now
        while self._kills and self._kills[0] < now - MINUTE_SECONDS:
            self._kills.popleft()
        return len(self._kills) < KILLS_PER_MINUTE_MAX

    def _kill_at_rest(self) -> None:
        tree = self._house.tree
        assert tree is not None
        victims = [slot for slot in walk(tree.root) if slot.path.startswith(MORTAL) and slot.is_live]
        if victims and self._may_kill():
            victim = self._random.choice(victims)
            self._note("kill", victim.path)
            self._kills.append(self._agenda.now)
            victim.kill(CHAOS)

    def _probe(self, point: Point, slot: Slot[Any], message: object) -> None:
        """A message is in hand: its actor may die of it."""
        if not self._kills_due or not slot.path.startswith(MORTAL):
            return
        if self._random.random() >= KILL_SHARE or not self._may_kill():
            return
        self._kills_due -= 1
        self._kills.append(self._agenda.now)
        self._ledger.counts[f"killed {point.value}"] += 1
        self._note("kill", f"{slot.path} {point.value}, in hand {type(message).__name__}")
        raise KillHere(point.value)

    # -- the store

    def _fail(self, faults: list[Fault]) -> None:
        now, fault = self._agenda.now, self._random.choice(faults)
        if not self.store_failed_since(now - TROUBLE_ECHO_SECONDS):
            self._trouble_since = now
        self._failing[fault] = until = now + self._random.uniform(0, STORE_TROUBLE_SECONDS_MAX)
        patience = self._house.settings.limits.store_away_seconds
        self._ledger.troubles.append((self._trouble_since, until))
        self._ledger.unsafe.append((self._trouble_since + patience, until + TROUBLE_ECHO_SECONDS))

    def _store_fault(self, operation: str) -> Fault | None:
        for fault, until in self._failing.items():
            if self._agenda.now < until and (fault is Fault.AWAY or self._random.random() < 0.5):
                self._note("store", f"{operation}: {fault.value}")
                return fault
        return None

    def store_failed_since(self, time: float) -> bool:
        """Whether the store was in trouble at that time or later."""
        return any(until >= time for until in self._failing.values())

    def _store_delay(self) -> float:
        is_slow = self._agenda.now < self._slow_until
        return self._random.uniform(0, SLOW_STORE_SECONDS_MAX if is_slow else 0.05)


def is_caused(reason: str) -> bool:
    """Whether an actor that ended for this reason was killed by us."""
    why = reason.removeprefix("killed: ").removeprefix(f"crashed: {KillHere.__name__}: ")
    return why in {CHAOS, *(point.value for point in Point)}
