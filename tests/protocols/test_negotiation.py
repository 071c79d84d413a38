"""The table of the negotiation: every state with every event, and the rules that hold for all of them."""

from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from protocols.conditions import StanzaCondition, StreamCondition
from protocols.errors import LocalProtocolError, StanzaError
from protocols.framing import Framing, TcpFraming, WebSocketFraming, messages
from protocols.jid import JID
from protocols.namespaces import SASL
from protocols.negotiation import RULES, Kind, Negotiation, kind_of
from protocols.negotiation_values import (
    WAITING_STATES,
    Action,
    BindRefused,
    Bound,
    CertificateShown,
    CloseStream,
    CredentialsFound,
    CredentialsMissing,
    CredentialsUnavailable,
    GuestMade,
    GuestRefused,
    Input,
    PasswordRefused,
    PasswordVerified,
    RegistrationAnswered,
    Resumed,
    ResumeRefused,
    Send,
    Setup,
    State,
    StreamEnded,
    TlsEstablished,
)
from protocols.sasl.keys import derive_keys
from protocols.session_bits import SessionBits
from protocols.stanza import build_iq
from protocols.stream_events import StanzaReceived, StanzaRefused, StreamClosed, StreamFailed
from protocols.stream_limits import StreamLimits
from protocols.websocket_stream import WebSocketStream
from protocols.xml_element import NameBudget
from tests.protocols import negotiation_support
from tests.protocols.negotiation_support import (
    BIND,
    CLEAR_ALLOWED,
    DIRECT_TLS,
    ENABLE,
    JULIET,
    KEYS,
    MESSAGE,
    OLD_LOGIN,
    PASSWORD,
    REGISTER,
    RESUME,
    STARTTLS,
    TLS_REQUIRED,
    FakeConnection,
    auth,
    authenticated,
    drive,
    header,
    make_setup,
    opened,
    others,
    received,
    response,
    sent,
)

BITS = CLEAR_ALLOWED | SessionBits.REGISTRATION_OPEN | SessionBits.OLD_LOGIN_ALLOWED
BALCONY = JULIET.with_resource("balcony")
PLAIN = auth("PLAIN", f"\0juliet\0{PASSWORD}".encode())

SAMPLES: dict[Kind, Input] = {
    Kind.STREAM_OPENED: header(),
    Kind.STREAM_CLOSED: StreamClosed(),
    Kind.STREAM_FAILED: StreamFailed(StreamCondition.NOT_WELL_FORMED, "mismatched tag"),
    Kind.STARTTLS: received(STARTTLS),
    Kind.AUTH: PLAIN,
    Kind.RESPONSE: response(b"hello"),
    Kind.ABORT: received("<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"),
    Kind.COMPRESS: received(
        "<compress xmlns='http://jabber.org/protocol/compress'><method>zlib</method></compress>"
    ),
    Kind.RESUME: received(RESUME),
    Kind.OTHER_MANAGEMENT: received(ENABLE),
    Kind.OTHER_ELEMENT: received("<active xmlns='urn:xmpp:csi:0'/>"),
    Kind.REGISTER_REQUEST: received(REGISTER),
    Kind.AUTH_REQUEST: received(OLD_LOGIN),
    Kind.BIND_REQUEST: received(BIND),
    Kind.OTHER_STANZA: received(MESSAGE),
    Kind.TLS_ESTABLISHED: TlsEstablished(),
    Kind.CERTIFICATE_SHOWN: CertificateShown((JULIET.bare,)),
    Kind.CREDENTIALS_FOUND: CredentialsFound(KEYS),
    Kind.CREDENTIALS_MISSING: CredentialsMissing(),
    Kind.CREDENTIALS_UNAVAILABLE: CredentialsUnavailable(),
    Kind.PASSWORD_VERIFIED: PasswordVerified(),
    Kind.PASSWORD_REFUSED: PasswordRefused(),
    Kind.REGISTRATION_ANSWERED: RegistrationAnswered(build_iq(to=None, sender=None, type="result", id="r1")),
    Kind.GUEST_MADE: GuestMade(),
    Kind.GUEST_REFUSED: GuestRefused(StanzaError(StanzaCondition.RESOURCE_CONSTRAINT)),
    Kind.BOUND: Bound(BALCONY),
    Kind.BIND_REFUSED: BindRefused(StanzaError(StanzaCondition.CONFLICT)),
    Kind.RESUMED: Resumed(BALCONY),
    Kind.RESUME_REFUSED: ResumeRefused(StanzaCondition.ITEM_NOT_FOUND, 7),
    Kind.STREAM_ENDED: StreamEnded(StreamCondition.CONNECTION_TIMEOUT),
}


