"""WebSocket as a transport of text: the one place that knows the library `trio_websocket` (RFC 6455).

The library is given a stream of ours. On it, it first reads the request that the HTTP port has read and
checked; what it writes is only appended to the output of the connection's slot.

It does the handshakes, reads, and answers pings. Messages of ours go past it into the same output, as whole
frames: its way of sending takes three turns of the scheduler for each, which was a third of what a message
cost. What it leaves open is settled here too: how much may come in without becoming a message, and what is
said to a client that breaks the protocol.
"""

from __future__ import annotations

import enum
import struct
from typing import TYPE_CHECKING, Final, Protocol, final

import trio
import trio_websocket

from actors.websocket_handshake import SUBPROTOCOL

if TYPE_CHECKING:
    from actors.port_stream import PortStream

CONTROL_BYTES_MAX: Final = 8_192
"""Pings and the like that may come with one message; hundreds, where one a minute is usual."""

# The first byte of frames that are whole messages (RFC 6455 §5.2), and the lengths that need a longer header.
_TEXT: Final = 0x81
_CLOSE: Final = 0x88
_SHORT_MAX: Final = 125
_MEDIUM_MAX: Final = 0xFFFF


class CloseCode(enum.IntEnum):
    """Why a WebSocket is closed (RFC 6455 §7.4.1)."""

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    UNSUPPORTED_DATA = 1003
    ABNORMAL = 1006  # never sent: there was no Close
    INVALID_DATA = 1007
    TOO_BIG = 1009
    INTERNAL_ERROR = 1011
    TRY_AGAIN_LATER = 1013


# Where the library finds such a fault it says no word of it to the client.
_LIBRARY_IS_SILENT: Final = frozenset({CloseCode.PROTOCOL_ERROR, CloseCode.INVALID_DATA})
# Codes that need not have come from the client, whatever the library calls them.
_FAULTS: Final = _LIBRARY_IS_SILENT | {CloseCode.ABNORMAL, CloseCode.TOO_BIG}


class Reader(Protocol):
    """Who is told how far the library has read."""

    async def before_reading(self) -> None:
        """All that was read has been handed out, or will be at once; wait for as long as that is enough."""

    def after_reading(self) -> None:
        """More has been read."""

    def excess(self) -> None:
        """More has come than messages can need, once; nothing is received after that."""


