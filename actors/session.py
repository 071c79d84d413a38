"""A session: one bound resource, from the binding until its stream ends, or cannot be resumed any more.

It takes what its client sends, decides where that goes, and writes what others send to the client's outlet.
It knows no socket; its state is in its slot, so that a new incarnation goes on where the last one stopped.
What a managed stream adds (XEP-0198) is in `managed_session` and `session_resumption`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from actors import routing
from actors.connection_messages import CloseConnection
from actors.fates import MessageFate
from actors.gates import is_exempt, outgoing_fault
from actors.ledger import GATE
from actors.managed_session import ACK, MANAGEMENT_EFFECTS, SAVE
from actors.management_effects import Dealt, Repeat
from actors.presence_messages import OwnPresence, OwnSubscription, PassOn
from actors.routing import Back, ToLeft, ToServer, ToSession, ToUser
from actors.session_effects import (
    Accepted,
    AskToClose,
    End,
    LoseConnection,
    NoteDirected,
    Remember,
    Say,
    SessionEffect,
    ToPresence,
)
from actors.session_messages import (
    AckDue,
    CloseStream,
    Deliver,
    DeliverIfDirected,
    Drained,
    FromClient,
    HandedOver,
    HibernationOver,
    HoldOver,
    NonzaFromClient,
    NoteKept,
    PatienceOver,
    Resume,
    RosterKnown,
    SaveDue,
    SessionMessage,
    SessionSaved,
    StillCongested,
    StreamEnded,
)
from actors.session_resumption import Resumption
from actors.session_state import ManagedStream, SessionState
from protocols.conditions import StanzaCondition, StreamCondition
from protocols.errors import StanzaError
from protocols.legacy_errors import with_condition
from protocols.stanza import Stanza, StanzaKind, addressed, stamped
from protocols.stream_queue import Fate
from supervision.actor import Actor
from supervision.exit_reason import Normal, Shutdown
from supervision.runtime import Point

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.directory import UserEntry
    from actors.presence_messages import OwnMessage
    from actors.server import Server
    from protocols.jid import JID
    from protocols.stream_events import ElementReceived
    from supervision.exit_reason import ExitReason
    from supervision.slot import Slot

DIRECTED_MAX: Final = 1_000
"""Addresses that one session may keep posted by directed presence.