def reached(state: State) -> Negotiation:
    """Return a negotiation that got to this state as a client would."""
    match state:
        case State.WAIT_FOR_STREAM:
            return Negotiation(make_setup(BITS))
        case (
            State.WAIT_FOR_BIND
            | State.WAIT_FOR_RESOURCE
            | State.WAIT_FOR_RESUMPTION
            | State.SESSION_ESTABLISHED
        ):
            negotiation = authenticated(BITS)
        case State.WAIT_FOR_GUEST:
            negotiation = opened(BITS | SessionBits.GUESTS_ALLOWED)
        case State.WAIT_FOR_AUTH:
            return opened(BITS, header(version=None))
        case _:
            negotiation = opened(BITS)
    drive(negotiation, *WAY_FROM_OPEN_STREAM.get(state, ()))
    return negotiation


WAY_FROM_OPEN_STREAM: dict[State, tuple[Input, ...]] = {
    State.WAIT_FOR_TLS: (received(STARTTLS),),
    State.WAIT_FOR_SASL_RESPONSE: (auth("SCRAM-SHA-1"),),
    State.WAIT_FOR_CREDENTIALS: (PLAIN,),
    State.WAIT_FOR_PASSWORD_CHECK: (PLAIN, CredentialsFound(KEYS)),
    State.WAIT_FOR_REGISTRATION: (received(REGISTER),),
    State.WAIT_FOR_AUTH_KEYS: (received(OLD_LOGIN),),
    State.WAIT_FOR_AUTH_CHECK: (received(OLD_LOGIN), CredentialsFound(KEYS)),
    State.WAIT_FOR_AUTH_RESOURCE: (received(OLD_LOGIN), CredentialsFound(KEYS), PasswordVerified()),
    State.WAIT_FOR_GUEST: (auth("ANONYMOUS", b""), header(), received(BIND)),
    State.WAIT_FOR_RESOURCE: (received(BIND),),
    State.WAIT_FOR_RESUMPTION: (received(RESUME),),
    State.SESSION_ESTABLISHED: (received(BIND), Bound(BALCONY)),
    State.CLOSED: (StreamClosed(),),
}

# Short names of the states, in the order of the columns below.
COLUMNS = {
    "stream": State.WAIT_FOR_STREAM,
    "feature": State.WAIT_FOR_FEATURE_REQUEST,
    "sasl": State.WAIT_FOR_SASL_RESPONSE,
    "bind": State.WAIT_FOR_BIND,
    "auth": State.WAIT_FOR_AUTH,
    "tls": State.WAIT_FOR_TLS,
    "creds": State.WAIT_FOR_CREDENTIALS,
    "passwd": State.WAIT_FOR_PASSWORD_CHECK,
    "akeys": State.WAIT_FOR_AUTH_KEYS,
    "acheck": State.WAIT_FOR_AUTH_CHECK,
    "ares": State.WAIT_FOR_AUTH_RESOURCE,
    "regist": State.WAIT_FOR_REGISTRATION,
    "guest": State.WAIT_FOR_GUEST,
    "resrc": State.WAIT_FOR_RESOURCE,
    "resume": State.WAIT_FOR_RESUMPTION,
    "est": State.SESSION_ESTABLISHED,
    "closed": State.CLOSED,
}

