"""How a session begins, and what becomes of what it leaves when it has ended for good."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from actors import routing
from actors.connection_messages import ConnectionMessage, SessionDown
from actors.presence_messages import SessionBound, SessionEnded
from actors.session import Session
from actors.session_messages import (
    CloseStream,
    Deliver,
    DeliverIfDirected,
    HandedOver,
    HibernationOver,
    ResumeRefused,
    SessionMessage,
)
from actors.session_resumption import give_back
from actors.session_state import ManagedStream, SessionState
from actors.settings import ResourceConflict
from protocols.conditions import StanzaCondition, StreamCondition
from protocols.errors import StanzaError
from protocols.stanza import StanzaKind
from supervision.child_spec import ChildSpec, Restart
from supervision.dynamic_supervisor import NotAcceptingError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.outlet import Outlet
    from actors.presence_messages import PresenceMessage
    from actors.server import Server
    from protocols.jid import JID
    from supervision.ref import Ref
    from supervision.slot import Slot


def choose_address(server: Server, wanted: JID, *, is_fixed: bool) -> JID:
    """Return the address for a client that wants this one, by the setting (RFC 6120 §7.7.2.2).

    A session whose client is not there is replaced always: most likely it is this very client.

    Args:
        server: Where.
        wanted: The address.
        is_fixed: Whether the client could not be told of another: then `rename` rejects.

    Raises:
        StanzaError: Another client has it.
    """
    policy = server.settings.auth.resource_conflict
    if policy is ResourceConflict.REPLACE or not _is_in_use(server, wanted):
        return wanted
    if policy is ResourceConflict.RENAME and not is_fixed:
        return wanted.with_resource(server.world.new_token())
    raise StanzaError(StanzaCondition.CONFLICT, "another client has this resource")


def _is_in_use(server: Server, jid: JID) -> bool:
    entry = server.directory.users.get(jid.bare)
    session = None if entry is None else entry.sessions.get(jid.resourcepart or "")
    if session is None:
        return False
    state = session.slot.state
    return not (isinstance(state, SessionState) and state.is_hibernating)


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
    _settle_in(server, slot, state)
    before = server.directory.claim(jid, slot.ref)
    if before is not None:
        before.tell(CloseStream(StreamCondition.CONFLICT, "another client took this resource"))
    slot.ref.monitor(connection, SessionDown)
    _post_surely(presence, SessionBound(jid, slot.ref))
    return slot.ref


def start_hibernating(server: Server, state: SessionState, seconds: float) -> Ref[SessionMessage] | None:
    """Start a session that came back from the database and waits for its client for so long.

    None if the server has its maximum of sessions, or is stopping.
    """
    stream = state.stream
    assert stream is not None
    try:
        slot = server.sessions.start_child(session_spec(server, state))
    except NotAcceptingError:
        return None
    _settle_in(server, slot, state)
    server.directory.claim(state.jid, slot.ref)
    server.streams.add(stream.sm_id, state.jid, slot.ref)
    stream.expiry = slot.send_after(max(seconds, 0.0), HibernationOver())
    return slot.ref


def _settle_in(server: Server, slot: Slot[SessionMessage], state: SessionState) -> None:
    slot.keep(lambda: state)
    slot.on_close(lambda ended, _reason: _session_closed(server, ended))


def _check_number(server: Server, jid: JID) -> None:
    """An account with its maximum of sessions gives up one whose client is not there, if there is any."""
    entry = server.directory.users.get(jid.bare)
    if entry is None or jid.resourcepart in entry.sessions:
        return
    if len(entry.sessions) < server.settings.limits.sessions_per_user_max:
        return
    for session in entry.sessions.values():
        state = session.slot.state
        if isinstance(state, SessionState) and state.is_hibernating:
            session.tell(CloseStream(StreamCondition.CONFLICT, "another session took its place"))
            return
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
    if state.stream is not None:
        _stream_closed(server, state, state.stream)
    if _is_root_stopping(slot):
        return
    with suppress(NotAcceptingError):  # there is no room for the user's actor, and so nobody who knew it
        _post_surely(server.presence_of(state.jid), SessionEnded(state.jid, slot.ref, tuple(state.directed)))


def _stream_closed(server: Server, state: SessionState, stream: ManagedStream) -> None:
    if stream.is_left:
        server.streams.leave(stream.sm_id, state.jid, stream.incoming.counter)
    else:
        incoming = stream.incoming
        h = min(incoming.done, incoming.received - len(incoming.expected))  # as the client counts
        server.streams.remove(stream.sm_id, state.jid.bare, h)
    if stream.resuming is not None:
        stream.resuming.reply.set(ResumeRefused(StanzaCondition.ITEM_NOT_FOUND, stream.h))


def _is_root_stopping(slot: Slot[Any]) -> bool:
    while slot.parent is not None:
        slot = slot.parent
    return slot.mailbox.stop is not None


def _abandoned(server: Server, state: SessionState, left: Sequence[SessionMessage]) -> None:
    """What the client did not get is routed again, its session's name being gone."""
    give_back(server, state)
    handed_over = [
        parcel for message in left if isinstance(message, HandedOver) for parcel in message.parcels
    ]
    for parcel in (*state.returning, *handed_over):
        assert parcel.ledger is not None
        parcel.ledger.given_up(parcel)
    waiting = [message for message in left if isinstance(message, Deliver | DeliverIfDirected)]
    for message in waiting:
        if isinstance(message, Deliver) and message.parcel is not None:
            message.parcel.decline()
    for message in (*state.undelivered, *waiting):
        stanza = message.stanza
        if stanza.kind is not StanzaKind.PRESENCE and not _is_elsewhere(message):
            routing.send(server, stanza)
        if stanza.receipt is not None:
            stanza.receipt.release()


def _is_elsewhere(message: Deliver | DeliverIfDirected) -> bool:
    """Whether another of the user's resources got this as well, and sees to it."""
    return isinstance(message, Deliver) and message.parcel is not None and message.parcel.is_elsewhere
