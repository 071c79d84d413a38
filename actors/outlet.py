"""The outgoing half of a connection: bytes in order, coalesced into few writes, bounded by whoever appends.

It belongs to the connection's slot. The session (or the negotiation) appends and flushes; where the peer
does not read, what is left waits until the connection's actor is told that the port is writable and calls
`resume`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, final

from actors.port import HUNG_UP, Port, PortClosedError
from protocols.framing import TcpFraming

if TYPE_CHECKING:
    from collections.abc import Callable

    from protocols.framing import Framing
    from protocols.stanza import Stanza

WRITE_BYTES_MAX: Final = 262_144
"""One write; more would copy what the kernel will not take at once anyway."""


class Outlet(Protocol):
    """What sessions see of a connection, whatever carries it."""

    framing: Framing
    on_drained: Callable[[], None] | None
    """Called once, when everything has been handed to the kernel."""

    @property
    def bytes_pending(self) -> int:
        """How much waits to be handed to the kernel."""

    def append(self, data: bytes) -> None:
        """Add stream-level bytes: one element or tag."""

    def append_stanza(self, stanza: Stanza) -> bool:
        """Add a stanza; false if the stream is over, so that it would reach nobody."""

    def flush(self) -> None:
        """Write what can be written now."""

    def end(self) -> None:
        """The stream's last words have been appended: no stanza may come behind them."""


@final
class NoOutlet:
    """The outlet of a session without a connection: nothing reaches anybody."""

    __slots__ = ()

    framing: Framing = TcpFraming()
    bytes_pending = 0

    @property
    def on_drained(self) -> Callable[[], None] | None:
        """See `Outlet`."""
        return None

    @on_drained.setter
    def on_drained(self, told: Callable[[], None] | None) -> None:
        """Nothing waits, so nobody is to be told."""

    def append(self, data: bytes) -> None:
        """See `Outlet`."""

    def append_stanza(self, stanza: Stanza) -> bool:
        """See `Outlet`."""
        return False

    def flush(self) -> None:
        """See `Outlet`."""

    def end(self) -> None:
        """See `Outlet`."""


NO_OUTLET: Final = NoOutlet()


@final
class ChangedOutlet:
    """An outlet whose stanzas are changed before they are written."""

    __slots__ = ("_change", "_outlet", "framing")

    def __init__(self, outlet: Outlet, change: Callable[[Stanza], Stanza]) -> None:
        self._outlet = outlet
        self._change = change
        self.framing = outlet.framing

    @property
    def on_drained(self) -> Callable[[], None] | None:
        """See `Outlet`."""
        return self._outlet.on_drained

    @on_drained.setter
    def on_drained(self, told: Callable[[], None] | None) -> None:
        self._outlet.on_drained = told

    @property
    def bytes_pending(self) -> int:
        """See `Outlet`."""
        return self._outlet.bytes_pending

    def append(self, data: bytes) -> None:
        """See `Outlet`."""
        self._outlet.append(data)

    def append_stanza(self, stanza: Stanza) -> bool:
        """See `Outlet`."""
        return self._outlet.append_stanza(self._change(stanza))

    def flush(self) -> None:
        """See `Outlet`."""
        self._outlet.flush()

    def end(self) -> None:
        """See `Outlet`."""
        self._outlet.end()


class PortOutput:
    """Bytes on their way into a TCP or TLS port, whatever they mean."""

    __slots__ = ("_pending", "bytes_pending", "is_blocked", "is_broken", "on_drained", "port")

    def __init__(self, port: Port) -> None:
        self.port = port
        self.bytes_pending = 0
        self.is_broken = False
        self.on_drained: Callable[[], None] | None = None
        self._pending: list[bytes] = []
        self.is_blocked = False

    def append(self, data: bytes) -> None:
        """See `Outlet`."""
        if not self.is_broken:
            self._pending.append(data)
            self.bytes_pending += len(data)

    def flush(self) -> None:
        """See `Outlet`. Does nothing while the peer is known not to read."""
        while self._pending and not self.is_blocked:
            self._write()
        if not self._pending and self.on_drained is not None:
            told, self.on_drained = self.on_drained, None
            told()

    def resume(self) -> None:
        """The port is writable (or may be): go on."""
        self.is_blocked = False
        self.flush()

    def _write(self) -> None:
        data = self._take()
        try:
            sent = self.port.send(data)
        except PortClosedError:
            self._break()
            return
        self.bytes_pending -= sent
        if sent < len(data):
            self._pending.insert(0, data[sent:])
            self.is_blocked = True

    def _take(self) -> bytes:
        """The next piece to write: everything, or about as much as one write can take."""
        pending = self._pending
        if self.bytes_pending <= WRITE_BYTES_MAX:
            data = pending[0] if len(pending) == 1 else b"".join(pending)
            pending.clear()
            return data
        count = size = 0
        while size < WRITE_BYTES_MAX:
            size += len(pending[count])
            count += 1
        data = b"".join(pending[:count])
        del pending[:count]
        return data

    def abandon(self) -> None:
        """Nothing will be written any more: forget what waits, and let nobody wait for it."""
        self.is_broken = True
        self._pending.clear()
        self.bytes_pending = 0
        self.flush()

    def _break(self) -> None:
        """The connection broke; its actor is told and will end the session."""
        self.abandon()
        self.port.owner.signal(HUNG_UP)


@final
class PortOutlet(PortOutput):
    """The outlet of a stream over TCP."""

    __slots__ = ("framing", "is_over")

    def __init__(self, port: Port, framing: Framing) -> None:
        super().__init__(port)
        self.framing = framing
        self.is_over = False

    def append_stanza(self, stanza: Stanza) -> bool:
        """See `Outlet`."""
        if self.is_over or self.is_broken:
            return False
        self.append(stanza.data)
        return True

    def end(self) -> None:
        """See `Outlet`."""
        self.is_over = True
