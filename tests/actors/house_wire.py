"""A wire: a connection of the real kind whose bytes go through memory instead of a socket."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, final

import trio

from actors.connection import Connection, end_session
from actors.connection_state import ConnectionState, Phase
from actors.port import READABLE
from supervision.child_spec import ChildSpec, Restart

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from actors.connection_messages import ConnectionMessage
    from actors.server import Server
    from protocols.framing import Framing
    from protocols.negotiation_values import Setup
    from protocols.stanza import Stanza
    from protocols.stream_events import Event
    from protocols.xml_stream import XMLStream
    from supervision.exit_reason import ExitReason
    from supervision.slot import Slot


@final
class Wire:
    """Both directions of one connection, as the client holds it."""

    def __init__(self) -> None:
        self.to_server = bytearray()
        self.to_client: deque[bytes] = deque()  # on its way; an empty piece is the end
        self.has_client_ended = False
        self.has_server_ended = False
        self.is_read = True  # a client that does not read leaves everything where it is
        self.hear: Callable[[bytes], None] = lambda _data: None
        self.slot: Slot[ConnectionMessage] | None = None
        self._nursery: trio.Nursery | None = None
        self._delay: Callable[[], float] = float

    def lengthen(self, nursery: trio.Nursery, delay: Callable[[], float]) -> None:
        """From now on whatever is said takes so many seconds to arrive; nothing overtakes anything."""
        self._nursery, self._delay = nursery, delay

    def send(self, data: bytes) -> None:
        """The client says something."""
        self.to_server += data
        self._signal()

    def end(self) -> None:
        """The client hangs up."""
        self.has_client_ended = True
        self._signal()

    def _signal(self) -> None:
        assert self.slot is not None
        mailbox = self.slot.mailbox
        self._later(lambda: mailbox.signal(READABLE))

    def say(self, data: bytes) -> None:
        """The server says something."""
        self.to_client.append(data)
        self._later(self._arrive)

    def _arrive(self) -> None:
        """What was said first arrives first, whichever of them was the quickest."""
        self.hear(self.to_client.popleft())

    def _later(self, happen: Callable[[], None]) -> None:
        if self._nursery is None:
            happen()
        else:
            self._nursery.start_soon(_after, self._delay(), happen)


@final
class WireOutlet:
    """See `actors.outlet.Outlet`."""

    def __init__(self, wire: Wire, framing: Framing) -> None:
        self.framing = framing
        self.on_drained: Callable[[], None] | None = None
        self._wire = wire
        self._pending: list[bytes] = []
        self._is_over = False

    @property
    def bytes_pending(self) -> int:
        return sum(map(len, self._pending))

    def append(self, data: bytes) -> None:
        if not self._wire.has_server_ended:
            self._pending.append(data)

    def append_stanza(self, stanza: Stanza) -> bool:
        if self._is_over or self._wire.has_server_ended:
            return False
        self.append(stanza.data)
        return True

    def end(self) -> None:
        self._is_over = True

    def abandon(self) -> None:
        self._pending.clear()
        self.flush()

    def flush(self) -> None:
        if self._wire.is_read and self._pending:
            data = b"".join(self._pending)
            self._pending.clear()
            self._wire.say(data)
        if not self._pending and self.on_drained is not None:
            told, self.on_drained = self.on_drained, None
            told()


@final
class WireState(ConnectionState):
    """What outlives an incarnation."""

    __slots__ = ("stream", "wire", "wire_outlet")

    def __init__(self, wire: Wire, setup: Setup, stream: XMLStream, peer: str) -> None:
        self.wire_outlet = WireOutlet(wire, setup.framing)
        super().__init__(self.wire_outlet, setup, peer)
        self.wire = wire
        self.stream = stream


@final
class WireConnection(Connection):
    """As `TcpConnection`, without TLS: the wire counts as secure."""

    def __init__(self, slot: Slot[ConnectionMessage], server: Server) -> None:
        assert isinstance(slot.state, WireState)
        super().__init__(slot, server, slot.state)
        self._on_wire = slot.state

    def heed(self, bits: int) -> None:
        super().heed(bits)
        self._read()

    def _read(self) -> None:
        state, wire = self._on_wire, self._on_wire.wire
        while wire.to_server and not self.is_closed:
            is_waiting = state.held_events or not self.can_take or self.is_unread
            if state.phase is not Phase.CLOSING and is_waiting:
                return
            data = bytes(wire.to_server)
            wire.to_server.clear()
            if state.phase is not Phase.CLOSING:
                self.heard()
                self.take(state.stream.receive_data(data))
                if state.stream.is_held:
                    self.take_held()
        if wire.has_client_ended and not wire.to_server and not self.is_closed:
            self.lost()

    def held_back(self) -> Sequence[Event]:
        stream = self._on_wire.stream
        return stream.receive_data(b"") if stream.is_held else ()

    def resume_reading(self) -> None:
        self.mailbox.signal(READABLE)

    def restart_stream(self) -> None:
        self._on_wire.stream.restart()

    def admit(self) -> None:
        self._on_wire.stream.authenticated()

    def finish_writing(self) -> None:
        self._on_wire.wire.has_server_ended = True
        self._on_wire.wire.say(b"")

    def release(self) -> None:
        self._on_wire.wire_outlet.abandon()
        self._on_wire.wire.has_server_ended = True
        self._on_wire.wire.say(b"")

    async def terminate(self, reason: ExitReason) -> None:
        if not self.is_closed:
            self.end_for_shutdown(reason)


async def _after(seconds: float, happen: Callable[[], None]) -> None:
    await trio.sleep(seconds)
    happen()


def lay_wire(server: Server, peer: str) -> Wire:
    """Connect a client from this address."""
    wire = Wire()
    spec = ChildSpec(
        f"wire#{server.next_number()}", lambda slot: WireConnection(slot, server), Restart.TRANSIENT
    )
    wire.slot = server.connections.start_child(spec)
    setup = server.tcp_setup(secure=True)
    wire.slot.keep(lambda: WireState(wire, setup, server.new_xml_stream(), peer))
    wire.slot.on_close(end_session)
    return wire
