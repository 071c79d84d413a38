"""How a managed session loses its connection, waits, and goes on over another one (XEP-0198 §5).

A session that lived on in memory goes on exactly where it was, once all that the client has sent is safe, so
that it need send nothing again; if the database is away that is not waited for. One that came back from the
database learns from its client's `h` where that stands: what is still owed is numbered anew behind it, and
this mark is written down before the client is told, so that another crash changes nothing.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, Final, final

from actors import routing
from actors.connection_messages import CloseConnection, SessionDown
from actors.managed_session import Management
from actors.outlet import NO_OUTLET
from actors.presence_messages import SessionResumed
from actors.session_messages import (
    CloseStream,
    HibernationOver,
    HoldOver,
    Resume,
    ResumeAccepted,
    ResumeRefused,
    ResumeTooHigh,
    StreamEnded,
)
from actors.session_record import session_record, with_elsewhere, with_late
from actors.session_state import Entry
from protocols.conditions import StanzaCondition, StreamCondition
from protocols.errors import StanzaError
from protocols.jid import parse_jid
from protocols.namespaces import DELAY
from protocols.stanza import StanzaKind, build_error, build_iq, with_delay
from protocols.stream_management import resumed
from protocols.stream_queue import H_MODULUS, AcknowledgedTooMuchError, Outgoing
from protocols.timestamp import timestamp
from store.writes import DropSession

if TYPE_CHECKING:
    from actors.server import Server
    from actors.session_state import ManagedStream, Revived, SessionState

_NOT_MARKED: Final = CloseStream(StreamCondition.INTERNAL_SERVER_ERROR, "the session cannot be written down")
_REPLACED: Final = CloseConnection(StreamCondition.CONFLICT, "the session goes on over another connection")
_REQUEST_TYPES: Final = frozenset({"get", "set"})
_GONE: Final = StanzaError(StanzaCondition.RECIPIENT_UNAVAILABLE)
_LOST: Final = StanzaError(
    StanzaCondition.REMOTE_SERVER_TIMEOUT, "the server was restarted before there was an answer"
)


@final
class Resumption(Management):
    """What a session can do about its connections."""

    # -- without a connection

    def hibernate(self) -> bool:
        """The connection is gone; false if there is nothing to wait for, so that the session is to end."""
        state, stream = self.state, self.state.stream
        if stream is None or not stream.resume_seconds or state.must_end or not stream.is_saved:
            return False
        if not stream.is_hibernating:
            stream.hibernated_ms = self.server.world.now_ms()
            self.sleep(stream, stream.resume_seconds)
            if stream.incoming.is_journaled:
                self.save(stream)  # so that the client need not send much again
        return True

    def sleep(self, stream: ManagedStream, seconds: float) -> None:
        """Wait for the client for so long."""
        stream.is_hibernating = True
        stream.wants_ack = stream.has_asked = False
        for timer in (stream.ack_due, stream.expiry):
            if timer is not None:
                timer.cancel()
        stream.ack_due = None
        stream.expiry = self.slot.send_after(seconds, HibernationOver())
        self.state.outlet = NO_OUTLET
        self.state.connection = None
        self._take_again()

    def _take_again(self) -> None:
        """Whatever kept the session from taking stanzas was its connection's fault."""
        state, mailbox = self.state, self.slot.mailbox
        if state.congested is not None:
            state.congested.cancel()
            state.congested = None
        mailbox.is_accepting = True
        if mailbox.on_room is not None:
            told, mailbox.on_room = mailbox.on_room, None
            told()

    def leave(self) -> None:
        """The server stops: keep the session in the database, exactly as it is."""
        stream = self.state.stream
        if stream is None or not stream.resume_seconds or self.state.must_end or not stream.is_saved:
            return
        stream.is_left = True
        if stream.hibernated_ms is None:
            stream.hibernated_ms = self.server.world.now_ms()
        if stream.revived is None:
            stream.outgoing.mark()
            stream.incoming.counter = stream.incoming.done  # what is written behind this may count on it
            record = session_record(self.state, stream, stream.incoming.counter, is_exact=True)
            self.server.keep_left(record)
        elif stream.revived.is_exact:
            entries, numbers = stream.outgoing.entries(), stream.revived.numbers
            record = with_elsewhere(stream.revived.record, zip(entries, numbers, strict=False))
            late = [entry.stanza for entry in entries[len(numbers) :]]
            iqs = [stanza.data for stanza in late if stanza.kind is StanzaKind.IQ]
            self.server.keep_left(with_late(record, iqs))

    # -- coming back

    def resume(self, message: Resume) -> None:
        """The client is back, over another connection."""
        stream = self.state.stream
        assert stream is not None
        if stream.resuming is not None:
            stream.resuming.reply.set(ResumeRefused(StanzaCondition.CONFLICT, stream.h))
            stream.resuming = None
        stream.stop_holding()
        if stream.revived is None:
            self._resume_living(stream, message)
        else:
            self._resume_revived(stream, stream.revived, message)

    def _resume_living(self, stream: ManagedStream, message: Resume) -> None:
        try:
            count = stream.outgoing.count_handled(message.h)
        except AcknowledgedTooMuchError as error:
            message.reply.set(ResumeTooHigh(error.h, error.sent))
            return
        if count < 0:
            message.reply.set(ResumeRefused(StanzaCondition.ITEM_NOT_FOUND, stream.h))
        else:
            stream.resuming = message
            self._wait_for_safety(stream)
            self.go_on(stream)

    def _wait_for_safety(self, stream: ManagedStream) -> None:
        """For no longer than a message waits for its commit; meanwhile the client has no connection."""
        books, state = self.server.books, self.state
        if stream.is_safe or books.store.is_away_for(books.away_seconds):
            return
        stream.hold = self.slot.send_after(books.away_seconds, HoldOver())
        if not stream.is_hibernating:
            if state.connection is not None:
                state.connection.tell(_REPLACED)
            state.via += 1
            stream.hibernated_ms = self.server.world.now_ms()
            self.sleep(stream, stream.resume_seconds)

    def hold_over(self) -> None:
        """What is safe by now must do, or there is nothing to manage the stream with."""
        stream = self.state.stream
        if stream is None:
            return
        stream.hold = None
        if stream.is_saved:
            self.go_on(stream)
        else:
            self.give_up(stream, StanzaCondition.RESOURCE_CONSTRAINT)

    def go_on(self, stream: ManagedStream) -> None:
        """Let a client that resumes go on, if all that it waits for is there, or is not to be waited for."""
        resuming = stream.resuming
        if resuming is None or stream.is_marking:
            return
        if stream.hold is not None and not stream.is_safe:
            if stream.incoming.done > stream.incoming.safe:
                self.save(stream)
            return
        stream.stop_holding()
        stream.resuming = None
        self._attach(stream, resuming)

    def _resume_revived(self, stream: ManagedStream, revived: Revived, message: Resume) -> None:
        count = (message.h - revived.base) % H_MODULUS
        if count >= H_MODULUS // 2:
            message.reply.set(ResumeRefused(StanzaCondition.ITEM_NOT_FOUND, stream.h))
            return
        if revived.is_exact and revived.base + count > revived.last:
            message.reply.set(ResumeTooHigh(message.h, revived.last % H_MODULUS))
            return
        self._renumber(stream, revived, revived.base + count)
        if stream.incoming.is_journaled:
            stream.resuming, stream.is_marking = message, True
            self.save(stream)
        else:
            self.server.store.cast(DropSession(stream.sm_id))  # it would say what is no longer so
            self._attach(stream, message)
            self._refresh()

    def _renumber(self, stream: ManagedStream, revived: Revived, h: int) -> None:
        """What the client does not have yet comes right behind `h`, then errors for what has no answer."""
        old, stream.outgoing, stream.revived = stream.outgoing, Outgoing(h, stream.outgoing.epoch), None
        for entry, number in zip_longest(old.entries(), revived.numbers):
            if number is not None and number <= h:
                self.let_go(stream, (entry,))
            else:
                stream.outgoing.append(entry)
        self._close_requests(stream, h, is_exact=revived.is_exact)
        stream.outgoing.mark()

    def _close_requests(self, stream: ManagedStream, h: int, *, is_exact: bool) -> None:
        """An error for each request that nobody will answer any more.

        Whom an orderly stop kept has the request, or had it and is no more: either brings an answer.
        """
        on_the_way = {
            self._answers(entry.stanza)
            for entry in stream.outgoing.entries()
            if entry.stanza.kind is StanzaKind.IQ
        }
        requests, stream.requests = stream.requests, {}
        for key, request in requests.items():
            id_, to = key
            is_kept = is_exact and parse_jid(to) in self.server.streams.kept
            if key in on_the_way or (is_kept and request.answered is None):
                stream.requests[key] = request
            elif request.answered is None or request.answered > h:
                asked = build_iq(to=parse_jid(to), sender=self.state.jid, type="get", id=id_)
                stream.outgoing.append(Entry(build_error(asked, _LOST)))

    def marked(self, stream: ManagedStream) -> None:
        """The mark is journaled: the client that waits for it may go on."""
        if stream.is_marking:
            stream.is_marking = False
            self.go_on(stream)
            self._refresh()

    def not_marked(self, stream: ManagedStream) -> None:
        """It never will be: another crash, and nobody could tell what the client has. So it ends here."""
        if stream.is_marking:
            resuming, stream.resuming = stream.resuming, None
            if resuming is not None:
                refused = ResumeRefused(StanzaCondition.INTERNAL_SERVER_ERROR, stream.h)
                resuming.reply.set(refused)
            self.close(_NOT_MARKED)

    def _attach(self, stream: ManagedStream, message: Resume) -> None:
        state = self.state
        if state.connection is not None:
            state.connection.tell(_REPLACED)
        stream.stop_timers()
        state.connection, state.outlet = message.connection, message.outlet
        state.via += 1
        via = state.via
        stream.is_hibernating, stream.hibernated_ms = False, None
        stream.has_asked = stream.wants_ack = False
        self._take_again()
        self.slot.ref.monitor(message.connection, SessionDown)
        message.reply.set(ResumeAccepted(state.jid, self.slot.ref, via))
        message.connection.monitor(self.slot.ref, lambda _reason: StreamEnded(via, is_clean=False))
        self.acknowledge(stream, message.h)
        stream.outgoing.rewind()
        self.check_bounds(stream)
        stream.told = stream.h
        stream.incoming.resumed()
        self.write(resumed(stream.sm_id, stream.told))
        if stream.incoming.is_journaled:
            self.save(stream)  # it is not away any more, and after a crash has its full time again

    def _refresh(self) -> None:
        """What happened meanwhile nobody has counted: have presence and roster told anew."""
        state = self.state
        message = SessionResumed(state.jid, self.slot.ref, state.roster_version)
        presence = self.server.presence_of(state.jid)
        if not presence.cast(message):
            presence.tell(message)


