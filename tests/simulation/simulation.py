"""One seed: a server in a house, many clients, bad network, bad store, deaths and crashes; then a verdict.

The server is the real tree. It is used for a minute of its time, some of it without any mercy; then all is
mended, everybody but a few comes back, and when nothing moves any more the books must balance.
"""

from __future__ import annotations

import hashlib
import re
from contextlib import nullcontext
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple, final

import trio
from trio.testing import MockClock

from actors.fates import MessageFate, as_event
from actors.settings import LimitSettings, Settings
from protocols.jid import parse_jid
from store.log import SEQ_MAX
from supervision.dynamic_supervisor import NotAcceptingError
from supervision.exit_reason import Killed, describe
from supervision.reply import ActorCrashed
from supervision.report import ChildTerminated, MessageSetAside, ShutdownFailed, StartFailed
from supervision.runtime import KillHere
from supervision.tree import walk
from tests.actors.house import ADDRESS, House
from tests.actors.house_wire import lay_wire
from tests.simulation.agenda import Agenda
from tests.simulation.disasters import BETWEEN_DISASTERS_SECONDS, Disaster, Disasters, is_caused
from tests.simulation.ledger import Ledger
from tests.simulation.network import UNNOTICED_SECONDS_MAX, Line
from tests.simulation.player import Player, Troupe
from tests.simulation.scheduling import seeded_scheduling
from tests.simulation.verdict import Final, PlayerView, RosterView, error_for, judge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from store.users import User

ACTING_SECONDS = 32.0
"""Of the server's time; a longer run finds no more in the same CPU time than two short ones."""
DOWN_SECONDS_MAX = 3.0
STOP_NEEDS_STORE_SECONDS = 1.0
"""An orderly stop does not wait for a store that did not answer so shortly before."""
FRIENDSHIPS = 2
"""Contacts that each account makes, besides those that make it theirs."""
UNMANAGED_SHARE = 0.1
"""Accounts whose clients know nothing of stream management."""
RETURN_SECONDS_MAX = 60.0
"""How long clients may need to come back when nothing goes wrong any more."""
QUIET_SECONDS = 20.0
"""Longer than everything takes that one word can set off."""
RESUME_SECONDS = 40.0
"""How long the server keeps a session without a connection."""
LAST_WORDS = 3
"""Messages to each client that stays away."""
READ_MAX = 10_000
"""Messages that are looked for in one account's log."""

_MESSAGE_ID = re.compile(rb""" id=["'](m\d+)["']""")
_ERROR = re.compile(rb"""<message [^>]*type=["']error["']""")


class Event(NamedTuple):
    """One line of the trace."""

    at: float
    who: str
    what: str


class Outcome(NamedTuple):
    """What one seed came to.

    Attributes:
        faults: What did not hold.
        counts: What happened how often.
    """

    seed: int
    faults: tuple[str, ...]
    counts: Mapping[str, int]
    trace: tuple[Event, ...]

    @property
    def digest(self) -> str:
        """The trace in few characters, to be compared."""
        return hashlib.sha256(repr(self.trace).encode()).hexdigest()[:16]


def simulate(seed: int, planted: AbstractContextManager[object] | None = None) -> Outcome:
    """Run one seed, in no time, with a planted bug if there is one."""
    simulation = Simulation(seed)
    with seeded_scheduling(seed), planted or nullcontext():
        trio.run(simulation.run, clock=MockClock(autojump_threshold=0))
    return Outcome(seed, tuple(simulation.faults), simulation.ledger.counts, tuple(simulation.trace))


