"""The keeper of the ledgers: takes out of the log what is acknowledged, and sees to what waits too long.

A record leaves the log when every session is done with it, and not before its sender's counter has passed it:
until then the record is what says that the sender's stanza was handled. The keeper also reads which sessions
wait in the database when the server starts, and has those come back whose time is over.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias, assert_never, final

import trio

from actors.managed_session import SAVE
from actors.presence_messages import LoadSessions
from actors.session_state import SessionState
from protocols.jid import parse_jid
from store.errors import StoreUnavailable
from store.writes import SETTLED_RECORDS_MAX, SettleRecords
from supervision.actor import Actor
from supervision.child_spec import ChildSpec
from supervision.dynamic_supervisor import NotAcceptingError
from supervision.reply import DeadlineExceeded

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
STOP_SECONDS: Final = 3.0
"""So long an orderly stop goes on taking out what is ripe: less than the actor's grace."""
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
class Taken(NamedTuple):
    """The database has answered for all that was to be taken out."""


_Message: TypeAlias = Tick | Taken


@final
class Keeper(Actor[_Message, _Message]):
    """See the module's docstring."""

    def __init__(self, slot: Slot[_Message], server: Server) -> None:
        super().__init__(slot)
        self._server = server
        self._outstanding = 0  # answers of the database to what is being taken out

    async def init(self) -> None:
        """Nobody is served before it is known whose session waits."""
        server = self._server
        while not server.streams.is_read:
            try:
                summaries = await server.store.read_session_summaries()
                await server.guests.read({summary.jid.partition("/")[0] for summary in summaries})
            except StoreUnavailable:
                await trio.sleep(READ_RETRY_SECONDS)
            else:
                server.streams.read(summaries, server.world.now_ms())
        self._set_timer()

    def _set_timer(self) -> None:
        """One round at a time, whatever became of the last."""
        if not self.slot.timers:
            self.slot.send_after(SETTLE_SECONDS, Tick())

    def decide(self, message: _Message) -> Sequence[_Message]:
        """A round is one step."""
        return (message,)

    def apply(self, effects: Sequence[_Message]) -> None:
        """One round, or what is left of one."""
        for message in effects:
            match message:
                case Tick():
                    self._open_what_waits_too_long()
                    self._settle()
                    self._end_what_is_over()
                    self._set_timer()
                case Taken():
                    self._take_out()
                case _:
                    assert_never(message)

    def set_aside(self, message: _Message, error: BaseException) -> Sequence[_Message]:
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
            self._sort_out(ledger)
            if ledger.is_idle and name not in server.directory.users:
                del server.ledgers[name]
        if not self._outstanding:
            self._take_out()

    def _sort_out(self, ledger: Ledger) -> None:
        """Some may be taken out; the rest waits for its sender's counter."""
        done, ledger.done = ledger.done, []
        for parcel in done:
            (ledger.ripe if self._is_ripe(parcel) else ledger.done).append(parcel)

    def _take_out(self) -> list[Reply[list[Outcome]]]:
        """Take some out, of one account after another, and when the database has answered, some more.

        Never much at once: what people say meanwhile waits behind it.
        """
        ledgers, replies = self._server.ledgers, []
        room = 0 if self._server.store.is_away else SETTLED_RECORDS_MAX
        for name, ledger in tuple(ledgers.items()):
            if ledger.ripe and room:
                parcels = [ledger.ripe.popleft() for _ in range(min(room, len(ledger.ripe)))]
                room -= len(parcels)
                ledgers[name] = ledgers.pop(name)  # to the end: the others' turn comes first
                replies.append(self._take_out_of(ledger, parcels))
        return replies

    def _take_out_of(self, ledger: Ledger, parcels: Sequence[Parcel]) -> Reply[list[Outcome]]:
        seqs = tuple(parcel.seq for parcel in parcels if parcel.seq is not None)
        reply = self._server.store.log(SettleRecords(ledger.bare_jid, seqs, keep=False))

        def told() -> None:
            self._outstanding -= 1
            if not reply.succeeded:
                ledger.ripe += parcels  # the next round tries again
                return
            ledger.settled(parcels)
            if not self._outstanding:
                self.slot.ref.tell(Taken())

        self._outstanding += 1
        if reply.is_filled:
            told()
        else:
            reply.on_filled = told
        return reply

    def _is_ripe(self, parcel: Parcel) -> bool:
        origin = parcel.origin
        if origin is None or not parcel.is_committed:
            return True
        streams = self._server.streams
        live = streams.live(origin.whole)
        if live is None:
            stored = streams.stored(origin.whole)
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
        for name in server.guests.left_behind(COME_BACK_MAX):
            if not server.tell_user(parse_jid(name), LoadSessions()):
                server.guests.leave_for_later([name])

    async def terminate(self, reason: ExitReason) -> None:
        """What is ripe goes now, as far as there is time: the next process would have to find out anew."""
        for ledger in self._server.ledgers.values():
            self._sort_out(ledger)
        deadline = trio.current_time() + STOP_SECONDS
        with suppress(StoreUnavailable, DeadlineExceeded):
            while replies := self._take_out():
                for reply in replies:
                    await reply.wait(deadline - trio.current_time())


def ledger_keeper_spec(server: Server) -> ChildSpec:
    """The child spec."""
    return ChildSpec("ledger_keeper", lambda slot: Keeper(slot, server))
