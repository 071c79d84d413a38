"""A simulated client's stream: logs in, counts, acknowledges, resumes (XEP-0198), as a good client does.

Synchronous: bytes come in, bytes go out, and the role that plays the client is told what matters to it.
"""

from __future__ import annotations

import base64
from collections import deque
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING, NamedTuple, Protocol, final

from protocols.namespaces import BIND, CLIENT, STREAM
from protocols.stream_events import ElementReceived, StanzaReceived, StreamClosed, StreamFailed
from protocols.stream_limits import StreamLimits
from protocols.xml_element import NameBudget
from protocols.xml_stream import XMLStream
from tests.actors.house_client import PASSWORD

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from protocols.jid import JID
    from protocols.stanza import Stanza
    from protocols.stream_events import Event
    from tests.simulation.ledger import Ledger
    from tests.simulation.network import Line

SM = "urn:xmpp:sm:3"
SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
ASKS_FOR_ACK = 0.3
"""How many of its stanzas a client has confirmed at once."""

_LIMITS = StreamLimits()


class Phase(Enum):
    """Where a stream is."""

    OFFLINE = auto()
    OPENING = auto()
    RESUMING = auto()
    BINDING = auto()
    READY = auto()
    CLOSING = auto()


class Said(NamedTuple):
    """A stanza that has not been confirmed; `message` is the id of a chat message."""

    number: int
    data: bytes
    message: str | None


@final
@dataclass(slots=True)
class Management:
    """The counters of one managed session.

    Attributes:
        id: What it is resumed by; None until the server has said so, or if it cannot be.
        is_enabled: Whether the server has confirmed.
        sent: Stanzas said in this session.
        confirmed: The highest `h` heard.
        handled: Stanzas heard, our own `h`.
        asked: How often it was asked how far the server is.
    """

    id: str | None = None
    is_enabled: bool = False
    sent: int = 0
    confirmed: int = 0
    handled: int = 0
    asked: int = 0
    unconfirmed: deque[Said] = field(default_factory=deque)


class Role(Protocol):
    """Who plays the client."""

    def began(self) -> None:
        """A new session is bound."""

    def resumed(self) -> None:
        """The session goes on."""

    def lost(self, unconfirmed: list[Said]) -> None:
        """The session before will not be resumed; a new one is about to be bound."""

    def heard(self, stanza: Stanza) -> None:
        """A stanza has come."""

    def confirmed(self, message: str) -> None:
        """The server has a message of ours."""

    def went_offline(self, *, is_orderly: bool, is_lost: bool) -> None:
        """The connection is no more; and with it the session, if that ended in good order or is lost."""

    def was_unmanaged(self) -> None:
        """The connection ended while the server may have had a session that it does not manage yet."""