@final
class _Carrier(trio.abc.Stream):
    """The stream that the library sees.

    Attributes:
        bytes_max: What may come in between two whole messages before no more is read. The library bounds a
            message in characters, but neither the number of its fragments, empty ones included, nor what
            comes between them.
        bytes_unused: What has come in since the last whole message was taken.
        has_sent_close: Whether a Close frame was written. What comes after that does not matter: the library
            would even fail where a ping crosses its Close, since it cannot answer any more.
        is_close_answered: Whether what came next was a Close.
    """

    def __init__(self, stream: PortStream, head: bytes, early: bytes, reader: Reader, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        self.bytes_unused = 0
        self.has_sent_close = False
        self.is_close_answered = False
        self._stream = stream
        self._head = head
        self._early = early
        self._reader = reader
        self._is_done = False
        self._accepted: trio.Event | None = trio.Event()

    def accepted(self) -> None:
        """The opening handshake is over; the library would lose what it read before."""
        assert self._accepted is not None
        self._accepted.set()
        self._accepted = None

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """See `trio.abc.ReceiveStream`."""
        if self._head:
            head, self._head = self._head, b""
            return head
        if self._accepted is not None:
            await self._accepted.wait()
        if self._is_done:
            raise trio.ClosedResourceError
        await self._reader.before_reading()
        data = await self._read(max_bytes)
        self._reader.after_reading()
        if self.has_sent_close:
            self.is_close_answered = data[:1] == bytes((_CLOSE,))
            return b""
        self.bytes_unused += len(data)
        return data

    async def _read(self, max_bytes: int | None) -> bytes:
        if self._early:
            data, self._early = self._early, b""
            return data
        if self.bytes_unused <= self.bytes_max:
            return await self._stream.receive_some(max_bytes)
        return await self._discard()

    async def _discard(self) -> bytes:
        """Too much has come: let it be said, and read on only so that the client can read it."""
        self._reader.excess()
        while await self._stream.receive_some() and not self.has_sent_close:
            pass
        return b""

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """See `trio.abc.SendStream`."""
        self._stream.output.append(bytes(data))
        if data[0] == _CLOSE:
            self.has_sent_close = True
        await self._stream.wait_written()

    async def wait_send_all_might_not_block(self) -> None:
        """See `trio.abc.SendStream`."""
        await self._stream.wait_written()

    async def aclose(self) -> None:
        """The library is done with it; the connection itself is closed by whoever holds it."""
        self._is_done = True
        await trio.lowlevel.checkpoint()


@final
class Transport:
    """A WebSocket that is open; made by `accept_websocket`. One task receives, one closes."""

    def __init__(
        self, stream: PortStream, carrier: _Carrier, websocket: trio_websocket.WebSocketConnection
    ) -> None:
        self._stream = stream
        self._carrier = carrier
        self._websocket = websocket
        self._refused: CloseCode | None = None

    def allow(self, message_bytes_max: int) -> None:
        """Set how long a message may be from now on, at most as long as may ever be."""
        self._carrier.bytes_max = _bytes_max(message_bytes_max)

    async def receive(self) -> str | None:
        """The next message; None when there will be no more, for whatever reason."""
        try:
            message = await self._websocket.get_message()
        except trio_websocket.ConnectionClosed:
            return None
        self._carrier.bytes_unused = 0
        if isinstance(message, str):
            return message
        self._refused = CloseCode.UNSUPPORTED_DATA  # RFC 7395 §3.2: text only
        return None

    def append(self, message: bytes) -> bool:
        """Append a text message to the output of the stream; false behind a Close, where none may go."""
        if self._carrier.has_sent_close:
            return False
        self._stream.output.append(_text_header(len(message)) + message)
        return True

    async def close(self, code: CloseCode) -> bool:
        """Do what is left to do of the closing handshake; how long that may take is for the caller to say.

        Returns:
            Whether the client has said its last word too, so that nothing more will come.
        """
        reason = self._websocket.closed
        if reason is None:
            await self._websocket.aclose(self._refused or code)
            return self._carrier.is_close_answered
        if reason.code in _LIBRARY_IS_SILENT and not self._carrier.has_sent_close:
            self._stream.output.append(bytes((_CLOSE, 2)) + reason.code.to_bytes(2, "big"))
        return reason.code not in _FAULTS


async def accept_websocket(
    nursery: trio.Nursery,
    stream: PortStream,
    head: bytes,
    early: bytes,
    reader: Reader,
    *,
    message_bytes_max: int,
) -> Transport:
    """Answer the opening handshake of a request that has been checked.

    Args:
        nursery: Where the library reads.
        stream: The connection.
        head: The request as the library is to see it.
        early: What came behind it.
        reader: Is told how far the library has read.
        message_bytes_max: How long a message may ever be; until `allow` says so, all that is allowed.

    Raises:
        trio.BrokenResourceError: the client has gone.
    """
    carrier = _Carrier(stream, head, early, reader, _bytes_max(message_bytes_max))
    request = await trio_websocket.wrap_server_stream(
        nursery, carrier, max_message_size=message_bytes_max, receive_buffer_size=None
    )
    try:
        websocket = await request.accept(subprotocol=SUBPROTOCOL)
    except trio_websocket.ConnectionClosed:
        raise trio.BrokenResourceError("the client has gone") from None
    carrier.accepted()
    return Transport(stream, carrier, websocket)


def _bytes_max(message_bytes_max: int) -> int:
    """What may come with one message: frame headers, at worst as long as what they frame, and pings."""
    return 2 * message_bytes_max + CONTROL_BYTES_MAX


def _text_header(size: int) -> bytes:
    if size <= _SHORT_MAX:
        return bytes((_TEXT, size))
    if size <= _MEDIUM_MAX:
        return struct.pack("!BBH", _TEXT, 126, size)
    return struct.pack("!BBQ", _TEXT, 127, size)
