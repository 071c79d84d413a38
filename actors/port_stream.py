"""A Trio stream over a port, for what comes with a reader of its own: HTTP and, inside it, WebSocket.

It waits through the port driver, which costs a fraction of `trio.SocketStream`. One task may read at a time,
any number may write; what they write is sent in the order in which it was given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import trio

from actors.outlet import PortOutput
from actors.port import HUNG_UP, READ_BYTES_MAX, READABLE, WRITABLE, Handshake, Port, PortClosedError

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable

    from actors.port_driver import PortTable


@final
class PortStream(trio.abc.Stream):
    """See the module's docstring. It is watched by the driver from the start until it is closed."""

    __slots__ = ("_changed", "_has_hung_up", "_is_readable", "_on_writable", "_ports", "output", "port")

    def __init__(self, connected: socket.socket, ports: PortTable, on_writable: Callable[[], None]) -> None:
        """Take over a socket.

        Args:
            connected: The socket.
            ports: Where the driver finds it.
            on_writable: Called when `output` may be able to go on; whoever waits here does so anyway.
        """
        self.port = Port(connected, self)
        self.output = PortOutput(self.port)
        self._ports = ports
        self._on_writable = on_writable
        self._changed = trio.lowlevel.ParkingLot()
        self._is_readable = True
        self._has_hung_up = False  # the peer's end is on its way to us: read until it comes
        ports.add(self.port)

    def signal(self, bits: int) -> None:
        """See `PortOwner`: wake whoever waits, to see for himself."""
        if bits & (READABLE | HUNG_UP):
            self._is_readable = True
        if bits & HUNG_UP:
            self._has_hung_up = True
        self._changed.unpark_all()
        if bits & WRITABLE and self.output.is_blocked:
            self._on_writable()

    async def start_tls(self, context: ssl.SSLContext) -> None:
        """Put TLS on the connection.

        Raises:
            trio.BrokenResourceError: the handshake failed, or the peer has gone.
        """
        try:
            self.port.start_tls(context)
            while self.port.handshake() is Handshake.WAITING:
                if self._has_hung_up:
                    raise trio.BrokenResourceError("the peer has gone during the handshake")
                await self._changed.park()
        except PortClosedError as error:
            raise trio.BrokenResourceError(str(error)) from error

    # -- reading

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """See `trio.abc.ReceiveStream`. Yields only where there is more to read than one read takes."""
        bytes_max = READ_BYTES_MAX if max_bytes is None else min(max_bytes, READ_BYTES_MAX)
        while (data := self._read(bytes_max)) is None:
            await self._changed.park()
        if len(data) == bytes_max:
            await trio.lowlevel.cancel_shielded_checkpoint()
        return data

    def _read(self, bytes_max: int) -> bytes | None:
        if self.port.fileno < 0:
            raise trio.ClosedResourceError
        if not self._is_readable:
            return None
        try:
            data = self.port.receive(bytes_max)
        except PortClosedError as error:
            raise trio.BrokenResourceError(str(error)) from error
        self._is_readable = data is not None and not self._has_drained(data, bytes_max)
        return data

    def _has_drained(self, data: bytes, bytes_max: int) -> bool:
        return 0 < len(data) < bytes_max and self.port.drained_by(data) and not self._has_hung_up

    # -- writing

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """See `trio.abc.SendStream`."""
        await trio.lowlevel.checkpoint()
        self.output.append(bytes(data))
        await self.wait_written()

    async def wait_written(self) -> None:
        """Write what has been appended to `output`, and wait until all is handed to the kernel.

        Raises:
            trio.BrokenResourceError: the connection has broken.
        """
        output = self.output
        output.flush()
        while output.bytes_pending:
            await self._changed.park()
            output.resume()
        if output.is_broken:
            raise trio.BrokenResourceError("the connection has broken")

    async def wait_send_all_might_not_block(self) -> None:
        """See `trio.abc.SendStream`."""
        await self.wait_written()

    # -- the end

    async def finish_writing(self) -> None:
        """Write what is left, and close our half.

        Raises:
            trio.BrokenResourceError: the connection has broken.
        """
        await self.wait_written()
        self.port.finish_writing()

    async def aclose(self) -> None:
        """See `trio.abc.AsyncResource`: write what is left, say that it was all, and wait for the peer's end.

        A peer cut off while it still writes might not read our last words. How long that may take is for the
        caller to say; cancelled, it closes at once.
        """
        try:
            await self.finish_writing()
            while await self.receive_some():
                pass
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return  # it is gone, which is what was wanted
        finally:
            self.close()

    def close(self) -> None:
        """Close at once, whatever is left to be written."""
        if self.port.fileno >= 0:
            self.output.abandon()
            self._ports.remove(self.port)
            self.port.close()
            self._changed.unpark_all()
