"""The negotiation: no order of events breaks it, and none leads to a session without log-in and binding."""

from hypothesis import event, given, settings
from hypothesis import strategies as st

from protocols.conditions import StanzaCondition, StreamCondition
from protocols.errors import LocalProtocolError, StanzaError
from protocols.negotiation import Negotiation
from protocols.negotiation_values import (
    Action,
    Admit,
    BindRefused,
    BindResource,
    Bound,
    CloseStream,
    CredentialsFound,
    CredentialsMissing,
    CredentialsUnavailable,
    Established,
    FetchCredentials,
    GuestMade,
    GuestRefused,
    Input,
    MakeGuest,
    PasswordRefused,
    PasswordVerified,
    RegistrationAnswered,
    ReplaceKeys,
    RequestRegistration,
    RestartStream,
    Resumed,
    ResumeRefused,
    ResumeSession,
    StartTls,
    State,
    StreamEnded,
    TlsEstablished,
    VerifyPassword,
)
from protocols.session_bits import SessionBits
from protocols.stanza import build_iq
from protocols.stream_events import StreamClosed, StreamFailed
from tests.protocols.negotiation_support import (
    BIND,
    BIND_BALCONY,
    ENABLE,
    JULIET,
    KEYS,
    MESSAGE,
    OLD_LOGIN,
    PASSWORD,
    REGISTER,
    RESUME,
    STARTTLS,
    FakeConnection,
    auth,
    header,
    make_setup,
    received,
    response,
    sent,
)

PLAIN = auth("PLAIN", f"\0juliet\0{PASSWORD}".encode())

# What a client may say, sensible or not. Repeated entries come up more often, so that runs get far.
SAYINGS: list[Input] = [
    *(header(), header(), header(), PLAIN, PLAIN, received(STARTTLS), received(BIND), received(BIND_BALCONY)),
    header("example.org"),
    header(version=None),
    header(sender="romeo@im.example.com"),
    auth("SCRAM-SHA-1"),
    auth("SCRAM-SHA-256", b"n,,n=juliet,r=fyko"),
    auth("SCRAM-SHA-1", b"p=tls-exporter,,n=juliet,r=fyko"),
    auth("CRAM-MD5", b"hello"),
    *(auth("ANONYMOUS", b""), auth("EXTERNAL", b"")),
    response(b"n,,n=juliet,r=fyko"),
    response(b"c=biws,r=fykononce-1,p=AAAA"),
    response(b""),
    received("<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"),
    received("<compress xmlns='http://jabber.org/protocol/compress'/>"),
    received(ENABLE),
    received(RESUME),
    received(RESUME.replace("'7'", "'-7'")),
    received("<r xmlns='urn:xmpp:sm:3'/>"),
    received(REGISTER),
    received(OLD_LOGIN),
    received(OLD_LOGIN.replace("'set'", "'get'")),
    received("<iq type='set'><query xmlns='jabber:iq:auth'><resource>r</resource></query></iq>"),
    received(OLD_LOGIN.replace("password>", "digest>")),
    received(OLD_LOGIN.replace("password>", "hash>")),
    received(BIND.replace("'set'", "'get'")),
    received(MESSAGE),
    StreamClosed(),
    StreamFailed(StreamCondition.NOT_WELL_FORMED, "mismatched tag"),
]