# What comes of each event in each state. A state's name: that state is next. With a condition: a stream
# error (and closed), a SASL failure, a TLS failure, or the next state and a failure of stream management.
# "!": cannot happen, our own fault. "-": ignored.
MATRIX = """
state                   stream               feature              sasl                 bind                 auth                 tls    creds                passwd               akeys                acheck               ares                 regist               guest                resrc                resume               est closed
STREAM_OPENED           feature              E:bad-format         E:bad-format         E:bad-format         E:bad-format         !      !                    !                    !                    !                    !                    !                    !                    !                    !                    !   -
STREAM_CLOSED           closed               closed               closed               closed               closed               !      !                    !                    !                    !                    !                    !                    !                    !                    !                    !   -
STREAM_FAILED           E:not-well-formed    E:not-well-formed    E:not-well-formed    E:not-well-formed    E:not-well-formed    !      !                    !                    !                    !                    !                    !                    !                    !                    !                    !   -
STARTTLS                T:failure            tls                  T:failure            T:failure            T:failure            !      !                    !                    !                    !                    !                    !                    !                    !                    !                    !   -
AUTH                    E:unsupported        creds                S:malformed          E:policy             E:unsupported        !      !                    !                    !                    !                    !                    !                    !                    !                    !                    !   -
RESPONSE                E:unsupported        S:malformed          S:malformed          E:unsupported        E:unsupported        !      !                    !                    !                    !                    !                    !                    !                    !                    !                    !   -
ABORT                   E:unsupported        S:aborted            S:aborted            E:unsupported        E:unsupported        !      !                    !                    !                    !                    !                    !                    !                    !                    !                    !   -
COMPRESS                E:unsupported        feature              E:unsupported        E:unsupported        E:unsupported        !      !                    !                    !                    !                    !                    !                    !                    !                    !                    !   -
RESUME                  E:unsupported        M:feature:unexpected M:sasl:unexpected    resume               E:unsupported        !      !                    !                    !                    !                    !                    !                    !                    !                    !                    !   -
OTHER_MANAGEMENT        E:unsupported        M:feature:unexpected M:sasl:unexpected    M:bind:unexpected    E:unsupported        !      !                    !                    !                    !                    !                    !                    !                    !                    !                    !   -
OTHER_ELEMENT           E:unsupported        E:unsupported        E:unsupported        E:unsupported        E:unsupported        !      !                    !                    !                    !                    !                    !                    !                    !                    !                    !   -
REGISTER_REQUEST        E:not-authorized     regist               E:not-authorized     E:not-authorized     regist               !      !                    !                    !                    !                    !                    !                    !                    !                    !                    !   -
AUTH_REQUEST            E:not-authorized     akeys                E:not-authorized     E:not-authorized     akeys                !      !                    !                    !                    !                    !                    !                    !                    !                    !                    !   -
BIND_REQUEST            E:not-authorized     E:not-authorized     E:not-authorized     resrc                E:not-authorized     !      !                    !                    !                    !                    !                    !                    !                    !                    !                    !   -
OTHER_STANZA            E:not-authorized     E:not-authorized     E:not-authorized     E:not-authorized     E:not-authorized     !      !                    !                    !                    !                    !                    !                    !                    !                    !                    !   -
TLS_ESTABLISHED         !                    !                    !                    !                    !                    stream !                    !                    !                    !                    !                    !                    !                    !                    !                    !   -
CERTIFICATE_SHOWN       stream               !                    !                    !                    !                    !      !                    !                    !                    !                    !                    !                    !                    !                    !                    !   -
CREDENTIALS_FOUND       !                    !                    !                    !                    !                    !      passwd               !                    acheck               !                    !                    !                    !                    !                    !                    !   -
CREDENTIALS_MISSING     !                    !                    !                    !                    !                    !      passwd               !                    acheck               !                    !                    !                    !                    !                    !                    !   -
CREDENTIALS_UNAVAILABLE !                    !                    !                    !                    !                    !      S:temporary          !                    feature              feature              !                    !                    !                    !                    !                    !   -
PASSWORD_VERIFIED       !                    !                    !                    !                    !                    !      !                    stream               !                    ares                 !                    !                    !                    !                    !                    !   -
PASSWORD_REFUSED        !                    !                    !                    !                    !                    !      !                    S:not-authorized     !                    feature              !                    !                    !                    !                    !                    !   -
REGISTRATION_ANSWERED   !                    !                    !                    !                    !                    !      !                    !                    !                    !                    !                    feature              !                    !                    !                    !   -
GUEST_MADE              !                    !                    !                    !                    !                    !      !                    !                    ares                 !                    !                    !                    resrc                !                    !                    !   -
GUEST_REFUSED           !                    !                    !                    !                    !                    !      !                    !                    feature              !                    !                    !                    bind                 !                    !                    !   -
BOUND                   !                    !                    !                    !                    !                    !      !                    !                    !                    !                    est                  !                    !                    est                  !                    !   -
BIND_REFUSED            !                    !                    !                    !                    !                    !      !                    !                    !                    !                    feature              !                    !                    bind                 !                    !   -
RESUMED                 !                    !                    !                    !                    !                    !      !                    !                    !                    !                    !                    !                    !                    !                    est                  !   -
RESUME_REFUSED          !                    !                    !                    !                    !                    !      !                    !                    !                    !                    !                    !                    !                    !                    M:bind:not-found     !   -
STREAM_ENDED            E:connection-timeout E:connection-timeout E:connection-timeout E:connection-timeout E:connection-timeout closed E:connection-timeout E:connection-timeout E:connection-timeout E:connection-timeout E:connection-timeout E:connection-timeout E:connection-timeout E:connection-timeout E:connection-timeout !   -
"""  # noqa: E501 - a table