@final
class Simulation:
    """See the module's docstring."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.ledger = Ledger()
        self.agenda = Agenda()
        self.trace: list[Event] = []
        self.faults: list[str] = []
        self.accounts = [f"user-{number}@localhost" for number in range(self.random.randint(6, 9))]
        self.house = House(
            self.accounts, seed=self.random.getrandbits(32), with_delays=True, settings=_settings()
        )
        self.disasters = Disasters(self.house, self.agenda, self.random, self.ledger, self.note)
        self.troupe = Troupe(
            self.agenda, self.random, self.ledger, self.connect, self.note, RESUME_SECONDS + QUIET_SECONDS
        )
        self.contacts: dict[str, list[str]] = {account: [] for account in self.accounts}
        self._is_up = False
        self._make_players()
        self._make_friends()

    def _make_players(self) -> None:
        for account in self.accounts:
            managed = self.random.random() >= UNMANAGED_SHARE
            for resource in ("desk", "phone")[: 1 + (self.random.random() < 0.3)]:
                jid = parse_jid(f"{account}/{resource}")
                self.troupe.players.append(Player(jid, self.troupe, wants_management=managed))

    def _make_friends(self) -> None:
        for account in self.accounts:
            for other in self.random.sample(self.accounts, FRIENDSHIPS):
                if other != account and other not in self.contacts[account]:
                    self.house.befriend(account, other)
                    self.contacts[account].append(other)
                    self.contacts[other].append(account)

    def note(self, who: str, what: str) -> None:
        """Put a line into the trace."""
        self.trace.append(Event(round(trio.current_time(), 6), who, what))

    def connect(self, name: str, hear: Callable[[bytes], None]) -> Line | None:
        """A connection of a client's; None where nobody takes it."""
        if not self._is_up:
            return None
        try:
            wire = lay_wire(self.house.server, ADDRESS)
        except NotAcceptingError:
            return None
        line = Line(self.agenda, self.random, wire, hear, self.note, name)
        self.disasters.lines.append(line)
        return line

    # -- the play

    async def run(self) -> None:
        """All of it."""
        async with self.house.open() as house, trio.open_nursery() as nursery:
            self._is_up = True
            nursery.start_soon(self.agenda.run)
            for player in self.troupe.players:
                self.agenda.after(self.random.uniform(0, 5), player.come)
                self.agenda.after(self.random.uniform(0, 10), player.act)
            await self._suffer()
            await self._mend()
            self._note_refused()
            self.faults = judge(self.ledger, self._final())
            house.forgive()
            nursery.cancel_scope.cancel()

    async def _suffer(self) -> None:
        with trio.move_on_after(ACTING_SECONDS):
            while True:
                await trio.sleep(self.random.expovariate(1 / BETWEEN_DISASTERS_SECONDS))
                what = self.disasters.next()
                if what is not None:
                    with trio.CancelScope(shield=True):
                        await self._replace_server(what)

    async def _replace_server(self, how: Disaster) -> None:
        self._is_up = False
        began, is_orderly = self.agenda.now, False
        if how is Disaster.CRASH:
            self._note_refused(is_crash=True)
            self.disasters.server_is_gone()
            await self.house.crash()
        else:
            self.ledger.stops.append(began)
            is_orderly = await self.house.stop()
            self._note_refused(is_crash=not is_orderly)
            self.disasters.server_is_gone()
        if not is_orderly or self.disasters.store_failed_since(began - STOP_NEEDS_STORE_SECONDS):
            # Without its store no server can say what is owed to whom; until its end it is heard, and hears.
            self.ledger.crashes.append(self.agenda.now)
            self._forgive_haste()
        await trio.sleep(self.random.uniform(0, DOWN_SECONDS_MAX))
        await self.house.start_again()
        self._is_up = True
        self.note("server", "is up again")

    def _note_refused(self, *, is_crash: bool = False) -> None:
        """What the server says it refused; a crash forgets that where the sender had not been told."""
        for raw in self.house.server.fates.snapshot():
            event = as_event(raw)
            message = self.ledger.messages.get(event.id or "")
            if event.fate is not MessageFate.REFUSED or message is None:
                continue
            if not is_crash or message.acked_at is not None:
                self.ledger.refused.add(message.id)

    def _forgive_haste(self) -> None:
        """An actor that waits for its store is killed when the grace of a stop is over."""
        reports = self.house.reports
        reports[:] = [report for report in reports if not _is_out_of_grace(report)]

    async def _mend(self) -> None:
        """Nothing goes wrong any more; who comes back does, and all that is owed is given."""
        self.note("simulation", "quiet")
        self.disasters.end()
        self.troupe.is_quiet = True
        absent = self._send_away()
        await self._wait_for_all(absent)
        for player in self.troupe.players:
            if player.jid.bare != absent and player.is_ready:
                for other in (each for each in self.troupe.players if each.jid.bare == absent):
                    player.chat_with(other)
                player.be_available()
                if player.roster is None:
                    player.ask_for_roster()
        await trio.sleep(RESUME_SECONDS + QUIET_SECONDS)
        for player in self.troupe.players:
            player.stream.ask_for_ack()
        await trio.sleep(QUIET_SECONDS)

    def _send_away(self) -> str | None:
        """In some runs an account stays without clients, so that what is for it must be kept."""
        if self.random.random() < 0.5:
            return None
        absent = self.random.choice(self.accounts)
        for player in self.troupe.players:
            if player.jid.bare == absent:
                player.stay_away()
        return absent

    async def _wait_for_all(self, absent: str | None) -> None:
        """Until everybody is back; some have not noticed yet that they are gone."""
        players = [player for player in self.troupe.players if player.jid.bare != absent]
        await trio.sleep(UNNOTICED_SECONDS_MAX + 1)
        with trio.move_on_after(RETURN_SECONDS_MAX):
            while not all(player.is_ready for player in players):  # noqa: ASYNC110 - many may be the last
                await trio.sleep(1)
        await trio.sleep(QUIET_SECONDS)
        self.ledger.faults += [f"{player.name} cannot come back" for player in players if not player.is_ready]

    # -- what is there in the end

    def _final(self) -> Final:
        return Final(
            tuple(self._view(player) for player in self.troupe.players),
            {account: self._waiting(account) for account in self.accounts},
            tuple(_orphans(self.house)),
            tuple(str(report) for report in self.house.faults_reported() if not _is_caused(report)),
        )

    def _view(self, player: Player) -> PlayerView:
        management = player.stream.management
        return PlayerView(
            player.name,
            player.is_ready and player.status is not None,
            None if management is None else management.sent,
            None if management is None else management.confirmed,
            player.known,
            {
                other.name: other.status
                for other in self.troupe.players
                if other is not player and other.status is not None and self._hears_of(player, other)
                if other.is_ready
            },
            player.roster,
            _roster(self.house.account(player.jid.bare)),
        )

    def _hears_of(self, player: Player, other: Player) -> bool:
        return other.jid.bare == player.jid.bare or other.jid.bare in self.contacts[player.jid.bare]

    def _waiting(self, account: str) -> tuple[str, ...]:
        records = self.house.store.pending(account, 0, SEQ_MAX, READ_MAX)
        return tuple(name_of_record(record.data) for record in records)