# What a connection may answer to what it is asked; a time-out may come at any moment.
ANSWERS: dict[type, list[Input]] = {
    StartTls: [TlsEstablished()],
    FetchCredentials: [
        *(CredentialsFound(KEYS), CredentialsFound(KEYS), CredentialsFound(KEYS[1:]), CredentialsFound(())),
        *(CredentialsMissing(), CredentialsUnavailable()),
    ],
    VerifyPassword: [PasswordVerified(), PasswordVerified(), PasswordRefused()],
    ReplaceKeys: [PasswordVerified(), PasswordRefused(), CredentialsUnavailable()],
    RequestRegistration: [RegistrationAnswered(build_iq(to=None, sender=None, type="result", id="r1"))],
    MakeGuest: [GuestMade(), GuestRefused(StanzaError(StanzaCondition.CONFLICT))],
    BindResource: [
        Bound(JULIET.with_resource("balcony")),
        BindRefused(StanzaError(StanzaCondition.CONFLICT)),
    ],
    ResumeSession: [
        Resumed(JULIET.with_resource("balcony")),
        ResumeRefused(StanzaCondition.ITEM_NOT_FOUND),
        ResumeRefused(StanzaCondition.ITEM_NOT_FOUND, 2**32 + 1),
        StreamEnded(StreamCondition.UNDEFINED_CONDITION, "", b"<handled-count-too-high/>"),
    ],
}
TIMEOUT = StreamEnded(StreamCondition.CONNECTION_TIMEOUT)
EVERYTHING = [*SAYINGS, TIMEOUT, *(answer for answers in ANSWERS.values() for answer in answers)]

all_bits = st.sets(
    st.sampled_from(
        [
            SessionBits.STARTTLS_POSSIBLE,
            SessionBits.REGISTRATION_OPEN,
            SessionBits.LOGIN_ALLOWED,
            SessionBits.OLD_LOGIN_ALLOWED,
            SessionBits.ZERO_KNOWLEDGE,
        ]
    )
).map(lambda bits: SessionBits(sum(bit.value for bit in bits)))


# What leads on in each state: runs of nothing but nonsense end soon.
SENSIBLE: dict[State, list[Input]] = {
    State.WAIT_FOR_STREAM: [header(), header(), header(version=None)],
    State.WAIT_FOR_AUTH: [received(OLD_LOGIN)],
    State.WAIT_FOR_FEATURE_REQUEST: [
        *(PLAIN, received(STARTTLS), auth("SCRAM-SHA-1", b"n,,n=juliet,r=fyko"), auth("ANONYMOUS", b"")),
    ],
    State.WAIT_FOR_SASL_RESPONSE: [response(b"c=biws,r=fykononce-1,p=AAAA")],
    State.WAIT_FOR_BIND: [received(BIND), received(BIND_BALCONY), received(RESUME)],
}
NONSENSE_OF_TEN = 1
OVER = {State.CLOSED, State.SESSION_ESTABLISHED}


def run(
    data: st.DataObject, bits: SessionBits, answers: dict[type, list[Input]]
) -> tuple[State, list[Action]]:
    """Drive a negotiation as a connection must, with a client that is mostly sensible.

    Returns its last state, and all that it wanted done.
    """
    negotiation = Negotiation(make_setup(bits))
    done: list[Action] = []
    question: type | None = None
    for _ in range(25):
        assert negotiation.is_waiting == (question is not None)
        if question is not None:
            choices = [*(answers[question] * 4), TIMEOUT]
        elif data.draw(st.integers(1, 10)) > NONSENSE_OF_TEN:
            choices = SENSIBLE[negotiation.state]
        else:
            choices = SAYINGS
        chosen = data.draw(st.sampled_from(choices))
        if isinstance(chosen, Bound) and isinstance(done[-1], BindResource):
            chosen = Bound(done[-1].jid)
        actions = negotiation.receive(chosen)
        question = next((type(action) for action in actions if type(action) in answers), None)
        done += actions
        if negotiation.state in OVER:
            break
    event(negotiation.state.name)
    return negotiation.state, done


@settings(max_examples=300, deadline=None)
@given(st.data(), all_bits)
def test_negotiation_driven_as_it_asks_never_fails_and_needs_login_and_binding(
    data: st.DataObject, bits: SessionBits
) -> None:
    """A connection that keeps to its obligations meets no error at all, whatever its client says."""
    state, actions = run(data, bits, ANSWERS)
    done = [type(action) for action in actions]
    assert done.count(CloseStream) == (1 if state is State.CLOSED else 0)
    assert done.count(Established) == (1 if state is State.SESSION_ESTABLISHED else 0)
    if state in OVER:
        assert done[-1] in {CloseStream, Established}
    if state is State.SESSION_ESTABLISHED:
        assert done.index(FetchCredentials) < done.index(VerifyPassword)
        claimed = min(map(done.index, {BindResource, ResumeSession} & set(done)))
        assert done.index(VerifyPassword) < claimed
        assert RestartStream in done[:claimed] or done[-2:] == [Admit, Established]
        assert SessionBits.LOGIN_ALLOWED in bits or StartTls in done


