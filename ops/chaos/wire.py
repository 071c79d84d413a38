"""A client's connection: TCP with STARTTLS or TLS, or a WebSocket. Gives elements, takes text.

Plain streams do here, where few bytes pass; the server's own sockets are another matter.
"""

import ssl
import struct
from collections.abc import Mapping
from socket import IPPROTO_TCP, SO_LINGER, SOL_SOCKET, TCP_NODELAY
from typing import Final, NamedTuple, TypeAlias, final

import trio
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, Event, Ping, Request, TextMessage
from wsproto.utilities import ProtocolError

from ops.chaos.cast import Way
from ops.chaos.elements import Element, ElementReader, NotXMPP

STREAMS: Final = "http://etherx.jabber.org/streams"
FRAMING: Final = "urn:ietf:params:xml:ns:xmpp-framing"
_TLS: Final = "urn:ietf:params:xml:ns:xmpp-tls"
_READ_BYTES: Final = 65_536
_RESET: Final = struct.pack("ii", 1, 0)
"""Linger for no time at all: closing then sends a reset."""

_Stream: TypeAlias = "trio.SocketStream | trio.SSLStream[trio.SocketStream]"


class ConnectionLost(Exception):
    """The other side, or what is between, has ended the connection; the message says how, if it said so."""


class Place(NamedTuple):
    """Where a server is.

    Attributes:
        domain: Whom it serves.
        addresses: Host and port of each way in.
        context: Whose certificates a client trusts.
    """

    domain: str
    addresses: Mapping[Way, tuple[str, int]]
    context: ssl.SSLContext