Rooms count, real clients stay below 200.
"""

_AT_ONCE: Final = frozenset({StreamCondition.INVALID_FROM, StreamCondition.NOT_AUTHORIZED})
"""Conditions after which nothing is heard of a client any more, not even what it sent before."""
_SUBSCRIPTION_TYPES: Final = frozenset({"subscribe", "subscribed", "unsubscribe", "unsubscribed"})
_REQUEST_TYPES: Final = frozenset({"get", "set"})
_IQ_TYPES: Final = frozenset({"get", "set", "result", "error"})


@final
class Session(Actor[SessionMessage, SessionEffect]):
    """See the module's docstring; made by `start_session`."""

    def __init__(self, slot: Slot[SessionMessage], server: Server) -> None:
        super().__init__(slot)
        self._server = server
        assert isinstance(slot.state, SessionState)
        self._state = slot.state
        self._management = Resumption(server, slot, slot.state, self._close_now)

    def broken(self, _error: BaseException) -> None:
        """The state is addresses, an outlet, a queue and counters: it stands whatever failed."""

    # -- decide

    def decide(self, message: SessionMessage) -> Sequence[SessionEffect]:
        """What to do with a stanza from the client, one for it, or news of the stream."""
        match message:
            case FromClient(stanza, via, fault):
                return self._from_client(stanza, fault) if via == self._state.via else ()
            case NonzaFromClient(element, via):
                return self._nonza(element) if via == self._state.via else ()
            case DeliverIfDirected(stanza):
                return self._if_directed(stanza)
            case StreamEnded(via, is_clean):
                return self._stream_ended(is_clean=is_clean) if via == self._state.via else ()
            case CloseStream():
                return self._close(message)
            case StillCongested():
                return () if self._state.congested is None else self._close(_DOES_NOT_READ)
            case _:
                return (message,)

    def _stream_ended(self, *, is_clean: bool) -> Sequence[SessionEffect]:
        return (End(),) if is_clean else (LoseConnection(),)

    def _nonza(self, element: ElementReceived) -> Sequence[SessionEffect]:
        effect = self._management.nonza(element)
        return self._close(effect) if isinstance(effect, CloseStream) else (effect,)

    def _from_client(self, stanza: Stanza, fault: StanzaError | None) -> Sequence[SessionEffect]:
        state = self._state
        sender = stanza.sender
        if sender is not None and sender != state.jid and sender.full != state.jid.bare:
            return _close_at_once(_FORGED)
        if stanza.type == "error":
            stanza = with_condition(stanza)
        if state.stream is None:
            return self._from_bound(stamped(stanza, state.jid, state.lang), fault)
        count = self._management.receive(state.stream, stanza)
        if isinstance(count, Repeat):
            return (count,)
        if isinstance(count, CloseStream):
            return _close_at_once(count)
        if count.fate is not Fate.DONE:
            return (count, Accepted(stamped(stanza, state.jid, state.lang), is_resent=True))
        effects = self._from_bound(stamped(stanza, state.jid, state.lang, count.receipt), fault)
        return (count, *effects) if count.receipt is None else (count, *effects, Dealt(count.receipt))

    def _from_bound(self, stanza: Stanza, fault: StanzaError | None) -> Sequence[SessionEffect]:
        if fault is not None:
            return self._answer(stanza, fault)
        match stanza.kind:
            case StanzaKind.MESSAGE:
                return self._message(stanza)
            case StanzaKind.PRESENCE:
                return self._presence(stanza)
            case StanzaKind.IQ:
                return self._iq(stanza)

    def _message(self, stanza: Stanza) -> Sequence[SessionEffect]:
        if stanza.to is None:  # RFC 6120 §10.3.1
            stanza = addressed(stanza, self._state.jid.bare_jid)
        return (Accepted(stanza), *self._route(stanza))

    def _route(self, stanza: Stanza) -> Sequence[SessionEffect]:
        """In order behind what the client's presence and subscriptions cause (RFC 6120 §10.1)."""
        directory = self._server.directory
        entry = directory.users.get(self._state.jid.bare)
        if entry is not None and (entry.unsettled or entry.guards is not None):
            detour = self._detour(entry, stanza)
            if detour is not None:
                return detour
        return routing.route(directory, self._server.domain.full, stanza)

    def _detour(self, entry: UserEntry, stanza: Stanza) -> Sequence[SessionEffect] | None:
        """What becomes of a stanza that does not go straight on: it waits, or may not go out."""
        is_known = entry.guards is None or entry.guards.is_known
        if entry.unsettled or not (is_known or is_exempt(entry.bare_jid, stanza.to)):
            return (ToPresence(PassOn(stanza), stanza),)
        fault = outgoing_fault(entry.bare_jid, entry.guards, stanza)
        return None if fault is None else self._answer(stanza, fault)

    def _presence(self, stanza: Stanza) -> Sequence[SessionEffect]:
        if stanza.to is None:
            if stanza.type == "":
                return (Remember(stanza), ToPresence(OwnPresence(self.ref, stanza), stanza))
            if stanza.type == "unavailable":
                directed = tuple(self._state.directed)
                forget = [NoteDirected(to, is_available=False) for to in directed]
                own = OwnPresence(self.ref, stanza, directed)
                return (Remember(stanza), ToPresence(own, stanza), *forget)
            return self._answer(stanza, StanzaError(StanzaCondition.BAD_REQUEST, text="to whom?"))
        if stanza.type in _SUBSCRIPTION_TYPES:
            return (ToPresence(OwnSubscription(stanza), stanza),)
        effects = self._route(stanza)
        if stanza.type in {"", "unavailable"}:
            return self._note_directed(stanza.to, stanza, effects)
        return effects

    def _note_directed(
        self, to: JID, stanza: Stanza, effects: Sequence[SessionEffect]
    ) -> Sequence[SessionEffect]:
        available = stanza.type == ""
        known = self._state.directed
        if available and to not in known and len(known) >= DIRECTED_MAX:
            return self._answer(stanza, StanzaError(StanzaCondition.RESOURCE_CONSTRAINT))
        return (NoteDirected(to, available), *effects)

    def _if_directed(self, stanza: Stanza) -> Sequence[SessionEffect]:
        """Directed presence lets its recipient ask (RFC 6121 §8.5.3.1)."""
        sender, directed = stanza.sender, self._state.directed
        if sender in directed or (sender is not None and sender.bare_jid in directed):
            return (Deliver(stanza),)
        return routing.refuse(stanza, StanzaError(StanzaCondition.SERVICE_UNAVAILABLE))

    def _iq(self, stanza: Stanza) -> Sequence[SessionEffect]:
        fault = _iq_fault(stanza)
        if fault is not None:
            return self._answer(stanza, fault)
        is_request = stanza.type in _REQUEST_TYPES
        remember = () if self._state.stream is None else (Remember(stanza),)
        if stanza.to is not None:
            return (*remember, *self._route(stanza))
        if not is_request:
            return ()  # the client's answer to a request of the server's own, such as a roster push
        return (*remember, ToUser(addressed(stanza, self._state.jid.bare_jid)))

    def _answer(self, stanza: Stanza, error: StanzaError) -> Sequence[SessionEffect]:
        answer = routing.refusal(stanza, error)
        return () if answer is None else (Say(answer),)

    # -- apply

    def apply(self, effects: Sequence[SessionEffect]) -> None:
        """Post, write, and note what the session must remember."""
        for effect in effects:
            if isinstance(effect, Deliver):
                self._deliver(effect)
            elif isinstance(effect, ToSession):
                routing.carry_out(self._server, effect)
            elif isinstance(effect, Accepted):
                self._accepted(effect)
            elif type(effect) in MANAGEMENT_EFFECTS:  # a look into a table instead of a dozen comparisons
                self._management.apply(effect)  # type: ignore[arg-type] # it is one of these
            else:
                self._apply_rare(effect)

    def _accepted(self, effect: Accepted) -> None:
        stream, fate = self._state.stream, MessageFate.RESENT if effect.is_resent else MessageFate.ACCEPTED
        sm_id, number = (None, None) if stream is None else (stream.sm_id, stream.incoming.received)
        self._server.fates.note(fate, effect.stanza, session=sm_id, number=number)

    def _deliver(self, effect: Deliver) -> None:
        state, receipt = self._state, effect.stanza.receipt
        if state.stream is not None:
            self._management.deliver(state.stream, effect)
        else:
            if not state.outlet.append_stanza(effect.stanza):
                if effect.parcel is not None:
                    effect.parcel.decline()
                state.undelivered.append(effect)
                return  # somebody else will deal with it
            if effect.parcel is not None:
                effect.parcel.taken()
            self._server.fates.note(MessageFate.DELIVERED, effect.stanza, state.jid)
        if receipt is not None:
            receipt.release()

    def _apply_rare(self, effect: SessionEffect) -> None:
        match effect:
            case ToPresence(message, stanza):
                self._to_presence(message, stanza)
            case Say(stanza):
                self._say(stanza)
            case NoteDirected(to, available):
                (self._state.directed.add if available else self._state.directed.discard)(to)
            case Remember(stanza):
                self._remember(stanza)
            case AskToClose(close):
                self._ask_to_close(close)
            case LoseConnection():
                self._lose_connection()
            case Resume():
                self._management.resume(effect)
            case HibernationOver():
                self._hibernation_over()
            case End():
                self.stop(Normal())
            case Drained():
                self._drained()
            case ToUser() | ToServer() | ToLeft() | Back():
                routing.carry_out(self._server, effect)
            case _:
                raise AssertionError(f"nobody carries out {effect}")

    def _remember(self, stanza: Stanza) -> None:
        stream = self._state.stream
        if stream is not None and stanza.kind is StanzaKind.IQ and stanza.type not in _REQUEST_TYPES:
            _note_answered(stream, stanza)
        else:
            self._management.remember(stanza)

    def _to_presence(self, message: OwnMessage, stanza: Stanza) -> None:
        if not self._server.hand_to_own(self._state.jid, message, stanza.size):
            error = StanzaError(StanzaCondition.RESOURCE_CONSTRAINT)
            answer = routing.refusal(stanza, error)
            if answer is not None:
                self._say(answer)

    def _say(self, stanza: Stanza) -> None:
        self._server.fates.note(MessageFate.REFUSED, stanza)
        if stanza.receipt is not None:
            stanza.receipt.hold()
        self._deliver(Deliver(stanza))

    def _close(self, message: CloseStream) -> Sequence[SessionEffect]:
        """Have the stream closed, and mostly go on until it is."""
        if self._state.is_hibernating or message.condition in _AT_ONCE:
            return (AskToClose(message), End())
        return (AskToClose(message),)

    def _close_now(self, message: CloseStream) -> None:
        """The same in the middle of other things."""
        for effect in self._close(message):
            self._apply_rare(effect)

    def _ask_to_close(self, close: CloseStream) -> None:
        state = self._state
        state.must_end = state.must_end or not close.may_resume
        if state.connection is None:
            return
        self.flush()
        if not state.connection.tell(CloseConnection(close.condition, close.text, close.detail)):
            self.stop(Normal())

    def _lose_connection(self) -> None:
        if not self._management.hibernate():
            self.stop(Normal())

    def _hibernation_over(self) -> None:
        stream = self._state.stream
        if stream is not None and stream.is_hibernating and stream.resuming is None:
            self.stop(Normal())

    def set_aside(self, message: SessionMessage, error: BaseException) -> Sequence[SessionEffect]:
        """A stanza of the client's that kills is answered.

        One for the client is delivered past everything. What concerns the stream itself is tried once more:
        without it the client could not go on.
        """
        if isinstance(message, FromClient | Deliver):
            self._server.fates.note_set_aside(message.stanza, self._state.jid, error)
        match message:
            case FromClient(stanza, via):
                return self._set_aside_from_client(stanza) if via == self._state.via else ()
            case NonzaFromClient(element, via):
                return self._nonza(element) if via == self._state.via else ()
            case Deliver() | HandedOver() | RosterKnown() | SessionSaved() | AckDue() | Drained():
                return (message,)
            case SaveDue() | HoldOver() | PatienceOver() | NoteKept():
                return (message,)
            case DeliverIfDirected(stanza):
                return routing.refuse(stanza, StanzaError(StanzaCondition.INTERNAL_SERVER_ERROR))
            case CloseStream():
                return self._close(message)
            case StillCongested():
                return self._close(_DOES_NOT_READ)
            case StreamEnded(via, is_clean):
                return self._stream_ended(is_clean=is_clean) if via == self._state.via else ()
            case HibernationOver() | Resume():
                return (message,)

    def _set_aside_from_client(self, stanza: Stanza) -> Sequence[SessionEffect]:
        state = self._state
        error = StanzaError(StanzaCondition.INTERNAL_SERVER_ERROR)
        if not _may_be_answered(stanza):
            return self._from_client(stanza, None)  # once more, since nobody would learn that it is lost
        if state.stream is None:
            return self._answer(stamped(stanza, state.jid, state.lang), error)
        count = self._management.receive(state.stream, stanza)
        if isinstance(count, Repeat):
            return (count,)
        if isinstance(count, CloseStream):
            return _close_at_once(count)
        answer = self._answer(stamped(stanza, state.jid, state.lang, count.receipt), error)
        return (count, *answer) if count.receipt is None else (count, *answer, Dealt(count.receipt))

    async def terminate(self, reason: ExitReason) -> None:
        """The server stops: what the client said before is heard, what is for it is kept for later."""
        if isinstance(reason, Shutdown):
            await self.handle_rest()
            self._management.leave()

    async def handle_signals(self, bits: int) -> None:
        """A commit has opened a gate, made more of what the client sent safe, or somebody waits for one."""
        stream = self._state.stream
        if stream is None:
            return
        if bits & GATE and stream.outgoing.waiting:
            self.slot.probe(Point.ANSWERED, stream.outgoing.waiting[0].stanza)
        if bits & SAVE:
            self._management.save(stream)
        if bits & ACK:
            self._management.tell_more()

    # -- writing, and a client that does not read

    def flush(self) -> None:
        """Write what this batch brought. A client over its bound is not given more until it has read."""
        outlet = self._state.outlet
        if self._state.stream is not None:
            self._management.flush(self._state.stream)
        outlet.flush()
        if (
            outlet.bytes_pending > self._server.settings.limits.output_bytes_max
            and self._state.congested is None
        ):
            self.mailbox.is_accepting = False
            outlet.on_drained = self._tell_drained
            seconds = self._server.settings.limits.write_seconds_max
            self._state.congested = self.slot.send_after(seconds, StillCongested())

    def _tell_drained(self) -> None:
        self.ref.tell(Drained())

    def _drained(self) -> None:
        self.mailbox.is_accepting = True
        if self._state.congested is not None:
            self._state.congested.cancel()
            self._state.congested = None
        if self.mailbox.on_room is not None:
            told, self.mailbox.on_room = self.mailbox.on_room, None
            told()


