"""The part of a session that manages its stream (XEP-0198): counts, acknowledges, saves.

Used by the session actor, in its turn; all that must be remembered is in `session_state`, and how a session
hibernates and comes back is in `session_resumption`. The document of a session is written when an
acknowledgement is wanted for stanzas that left nothing in the log, and when what it owes its client is
written down anew (a mark).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from actors import routing
from actors.fates import MessageFate
from actors.ledger import Parcel
from actors.management_effects import (
    ANSWER,
    DONE,
    Acknowledged,
    AnswerAckRequest,
    Count,
    Dealt,
    EnableStream,
    ManagementEffect,
    Repeat,
    WriteNonza,
)
from actors.receipt import Receipt
from actors.session_messages import (
    AckDue,
    CloseStream,
    Deliver,
    HandedOver,
    HoldOver,
    NoteKept,
    PatienceOver,
    RosterKnown,
    SaveDue,
    SessionSaved,
)
from actors.session_saving import Saving
from actors.session_state import Entry, ManagedStream, Request
from protocols.conditions import StanzaCondition, StreamCondition
from protocols.errors import StanzaError
from protocols.namespaces import ROSTER
from protocols.stanza import PayloadName, StanzaKind
from protocols.stream_management import (
    ACK_REQUEST,
    Ack,
    AckRequest,
    Enable,
    ack,
    failed,
    handled_count_too_high,
    parse_nonza,
)
from protocols.stream_queue import AcknowledgedTooMuchError, Fate
from store.log import OutboundNumber
from store.writes import DropSession

if TYPE_CHECKING:
    from collections.abc import Sequence

    from protocols.stanza import Stanza
    from protocols.stream_events import ElementReceived

ACK: Final = 32
"""Signal to a session: more of what its client sent is safe."""
SAVE: Final = 64
"""Signal to a session: somebody else waits for its counter to be journaled."""
ACK_EVERY: Final = 16
"""Stanzas written after which the client is asked what it has handled."""
BURST: Final = 4
"""How many times its bound of stanzas a client may have unacknowledged for as long as it is given time."""
PATIENCE_SECONDS: Final = 10.0
"""For once or twice so long a client over its bound need acknowledge nothing: a slow one reads all of it."""
ACK_SECONDS: Final = 3.0
"""After this long it is asked whatever was written: what it has can be forgotten here."""
REQUESTS_MAX: Final = 1_000
"""Requests without an answer that are remembered for one client; the oldest is forgotten first."""

NOTHING_KNOWN: Final = 0
"""The version of a roster that its client has asked for and may not have got: it is to be told all of it."""

_ROSTER: Final = PayloadName(ROSTER, "query")
_SUBSCRIPTION_TYPES: Final = frozenset({"subscribe", "subscribed", "unsubscribe", "unsubscribed"})
_ANSWER_TYPES: Final = frozenset({"result", "error"})
_NOT_ACKNOWLEDGED: Final = CloseStream(
    StreamCondition.RESOURCE_CONSTRAINT, "you do not acknowledge what is sent to you"
)
_NOT_REPEATED: Final = CloseStream(
    StreamCondition.RESOURCE_CONSTRAINT, "that is not what you had to send again"
)
_LEDGER_FULL: Final = StanzaError(
    StanzaCondition.RESOURCE_CONSTRAINT, "the database is away; try again in a moment"
)


class Management(Saving):
    """One for each incarnation of a session."""

    # -- decide

    def receive(self, stream: ManagedStream, stanza: Stanza) -> Count | Repeat | CloseStream:
        """How a stanza of the client's is counted, before anything is done about it.

        One that is not what the client must send again cannot be numbered as its client does.
        """
        incoming = stream.incoming
        if not incoming.is_journaled:
            return DONE
        look = _look(stanza)
        if incoming.expected:
            return Repeat() if incoming.is_repeat(look) else _NOT_REPEATED
        number = incoming.received + 1
        if number in stream.resent:
            is_same = stream.resent[number] in {None, stanza.id}
            return Count(None, Fate.LOGGED, look) if is_same else _NOT_REPEATED
        is_owed = stanza.kind is StanzaKind.MESSAGE or stanza.type in _SUBSCRIPTION_TYPES
        receipt = Receipt(stream.sm_id, number, incoming, self.more_is_safe) if is_owed else None
        return Count(receipt, Fate.DONE, look)

    def more_is_safe(self) -> None:
        """Wake the session if its client waits for that."""
        stream = self.state.stream
        if stream is not None and (stream.wants_ack or stream.resuming is not None):
            self.slot.mailbox.signal(ACK)

    def nonza(self, element: ElementReceived) -> ManagementEffect | CloseStream:
        """What an element of the client's asks for (XEP-0198 §3, §4, §6)."""
        try:
            nonza = parse_nonza(element)
        except StanzaError as error:
            return WriteNonza(failed(error.condition))
        stream = self.state.stream
        match nonza:
            case AckRequest() if stream is not None:
                return ANSWER
            case Ack(h) if stream is not None:
                return _acknowledgement(stream, h)
            case Enable() if stream is None:
                return EnableStream(self._resume_seconds(nonza))
            case _:
                return WriteNonza(failed(StanzaCondition.UNEXPECTED_REQUEST))

    def _resume_seconds(self, enable: Enable) -> float:
        most = self.server.settings.limits.resume_seconds_max
        if not enable.resume:
            return 0.0
        return most if enable.max_seconds is None else min(most, float(enable.max_seconds))

    # -- apply: what the client sends

    def apply(self, effect: ManagementEffect) -> None:
        """Carry out one effect."""
        _CARRY_OUT[type(effect)](self, effect)

    def _count(self, effect: Count) -> None:
        stream = self.state.stream
        assert stream is not None
        incoming = stream.incoming
        number = incoming.receive(effect.look)
        if effect.receipt is None and incoming.is_journaled:
            incoming.settle(number, effect.fate)
            stream.resent.pop(number, None)

    def _dealt(self, effect: Dealt) -> None:
        effect.receipt.release()

    def _repeat(self, _effect: Repeat) -> None:
        stream = self.state.stream
        assert stream is not None
        stream.incoming.repeated()
        self.more_is_safe()  # as the client counts

    def remember(self, stanza: Stanza) -> None:
        """Keep what the client has said of itself and asked, for a session that goes on from its document."""
        state, stream = self.state, self.state.stream
        if stanza.kind is StanzaKind.PRESENCE:
            state.presence = stanza if stanza.type == "" else None
        elif stream is not None and stanza.id is not None:
            to = state.jid.bare if stanza.to is None else stanza.to.full
            stream.requests[stanza.id, to] = Request(stream.incoming.received)
            if stanza.payload == _ROSTER and state.roster_version is None:
                state.roster_version = NOTHING_KNOWN
            if len(stream.requests) > REQUESTS_MAX:
                del stream.requests[next(iter(stream.requests))]

    def _enable(self, effect: EnableStream) -> None:
        """Manage the stream; the client learns of that when there is a document to resume its session from.

        Nothing else is written until then, since a client counts from there on. That is waited for as long
        as a message waits for its commit.
        """
        server, state, resume_seconds = self.server, self.state, effect.resume_seconds
        is_journaled, books = server.is_journaled, server.books
        if is_journaled and books.store.is_away_for(books.away_seconds):
            self.write(failed(StanzaCondition.RESOURCE_CONSTRAINT))
            return
        ledger = server.ledger_of(state.jid)
        sm_id = server.world.new_token()
        stream = state.stream = ManagedStream(sm_id, ledger, resume_seconds, is_journaled=is_journaled)
        server.streams.add(sm_id, state.jid, self.slot.ref)
        if is_journaled:
            stream.hold = self.slot.send_after(books.away_seconds, HoldOver())
            self.save(stream)
        else:
            self.confirm(stream)

    def give_up(self, stream: ManagedStream, condition: StanzaCondition) -> None:
        """The stream is not managed after all: what waited to be counted is for a client that does not."""
        server, state = self.server, self.state
        state.stream = None
        stream.stop_timers()
        server.streams.remove(stream.sm_id, state.jid.bare, 0)
        server.store.cast(DropSession(stream.sm_id))  # behind the document that may still be on its way
        self.write(failed(condition))
        for entry in stream.outgoing.entries():
            self._hand_on(stream, entry)

    def _hand_on(self, stream: ManagedStream, entry: Entry) -> None:
        """To a client that acknowledges nothing."""
        stanza, state = entry.stanza, self.state
        parcel = entry.gate or entry.common
        if state.outlet.append_stanza(stanza):
            self.let_go(stream, (entry,))
            self.server.fates.note(MessageFate.DELIVERED, stanza, state.jid)
        else:
            if parcel is not None:
                stream.ledger.given_up(parcel)
            if stanza.receipt is not None:
                stanza.receipt.hold()
            state.undelivered.append(Deliver(stanza, parcel))

    # -- acknowledging to the client

    def _answer_ack_request(self, _effect: AnswerAckRequest) -> None:
        """At once with what is safe by now; and again when that is more."""
        stream = self.state.stream
        assert stream is not None
        self._tell(stream)

    def _tell(self, stream: ManagedStream) -> None:
        if not stream.is_saved:
            stream.wants_ack, stream.told = (
                True,
                -1,
            )  # it is told behind the confirmation, however little it is
            return
        stream.told = stream.h
        self.write(ack(stream.told))
        stream.wants_ack = stream.told < stream.incoming.received
        if stream.wants_ack and stream.incoming.done > stream.incoming.safe:
            self.save(stream)

    def tell_more(self) -> None:
        """If the client waits for more to be safe, and more is, tell it."""
        stream = self.state.stream
        if stream is None:
            return
        self.go_on(stream)
        if stream.wants_ack:
            if stream.h > stream.told:
                self._tell(stream)
            elif stream.incoming.done > stream.incoming.safe:
                self.save(stream)

    # -- writing to the client

    def deliver(self, stream: ManagedStream, message: Deliver) -> None:
        """Put a stanza into the client's output; behind a gate, where its sender will be told it is safe."""
        stanza, parcel = message
        is_logged = stream.incoming.is_journaled and stanza.kind is StanzaKind.MESSAGE
        is_logged = is_logged and (stanza.receipt is not None or stream.is_hibernating)
        if is_logged and self.server.store.is_full:
            if stanza.type != "error":
                if parcel is None or parcel.refuse():
                    routing.send_back(self.server, stanza, _LEDGER_FULL)
                return
            is_logged = False  # it is how a sender learns just that
        entry = Entry(stanza)
        position = stream.outgoing.append(entry)
        if stream.requests and stanza.kind is StanzaKind.IQ:
            self._note_answer(stream, stanza, stream.outgoing.origin + position)
        place = OutboundNumber(stream.sm_id, stream.outgoing.epoch, position)
        if is_logged:
            entry.gate = parcel = parcel or Parcel(stanza, 1)
            parcel.place(stream.ledger, place, self.slot.mailbox)
        elif parcel is not None:
            entry.common = parcel
            parcel.join(place)
        self.check_bounds(stream)

    def check_bounds(self, stream: ManagedStream) -> None:
        """Have patience with a client that has got much at once; but not for more than `BURST` times as much.

        Who logs in may get the presence of all contacts and a whole offline queue before it can answer.
        """
        limits, outgoing = self.server.settings.limits, stream.outgoing
        most, count = limits.unacked_stanzas_max, len(outgoing)
        if outgoing.bytes > limits.unacked_bytes_max or count > BURST * most:
            self.close(_NOT_ACKNOWLEDGED)
        elif count > most and stream.patience is None:
            over = PatienceOver(outgoing.acked, bool(outgoing.written) or stream.is_hibernating)
            stream.patience = self.slot.send_after(PATIENCE_SECONDS, over)

    def _patience_over(self, effect: PatienceOver) -> None:
        """A client that has acknowledged some meanwhile, or was not given any, has as much time again."""
        stream = self.state.stream
        if stream is None or stream.patience is None:
            return
        stream.patience = None
        outgoing = stream.outgoing
        is_over = len(outgoing) > self.server.settings.limits.unacked_stanzas_max
        if is_over and effect.was_written_to and outgoing.acked == effect.acked:
            self.close(_NOT_ACKNOWLEDGED)
        else:
            self.check_bounds(stream)

    def flush(self, stream: ManagedStream) -> None:
        """Write what may be written, and ask for an acknowledgement now and then."""
        outgoing, outlet = stream.outgoing, self.state.outlet
        if stream.is_hibernating or not stream.is_saved:
            return
        entry = outgoing.next()
        while entry is not None:
            outlet.append_stanza(entry.stanza)
            if entry.stanza.kind is StanzaKind.MESSAGE:
                number = outgoing.acked + len(outgoing.written)
                self.server.fates.note(
                    MessageFate.DELIVERED, entry.stanza, self.state.jid, stream.sm_id, number
                )
            entry = outgoing.next()
        if not stream.has_asked and outgoing.written:
            if len(outgoing.written) >= ACK_EVERY:
                self._ask_for_ack(stream)
            elif stream.ack_due is None:
                stream.ack_due = self.slot.send_after(ACK_SECONDS, AckDue())

    def _ack_is_due(self, _effect: AckDue) -> None:
        stream = self.state.stream
        if stream is None:
            return
        stream.ack_due = None
        if stream.outgoing.written and not stream.has_asked and not stream.is_hibernating:
            self._ask_for_ack(stream)

    def _ask_for_ack(self, stream: ManagedStream) -> None:
        stream.has_asked = True
        self.write(ACK_REQUEST)

    def _acknowledged(self, effect: Acknowledged) -> None:
        assert self.state.stream is not None
        self.acknowledge(self.state.stream, effect.h)

    def acknowledge(self, stream: ManagedStream, h: int) -> None:
        """The client has handled so much."""
        stream.has_asked = False
        handled = stream.outgoing.acknowledge(h)
        if handled:
            self.server.fates.note_acknowledged(self.state.jid, stream.sm_id, stream.outgoing.acked)
        self.let_go(stream, handled)

    def let_go(self, stream: ManagedStream, handled: Sequence[Entry]) -> None:
        """The client has these."""
        for entry in handled:
            parcel = entry.gate or entry.common
            if parcel is not None:
                if not parcel.outbound and parcel.seq is not None:
                    stream.handled.append(parcel.seq)
                stream.ledger.acknowledged(parcel)
            if entry.roster_version is not None:
                self.state.roster_version = entry.roster_version
            if entry.stanza.kind is StanzaKind.IQ:
                key = self._answers(entry.stanza)
                if key is not None:
                    stream.requests.pop(key, None)

    def _answers(self, stanza: Stanza) -> tuple[str, str] | None:
        """Which request an IQ answers, if it is an answer."""
        if stanza.type not in _ANSWER_TYPES or stanza.id is None:
            return None
        return stanza.id, self.state.jid.bare if stanza.sender is None else stanza.sender.full

    def _note_answer(self, stream: ManagedStream, stanza: Stanza, number: int) -> None:
        key = self._answers(stanza)
        request = None if key is None else stream.requests.get(key)
        if key is not None and request is not None:
            stream.requests[key] = request._replace(answered=number)

    def _roster_known(self, effect: RosterKnown) -> None:
        stream = self.state.stream
        waiting = None if stream is None else stream.outgoing.waiting
        if waiting:
            waiting[-1].roster_version = effect.version
        else:
            self.state.roster_version = effect.version

    def _note_kept(self, effect: NoteKept) -> None:
        """Written down at once: what a client has asked for is to hold for it after a crash as well."""
        state = self.state
        state.notes.pop(effect.key, None)
        if effect.value is not None:
            state.notes[effect.key] = effect.value
        if state.stream is not None and state.stream.incoming.is_journaled:
            self.save(state.stream)

    # -- the offline queue

    def _handed_over(self, effect: HandedOver) -> None:
        """A managed client gets what waited under a mark; others are trusted to read what is written."""
        stream, state = self.state.stream, self.state
        for each, parcel in zip(effect.messages, effect.parcels, strict=True):
            assert parcel.ledger is not None
            if stream is None:
                if state.outlet.append_stanza(each.stanza):
                    self.server.fates.note(MessageFate.DELIVERED, each.stanza, state.jid, seq=each.seq)
                    parcel.ledger.acknowledged(parcel)
                else:
                    state.returning.append(parcel)
            elif not stream.incoming.is_journaled:
                stream.outgoing.append(Entry(each.stanza))
                parcel.ledger.acknowledged(parcel)
            else:
                parcel.is_open = False
                stream.opening.append(parcel)
                stream.outgoing.append(Entry(each.stanza, parcel))
        if stream is not None and stream.incoming.is_journaled:
            stream.outgoing.mark()
            self.save(stream)