CONDITIONS = {
    "unsupported": "unsupported-stanza-type",
    "policy": "policy-violation",
    "malformed": "malformed-request",
    "temporary": "temporary-auth-failure",
    "unexpected": "unexpected-request",
    "not-found": "item-not-found",
}
CELLS = [
    (Kind[kind], COLUMNS[column], cell)
    for kind, *cells in (line.split() for line in MATRIX.strip().splitlines()[1:])
    for column, cell in zip(MATRIX.split("\n")[1].split()[1:], cells, strict=True)
]


def test_matrix_has_a_cell_for_every_state_and_event() -> None:
    assert {(kind, state) for kind, state, _ in CELLS} == {(kind, state) for kind in Kind for state in State}


@pytest.mark.parametrize(("kind", "state", "cell"), CELLS, ids=[f"{s.value}-{k.name}" for k, s, _ in CELLS])
def test_every_event_in_every_state_has_its_outcome(kind: Kind, state: State, cell: str) -> None:
    negotiation = reached(state)
    assert negotiation.state is state
    if cell == "!":
        with pytest.raises(LocalProtocolError):
            negotiation.receive(SAMPLES[kind])
        assert negotiation.state is state
        return
    actions = negotiation.receive(SAMPLES[kind])
    if cell == "-":
        assert actions == []
        return
    outcome, _, condition = cell.partition(":")
    assert_outcome(negotiation, actions, outcome, CONDITIONS.get(condition, condition))


def assert_outcome(negotiation: Negotiation, actions: list[Action], outcome: str, condition: str) -> None:
    written = sent(actions).decode()
    if outcome == "E":
        assert f"<{condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>" in written
        assert written.endswith("</stream:stream>")
        assert negotiation.state is State.CLOSED
    elif outcome == "S":
        assert f"<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><{condition}/>" in written
        assert negotiation.state is State.WAIT_FOR_FEATURE_REQUEST
    elif outcome == "T":
        assert written.endswith("<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:stream>")
        assert negotiation.state is State.CLOSED
    elif outcome == "M":
        state, _, name = condition.partition(":")
        assert written.startswith("<failed xmlns='urn:xmpp:sm:3'")
        assert f"><{CONDITIONS[name]} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>" in written
        assert negotiation.state is COLUMNS[state]
    else:
        assert negotiation.state is COLUMNS[outcome]
        assert "urn:ietf:params:xml:ns:xmpp-streams" not in written
        assert not ("<failure" in written and outcome == "closed")
    assert (CloseStream() in actions) == (negotiation.state is State.CLOSED)


def test_samples_are_of_the_kind_they_stand_for() -> None:
    assert {kind: kind_of(event) for kind, event in SAMPLES.items()} == {kind: kind for kind in Kind}


def test_a_stanza_to_no_address_is_a_stanza_like_any_other() -> None:
    event = received(MESSAGE)
    assert isinstance(event, StanzaReceived)
    assert kind_of(StanzaRefused(event.stanza, StanzaCondition.JID_MALFORMED, "")) is Kind.OTHER_STANZA


@pytest.mark.parametrize(
    "xml",
    [
        "<iq type='result' id='b1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>",
        "<iq type='set' id='b1'><bind xmlns='jabber:client'/></iq>",
        "<iq type='set' id='b1'/>",
        "<message><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></message>",
        "<presence><query xmlns='jabber:iq:register'/></presence>",
    ],
)
def test_what_only_looks_like_a_request_is_a_stanza_like_any_other(xml: str) -> None:
    assert kind_of(received(xml)) is Kind.OTHER_STANZA


