"""A client over WebSocket, with a library's frames and stanzas by hand; a deadline bounds every wait.

Use it from tests that are coroutines.
"""

from __future__ import annotations

import base64
import re
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, final

import trio
from trio_websocket import ConnectionClosed, wrap_client_stream

from protocols.namespaces import BIND, FRAMING, SASL
from tests.support.raw_client import SECONDS_MAX

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from trio_websocket import WebSocketConnection

    from tests.support.server import Account, RunningServer


@final
class WebSocketClient:
    """One connection over WebSocket; made by `websocket_client`."""

    def __init__(self, websocket: WebSocketConnection, domain: str) -> None:
        self.websocket = websocket
        self._domain = domain

    async def send(self, message: str) -> None:
        """Send a message."""
        with trio.fail_after(SECONDS_MAX):
            await self.websocket.send_message(message)

    async def read(self) -> str:
        """The next message."""
        with trio.fail_after(SECONDS_MAX):
            message = await self.websocket.get_message()
        assert isinstance(message, str)
        return message

    async def read_until(self, pattern: str) -> str:
        """The next message that matches a regular expression; those before are dropped."""
        while True:
            message = await self.read()
            if re.search(pattern, message, re.DOTALL):
                return message

    async def read_to_end(self) -> tuple[list[str], int]:
        """All messages until the server closes the WebSocket, and its code."""
        messages: list[str] = []
        with suppress(ConnectionClosed):
            while True:
                messages.append(await self.read())
        assert self.websocket.closed is not None
        return messages, self.websocket.closed.code

    async def open_stream(self) -> str:
        """Open a stream, or the one after the log-in; returns its features."""
        await self.send(f"<open xmlns='{FRAMING}' to='{self._domain}' version='1.0'/>")
        assert (await self.read()).startswith("<open ")
        return await self.read()

    async def attempt_plain(self, username: str, password: str) -> str:
        """Try to log in with PLAIN; returns the server's answer."""
        response = base64.b64encode(f"\0{username}\0{password}".encode()).decode()
        await self.send(f"<auth xmlns='{SASL}' mechanism='PLAIN'>{response}</auth>")
        return await self.read()

    async def log_in(self, account: Account, resource: str = "web") -> str:
        """Everything up to a bound resource; returns the full address."""
        await self.open_stream()
        answer = await self.attempt_plain(account.username, account.password)
        assert answer.startswith("<success"), answer
        await self.open_stream()
        await self.send(
            "<iq xmlns='jabber:client' type='set' id='bind-1'>"
            f"<bind xmlns='{BIND}'><resource>{resource}</resource></bind></iq>"
        )
        bound = re.search("<jid>(.*)</jid>", await self.read())
        assert bound is not None
        return bound[1]

    async def become_available(self, priority: int = 0) -> None:
        """Send initial presence and wait until the server has dealt with it, which its echo tells."""
        await self.send(f"<presence xmlns='jabber:client'><priority>{priority}</priority></presence>")
        await self.read_until("^<presence ")

    async def close_stream(self) -> None:
        """End the stream, and wait until the server has ended it too."""
        await self.send(f"<close xmlns='{FRAMING}'/>")
        await self.read_until("^<close ")


@asynccontextmanager
async def websocket_client(
    server: RunningServer, way: str = "http", certificate: Path | None = None
) -> AsyncIterator[WebSocketClient]:
    """A client that is connected to `http` or `https`; in the end the WebSocket is closed."""
    with trio.fail_after(4 * SECONDS_MAX):
        stream: trio.SocketStream | trio.SSLStream[trio.SocketStream]
        stream = connected = await trio.open_tcp_stream("127.0.0.1", server.ports[way])
        if way == "https":
            context = server.client_context(certificate)
            stream = trio.SSLStream(connected, context, server_hostname="localhost", https_compatible=True)
        async with trio.open_nursery() as nursery:
            websocket = await wrap_client_stream(nursery, stream, "localhost", "/ws", subprotocols=["xmpp"])
            try:
                yield WebSocketClient(websocket, server.domain)
                await websocket.aclose()
            finally:
                await trio.aclose_forcefully(stream)