@final
class ClientStream:
    """See the module's docstring.

    Attributes:
        session: The number of the session: 1 for the first that was bound.
        management: The counters, where the stream is or was managed.
        has_session: Whether there is a session, as far as the client knows, even if it is offline.
    """

    def __init__(
        self,
        jid: JID,
        connect: Callable[[str, Callable[[bytes], None]], Line | None],
        role: Role,
        ledger: Ledger,
        random: Random,
        *,
        wants_management: bool,
    ) -> None:
        self.jid = jid
        self.phase = Phase.OFFLINE
        self.session = 0
        self.has_session = False
        self.management: Management | None = None
        self.line: Line | None = None
        self._connect = connect
        self._role = role
        self._ledger = ledger
        self._random = random
        self._wants_management = wants_management
        self._is_authenticated = False
        self._offers_management = False
        self._has_failed = False
        self._asked_in_vain = 0
        self._stream = XMLStream(_LIMITS, NameBudget(frozenset(), 1_000))

    # -- what its role does

    def open(self) -> bool:
        """Connect and log in; false if nobody answers."""
        assert self.phase is Phase.OFFLINE
        line = None

        def hear(data: bytes) -> None:
            if line is self.line:
                self._hear(data)

        line = self._connect(self.jid.full, hear)
        if line is None:
            return False
        self.line = line
        self.phase = Phase.OPENING
        self._is_authenticated = self._offers_management = self._has_failed = False
        self._asked_in_vain = 0
        self._stream = XMLStream(_LIMITS, NameBudget(frozenset(), 1_000))
        self._stream.authenticated()
        self._send_header()
        return True

    def say(self, xml: str, message: str | None = None) -> None:
        """Say a stanza, once the stream is ready."""
        assert self.phase is Phase.READY
        data = xml.encode()
        management = self.management
        if management is not None:
            management.sent += 1
            management.unconfirmed.append(Said(management.sent, data, message))
        self._send(data)
        if management is not None and self._random.random() < ASKS_FOR_ACK:
            self.ask_for_ack()

    def ask_for_ack(self) -> None:
        """Have the server say how far it is."""
        if self.management is not None and self.phase is Phase.READY:
            self.management.asked += 1
            self._send(f"<r xmlns='{SM}'/>".encode())

    def acknowledge(self) -> None:
        """Say how far we are."""
        if self.management is not None and self.management.is_enabled:
            self._send(f"<a xmlns='{SM}' h='{self.management.handled}'/>".encode())

    def log_out(self) -> None:
        """Close the stream in good order."""
        self.acknowledge()
        self._send(b"</stream:stream>")
        self.phase = Phase.CLOSING

    def hang_up(self, *, forgets: bool) -> None:
        """Vanish without a word; who forgets cannot resume."""
        self._note_unmanaged()
        line, self.line = self.line, None
        self.phase = Phase.OFFLINE
        if line is not None:
            line.hang_up()
        if forgets:
            self._forget()

    @property
    def has_said_goodbye(self) -> bool:
        """Whether what comes now cannot be acknowledged any more."""
        return self.phase is Phase.CLOSING and self.management is not None and self.management.is_enabled

    @property
    def can_resume(self) -> bool:
        """Whether there is a session to go on with."""
        return self.management is not None and self.management.id is not None

    # -- what the server says

    def _hear(self, data: bytes) -> None:
        if not data:
            self._connection_ended(is_orderly=False)
            return
        events = self._stream.receive_data(data)
        while self._stream.is_held:
            if any(isinstance(event, ElementReceived) and event.name == "success" for event in events):
                self._stream.restart()
            events += self._stream.receive_data(b"")
        line = self.line
        for event in events:
            if line is self.line:
                self._take(event)

    def _take(self, event: Event) -> None:
        match event:
            case StanzaReceived(stanza):
                self._stanza(stanza)
            case ElementReceived(namespace, name) if namespace == SM:
                self._managed(name, event)
            case ElementReceived(namespace, "error") if namespace == STREAM:
                self._stream_error(event.data)
            case ElementReceived(_, "features"):
                self._features(event.data)
            case ElementReceived(_, "success"):
                self._is_authenticated = True
                self._send_header()
            case ElementReceived(_, "failure"):
                self._ledger.counts["log-ins refused"] += 1
                self._give_up()
            case StreamClosed():
                # After an error the server may have ended the stream without having heard our goodbye.
                self._connection_ended(is_orderly=self.phase is Phase.CLOSING and not self._has_failed)
            case StreamFailed(condition, text):
                self._ledger.faults.append(f"{self.jid} cannot read its stream: {condition.value}: {text}")
                self._give_up()

    def _stream_error(self, data: bytes) -> None:
        condition = data.partition(b"<")[2].partition(b"<")[2].split(b" ")[0].decode()
        self._has_failed = True
        self._ledger.counts[f"stream error {condition}"] += 1
        if b"handled-count-too-high" in data:
            self._ledger.faults.append(f"{self.jid} was told that it acknowledged what was never sent")

    def _give_up(self) -> None:
        """Begin again, on another connection."""
        self._note_unmanaged()
        line, self.line = self.line, None
        if line is not None:
            line.hang_up()
        self.phase = Phase.OFFLINE
        self._role.went_offline(is_orderly=False, is_lost=False)

    def _connection_ended(self, *, is_orderly: bool) -> None:
        if self.phase is Phase.OFFLINE:
            return
        self._note_unmanaged()
        line, self.line = self.line, None
        if line is not None:
            line.hang_up()
        self.phase = Phase.OFFLINE
        had_session = self.has_session
        if is_orderly or self.management is None:
            self._forget()
        is_lost = had_session and not self.has_session and not is_orderly
        self._role.went_offline(is_orderly=is_orderly, is_lost=is_lost)

    def _note_unmanaged(self) -> None:
        is_enabled = self.management is not None and self.management.is_enabled
        if self.phase is Phase.BINDING or (self.phase in {Phase.READY, Phase.CLOSING} and not is_enabled):
            self._role.was_unmanaged()

    def _forget(self) -> None:
        """The session cannot be resumed."""
        self.management = None
        self.has_session = False

    # -- logging in

    def _send_header(self) -> None:
        domain = self.jid.domainpart
        header = f"<stream:stream to='{domain}' version='1.0' xmlns='{CLIENT}' xmlns:stream='{STREAM}'>"
        self._send(header.encode())

    def _features(self, data: bytes) -> None:
        if not self._is_authenticated:
            token = base64.b64encode(f"\0{self.jid.localpart}\0{PASSWORD}".encode()).decode()
            self._send(f"<auth xmlns='{SASL}' mechanism='PLAIN'>{token}</auth>".encode())
            return
        self._offers_management = SM.encode() in data
        management = self.management
        if management is not None and management.id is not None:
            self.phase = Phase.RESUMING
            self._send(f"<resume xmlns='{SM}' previd='{management.id}' h='{management.handled}'/>".encode())
        else:
            self._bind()

    def _bind(self) -> None:
        self.phase = Phase.BINDING
        resource = f"<resource>{self.jid.resourcepart}</resource>"
        self._send(f"<iq type='set' id='bind'><bind xmlns='{BIND}'>{resource}</bind></iq>".encode())

    def _stanza(self, stanza: Stanza) -> None:
        if self.phase is Phase.BINDING and stanza.id == "bind":
            self._bound(is_bound=stanza.type == "result")
            return
        management = self.management
        if management is not None and management.is_enabled:
            management.handled += 1
        self._role.heard(stanza)

    def _bound(self, *, is_bound: bool) -> None:
        if not is_bound:
            self._ledger.counts["bindings refused"] += 1
            self._give_up()
            return
        unconfirmed = [] if self.management is None else list(self.management.unconfirmed)
        if self.has_session:
            self._role.lost(unconfirmed)
        self.session += 1
        self.has_session = True
        self.phase = Phase.READY
        self.management = None
        if self._wants_management and self._offers_management:
            self.management = Management()
            self._send(f"<enable xmlns='{SM}' resume='true'/>".encode())
        self._role.began()

    # -- stream management

    def _managed(self, name: str, event: ElementReceived) -> None:
        h = event.attributes.get("h")
        match name:
            case "enabled" if self.management is not None:
                self.management.is_enabled = True
                self.management.id = event.attributes.get("id")
            case "resumed" if self.phase is Phase.RESUMING and h is not None:
                self._resumed(int(h))
            case "failed" if self.phase is Phase.RESUMING:
                self._ledger.counts["resumptions refused"] += 1
                if h is not None:
                    self._confirm(int(h))
                self._bind()
            case "failed" if self.management is not None and not self.management.is_enabled:
                self._ledger.counts["streams not managed"] += 1
                self._asked_in_vain, self.management = self.management.asked, None
            case "failed" if self.management is None and self._asked_in_vain:
                self._asked_in_vain -= 1  # it was on its way when the server gave that up
            case "r":
                self.acknowledge()
            case "a" if h is not None:
                self._confirm(int(h))
            case _:
                self._ledger.faults.append(f"{self.jid} did not expect {event.data.decode()}")

    def _resumed(self, h: int) -> None:
        management = self.management
        assert management is not None
        self._ledger.counts["resumptions"] += 1
        self.phase = Phase.READY
        self._confirm(h)
        for said in management.unconfirmed:
            self._ledger.counts["stanzas sent again"] += 1
            self._send(said.data)
        self._role.resumed()
        self.ask_for_ack()

    def _confirm(self, h: int) -> None:
        management = self.management
        if management is None:
            self._ledger.faults.append(f"{self.jid} was given h={h} without stream management")
            return
        if h < management.confirmed:
            self._ledger.faults.append(f"{self.jid} was given h={h} after h={management.confirmed}")
        if h > management.sent:
            self._ledger.faults.append(f"{self.jid} was given h={h} and sent {management.sent}")
        management.confirmed = max(h, management.confirmed)
        while management.unconfirmed and management.unconfirmed[0].number <= h:
            said = management.unconfirmed.popleft()
            if said.message is not None:
                self._role.confirmed(said.message)

    def _send(self, data: bytes) -> None:
        if self.line is not None:
            self.line.send(data)
