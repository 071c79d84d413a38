"""A session: one bound resource, from the binding until its stream ends.

It takes what its client sends, decides where that goes, and writes what others send to the client's outlet.
It knows no socket; its state is in its slot, so that a new incarnation goes on where the last one stopped.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple, final

from actors import routing
from actors.connection_messages import CloseConnection, ConnectionMessage, SessionDown
from actors.presence_messages import OwnPresence, OwnSubscription, PassOn, SessionBound, SessionEnded
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
from supervision.dynamic_supervisor import NotAcceptingError
from supervision.exit_reason import Normal, Shutdown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.outlet import Outlet
    from actors.presence_messages import OwnMessage, PresenceMessage
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

_AT_ONCE: Final = frozenset({StreamCondition.INVALID_FROM, StreamCondition.NOT_AUTHORIZED})
"""Conditions after which nothing is heard of a client any more, not even what it sent before."""
_SUBSCRIPTION_TYPES: Final = frozenset({"subscribe", "subscribed", "unsubscribe", "unsubscribed"})
_REQUEST_TYPES: Final = frozenset({"get", "set"})
_IQ_TYPES: Final = frozenset({"get", "set", "result", "error"})


@final
class ToPresence(NamedTuple):
    """For the presence actor of the session's own user; `stanza` is what is answered if it cannot take it."""

    message: OwnMessage
    stanza: Stanza


@final
class NoteDirected(NamedTuple):
    """Directed presence has gone to this address, or been taken back."""

    to: JID
    is_available: bool


@final
class AskToClose(NamedTuple):
    """The connection is to close the stream.

    Its `StreamEnded` ends the session, behind all that the client has sent.
    """

    close: CloseStream


@final
class End(NamedTuple):
    """The session is over."""


SessionEffect = RoutingEffect | Deliver | ToPresence | NoteDirected | AskToClose | End | Drained


@final
class SessionState:
    """What outlives an incarnation.

    Attributes:
        directed: Who got this resource's presence besides its user's contacts.
        congested: Runs while the client has more than its bound to read.
        undelivered: Stanzas that came when the client's stream was over already.
    """

    __slots__ = ("congested", "connection", "directed", "jid", "lang", "outlet", "undelivered")

    def __init__(
        self, jid: JID, outlet: Outlet, connection: Ref[ConnectionMessage], lang: str | None
    ) -> None:
        self.jid = jid
        self.outlet = outlet
        self.connection = connection
        self.lang = lang
        self.directed: set[JID] = set()
        self.congested: Timer | None = None
        self.undelivered: list[Deliver] = []


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
                return (End(),)
            case CloseStream():
                return _close(message)
            case StillCongested():
                return () if self._state.congested is None else _close(_DOES_NOT_READ)
            case _:
                return (message,)

    def _from_client(self, stanza: Stanza) -> Sequence[SessionEffect]:
        state = self._state
        sender = stanza.sender
        if sender is not None and sender != state.jid and sender.full != state.jid.bare:
            return _close(_FORGED)
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
        return self._route(stanza)

    def _route(self, stanza: Stanza) -> Sequence[SessionEffect]:
        """In order behind what the client's presence and subscriptions cause (RFC 6120 §10.1)."""
        directory = self._server.directory
        entry = directory.users.get(self._state.jid.bare)
        if entry is not None and entry.unsettled:
            return (ToPresence(PassOn(stanza), stanza),)
        return routing.route(directory, self._server.domain.full, stanza)

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
        if stanza.to is not None:
            return self._route(stanza)
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
                if not outlet.append_stanza(effect.stanza):
                    self._state.undelivered.append(effect)
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
            case AskToClose(close):
                self._ask_to_close(close)
            case End():
                self.stop(Normal())
            case Drained():
                self._drained()
            case Deliver():
                raise AssertionError("not rare at all")
            case _:
                routing.carry_out(self._server, effect)

    def _to_presence(self, message: OwnMessage, stanza: Stanza) -> None:
        if not self._server.hand_to_own(self._state.jid, message, stanza.size):
            error = StanzaError(StanzaCondition.RESOURCE_CONSTRAINT)
            answer = routing.refusal(stanza, error)
            if answer is not None:
                self._state.outlet.append_stanza(answer)

    def _ask_to_close(self, close: CloseStream) -> None:
        self._state.outlet.flush()
        if not self._state.connection.tell(CloseConnection(close.condition, close.text)):
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
            case CloseStream():
                return _close(message)
            case StillCongested():
                return _close(_DOES_NOT_READ)
            case StreamEnded():
                return (End(),)
            case Drained():
                return (message,)

    async def terminate(self, reason: ExitReason) -> None:
        """The server stops: what the client said before is heard, what is for it is kept for later."""
        if isinstance(reason, Shutdown):
            await self.handle_rest()

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