@final
class Wire:
    """One connection, made by `connect`."""

    def __init__(self, socket: trio.SocketStream, domain: str) -> None:
        self._socket = socket
        self._domain = domain
        self._stream: _Stream = socket
        self._websocket: WSConnection | None = None
        self._reader = ElementReader()
        self._waiting: list[Element] = []
        self._text = ""  # of a message over WebSocket that has begun

    # -- elements

    async def send(self, *texts: str) -> None:
        """Sends elements.

        Raises:
            ConnectionLost: Nobody is there.
        """
        if self._websocket is None:
            data = "".join(texts).encode()
        else:
            try:
                data = b"".join(self._websocket.send(TextMessage(text)) for text in texts)
            except ProtocolError as error:
                raise ConnectionLost(str(error)) from error
        await self._write(data)

    async def receive(self) -> list[Element]:
        """The next elements; none if it is only the beginning of one.

        Raises:
            ConnectionLost: The stream or the connection has ended.
        """
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            return waiting
        data = await self._read()
        try:
            found = self._reader.feed(data) if self._websocket is None else await self._unframed(data)
        except (NotXMPP, ProtocolError) as error:
            raise ConnectionLost(str(error)) from error
        for element in found:
            if element.name == "close":
                raise ConnectionLost("in order")
            if element.name == "error":
                condition = element.children[0].name if element.children else "without a condition"
                raise ConnectionLost(f"stream error: {condition}")
        if not found and self._reader.is_over:
            raise ConnectionLost("in order")
        return found

    async def next(self) -> Element:
        """The next element; those behind it wait.

        Raises:
            ConnectionLost: The stream or the connection has ended.
        """
        while not (found := await self.receive()):
            pass
        self._waiting = found[1:] + self._waiting
        return found[0]

    async def open_stream(self) -> Element:
        """Opens a stream, the first or the next; returns the server's features."""
        if self._websocket is not None:
            await self.send(f"<open xmlns='{FRAMING}' to='{self._domain}' version='1.0'/>")
            while (element := await self.next()).name != "features":
                pass
            return element
        self._reader.restart()
        await self.send(
            f"<?xml version='1.0'?><stream:stream to='{self._domain}' version='1.0' "
            f"xmlns='jabber:client' xmlns:stream='{STREAMS}'>"
        )
        return await self.next()

    # -- ends

    def cut(self) -> None:
        """Break the connection without a word: the server gets a reset."""
        self._socket.socket.setsockopt(SOL_SOCKET, SO_LINGER, _RESET)
        self._socket.socket.close()

    @property
    def farewell(self) -> str:
        """What ends the stream in order when it is sent."""
        return f"<close xmlns='{FRAMING}'/>" if self._websocket is not None else "</stream:stream>"

    async def abandon(self) -> None:
        """Let go of the socket."""
        await trio.aclose_forcefully(self._socket)

    # -- layers

    async def start_tls(self, context: ssl.SSLContext) -> None:
        """From here on everything is encrypted."""
        self._stream = trio.SSLStream(self._socket, context, server_hostname=self._domain)
        self._reader.restart()
        try:
            await self._stream.do_handshake()
        except trio.BrokenResourceError as error:
            raise ConnectionLost(_how(error)) from error

    async def ask_for_tls(self, context: ssl.SSLContext) -> None:
        """STARTTLS (RFC 6120 §5)."""
        await self.open_stream()
        await self.send(f"<starttls xmlns='{_TLS}'/>")
        if (answer := await self.next()).name != "proceed":
            raise ConnectionLost(f"no TLS: {answer.name}")
        await self.start_tls(context)

    async def become_websocket(self) -> None:
        """The handshake of a WebSocket (RFC 7395)."""
        websocket = WSConnection(ConnectionType.CLIENT)
        await self._write(websocket.send(Request(host=self._domain, target="/ws", subprotocols=["xmpp"])))
        while True:
            for event in _handshake(websocket, await self._read()):
                if not isinstance(event, AcceptConnection):
                    raise ConnectionLost(f"no WebSocket: {type(event).__name__}")
                self._websocket, self._reader = websocket, ElementReader(is_framed=True)
                return

    async def _unframed(self, data: bytes) -> list[Element]:
        assert self._websocket is not None
        self._websocket.receive_data(data)
        found: list[Element] = []
        for event in self._websocket.events():
            found += await self._element_in(self._websocket, event)
        return found

    async def _element_in(self, websocket: WSConnection, event: Event) -> list[Element]:
        match event:
            case TextMessage(data=text):
                self._text += text
                if event.message_finished:
                    text, self._text = self._text, ""
                    return self._reader.feed(text.encode())
            case Ping():
                await self._write(websocket.send(event.response()))
            case CloseConnection():
                raise ConnectionLost(f"WebSocket closed with {event.code}")
        return []

    async def _write(self, data: bytes) -> None:
        try:
            await self._stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise ConnectionLost(_how(error)) from error

    async def _read(self) -> bytes:
        try:
            data = await self._stream.receive_some(_READ_BYTES)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise ConnectionLost(_how(error)) from error
        if not data:
            raise ConnectionLost("without a word")
        return bytes(data)


def _handshake(websocket: WSConnection, data: bytes) -> list[Event]:
    try:
        websocket.receive_data(data)
        return list(websocket.events())
    except ProtocolError as error:
        raise ConnectionLost(f"no WebSocket: {error}") from error


def _how(error: Exception) -> str:
    return "cut" if isinstance(error, trio.ClosedResourceError) else "without a word"


async def connect(place: Place, way: Way) -> Wire:
    """Connects, and encrypts; WebSocket goes in clear, on loopback.

    Raises:
        ConnectionLost: Nobody answers, or the connection ended.
    """
    try:
        socket = await trio.open_tcp_stream(*place.addresses[way])
    except OSError as error:
        raise ConnectionLost("nobody answers") from error
    socket.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
    wire = Wire(socket, place.domain)
    try:
        match way:
            case Way.STARTTLS:
                await wire.ask_for_tls(place.context)
            case Way.TLS:
                await wire.start_tls(place.context)
            case Way.WEBSOCKET:
                await wire.become_websocket()
    except BaseException:
        await wire.abandon()
        raise
    return wire