@settings(max_examples=300, deadline=None)
@given(st.data(), all_bits)
def test_negotiation_without_a_verified_password_never_lets_anybody_in(
    data: st.DataObject, bits: SessionBits
) -> None:
    """PLAIN needs the connection's verdict, and none of the canned messages of SCRAM proves anything."""
    state, actions = run(data, bits, {**ANSWERS, VerifyPassword: [PasswordRefused()]})
    assert state is not State.SESSION_ESTABLISHED
    assert b"<success" not in sent(actions)
    assert not any(isinstance(action, RestartStream | Admit) for action in actions)


@settings(max_examples=200, deadline=None)
@given(st.data(), all_bits)
def test_negotiation_lets_guests_in_as_guests_only(data: st.DataObject, bits: SessionBits) -> None:
    """Where they are welcome: into an account of their own, or a session that was a guest's."""
    refused: dict[type, list[Input]] = {**ANSWERS, VerifyPassword: [PasswordRefused()]}
    state, actions = run(data, bits | SessionBits.GUESTS_ALLOWED, refused)
    for action in actions:
        assert not isinstance(action, ResumeSession) or action.is_guest
        assert not isinstance(action, BindResource) or action.jid.bare_jid != JULIET
    if state is State.SESSION_ESTABLISHED:
        assert any(isinstance(action, MakeGuest | ResumeSession) for action in actions)
        assert SessionBits.LOGIN_ALLOWED in bits or StartTls() in actions


@settings(max_examples=300)
@given(st.lists(st.sampled_from(EVERYTHING), max_size=25), all_bits)
def test_negotiation_given_anything_raises_nothing_but_our_own_fault(
    events: list[Input], bits: SessionBits
) -> None:
    """A connection that does not keep to its obligations is told so, and nothing has changed by then."""
    negotiation = Negotiation(make_setup(bits))
    asked: set[type] = set()
    for happening in events:
        before = negotiation.state
        try:
            actions = negotiation.receive(happening)
        except LocalProtocolError:
            assert negotiation.state is before
            continue
        assert before is not State.CLOSED or actions == []
        asked |= {type(action) for action in actions}
    if negotiation.state is State.SESSION_ESTABLISHED:
        assert {FetchCredentials, Established} <= asked
        assert asked & {RestartStream, Admit}
        assert asked & {BindResource, ResumeSession}


HEADER = (
    "<stream:stream to='im.example.com' version='1.0' xmlns='jabber:client' "
    "xmlns:stream='http://etherx.jabber.org/streams'>"
)
FRAGMENTS = [
    "<?xml version='1.0'?>",
    HEADER,
    STARTTLS,
    "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGp1bGlldAByMG0zMG15cjBtMzA=</auth>",
    "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-1'>biwsbj1qdWxpZXQscj1meWtv</auth>",
    "<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
    BIND,
    OLD_LOGIN,
    RESUME,
    RESUME.replace("long", "other"),
    ENABLE,
    REGISTER,
    MESSAGE,
    "</stream:stream>",
    "<",
    " ",
]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=12).map(lambda rest: HEADER + "".join(rest)), all_bits)
def test_negotiation_behind_a_real_stream_answers_with_whole_streams(text: str, bits: SessionBits) -> None:
    """Whatever comes in, we write streams that begin, and the last of them ends if the connection does."""
    connection = FakeConnection(make_setup(bits & ~SessionBits.REGISTRATION_OPEN))
    told = connection.hear(text)
    assert told.startswith("<?xml version='1.0'?><stream:stream ")
    assert told.count("</stream:stream>") == (1 if connection.is_closed else 0)
    event(connection.negotiation.state.name)
    assert not connection.is_closed or connection.negotiation.state is State.CLOSED
