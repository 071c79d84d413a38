"""A session: one bound resource, from the binding until its stream ends.

It takes what its client sends, decides where that goes, and writes what others send to the client's outlet.
It knows no socket; its state is in its slot, so that a new incarnation goes on where the last one stopped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, final

from actors import routing
from actors.connection_messages import CloseConnection, ConnectionMessage, SessionDown
from actors.presence_messages import OwnPresence, OwnSubscription, SessionBound, SessionEnded
from actors.routing import RoutingEffect, ToSession, ToUser
from actors.session_messages import (
    CloseStream,
    Deliver,
    DeliverIfDirected,
    Drained,
    FromClient,
    SessionMessage,
    StillCongested,
    StreamEnded,
)
from protocols.conditions import StanzaCondition, StreamCondition
from protocols.errors import StanzaError
from protocols.stanza import Stanza, StanzaKind, addressed, stamped
from supervision.actor import Actor
from supervision.child_spec import ChildSpec, Restart
from supervision.exit_reason import Normal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.outlet import Outlet
    from actors.presence_messages import PresenceMessage
    from actors.server import Server
    from protocols.jid import JID
    from supervision.exit_reason import ExitReason
    from supervision.ref import Ref
    from supervision.slot import Slot
    from supervision.timers import Timer

DIRECTED_MAX: Final = 1_000
"""Addresses that one session may keep posted by directed presence.

Rooms count, real clients stay below 200.
"""

_SUBSCRIPTION_TYPES: Final = frozenset({"subscribe", "subscribed", "unsubscribe", "unsubscribed"})
_REQUEST_TYPES: Final = frozenset({"get", "set"})
_IQ_TYPES: Final = frozenset({"get", "set", "result", "error"})


@final
class ToPresence(NamedTuple):
    """For the presence actor of the session's own user; `stanza` is what is answered if it cannot take it."""

    message: PresenceMessage
    stanza: Stanza


@final
class NoteDirected(NamedTuple):
    """Directed presence has gone to this address, or been taken back."""

    to: JID
    is_available: bool


@final
class End(NamedTuple):
    """The session is over; `close` is what its connection is told, if it still needs telling."""

    close: CloseStream | None


SessionEffect = RoutingEffect | Deliver | ToPresence | NoteDirected | End | Drained | StillCongested


@final
class SessionState:
    """What outlives an incarnation."""

    __slots__ = ("congested", "connection", "directed", "jid", "lang", "outlet")

    def __init__(
        self, jid: JID, outlet: Outlet, connection: Ref[ConnectionMessage], lang: str | None
    ) -> None:
        self.jid = jid
        self.outlet = outlet
        self.connection = connection
        self.lang = lang
        self.directed: set[JID] = set()
        self.congested: Timer | None = None


