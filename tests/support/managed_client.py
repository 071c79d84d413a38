"""A client that manages its stream (XEP-0198): it counts, keeps what is not acknowledged, and comes back.

It is as honest as a client can be, so that whatever is lost or doubled is the server's doing. Conversations
that no honest client would hold use `RawClient` below it.
"""

from __future__ import annotations

import select
import time
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple, Self, final
from xml.etree import ElementTree as ET

from tests.support.raw_client import SECONDS_MAX, RawClient

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from tests.support.server import Account, RunningServer

SM: Final = "urn:xmpp:sm:3"
CLIENT: Final = "jabber:client"
ACK_REQUEST: Final = f"<r xmlns='{SM}'/>"
MODULUS: Final = 2**32

_STANZAS: Final = frozenset(f"{{{CLIENT}}}{name}" for name in ("message", "presence", "iq"))
_BEGINNINGS: Final = frozenset({f"{{{SM}}}enabled", f"{{{SM}}}resumed"})
_STREAM: Final = f"<stream xmlns='{CLIENT}' xmlns:stream='http://etherx.jabber.org/streams'>"


def sm(name: str) -> str:
    """The name of an element of stream management, as the parser gives it."""
    return f"{{{SM}}}{name}"


def child(element: ET.Element, name: str) -> str | None:
    """The text of a child in the element's namespace."""
    return element.findtext(f"{{{CLIENT}}}{name}")


class Refused(NamedTuple):
    """The server has not resumed the session."""

    condition: str
    h: int | None