@pytest.mark.parametrize("name", ["starttls", "auth", "response", "abort", "compress", "resume", "enable"])
def test_an_element_in_another_namespace_is_another_element(name: str) -> None:
    assert kind_of(received(f"<{name} xmlns='urn:example'/>")) is Kind.OTHER_ELEMENT


@pytest.mark.parametrize("name", ["enable", "r", "a", "enabled", "resumed", "failed", "sm", "x"])
def test_whatever_else_stream_management_has_is_of_one_kind(name: str) -> None:
    assert kind_of(received(f"<{name} xmlns='urn:xmpp:sm:3'/>")) is Kind.OTHER_MANAGEMENT


def test_waiting_states_take_nothing_from_the_client() -> None:
    from_client = {kind for kind in Kind if kind.value <= Kind.OTHER_STANZA.value}
    for state, row in RULES.items():
        takes = from_client & set(row)
        over = state in {State.SESSION_ESTABLISHED, State.CLOSED}
        assert takes == (set() if over or state in WAITING_STATES else from_client)
        assert reached(state).is_waiting == (state in WAITING_STATES)


def test_every_state_can_be_reached_by_the_rules() -> None:
    targets = {target for row in RULES.values() for rule in row.values() for target in rule.targets}
    assert targets == set(State)


def test_every_state_can_be_left_by_the_rules() -> None:
    assert {state for state, row in RULES.items() if not row} == {State.SESSION_ESTABLISHED, State.CLOSED}


def test_a_handler_may_not_leave_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table is checked, not only documented: a step that it does not know is our own fault."""
    row = dict(RULES[State.WAIT_FOR_STREAM])
    row[Kind.STREAM_OPENED] = row[Kind.STREAM_OPENED]._replace(targets=frozenset({State.WAIT_FOR_BIND}))
    monkeypatch.setitem(RULES, State.WAIT_FOR_STREAM, row)
    with pytest.raises(LocalProtocolError, match="cannot lead"):
        opened()


def test_account_is_known_from_authentication_on() -> None:
    negotiation = opened()
    assert negotiation.account is None
    negotiation = authenticated()
    assert negotiation.account == JULIET
    assert isinstance(negotiation.account, JID)


def test_a_late_answer_to_a_closed_stream_is_ignored() -> None:
    negotiation = reached(State.WAIT_FOR_CREDENTIALS)
    actions = negotiation.receive(StreamEnded(StreamCondition.SYSTEM_SHUTDOWN, "back soon"))
    assert b"<system-shutdown" in sent(actions)
    assert others(actions) == [CloseStream()]
    assert negotiation.receive(CredentialsFound(KEYS)) == []


def test_nothing_is_written_while_tls_begins() -> None:
    negotiation = reached(State.WAIT_FOR_TLS)
    assert negotiation.receive(StreamEnded(StreamCondition.CONNECTION_TIMEOUT)) == [CloseStream()]


def test_closing_before_any_header_writes_nothing() -> None:
    assert Negotiation(make_setup()).receive(StreamClosed()) == [CloseStream()]


def test_closing_an_open_stream_closes_ours() -> None:
    assert opened().receive(StreamClosed()) == [Send(b"</stream:stream>"), CloseStream()]


# The client's side and ours, line by line, and what in it would be random.
TRANSCRIPT = Path(__file__).with_name("rfc_6120_login.txt").read_text(encoding="utf-8")
SALT = b"68da3408-4f4f-467f-912e-49f53f43d033"
NONCE = "e124695b-69a9-4de6-9c30-b51b3808c59e"
STREAM_IDS = ["t7AMCin9zjMNwQKDnplntZPIDEI=", "vgKi/bkYME8OAj4rlXMkpucAqe4=", "gPybzaOzBmaADgxKXu9UClbprp0="]


def turns() -> list[tuple[str, str]]:
    """Return what the client says, each time with all that it is told until it speaks again."""
    said: list[tuple[str, str]] = []
    for line in TRANSCRIPT.splitlines():
        speaker, _, text = line.partition(": ")
        if speaker == "C":
            said.append((text, ""))
        elif speaker == "S":
            said[-1] = (said[-1][0], said[-1][1] + text)
    return said


CLIENT_HEADER = turns()[0][0]


def rfc_setup(bits: SessionBits, framing: Framing, stream_ids: Iterable[str] = STREAM_IDS) -> Setup:
    ids = iter(stream_ids)
    return make_setup(bits, framing)._replace(new_stream_id=lambda: next(ids), new_nonce=lambda: NONCE)


@pytest.fixture
def keys_of_the_rfc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(negotiation_support, "KEYS", derive_keys(PASSWORD, SALT))
    monkeypatch.setattr("protocols.negotiation_login.offer_of", lambda _bits: b"")  # XEP-0474 is younger


@pytest.mark.usefixtures("keys_of_the_rfc")
def test_transcript_of_rfc_6120_over_tcp() -> None:
    connection = FakeConnection(rfc_setup(TLS_REQUIRED, TcpFraming()))
    for said, told in turns():
        assert connection.hear(said) == told
    assert connection.session == BALCONY


@pytest.mark.usefixtures("keys_of_the_rfc")
def test_transcript_of_rfc_6120_byte_by_byte() -> None:
    connection = FakeConnection(rfc_setup(TLS_REQUIRED, TcpFraming()))
    for said, told in turns():
        assert "".join(connection.hear(byte) for byte in said) == told
    assert connection.session == BALCONY


@pytest.mark.usefixtures("keys_of_the_rfc")
def test_transcript_from_login_on_by_a_client_that_does_not_wait() -> None:
    """Each stream's bytes come before its features were sent: they are held back and read in order."""
    connection = FakeConnection(rfc_setup(DIRECT_TLS, TcpFraming(), STREAM_IDS[1:]))
    login = turns()[2:]
    told = connection.hear("".join(said for said, _ in login))
    assert told == "".join(answer for _, answer in login)
    assert connection.session == BALCONY