_CARRY_OUT: Final[Mapping[type, Callable[[Management, Any], None]]] = {
    Count: Management._count,
    Repeat: Management._repeat,
    Dealt: Management._dealt,
    AnswerAckRequest: Management._answer_ack_request,
    Acknowledged: Management._acknowledged,
    EnableStream: Management._enable,
    WriteNonza: lambda management, effect: management.write(effect.data),
    HandedOver: Management._handed_over,
    RosterKnown: Management._roster_known,
    NoteKept: Management._note_kept,
    SessionSaved: Management.saved,
    SaveDue: lambda management, _effect: management.save_again(),
    HoldOver: lambda management, _effect: management.hold_over(),
    PatienceOver: Management._patience_over,
    AckDue: Management._ack_is_due,
}
MANAGEMENT_EFFECTS: Final = frozenset(_CARRY_OUT)


def _look(stanza: Stanza) -> int:
    """What a repetition of a stanza has in common with it, and no other stanza, as good as surely.

    By its id, where it has one, since clients may write it down anew; else byte for byte.
    """
    if stanza.id is None:
        return hash(stanza.data)
    return hash((stanza.kind, stanza.type, stanza.to, stanza.id))


def _acknowledgement(stream: ManagedStream, h: int) -> Acknowledged | CloseStream:
    try:
        stream.outgoing.count_handled(h)
    except AcknowledgedTooMuchError as error:
        detail = handled_count_too_high(error.h, error.sent)
        return CloseStream(StreamCondition.UNDEFINED_CONDITION, str(error), detail)
    return Acknowledged(h)