@final
class ManagedClient:
    """One managed session, over one connection after another.

    Attributes:
        client: The present connection.
        handled: How many stanzas have been received under management.
        acked: How many the server has acknowledged.
        unacked: Those it has not, oldest first.
        sm_id: By which the session can be resumed; None if it cannot.
        seconds: For how long, if the server has said so.
    """

    def __init__(
        self, server: RunningServer, account: Account, resource: str = "managed", way: str = "c2s_tls"
    ) -> None:
        self.server = server
        self.account = account
        self.address = f"{account.jid}/{resource}"
        self.client = RawClient(server, way)
        self._clients = [self.client]  # to be closed in the end
        self.handled = 0
        self.acked = 0
        self.unacked: deque[str] = deque()
        self.sm_id: str | None = None
        self.seconds: int | None = None
        self._resource = resource
        self._way = way
        self._elements: deque[ET.Element] = deque()
        self._is_managed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        for client in self._clients:
            client.socket.close()

    # -- coming, going, coming back

    def log_in(self, request: str = "resume='true'") -> Self:
        """Everything up to a managed stream."""
        self.client.log_in(self.account, self._resource)
        self._begin()
        self.client.send(f"<enable xmlns='{SM}' {request}/>")
        enabled = self.expect(sm("enabled"))
        self.sm_id = enabled.get("id")
        self.seconds = None if enabled.get("max") is None else int(enabled.attrib["max"])
        return self

    def _begin(self) -> None:
        """Read the stream from here on element by element."""
        self._parser: ET.XMLPullParser[ET.Element] = ET.XMLPullParser(("start", "end"))
        self._parser.feed(_STREAM)
        self._depth = 0
        self._elements.clear()
        unread, self.client.unread = self.client.unread, b""
        self._parse(unread)

    def cut(self) -> None:
        """Lose the connection without a word."""
        self.client.reset()

    def connect(self) -> None:
        """Make another connection, and log in; the one before stays as it is, open or not."""
        self.client = RawClient(self.server, self._way)
        self._clients.append(self.client)
        self.client.authenticate(self.account)
        self._is_managed = False
        self._begin()

    def resume(self) -> Refused | None:
        """Go on over another connection, and send again what the server does not have."""
        self.connect()
        return self.ask_to_resume()

    def ask_to_resume(self, h: int | None = None, sm_id: str | None = None) -> Refused | None:
        """Ask on a connection that is logged in; with another count or name than what is true, if given."""
        count = self.handled if h is None else h
        self.client.send(f"<resume xmlns='{SM}' previd='{sm_id or self.sm_id}' h='{count % MODULUS}'/>")
        answer = self.read()
        if answer.tag == sm("resumed"):
            assert answer.get("previd") == self.sm_id
            self._acknowledged(int(answer.attrib["h"]))
            if self.unacked:
                self.client.send("".join(self.unacked) + ACK_REQUEST)
            return None
        assert answer.tag == sm("failed"), ET.tostring(answer)
        (condition,) = answer
        h_known = answer.get("h")
        return Refused(condition.tag.rpartition("}")[2], None if h_known is None else int(h_known))

    # -- sending

    def send(self, stanza: str) -> None:
        """Send a stanza, and keep it until it is acknowledged."""
        self.unacked.append(stanza)
        self.client.send(stanza)

    def say(self, to: str, body: str, id: str = "") -> None:
        """Send a message."""
        self.send(f"<message to='{to}' type='chat' id='{id or body}'><body>{body}</body></message>")

    def ask_for_ack(self) -> None:
        """Ask what the server has handled."""
        self.client.send(ACK_REQUEST)

    def acknowledge(self) -> None:
        """Say what has been handled."""
        self.client.send(f"<a xmlns='{SM}' h='{self.handled % MODULUS}'/>")

    def become_available(self) -> None:
        """Send initial presence and wait until the server has dealt with it, which its echo tells."""
        self.send("<presence/>")
        while self.read().tag != f"{{{CLIENT}}}presence":
            pass

    def wait_acknowledged(self) -> None:
        """Have everything acknowledged that was sent."""
        self.ask_for_ack()
        self.read_while(lambda: bool(self.unacked))

    # -- receiving

    def read(self, seconds: float = SECONDS_MAX) -> ET.Element:
        """The next element, stanza or not; questions and answers about acknowledgements are dealt with."""
        element = self.poll(seconds)
        assert element is not None, f"nothing came within {seconds} s"
        return element

    def expect(self, tag: str) -> ET.Element:
        """The next element, which must be this."""
        element = self.read()
        assert element.tag == tag, ET.tostring(element)
        return element

    def message(self) -> str:
        """The body of the next message; presence before it is passed over."""
        element = self.read()
        while element.tag == f"{{{CLIENT}}}presence":
            element = self.read()
        assert element.tag == f"{{{CLIENT}}}message", ET.tostring(element)
        return child(element, "body") or ""

    def settle(self) -> list[ET.Element]:
        """Everything that is on its way: it comes before the answer to a ping to the own account."""
        id_ = f"settle-{self.server.unique()}"
        self.send(f"<iq type='get' to='{self.account.jid}' id='{id_}'><ping xmlns='urn:xmpp:ping'/></iq>")
        elements = [self.read()]
        while elements[-1].get("id") != id_:
            elements.append(self.read())
        return elements[:-1]

    def read_while(self, is_needed: Callable[[], bool]) -> list[ET.Element]:
        """Read until something is so; returns what came."""
        elements: list[ET.Element] = []
        deadline = time.monotonic() + SECONDS_MAX
        while is_needed():
            assert time.monotonic() < deadline, f"waited {SECONDS_MAX} s in vain"
            element = self.poll(0.05)
            if element is not None:
                elements.append(element)
        return elements

    def poll(self, seconds: float) -> ET.Element | None:
        """The next element if one is there in time.

        Raises:
            ConnectionError: the connection has ended.
        """
        deadline = time.monotonic() + seconds
        while True:
            while self._elements:
                element = self._elements.popleft()
                if not self._deal_with(element):
                    return element
            if not self._receive(max(deadline - time.monotonic(), 0.0)):
                return None

    def _receive(self, seconds: float) -> bool:
        connection = self.client.socket
        pending = getattr(connection, "pending", int)()
        if not pending and not select.select([connection], [], [], seconds)[0]:
            return False
        data = connection.recv(65_536)
        if not data:
            raise ConnectionError("the server has closed the connection")
        self._parse(data)
        return True

    def _parse(self, data: bytes) -> None:
        self._parser.feed(data)
        for kind, *rest in self._parser.read_events():
            self._depth += 1 if kind == "start" else -1
            if self._depth == 1 and kind == "end":
                (element,) = rest
                assert isinstance(element, ET.Element)
                self._elements.append(element)

    def _deal_with(self, element: ET.Element) -> bool:
        """Count a stanza; true if that element is nobody else's business."""
        if element.tag in _STANZAS:
            self.handled += self._is_managed
        elif element.tag in _BEGINNINGS:
            self._is_managed = True  # what comes behind it counts (XEP-0198 §4)
        elif element.tag == sm("r"):
            self.acknowledge()
            return True
        elif element.tag == sm("a"):
            self._acknowledged(int(element.attrib["h"]))
            return True
        return False

    def _acknowledged(self, h: int) -> None:
        count = (h - self.acked) % MODULUS
        assert count <= len(self.unacked), f"{h} are acknowledged, {self.acked} were before"
        for _ in range(count):
            self.unacked.popleft()
        self.acked += count