_FORGED: Final = CloseStream(StreamCondition.INVALID_FROM, "that is not your address")
_DOES_NOT_READ: Final = CloseStream(
    StreamCondition.RESOURCE_CONSTRAINT, "you do not read what is sent to you"
)


def _close(message: CloseStream) -> Sequence[SessionEffect]:
    """Have the stream closed, and mostly go on until it is."""
    return (AskToClose(message), End()) if message.condition in _AT_ONCE else (AskToClose(message),)


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
        StanzaError: the account or the server has its maximum of sessions, or the server is stopping.
    """
    _check_number(server, jid)
    state = SessionState(jid, outlet, connection, lang)
    try:
        presence = server.presence_of(jid)
        slot = server.sessions.start_child(session_spec(server, state))
    except NotAcceptingError as error:
        raise _no_room("the server has its maximum of sessions") from error
    slot.keep(lambda: state)
    slot.on_close(lambda ended, _reason: _session_closed(server, ended))
    before = server.directory.claim(jid, slot.ref)
    if before is not None:
        before.tell(CloseStream(StreamCondition.CONFLICT, "another client took this resource"))
    slot.ref.monitor(connection, SessionDown)
    _post_surely(presence, SessionBound(jid, slot.ref))
    return slot.ref


def _check_number(server: Server, jid: JID) -> None:
    entry = server.directory.users.get(jid.bare)
    if entry is None or jid.resourcepart in entry.sessions:
        return
    if len(entry.sessions) >= server.settings.limits.sessions_per_user_max:
        raise _no_room("the account has its maximum of sessions")


def _no_room(text: str) -> StanzaError:
    return StanzaError(StanzaCondition.RESOURCE_CONSTRAINT, text=text)


def _post_surely(presence: Ref[PresenceMessage], message: SessionBound | SessionEnded) -> None:
    """In order if possible; past a full queue otherwise, for what must be known."""
    if not presence.cast(message):
        presence.tell(message)


def session_spec(server: Server, state: SessionState) -> ChildSpec:
    """The child spec of one session.

    Its id is the address and a number, since a replaced one lives on a while.
    """
    limits = server.settings.limits
    return ChildSpec(
        f"{state.jid.full}#{server.next_number()}",
        lambda slot: Session(slot, server),
        Restart.TRANSIENT,
        messages_max=limits.mailbox_messages_max,
        bytes_max=limits.mailbox_bytes_max,
        abandoned=lambda left: _abandoned(server, state, left),
    )


def _session_closed(server: Server, slot: Slot[SessionMessage]) -> None:
    """In the tick in which a session ends: its name goes, and its user learns of it.

    When the whole server stops nobody is told: those who would hear of it are going as well.
    """
    state = slot.state
    assert isinstance(state, SessionState)
    server.directory.release(state.jid, slot.ref)
    if _is_root_stopping(slot):
        return
    with suppress(NotAcceptingError):  # there is no room for the user's actor, and so nobody who knew it
        _post_surely(server.presence_of(state.jid), SessionEnded(state.jid, slot.ref, tuple(state.directed)))


def _is_root_stopping(slot: Slot[Any]) -> bool:
    while slot.parent is not None:
        slot = slot.parent
    return slot.mailbox.stop is not None


def _abandoned(server: Server, state: SessionState, left: Sequence[SessionMessage]) -> None:
    """What the client did not get is routed again, its session's name being gone."""
    waiting = [message for message in left if isinstance(message, Deliver | DeliverIfDirected)]
    for message in (*state.undelivered, *waiting):
        if message.stanza.kind is not StanzaKind.PRESENCE and not _others_have(server, message):
            routing.send(server, message.stanza)


def _others_have(server: Server, message: Deliver | DeliverIfDirected) -> bool:
    """Whether another of the user's resources got this as well, and is still there."""
    if not isinstance(message, Deliver) or not message.is_shared or message.stanza.to is None:
        return False
    entry = server.directory.users.get(message.stanza.to.bare)
    return entry is not None and bool(entry.route.available)