def test_bytes_sent_in_clear_after_starttls_are_never_read() -> None:
    connection = FakeConnection(make_setup(CLEAR_ALLOWED))
    connection.hear(CLIENT_HEADER)
    injected = f"<auth xmlns='{SASL}' mechanism='PLAIN'>AGp1bGlldAByMG0zMG15cjBtMzA=</auth>"
    assert connection.hear(STARTTLS + injected) == "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
    assert connection.negotiation.state is State.WAIT_FOR_STREAM
    assert "<mechanism>PLAIN</mechanism>" in connection.hear(CLIENT_HEADER)


@pytest.mark.usefixtures("keys_of_the_rfc")
def test_transcript_over_websocket_is_the_same_in_other_framing() -> None:
    """RFC 7395: no STARTTLS, `<open/>` for the header, every message an element of its own."""
    stream = WebSocketStream(StreamLimits(), NameBudget(frozenset(), 1_000))
    connection = FakeConnection(rfc_setup(DIRECT_TLS, WebSocketFraming()), stream)
    opening = "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='im.example.com' version='1.0'/>"
    told = []
    for said, _ in turns()[2:]:
        message = opening if said == CLIENT_HEADER else said.replace("<iq ", "<iq xmlns='jabber:client' ")
        told += messages(connection.hear(message).encode())
    assert [ElementTree.fromstring(message).tag for message in told] == [
        "{urn:ietf:params:xml:ns:xmpp-framing}open",
        "{http://etherx.jabber.org/streams}features",
        "{urn:ietf:params:xml:ns:xmpp-sasl}challenge",
        "{urn:ietf:params:xml:ns:xmpp-sasl}success",
        "{urn:ietf:params:xml:ns:xmpp-framing}open",
        "{http://etherx.jabber.org/streams}features",
        "{jabber:client}iq",
    ]
    assert connection.session == BALCONY


def test_closing_over_websocket_is_a_message() -> None:
    stream = WebSocketStream(StreamLimits(), NameBudget(frozenset(), 1_000))
    connection = FakeConnection(make_setup(DIRECT_TLS, WebSocketFraming()), stream)
    opening = "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='example.org' version='1.0'/>"
    told = messages(connection.hear(opening).encode())
    assert told[0].startswith(b"<open ")
    assert b"<host-unknown " in told[1]
    assert told[2:] == [b"<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>"]
    assert connection.is_closed
