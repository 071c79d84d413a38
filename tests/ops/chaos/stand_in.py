"""A tiny XMPP server over WebSocket with stream management and bugs on demand: what the harness must find.

It keeps everything in memory and knows nothing of rosters. Each bug is one that a real server could have.
"""

from __future__ import annotations

import ssl
from collections import deque
from contextlib import asynccontextmanager
from enum import Enum, unique
from typing import TYPE_CHECKING, Any, Final, final

import trio
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, Request, TextMessage

from ops.chaos.cast import Way
from ops.chaos.elements import Element, ElementReader
from ops.chaos.wire import Place

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ops.control_protocol import Request as Question

EVERY: Final = 10
"""A bug strikes at each message of this number."""
STREAM: Final = "xmlns:stream='http://etherx.jabber.org/streams'"
SM: Final = "xmlns='urn:xmpp:sm:3'"
CLIENT: Final = "xmlns='jabber:client'"


@unique
class Bug(Enum):
    """What is wrong with the server."""

    NONE = "none"
    DROPS = "a handler drops a message"
    DOUBLES = "a message is delivered twice"
    SWAPS = "a message is delivered behind the next"
    BOUNCES = "a message is answered with an error"
    RESUMES_LOW = "h one too low after a resumption"
    ACKNOWLEDGES_TOO_MUCH = "more is acknowledged than was sent"
    RUNS_BACKWARDS = "h runs backwards"
    RESUMES_NOBODY = "no session is ever resumed"
    FORGETS = "a resumption hands out nothing"


@final
class Session:
    """One bound resource."""

    def __init__(self, account: str, resource: str) -> None:
        self.account = account
        self.resource = resource
        self.handled = 0
        self.acknowledged = 0
        self.queue: deque[str] = deque()
        self.connection: Connection | None = None

    def hand(self, text: str) -> None:
        """A stanza for its client."""
        self.queue.append(text)
        if self.connection is not None:
            self.connection.send(text)
            self.connection.send(f"<r {SM}/>")

    def heard(self, h: int) -> None:
        """Its client has handled so many."""
        for _ in range(h - self.acknowledged):
            self.queue.popleft()
        self.acknowledged = h


@final
class StandIn:
    """The server; made by `stand_in`."""

    def __init__(self, bug: Bug) -> None:
        self.bug = bug
        self.sessions: dict[str, Session] = {}
        self.routed = 0
        self.held: tuple[Session, str] | None = None
        self.connections: set[Connection] = set()
        self.answers = 0

    async def serve(self, stream: trio.SocketStream) -> None:
        """One connection."""
        connection = Connection(self, stream)
        self.connections.add(connection)
        try:
            await connection.run()
        finally:
            self.connections.discard(connection)

    def control(self, question: Question) -> Any:
        """The control socket's answers: it makes no faults and says that all went well."""
        match question.command.value:
            case "fault":
                return {"killed": 1}
            case "fault.count":
                return {"happened": {}, "recoveries": [], "next": 0}
            case _:
                return {}

    def route(self, sender: Session, message: Element, text: str) -> None:
        """Deliver a message to all of the account, or to the one that is named."""
        account, _, resource = message.attributes["to"].partition("/")
        self.routed += 1
        strikes = self.routed % EVERY == 0
        if strikes and self.bug is Bug.DROPS:
            return
        if strikes and self.bug is Bug.BOUNCES:
            sender.hand(f"<message {CLIENT} type='error' id='{message.attributes['id']}'/>")
            return
        name = account.partition("@")[0]
        found = [each for each in self.sessions.values() if each.account == name]
        for session in [each for each in found if resource in ("", each.resource)] or found:
            self._hand(session, text, strikes=strikes)

    def _hand(self, session: Session, text: str, *, strikes: bool) -> None:
        if strikes and self.bug is Bug.SWAPS and self.held is None:
            self.held = (session, text)
            return
        session.hand(text)
        if strikes and self.bug is Bug.DOUBLES:
            session.hand(text)
        if self.held is not None and self.held[0] is session:
            (_, held), self.held = self.held, None
            session.hand(held)