_FORGED: Final = CloseStream(StreamCondition.INVALID_FROM, "that is not your address")
_DOES_NOT_READ: Final = CloseStream(
    StreamCondition.RESOURCE_CONSTRAINT, "you do not read what is sent to you", may_resume=True
)


def _note_answered(stream: ManagedStream, answer: Stanza) -> None:
    """Should the client never acknowledge the request, whoever asked is not to get an error as well."""
    for entry in stream.outgoing.written:
        asked = entry.stanza
        is_request = asked.kind is StanzaKind.IQ and asked.type in _REQUEST_TYPES
        if is_request and (asked.id, asked.sender) == (answer.id, answer.to):
            entry.is_answered = True


def _may_be_answered(stanza: Stanza) -> bool:
    """Whether an error may tell the sender of a stanza that it went nowhere (RFC 6120 §8.3.1)."""
    if stanza.kind is StanzaKind.IQ:
        return stanza.type in _REQUEST_TYPES
    return stanza.kind is StanzaKind.MESSAGE and stanza.type != "error"


def _close_at_once(message: CloseStream) -> Sequence[SessionEffect]:
    return (AskToClose(message), End())


def _iq_fault(stanza: Stanza) -> StanzaError | None:
    """What is wrong with an IQ in itself (RFC 6120 §8.2.3)."""
    if stanza.type not in _IQ_TYPES:
        return StanzaError(StanzaCondition.BAD_REQUEST, text="an IQ is of type get, set, result or error")
    if stanza.id is None:
        return StanzaError(StanzaCondition.BAD_REQUEST, text="an IQ needs an id")
    if stanza.type in _REQUEST_TYPES and stanza.children != 1:
        return StanzaError(StanzaCondition.BAD_REQUEST, text="a request holds exactly one element")
    return None
