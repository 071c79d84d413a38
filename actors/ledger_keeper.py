"""The keeper of the ledgers: takes out of the log what is acknowledged, and sees to what waits too long.

A record leaves the log when every session is done with it, and not before its sender's counter has passed it:
until then the record is what says that the sender's stanza was handled. The keeper also reads which sessions
wait in the database when the server starts, and has those come back whose time is over.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple, final

import trio

from actors.managed_session import SAVE
from actors.presence_messages import LoadSessions
from actors.session_state import SessionState
from store.errors import StoreUnavailable
from store.writes import SETTLED_RECORDS_MAX, SettleRecords
from supervision.actor import Actor
from supervision.child_spec import ChildSpec
from supervision.dynamic_supervisor import NotAcceptingError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.ledger import Ledger, Parcel
    from actors.server import Server
    from store.writes import Outcome
    from supervision.exit_reason import ExitReason
    from supervision.reply import Reply
    from supervision.slot import Slot

SETTLE_SECONDS: Final = 2.0
"""Between two rounds: deleting many records at once costs the database little more than deleting one."""
SAVE_SECONDS: Final = 10.0
"""Between two writes of a session's document for the sake of settling: each costs as three messages."""
COME_BACK_MAX: Final = 50
"""Sessions whose time is over that come back in one round, to end."""
READ_RETRY_SECONDS: Final = 1.0
"""Between two tries to read what waits in a database that is away."""


@final
class Tick(NamedTuple):
    """It is time for another round."""


@final
class Keeper(Actor[Tick, Tick]):
    """See the module's docstring."""

    def __init__(self, slot: Slot[Tick], server: Server) -> None:
        super().__init__(slot)
        self._server = server

    async def init(self) -> None:
        """Nobody is served before it is known whose session waits."""
        server = self._server
        while not server.streams.is_read:
            try:
                summaries = await server.store.read_session_summaries()
            except StoreUnavailable:
                await trio.sleep(READ_RETRY_SECONDS)
            else:
                server.streams.read(summaries, server.world.now_ms())
        self._set_timer()

    def _set_timer(self) -> None:
        """One round at a time, whatever became of the last."""
        if not self.slot.timers:
            self.slot.send_after(SETTLE_SECONDS, Tick())

    def decide(self, message: Tick) -> Sequence[Tick]:
        """A round is one step."""
        return (message,)

    def apply(self, effects: Sequence[Tick]) -> None:
        """One round."""
        for _tick in effects:
            self._open_what_waits_too_long()
            self._settle()
            self._end_what_is_over()
            self._set_timer()

    def set_aside(self, message: Tick, error: BaseException) -> Sequence[Tick]:
        """The next round may fare better."""
        self._set_timer()
        return ()

    # -- a database that is away

    def _open_what_waits_too_long(self) -> None:
        """Online delivery goes on without the database; nobody is told that anything is safe."""
        books = self._server.books
        if books.store.is_away_for(books.away_seconds):
            waiting = [parcel for ledger in self._server.ledgers.values() for parcel in ledger.waiting]
            for parcel in (*books.in_flight, *waiting):
                parcel.open()

    # -- what has been acknowledged

    def _settle(self) -> None:
        server = self._server
        for name, ledger in tuple(server.ledgers.items()):
            if ledger.waiting:
                ledger.ask_for_more()
            if ledger.done and not server.store.is_away:
                self._settle_one(ledger)
            if ledger.is_idle and name not in server.directory.users:
                del server.ledgers[name]

    def _settle_one(self, ledger: Ledger) -> None:
        """Take out what is safe to; the rest waits for its sender's counter."""
        ripe = [parcel for parcel in ledger.done if self._is_ripe(parcel)][:SETTLED_RECORDS_MAX]
        if not ripe:
            return
        chosen = set(ripe)
        ledger.done = [parcel for parcel in ledger.done if parcel not in chosen]
        ledger.settling += ripe
        seqs = tuple(parcel.seq for parcel in ripe if parcel.seq is not None)
        reply = self._server.store.log(SettleRecords(ledger.bare_jid, seqs, keep=False))
        if reply.is_filled:
            _settled(ledger, ripe, reply)
        else:
            reply.on_filled = lambda: _settled(ledger, ripe, reply)

    def _is_ripe(self, parcel: Parcel) -> bool:
        origin = parcel.origin
        if origin is None or not parcel.is_committed:
            return True
        streams = self._server.streams
        live = streams.live(origin.session)
        if live is None:
            stored = streams.stored(origin.session)
            return stored is None or stored.counter >= origin.number
        state = live.session.slot.state
        if not isinstance(state, SessionState) or state.stream is None:
            return False
        if state.stream.incoming.counter >= origin.number:
            return True
        if trio.current_time() - state.stream.saved_at >= SAVE_SECONDS:
            live.session.signal(SAVE)
        return False

    # -- sessions in the database whose time is over

    def _end_what_is_over(self) -> None:
        server = self._server
        for session in server.streams.expired(server.world.now_ms(), COME_BACK_MAX):
            with suppress(NotAcceptingError):  # the next round tries again
                server.presence_of(session.jid).cast(LoadSessions())

    async def terminate(self, reason: ExitReason) -> None:
        """What is ripe goes now: the next process would have to find out anew."""
        self._settle()


def _settled(ledger: Ledger, parcels: Sequence[Parcel], reply: Reply[list[Outcome]]) -> None:
    gone = set(parcels)
    ledger.settling = [parcel for parcel in ledger.settling if parcel not in gone]
    if reply.succeeded:
        ledger.settled(parcels)
    else:
        ledger.done += parcels


def ledger_keeper_spec(server: Server) -> ChildSpec:
    """The child spec."""
    return ChildSpec("ledger_keeper", lambda slot: Keeper(slot, server))