def name_of_record(data: bytes) -> str:
    """What a log holds: the message itself, or the error for whoever sent it."""
    match = _MESSAGE_ID.search(data)
    if match is None:
        return "something nobody sent"
    id_ = match[1].decode()
    return error_for(id_) if _ERROR.match(data) else id_


def _settings() -> Settings:
    """Bounds that a run of a minute meets."""
    return Settings(limits=LimitSettings(resume_seconds_max=RESUME_SECONDS))


def _roster(user: User) -> RosterView:
    return {item.jid: (item.name, item.subscription, item.ask) for item in user.roster}


def _is_caused(report: object) -> bool:
    """Whether something that was reported follows from what we did."""
    match report:
        case ChildTerminated(reason=reason) | StartFailed(reason=reason):
            return is_caused(describe(reason))
        case MessageSetAside(error=error):
            return isinstance(error, ActorCrashed | KillHere)
        case _:
            return False


def _is_out_of_grace(report: object) -> bool:
    match report:
        case ChildTerminated(reason=Killed(why="its grace is over")) | ShutdownFailed(still_lives=False):
            return True
        case _:
            return False


def _orphans(house: House) -> list[str]:
    """Tasks in the tree that belong to no living slot, and slots without a task."""
    assert house.tree is not None
    slots = sorted(slot.spec.id for slot in walk(house.tree.root) if slot.is_live)
    tasks = sorted(
        name for name in _task_names(trio.lowlevel.current_root_task()) if name in set(slots) or "#" in name
    )
    return [] if slots == tasks else [f"slots {slots}, tasks {tasks}"]


def _task_names(task: Any) -> Iterator[str]:
    yield task.name
    for nursery in task.child_nurseries:
        for child in nursery.child_tasks:
            yield from _task_names(child)
