"""What the tests of the negotiation share: a listener's setup, events written as XML, an account."""

import itertools
from base64 import b64encode
from collections.abc import Iterable
from xml.etree import ElementTree as ET

from protocols.conditions import StanzaCondition
from protocols.framing import Framing, TcpFraming
from protocols.jid import JID, parse_jid
from protocols.namespaces import CLIENT, XML
from protocols.negotiation import Negotiation
from protocols.negotiation_values import (
    Action,
    Admit,
    BindResource,
    Bound,
    CloseStream,
    CredentialsFound,
    CredentialsMissing,
    Established,
    FetchCredentials,
    GuestMade,
    Input,
    MakeGuest,
    PasswordRefused,
    PasswordVerified,
    RestartStream,
    Resumed,
    ResumeRefused,
    ResumeSession,
    Send,
    Setup,
    StartTls,
    TlsEstablished,
    VerifyPassword,
)
from protocols.sasl.keys import SALT_BYTES, derive_keys, verify_plain
from protocols.session_bits import SessionBits
from protocols.stanza import PayloadName, Stanza, StanzaKind
from protocols.stream_events import ElementReceived, Event, StanzaReceived, StreamHeader, StreamOpened
from protocols.stream_features import CLIENT_FEATURES, StreamFeature
from protocols.stream_limits import StreamLimits
from protocols.websocket_stream import WebSocketStream
from protocols.xml_element import NameBudget
from protocols.xml_stream import XMLStream

HOST = "im.example.com"
JULIET = parse_jid("juliet@im.example.com")
PASSWORD = "r0m30myr0m30"
KEYS = derive_keys(PASSWORD, bytes(range(SALT_BYTES)))

TLS_REQUIRED = SessionBits.STARTTLS_POSSIBLE
CLEAR_ALLOWED = SessionBits.STARTTLS_POSSIBLE | SessionBits.LOGIN_ALLOWED
DIRECT_TLS = SessionBits.SECURE | SessionBits.LOGIN_ALLOWED

STARTTLS = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
BIND = "<iq type='set' id='b1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"
BIND_BALCONY = (
    "<iq type='set' id='b1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
    "<resource>balcony</resource></bind></iq>"
)
RESUME = "<resume xmlns='urn:xmpp:sm:3' previd='some-long-sm-id' h='7'/>"
ENABLE = "<enable xmlns='urn:xmpp:sm:3' resume='true'/>"
REGISTER = "<iq type='get' id='r1'><query xmlns='jabber:iq:register'/></iq>"
OLD_LOGIN = (
    "<iq type='set' id='a1'><query xmlns='jabber:iq:auth'><username>juliet</username>"
    f"<password>{PASSWORD}</password><resource>balcony</resource></query></iq>"
)
MESSAGE = "<message to='romeo@example.net'><body>hi</body></message>"


def make_setup(
    bits: SessionBits = CLEAR_ALLOWED,
    framing: Framing | None = None,
    features: Iterable[StreamFeature] = CLIENT_FEATURES,
    end_point: bytes | None = None,
    see_other_host: str = "",
) -> Setup:
    """Return a listener's setup in which all that is random is counted instead."""

    def counter(name: str) -> Iterable[str]:
        return (f"{name}-{number}" for number in itertools.count(1))

    stream_ids, nonces, resources = (iter(counter(name)) for name in ("stream", "nonce", "resource"))
    return Setup(
        host=HOST,
        framing=framing or TcpFraming(),
        bits=bits,
        features=tuple(features),
        decoy_secret=b"of the server",
        see_other_host=see_other_host,
        end_point=lambda: end_point,
        new_stream_id=lambda: next(stream_ids),
        new_nonce=lambda: next(nonces),
        new_resource=lambda: next(resources),
    )


def header(to: str | None = HOST, version: str | None = "1.0", sender: str | None = None) -> StreamOpened:
    """Return the event of a stream header."""
    return StreamOpened(
        StreamHeader(
            to=None if to is None else parse_jid(to),
            sender=None if sender is None else parse_jid(sender),
            version=version,
            lang=None,
            content_namespace=CLIENT,
            declarations={"": CLIENT},
            tag="stream:stream",
        )
    )


def received(xml: str) -> StanzaReceived | ElementReceived:
    """Return the event of one element at the top level, as a stream would."""
    element = ET.fromstring(f"<x xmlns='{CLIENT}'>{xml}</x>")[0]
    namespace, _, name = element.tag[1:].partition("}")
    if namespace != CLIENT or name not in {kind.value for kind in StanzaKind}:
        return ElementReceived(namespace, name, dict(element.attrib), element.text or "", xml.encode())
    to, sender = element.get("to"), element.get("from")
    first = element[0].tag[1:].split("}") if len(element) else None
    return StanzaReceived(
        Stanza(
            StanzaKind(name),
            None if to is None else parse_jid(to),
            None if sender is None else parse_jid(sender),
            element.get("type", ""),
            element.get("id"),
            element.get(f"{{{XML}}}lang"),
            xml.encode(),
            None if first is None else PayloadName(first[0], first[1]),
            len(element),
        )
    )


