"""A connection over TCP: STARTTLS (RFC 6120 §5), TLS from the first byte (XEP-0368), or in clear on loopback.

The port and what has been read since the last stanza's end belong to the slot, so that a new incarnation
goes on with the same socket.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from actors.connection import Connection, end_session
from actors.connection_state import ConnectionState, Phase
from actors.outlet import PortOutlet
from actors.port import HUNG_UP, READ_BYTES_MAX, READABLE, WRITABLE, Handshake, Port, PortClosedError
from protocols.negotiation_values import CertificateShown, TlsEstablished
from protocols.xml_stream import XMLStream
from supervision.child_spec import ChildSpec, Restart

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from actors.connection_messages import ConnectionMessage
    from actors.server import Server
    from protocols.conditions import StreamCondition
    from protocols.negotiation_values import Setup
    from protocols.stream_events import Event
    from supervision.slot import Slot


@final
class TcpState(ConnectionState):
    """What outlives an incarnation."""

    __slots__ = ("has_hung_up", "is_handshaking", "port", "port_outlet", "stream", "was_direct")

    def __init__(self, port: Port, setup: Setup, stream: XMLStream) -> None:
        self.port_outlet = PortOutlet(port, setup.framing)
        super().__init__(self.port_outlet, setup, port.peer)
        self.port = port
        self.stream = stream
        self.is_handshaking = False
        self.has_hung_up = False  # the peer's end is on its way to us: read until it comes
        self.was_direct = False


@final
class TcpConnection(Connection):
    """See the module's docstring; made by `start_tcp_connection`."""

    def __init__(self, slot: Slot[ConnectionMessage], server: Server) -> None:
        assert isinstance(slot.state, TcpState)
        super().__init__(slot, server, slot.state)
        self._tcp = slot.state

    # -- readiness

    def heed(self, bits: int) -> None:
        """Write what was left, go on with the handshake, read."""
        super().heed(bits)
        tcp = self._tcp
        if tcp.phase is Phase.CLOSED:
            return
        if bits & HUNG_UP:
            tcp.has_hung_up = True
        if tcp.is_handshaking:
            self._handshake()
            return
        if bits & WRITABLE:
            tcp.port_outlet.resume()
            self.check_written()
        if bits & (READABLE | HUNG_UP):
            self._read()

    def _read(self) -> None:
        """Read until there is no more.

        Who sends without end is left after a while, so that messages are heard as well.
        """
        tcp = self._tcp
        size = 0
        while self._may_read():
            if size >= READ_BYTES_MAX:
                self.resume_reading()
                return
            try:
                data = tcp.port.receive()
            except PortClosedError:
                data = b""
            if data is None and not tcp.port_outlet.is_broken:
                return
            if not data:
                self.lost()
                return
            self._received(data)
            if tcp.port.drained_by(data) and not tcp.has_hung_up:
                return
            size += len(data)

    def _may_read(self) -> bool:
        tcp = self._tcp
        if tcp.phase is Phase.CLOSING:
            return True
        return self.can_take and not tcp.held_events and not tcp.is_handshaking and not self.is_unread

    def _received(self, data: bytes) -> None:
        tcp = self._tcp
        if tcp.phase is Phase.CLOSING:
            return  # read only so that the peer is not cut off before it has read our last words
        self.heard()
        self.take(tcp.stream.receive_data(data))
        if tcp.stream.is_held:
            self.take_held()

    def held_back(self) -> Sequence[Event]:
        """See `Connection`."""
        stream = self._tcp.stream
        return stream.receive_data(b"") if stream.is_held else ()

    def resume_reading(self) -> None:
        """Edges that came meanwhile are gone: look for ourselves."""
        self.mailbox.signal(READABLE)

    # -- TLS

    def start_tls(self) -> None:
        """Bytes that came in clear after `<starttls/>` go with the old stream (RFC 6120 §5.4.3.3).

        A client that has not even read our leave to begin is not waited for.
        """
        tcp = self._tcp
        tcp.port_outlet.flush()
        if tcp.port_outlet.bytes_pending or tcp.port_outlet.is_broken:
            self.lost()
            return
        tcp.stream.discard()
        tcp.stream.restart()
        tcp.is_handshaking = True
        self._handshake()

    def _handshake(self) -> None:
        tcp = self._tcp
        try:
            if not tcp.port.is_encrypted:
                tcp.port.start_tls(self.server.certificates.context)
            if tcp.port.handshake() is Handshake.WAITING:
                if tcp.has_hung_up:
                    self.lost()
                return
        except PortClosedError:
            self.lost()
            return
        tcp.is_handshaking = False
        if tcp.was_direct:
            tcp.was_direct = False
        else:
            self.negotiate(TlsEstablished())
        shown = tcp.port.client_certificate()
        if shown is not None:
            self.negotiate(CertificateShown(self.server.certificates.addresses_in(shown)))
        self.take_held()

    def close(self, condition: StreamCondition | None, text: str = "", detail: bytes = b"") -> None:
        """See `Connection`; in the middle of a handshake there is no way to say anything."""
        if self._tcp.is_handshaking:
            self.lost()
        else:
            super().close(condition, text, detail)

    def restart_stream(self) -> None:
        """See `Connection`; what the client has sent since is kept."""
        self._tcp.stream.restart()

    def admit(self) -> None:
        """See `Connection`."""
        self._tcp.stream.authenticated()

    # -- the end

    def finish_writing(self) -> None:
        """See `Connection`."""
        self._tcp.port.finish_writing()
        self.resume_reading()

    def release(self) -> None:
        """See `Connection`."""
        release(self.server, self._tcp)


def release(server: Server, state: TcpState) -> None:
    """Close the port: it leaves the driver before the number of its descriptor can come again."""
    state.port_outlet.abandon()
    server.ports.remove(state.port)
    state.port.close()


def start_tcp_connection(
    server: Server, accepted: socket.socket, *, direct_tls: bool = False
) -> Slot[ConnectionMessage]:
    """Start the actor for an accepted socket and give its port to the driver.

    Raises:
        NotAcceptingError: there are too many connections, or the server is stopping.
    """
    number = server.next_number()
    spec = ChildSpec(f"tcp#{number}", lambda slot: TcpConnection(slot, server), Restart.TRANSIENT)
    slot = server.connections.start_child(spec)
    port = Port(accepted, slot.mailbox)
    state = slot.keep(lambda: TcpState(port, server.tcp_setup(secure=direct_tls), server.new_xml_stream()))
    state.is_handshaking = state.was_direct = direct_tls
    slot.on_close(end_session)
    slot.on_close(lambda _slot, _reason: _ended(server, state))
    server.ports.add(port)
    return slot


def _ended(server: Server, state: TcpState) -> None:
    """The actor may have been given up, or killed while the server stops."""
    if state.phase is not Phase.CLOSED:
        release(server, state)