# -- the end


def give_back(server: Server, state: SessionState) -> None:
    """A managed session has ended: what its client did not acknowledge goes where it would go without it.

    A message that another of the user's clients has, or will have, is left to that one.
    """
    stream = state.stream
    if stream is None or stream.is_left:
        return
    server.store.cast(DropSession(stream.sm_id))
    server.fates.note_returned(state.jid, stream.sm_id)
    stamp = timestamp(stream.hibernated_ms or server.world.now_ms())
    for entry in stream.outgoing.entries():
        if entry.stanza.kind is not StanzaKind.PRESENCE:
            _give_back_one(server, stream, entry, stamp)


def _give_back_one(server: Server, stream: ManagedStream, entry: Entry, stamp: str) -> None:
    """A logged message is in the log, from where another resource gets it."""
    stanza = entry.stanza
    parcel = entry.gate or entry.common
    if parcel is not None:
        stream.ledger.given_up(parcel)
        if parcel.is_elsewhere:
            return
    if stanza.kind is StanzaKind.IQ:
        if stanza.type in _REQUEST_TYPES and not entry.is_answered:
            routing.send_back(server, stanza, _GONE)
    else:
        is_new = stanza.type != "error" and DELAY.encode() not in stanza.data
        routing.send(server, with_delay(stanza, server.domain.full, stamp) if is_new else stanza)