@final
class Session(Actor[SessionMessage, SessionEffect]):
    """See the module's docstring; made by `start_session`."""

    def __init__(self, slot: Slot[SessionMessage], server: Server) -> None:
        super().__init__(slot)
        self._server = server
        assert isinstance(slot.state, SessionState)
        self._state = slot.state

    def broken(self, _error: BaseException) -> None:
        """The state is an address, an outlet and a set of addresses: it stands whatever failed."""

    # -- decide

    def decide(self, message: SessionMessage) -> Sequence[SessionEffect]:
        """What to do with a stanza from the client, one for it, or news of the stream."""
        match message:
            case FromClient(stanza):
                return self._from_client(stanza)
            case DeliverIfDirected(stanza):
                return self._if_directed(stanza)
            case StreamEnded():
                return (End(None),)
            case CloseStream():
                return (End(message),)
            case _:
                return (message,)

    def _from_client(self, stanza: Stanza) -> Sequence[SessionEffect]:
        state = self._state
        sender = stanza.sender
        if sender is not None and sender != state.jid and sender.full != state.jid.bare:
            return (End(CloseStream(StreamCondition.INVALID_FROM, "that is not your address")),)
        stanza = stamped(stanza, state.jid, state.lang)
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
        return routing.route(self._server.directory, self._server.domain.full, stanza)

    def _presence(self, stanza: Stanza) -> Sequence[SessionEffect]:
        if stanza.to is None:
            if stanza.type == "":
                return (ToPresence(OwnPresence(self.ref, stanza), stanza),)
            if stanza.type == "unavailable":
                directed = tuple(self._state.directed)
                forget = [NoteDirected(to, is_available=False) for to in directed]
                return (ToPresence(OwnPresence(self.ref, stanza, directed), stanza), *forget)
            return self._answer(stanza, StanzaError(StanzaCondition.BAD_REQUEST, text="to whom?"))
        if stanza.type in _SUBSCRIPTION_TYPES:
            return (ToPresence(OwnSubscription(stanza), stanza),)
        effects = routing.route(self._server.directory, self._server.domain.full, stanza)
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
        if stanza.to is not None:
            return routing.route(self._server.directory, self._server.domain.full, stanza)
        if stanza.type not in _REQUEST_TYPES:
            return ()  # the client's answer to a request of the server's own, such as a roster push
        return (ToUser(addressed(stanza, self._state.jid.bare_jid)),)

    def _answer(self, stanza: Stanza, error: StanzaError) -> Sequence[SessionEffect]:
        answer = routing.refusal(stanza, error)
        return () if answer is None else (Deliver(answer),)

    # -- apply

    def apply(self, effects: Sequence[SessionEffect]) -> None:
        """Post, write, and note what the session must remember."""
        outlet = self._state.outlet
        for effect in effects:
            if isinstance(effect, Deliver):
                outlet.append_stanza(effect.stanza)
            elif isinstance(effect, ToSession):
                routing.carry_out(self._server, effect)
            else:
                self._apply_rare(effect)

    def _apply_rare(self, effect: SessionEffect) -> None:
        match effect:
            case ToPresence(message, stanza):
                self._to_presence(message, stanza)
            case NoteDirected(to, available):
                (self._state.directed.add if available else self._state.directed.discard)(to)
            case End(close):
                self._end(close)
            case Drained():
                self._drained()
            case StillCongested():
                self._end(
                    CloseStream(StreamCondition.RESOURCE_CONSTRAINT, "you do not read what is sent to you")
                )
            case Deliver(stanza):
                self._state.outlet.append_stanza(stanza)
            case _:
                routing.carry_out(self._server, effect)

    def _to_presence(self, message: PresenceMessage, stanza: Stanza) -> None:
        if not self._server.tell_user(self._state.jid, message):
            error = StanzaError(StanzaCondition.RESOURCE_CONSTRAINT)
            answer = routing.refusal(stanza, error)
            if answer is not None:
                self._state.outlet.append_stanza(answer)

    def _end(self, close: CloseStream | None) -> None:
        if close is not None:
            self._state.outlet.flush()
            self._state.connection.tell(CloseConnection(close.condition, close.text))
        self.stop(Normal())

    def set_aside(self, message: SessionMessage, error: BaseException) -> Sequence[SessionEffect]:
        """A stanza of the client's that kills is answered.

        One for the client is delivered past everything.
        """
        match message:
            case FromClient(stanza):
                stamped_stanza = stamped(stanza, self._state.jid, self._state.lang)
                return self._answer(stamped_stanza, StanzaError(StanzaCondition.INTERNAL_SERVER_ERROR))
            case Deliver():
                return (message,)
            case DeliverIfDirected(stanza):
                return routing.refuse(stanza, StanzaError(StanzaCondition.INTERNAL_SERVER_ERROR))
            case StreamEnded() | CloseStream():
                return (End(message if isinstance(message, CloseStream) else None),)
            case Drained() | StillCongested():
                return ()

    # -- writing, and a client that does not read

    def flush(self) -> None:
        """Write what this batch brought. A client over its bound is not given more until it has read."""
        outlet = self._state.outlet
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


def _iq_fault(stanza: Stanza) -> StanzaError | None:
    """What is wrong with an IQ in itself (RFC 6120 §8.2.3)."""
    if stanza.type not in _IQ_TYPES:
        return StanzaError(StanzaCondition.BAD_REQUEST, text="an IQ is of type get, set, result or error")
    if stanza.id is None:
        return StanzaError(StanzaCondition.BAD_REQUEST, text="an IQ needs an id")
    if stanza.type in _REQUEST_TYPES and stanza.children != 1:
        return StanzaError(StanzaCondition.BAD_REQUEST, text="a request holds exactly one element")
    return None


def start_session(
    server: Server, jid: JID, outlet: Outlet, connection: Ref[ConnectionMessage], lang: str | None
) -> Ref[SessionMessage]:
    """Start a session for a full address and give it the name; who had the name is replaced.

    Raises:
        NotAcceptingError: the server has its maximum of sessions, or is stopping.
    """
    slot = server.sessions.start_child(session_spec(server, jid))
    slot.keep(lambda: SessionState(jid, outlet, connection, lang))
    slot.on_close(lambda ended, reason: _session_closed(server, ended, reason))
    before = server.directory.claim(jid, slot.ref)
    if before is not None:
        before.tell(CloseStream(StreamCondition.CONFLICT, "another client took this resource"))
    slot.ref.monitor(connection, SessionDown)
    server.tell_user(jid, SessionBound(jid, slot.ref))
    return slot.ref


def session_spec(server: Server, jid: JID) -> ChildSpec:
    """The child spec of one session.

    Its id is the address and a number, since a replaced one lives on a while.
    """
    limits = server.settings.limits
    return ChildSpec(
        f"{jid.full}#{server.next_number()}",
        lambda slot: Session(slot, server),
        Restart.TRANSIENT,
        messages_max=limits.mailbox_messages_max,
        bytes_max=limits.mailbox_bytes_max,
        abandoned=lambda left: _abandoned(server, left),
    )


def _session_closed(server: Server, slot: Slot[SessionMessage], _reason: ExitReason) -> None:
    """In the tick in which a session ends: its name goes, and its user learns of it."""
    state = slot.state
    assert isinstance(state, SessionState)
    server.directory.release(state.jid, slot.ref)
    server.tell_user(state.jid, SessionEnded(state.jid, slot.ref, tuple(state.directed)))


def _abandoned(server: Server, left: Sequence[SessionMessage]) -> None:
    """What the session did not come to: stanzas for its client are routed again, its name being gone."""
    for message in left:
        if (
            isinstance(message, Deliver | DeliverIfDirected)
            and message.stanza.kind is not StanzaKind.PRESENCE
        ):
            routing.send(server, message.stanza)