def auth(mechanism: str, message: bytes | None = None) -> ElementReceived:
    """Return the event of `<auth/>`; its text is `message` in base64."""
    text = "" if message is None else _text_of(message)
    event = received(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='{mechanism}'>{text}</auth>")
    assert isinstance(event, ElementReceived)
    return event


def response(message: bytes) -> ElementReceived:
    """Return the event of `<response/>`."""
    event = received(f"<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{_text_of(message)}</response>")
    assert isinstance(event, ElementReceived)
    return event


def _text_of(message: bytes) -> str:
    return b64encode(message).decode() or "="


def sent(actions: Iterable[Action]) -> bytes:
    """Return all that these actions write."""
    return b"".join(action.data for action in actions if isinstance(action, Send))


def others(actions: Iterable[Action]) -> list[Action]:
    """Return the actions that are not writing."""
    return [action for action in actions if not isinstance(action, Send)]


def opened(bits: SessionBits = CLEAR_ALLOWED, opening: StreamOpened | None = None) -> Negotiation:
    """Return a negotiation whose first stream is open, by a header as usual or another."""
    negotiation = Negotiation(make_setup(bits))
    negotiation.receive(opening or header())
    return negotiation


def authenticated(bits: SessionBits = CLEAR_ALLOWED) -> Negotiation:
    """Return a negotiation in which Juliet has logged in with PLAIN and opened her stream."""
    negotiation = opened(bits)
    if bits & SessionBits.STARTTLS_POSSIBLE and not bits & SessionBits.LOGIN_ALLOWED:
        drive(negotiation, received(STARTTLS), TlsEstablished(), header())
    drive(negotiation, auth("PLAIN", f"\0juliet\0{PASSWORD}".encode()))
    drive(negotiation, CredentialsFound(KEYS), PasswordVerified(), header())
    return negotiation


def drive(negotiation: Negotiation, *events: Input) -> list[Action]:
    """Give a negotiation these events, and return all that it wants done."""
    return [action for event in events for action in negotiation.receive(event)]


class FakeConnection:
    """A connection without a socket: it does at once what the negotiation asks for.

    Its store knows Juliet; TLS always comes about; every resource is free; one earlier session is known.
    """

    def __init__(self, setup: Setup, stream: XMLStream | WebSocketStream | None = None) -> None:
        self.negotiation = Negotiation(setup)
        self.stream = stream or XMLStream(StreamLimits(), NameBudget(frozenset(), 1_000))
        self.session: JID | None = None
        self.is_closed = False

    def hear(self, text: str) -> str:
        """Take what the client says, and return what it is told."""
        written = b""
        events = self._events(text)
        while events:
            for event in events:
                if self.session is None:  # what follows is the session's
                    written += self._report(event)
            is_held = isinstance(self.stream, XMLStream) and self.stream.is_held
            events = self._events("") if is_held else []
        return written.decode()

    def _events(self, text: str) -> list[Event]:
        if isinstance(self.stream, XMLStream):
            return self.stream.receive_data(text.encode())
        return self.stream.receive_message(text)

    def _report(self, event: Input) -> bytes:
        written = b""
        for action in self.negotiation.receive(event):
            if isinstance(action, Send):
                written += action.data
            else:
                answer = self._carry_out(action)
                written += b"" if answer is None else self._report(answer)
        return written

    def _carry_out(self, action: Action) -> Input | None:
        match action:
            case StartTls():
                assert isinstance(self.stream, XMLStream)
                self.stream.discard()
                self.stream.restart()
                return TlsEstablished()
            case FetchCredentials():
                return CredentialsFound(KEYS) if action.account == JULIET else CredentialsMissing()
            case VerifyPassword():
                is_right = verify_plain(action.password, action.keys)
                return PasswordVerified() if is_right else PasswordRefused()
            case RestartStream():
                self.stream.restart()
                self.stream.authenticated()
            case Admit():
                self.stream.authenticated()
            case MakeGuest():
                return GuestMade()
            case BindResource():
                return Bound(action.jid)
            case ResumeSession():
                is_known = action.previd == "some-long-sm-id"
                resumed = Resumed(action.account.with_resource("balcony"))
                return resumed if is_known else ResumeRefused(StanzaCondition.ITEM_NOT_FOUND)
            case Established():
                self.session = action.jid
            case CloseStream():
                self.is_closed = True
        return None
