"""WebSocket frames by hand (RFC 6455 §5.2), for what no library would send."""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

KEY: Final = "dGhlIHNhbXBsZSBub25jZQ=="
REQUEST: Final = (
    "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Protocol: xmpp\r\n\r\n"
).encode()

CONTINUATION: Final = 0
TEXT: Final = 1
BINARY: Final = 2
CLOSE: Final = 8
PING: Final = 9
PONG: Final = 10

_MASK: Final = b"\x11\x22\x33\x44"


class Frame(NamedTuple):
    """A frame that has been read."""

    opcode: int
    payload: bytes

    @property
    def code(self) -> int:
        """Of a Close frame: why."""
        assert self.opcode == CLOSE
        return int.from_bytes(self.payload[:2], "big")


def frame(payload: bytes | str, opcode: int = TEXT, *, is_last: bool = True, is_masked: bool = True) -> bytes:
    """A frame as a client sends it."""
    data = payload.encode() if isinstance(payload, str) else payload
    first = opcode | (0x80 if is_last else 0)
    masked = 0x80 if is_masked else 0
    if len(data) < 126:
        head = bytes((first, masked | len(data)))
    elif len(data) < 65_536:
        head = struct.pack("!BBH", first, masked | 126, len(data))
    else:
        head = struct.pack("!BBQ", first, masked | 127, len(data))
    if not is_masked:
        return head + data
    return head + _MASK + bytes(byte ^ _MASK[place % 4] for place, byte in enumerate(data))


def close_frame(code: int) -> bytes:
    """A Close frame as a client sends it."""
    return frame(code.to_bytes(2, "big"), CLOSE)


def read_frame(data: bytes) -> tuple[Frame, bytes] | None:
    """The first frame that a server sent, and what is behind it; None if it is not whole yet."""
    if len(data) < 2:
        return None
    size, start = data[1], 2
    if size == 126:
        size, start = int.from_bytes(data[2:4], "big"), 4
    elif size == 127:
        size, start = int.from_bytes(data[2:10], "big"), 10
    if len(data) < start + size:
        return None
    assert data[0] & 0x80, "the server sends whole messages"
    return Frame(data[0] & 0x0F, data[start : start + size]), data[start + size :]
