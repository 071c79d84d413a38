"""A connection over WebSocket (RFC 7395): the XMPP side of it, to which messages come one by one.

The socket and the WebSocket library live in another actor, the holder (`http_connection`), so that the death
of this one closes nothing. The holder posts what comes in and waits where this mailbox refuses it; what goes
out waits in an outlet until the holder sends it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from actors.connection import Connection, end_session
from actors.connection_state import ConnectionState, Phase
from actors.transport import CloseCode
from protocols.negotiation_values import CertificateShown
from protocols.stream_events import StreamClosed, StreamFailed
from supervision.child_spec import ChildSpec, Restart

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.connection_messages import ConnectionMessage, FrameReceived
    from actors.server import Server
    from actors.transport import Transport
    from actors.websocket_outlet import WebSocketOutlet
    from protocols.negotiation_values import Setup
    from protocols.stream_events import Event
    from protocols.websocket_stream import WebSocketStream
    from supervision.exit_reason import ExitReason
    from supervision.slot import Slot

FRAMES_MAX: Final = 64
"""Messages that may wait for the actor: as many as it handles in one turn."""
CHARACTER_BYTES_MAX: Final = 4
"""UTF-8. The library bounds a message in characters; the longest must fit into an empty mailbox."""

_ENDS: Final = frozenset({StreamClosed, StreamFailed})
"""Events behind which a client's stream has nothing more to say."""


@final
class WebSocketState(ConnectionState):
    """What outlives an incarnation."""

    __slots__ = ("client_has_ended", "held_frames", "stream", "transport", "websocket_outlet")

    def __init__(
        self,
        outlet: WebSocketOutlet,
        transport: Transport,
        setup: Setup,
        stream: WebSocketStream,
        peer: str,
    ) -> None:
        super().__init__(outlet, setup, peer)
        self.websocket_outlet = outlet
        self.transport = transport
        self.stream = stream
        self.client_has_ended = False  # it closed its stream, or broke it
        self.held_frames: list[bytes] = []  # not read before what came before them has been dealt with


@final
class WebSocketConnection(Connection):
    """See the module's docstring; made by `start_websocket_connection`."""

    def __init__(self, slot: Slot[ConnectionMessage], server: Server) -> None:
        assert isinstance(slot.state, WebSocketState)
        super().__init__(slot, server, slot.state)
        self._websocket = slot.state

    # -- what comes in

    def receive_frame(self, frame: FrameReceived) -> None:
        """See `Connection`. While one is held, no further message is accepted."""
        websocket = self._websocket
        self.heard()
        if websocket.phase is Phase.CLOSING or websocket.phase is Phase.CLOSED:
            self._read(frame.data)
            return
        if websocket.held_frames or not self.can_take or self.is_unread:
            websocket.held_frames.append(frame.data)
            self.mailbox.is_accepting = False
        else:
            self.take(self._read(frame.data))

    def _read(self, data: bytes) -> Sequence[Event]:
        """What a message says, which may depend on all that came before it: one event, or nothing."""
        events = self._websocket.stream.receive_message(data)
        if events and type(events[0]) in _ENDS:
            self._websocket.client_has_ended = True
        return events

    def held_back(self) -> Sequence[Event]:
        """See `Connection`."""
        held = self._websocket.held_frames
        while held:
            events = self._read(held.pop(0))
            if events:
                return events
        return ()

    def resume_reading(self) -> None:
        """See `Connection`: let the holder post again, if it waits."""
        mailbox = self.mailbox
        mailbox.is_accepting = True
        if mailbox.on_room is not None:
            told, mailbox.on_room = mailbox.on_room, None
            told()

    def restart_stream(self) -> None:
        """See `Connection`."""
        self._websocket.stream.restart()

    def admit(self) -> None:
        """See `Connection`."""
        websocket = self._websocket
        websocket.stream.authenticated()
        websocket.transport.allow(self.server.settings.limits.stanza_bytes_max)

    # -- the end

    def check_written(self) -> None:
        """A stream is closed when both sides have said so (RFC 7395 §3.6); then the WebSocket is.

        A client that does not answer is waited for as long as over TCP: until `Cut`.
        """
        if self.state.phase is Phase.CLOSING:
            while self.held_back():
                pass  # all that matters is whether the client has ended
            self.resume_reading()
            if self._websocket.client_has_ended:
                self._finish()

    def release(self) -> None:
        """See `Connection`: the holder writes what is left and closes."""
        self._websocket.websocket_outlet.finish(CloseCode.NORMAL)

    async def terminate(self, reason: ExitReason) -> None:
        """The server stops: say so; the holder sees to it that the client can read it."""
        if not self.is_closed:
            self.end_for_shutdown(reason)
            self._websocket.websocket_outlet.finish(CloseCode.GOING_AWAY)


def start_websocket_connection(
    server: Server,
    outlet: WebSocketOutlet,
    transport: Transport,
    peer: str,
    *,
    secure: bool,
    certificate: bytes | None = None,
) -> Slot[ConnectionMessage]:
    """Start the actor for a WebSocket that is open.

    Args:
        server: Where.
        outlet: Takes what the client is told.
        transport: The WebSocket.
        peer: The client's address.
        secure: Whether TLS is in force here.
        certificate: What the client has shown in its handshake, in DER.

    Raises:
        NotAcceptingError: there are too many connections, or the server is stopping.
    """
    limits = server.settings.limits
    transport.allow(limits.stanza_bytes_before_auth_max)
    spec = ChildSpec(
        f"ws#{server.next_number()}",
        lambda slot: WebSocketConnection(slot, server),
        Restart.TRANSIENT,
        messages_max=FRAMES_MAX,
        bytes_max=CHARACTER_BYTES_MAX * limits.stanza_bytes_max,
    )
    slot = server.connections.start_child(spec)
    setup = server.websocket_setup(secure=secure)
    state = slot.keep(lambda: WebSocketState(outlet, transport, setup, server.new_websocket_stream(), peer))
    if certificate is not None:
        assert state.negotiation is not None, "it has just begun"
        state.negotiation.receive(CertificateShown(server.certificates.addresses_in(certificate)))
    slot.on_close(end_session)
    return slot