@final
class Connection:
    """One WebSocket."""

    def __init__(self, server: StandIn, stream: trio.SocketStream) -> None:
        self.server = server
        self.stream = stream
        self.session: Session | None = None
        self.account = ""
        self.resource = ""
        self._outbox = bytearray()
        self._news = trio.Event()
        self._websocket = WSConnection(ConnectionType.SERVER)
        self._text = ""

    def send(self, *texts: str) -> None:
        for text in texts:
            self._outbox += self._websocket.send(TextMessage(text))
        self._news.set()

    async def run(self) -> None:
        """Until the client has gone."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write)
                await self._read()
                nursery.cancel_scope.cancel()
        except* (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        finally:
            if self.session is not None and self.session.connection is self:
                self.session.connection = None
            with trio.CancelScope(shield=True):
                await trio.aclose_forcefully(self.stream)

    async def _write(self) -> None:
        while True:
            await self._news.wait()
            self._news = trio.Event()
            data, self._outbox = bytes(self._outbox), bytearray()
            await self.stream.send_all(data)

    async def _read(self) -> None:
        async for data in self.stream:
            self._websocket.receive_data(bytes(data))
            for event in self._websocket.events():
                match event:
                    case Request():
                        self._outbox += self._websocket.send(AcceptConnection(subprotocol="xmpp"))
                        self._news.set()
                    case TextMessage(data=text):
                        (element,) = ElementReader(is_framed=True).feed(text.encode())
                        self._handle(element, text)
                    case CloseConnection():
                        return

    def _handle(self, element: Element, text: str) -> None:
        handler = getattr(self, f"_{element.name}")
        if element.name in ("message", "presence", "iq") and self.session is not None:
            self.session.handled += 1
        handler(element, text)

    def _open(self, _element: Element, _text: str) -> None:
        self.send("<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' version='1.0'/>")
        self.send(f"<stream:features {STREAM}><sm {SM}/></stream:features>")

    def _close(self, _element: Element, _text: str) -> None:
        self.send("<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>")

    def _auth(self, element: Element, _text: str) -> None:
        from base64 import b64decode

        self.account = b64decode(element.text).split(b"\0")[1].decode()
        self.send("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>")

    def _enable(self, _element: Element, _text: str) -> None:
        self.session = Session(self.account, self.resource)
        self.session.connection = self
        number = f"s{len(self.server.sessions)}"
        for id, other in list(self.server.sessions.items()):
            if (other.account, other.resource) == (self.account, self.resource):
                self.server.sessions[f"old {id}"] = self.server.sessions.pop(id)
                other.account = ""
                for owed in other.queue:
                    self.session.queue.append(owed)
        self.server.sessions[number] = self.session
        self.send(f"<enabled {SM} id='{number}' resume='true'/>", *self.session.queue)

    def _resume(self, element: Element, _text: str) -> None:
        session = self.server.sessions.get(element.attributes["previd"])
        if session is None or self.server.bug is Bug.RESUMES_NOBODY:
            self.send(f"<failed {SM}><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>")
            return
        session.heard(int(element.attributes["h"]))
        self.session, session.connection = session, self
        is_low = self.server.bug is Bug.RESUMES_LOW and session.handled
        self.send(
            f"<resumed {SM} previd='{element.attributes['previd']}' h='{session.handled - bool(is_low)}'/>"
        )
        if self.server.bug is Bug.FORGETS:
            session.acknowledged += len(session.queue)
            session.queue.clear()
        self.send(*session.queue)

    def _a(self, element: Element, _text: str) -> None:
        assert self.session is not None
        self.session.heard(int(element.attributes["h"]))

    def _r(self, _element: Element, _text: str) -> None:
        assert self.session is not None
        h = self.session.handled
        self.server.answers += 1
        if self.server.answers % EVERY == 0:
            h += 1_000 if self.server.bug is Bug.ACKNOWLEDGES_TOO_MUCH else 0
            h -= 1 if self.server.bug is Bug.RUNS_BACKWARDS else 0
            if self.server.bug is Bug.RUNS_BACKWARDS:
                self.send(f"<a {SM} h='{h + 1}'/>")
        self.send(f"<a {SM} h='{h}'/>")

    def _message(self, element: Element, text: str) -> None:
        assert self.session is not None
        self.server.route(self.session, element, text)

    def _presence(self, _element: Element, _text: str) -> None:
        pass

    def _iq(self, element: Element, _text: str) -> None:
        answer = f"<iq {CLIENT} type='result' id='{element.attributes['id']}'/>"
        if self.session is None:
            bind = element.find("resource")
            assert bind is not None
            self.resource = bind.text
            self.send(answer)
        elif element.attributes["type"] == "get":
            self.session.hand(answer)


@asynccontextmanager
async def stand_in(bug: Bug = Bug.NONE) -> AsyncIterator[tuple[StandIn, Place]]:
    """A server that listens on loopback, and where it is."""
    server = StandIn(bug)
    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, server.serve, [listener])
        port = listener.socket.getsockname()[1]
        yield server, Place("localhost", {Way.WEBSOCKET: ("127.0.0.1", port)}, ssl.create_default_context())
        nursery.cancel_scope.cancel()
