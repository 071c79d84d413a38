"""A client in a house: logs in, says XML, and keeps what it hears."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, final
from xml.etree import ElementTree

import trio

from protocols.jid import parse_jid
from protocols.namespaces import BIND, CLIENT, STREAM
from protocols.stanza import Stanza
from protocols.stream_events import ElementReceived, StanzaReceived, StreamClosed, StreamFailed
from protocols.stream_limits import StreamLimits
from protocols.xml_element import NameBudget
from protocols.xml_stream import XMLStream

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from protocols.jid import JID
    from protocols.stream_events import Event
    from tests.actors.house_wire import Wire

PASSWORD = "a password"

_MADE_UP = re.compile(r' id="token-[0-9a-f]{16}"')
_HEADER = f"<stream:stream to='%s' version='1.0' xmlns='{CLIENT}' xmlns:stream='{STREAM}'>"
_BIND = f"<iq type='set' id='bind'><bind xmlns='{BIND}'><resource>%s</resource></bind></iq>"
_SASL = "urn:ietf:params:xml:ns:xmpp-sasl"


def said(*stanzas: str) -> list[str]:
    """Stanzas in one spelling, without the ids that the server made up, so that they can be compared."""
    return [_MADE_UP.sub("", ElementTree.canonicalize(stanza)) for stanza in stanzas]


@final
class Client:
    """One client on one wire.

    Attributes:
        jid: Its full address, once it has logged in.
        stanzas: What it has heard since `hears` was last called.
        log: All it ever heard, in one spelling.
        error: The stream error with which it was sent away, if it was.
        is_open: Whether neither side has closed the stream.
        is_guest: Whether it has logged in as nobody in particular.
    """

    def __init__(self, jid: JID, wire: Wire, settle: Callable[[], Awaitable[None]]) -> None:
        self.jid = jid
        self.wire = wire
        self.stanzas: list[Stanza] = []
        self.log: list[str] = []
        self.error: str | None = None
        self.is_open = True
        self.is_guest = False
        self._settle = settle
        self._others: list[ElementReceived] = []  # features, SASL, stream management
        self._news = trio.Event()
        self._stream = XMLStream(StreamLimits(), NameBudget(frozenset(), 1_000))
        self._stream.authenticated()
        wire.hear = self._hear

    # -- what the server says

    def _hear(self, data: bytes) -> None:
        events = self._stream.receive_data(data)
        while self._stream.is_held:
            if any(isinstance(event, ElementReceived) and event.name == "success" for event in events):
                self._stream.restart()
            events += self._stream.receive_data(b"")
        for event in events:
            self._take(event)
        if not data:
            self.is_open = False
        self._news.set()
        self._news = trio.Event()

    def _take(self, event: Event) -> None:
        match event:
            case StanzaReceived(stanza):
                self.stanzas.append(stanza)
                self.log += said(stanza.data.decode())
            case ElementReceived(namespace, "error", _, _, data) if namespace == STREAM:
                self.error = ElementTree.fromstring(data)[0].tag.partition("}")[2]
            case ElementReceived():
                self._others.append(event)
            case StreamClosed() | StreamFailed():
                self.is_open = False

    async def hears(self) -> list[str]:
        """Everything it has heard since the last time, once nothing more is on its way."""
        await self._settle()
        heard = said(*(stanza.data.decode() for stanza in self.stanzas))
        self.stanzas.clear()
        return heard

    async def wait_for(self, words: str, seconds: float = 60.0) -> str:
        """The first stanza heard with these words in it, as soon as it is there; it may wait in `stanzas`."""
        seen = 0
        with trio.fail_after(seconds):
            while True:
                for text in self.log[seen:]:
                    if words in text:
                        return text
                seen = len(self.log)
                await self._news.wait()

    # -- what it says

    def send(self, xml: str) -> None:
        """Say something."""
        self.wire.send(xml.encode())

    async def ask(self, xml: str) -> str:
        """Make a request and return its answer; whatever else is heard stays in `stanzas`."""
        id_ = ElementTree.fromstring(xml).get("id")
        self.send(xml)
        await self._settle()
        (answer,) = [each for each in self.stanzas if each.id == id_ and each.type in {"result", "error"}]
        self.stanzas.remove(answer)
        return said(answer.data.decode())[0]

    async def appear(self, content: str = "") -> None:
        """Become available, with this in the presence, and forget what was heard of that."""
        self.send(f"<presence>{content}</presence>")
        await self.hears()

    async def log_in(self) -> None:
        """From the stream's header to a bound resource."""
        await self.begin()
        await self.authenticate()
        await self.bind()

    async def begin(self) -> None:
        """Open the stream."""
        self.send(_HEADER % self.jid.domainpart)
        features = await self._next_other()
        assert features.name == "features", features.data

    async def authenticate(self, password: str = PASSWORD) -> None:
        """Prove who it is, and open the stream again."""
        token = base64.b64encode(f"\0{self.jid.localpart}\0{password}".encode()).decode()
        self.send(f"<auth xmlns='{_SASL}' mechanism='PLAIN'>{token}</auth>")
        answer = await self._next_other()
        assert answer.name == "success", answer.data
        await self.begin()

    async def log_in_as_guest(self) -> None:
        """The same for a client that is nobody in particular: only then it learns its address."""
        await self.begin()
        await self.authenticate_as_guest()
        bound = await self.bind()
        self.jid = parse_jid(bound.element.findtext(f"{{{BIND}}}bind/{{{BIND}}}jid") or "")

    async def authenticate_as_guest(self) -> None:
        """Say that it is nobody in particular, and open the stream again."""
        self.is_guest = True
        self.send(f"<auth xmlns='{_SASL}' mechanism='ANONYMOUS'/>")
        await self._next_other()
        self.send(f"<response xmlns='{_SASL}'/>")
        answer = await self._next_other()
        assert answer.name == "success", answer.data
        await self.begin()

    async def bind(self) -> Stanza:
        """Bind its resource."""
        self.send(_BIND % self.jid.resourcepart)
        while not self.stanzas:
            await self._news.wait()
        bound = self.stanzas.pop()
        assert bound.type == "result", bound.data
        return bound

    async def _next_other(self) -> ElementReceived:
        while not self._others:
            assert self.is_open, f"sent away with {self.error}"
            await self._news.wait()
        return self._others.pop(0)

    def take_others(self) -> list[ElementReceived]:
        """What it has heard since the last time besides stanzas."""
        heard, self._others = self._others, []
        return heard

    def hang_up(self) -> None:
        """Vanish without a word."""
        self.is_open = False
        self.wire.end()

    def log_out(self) -> None:
        """Close the stream."""
        self.send("</stream:stream>")
