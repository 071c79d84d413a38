"""A WebSocket that is open, between a transport of ours and a client that knows only bytes."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import trio

from actors.http_message import read_request
from actors.transport import Transport, accept_websocket
from actors.websocket_handshake import checked_upgrade
from tests.actors.http_stage import SECONDS_MAX, Pair, stream_pair
from tests.actors.websocket_bytes import REQUEST, Frame, read_frame

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MESSAGE_BYTES_MAX: Final = 1_000


class Recorder:
    """Is told how far the library has read, and never keeps it from reading."""

    def __init__(self) -> None:
        self.reads = 0
        self.excesses = 0

    async def before_reading(self) -> None:
        """See `Reader`."""

    def after_reading(self) -> None:
        """See `Reader`."""
        self.reads += 1

    def excess(self) -> None:
        """See `Reader`."""
        self.excesses += 1


class Opened:
    """A WebSocket that is open, with a client that knows only bytes."""

    def __init__(self, pair: Pair, transport: Transport, reader: Recorder) -> None:
        self.pair = pair
        self.transport = transport
        self.reader = reader
        self._unread = b""

    async def send(self, *frames: bytes) -> None:
        """The client sends these, in one piece."""
        await self.pair.client.send_all(b"".join(frames))

    async def read(self) -> Frame:
        """The next frame that the client gets."""
        while (found := read_frame(self._unread)) is None:
            data = await self.pair.client.receive_some()
            assert data, "the server has closed"
            self._unread += data
        self._unread = found[1]
        return found[0]


@asynccontextmanager
async def opened(*, early: bytes = b"") -> AsyncIterator[Opened]:
    """Open a WebSocket by hand; `early` is sent together with the request."""
    reader = Recorder()
    with trio.fail_after(SECONDS_MAX):
        async with stream_pair() as pair, trio.open_nursery() as nursery:
            await pair.client.send_all(REQUEST + early)
            request = await read_request(pair.stream)
            transport = await accept_websocket(
                nursery,
                pair.stream,
                checked_upgrade(request),
                request.rest,
                reader,
                message_bytes_max=MESSAGE_BYTES_MAX,
            )
            answer = b""
            while not answer.endswith(b"\r\n\r\n"):
                answer += await pair.client.receive_some(1)
            assert answer.startswith(b"HTTP/1.1 101 ")
            yield Opened(pair, transport, reader)
            nursery.cancel_scope.cancel()
