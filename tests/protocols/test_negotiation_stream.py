"""Headers, TLS, faults: what a client's stream is answered before anything is negotiated."""

import pytest

from protocols.conditions import StreamCondition
from protocols.negotiation import Negotiation
from protocols.negotiation_values import (
    CloseStream,
    CredentialsFound,
    PasswordVerified,
    Send,
    StartTls,
    State,
    StreamEnded,
    TlsEstablished,
)
from protocols.session_bits import SessionBits
from protocols.stream_events import StreamFailed
from tests.protocols.negotiation_support import (
    CLEAR_ALLOWED,
    DIRECT_TLS,
    KEYS,
    PASSWORD,
    STARTTLS,
    TLS_REQUIRED,
    auth,
    drive,
    header,
    make_setup,
    opened,
    others,
    received,
    sent,
)


def test_header_is_answered_by_ours_and_by_features_in_one_write() -> None:
    actions = Negotiation(make_setup(TLS_REQUIRED)).receive(header())
    assert len(actions) == 1
    written = sent(actions).decode()
    assert "from='im.example.com'" in written
    assert "id='stream-1'" in written
    assert "version='1.0'" in written
    assert "xml:lang='en'" in written
    assert " to=" not in written
    assert written.endswith(
        "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>"
        "</stream:features>"
    )


def test_header_with_from_is_answered_to_its_bare_jid() -> None:
    actions = Negotiation(make_setup()).receive(header(sender="juliet@im.example.com/balcony"))
    assert b" to='juliet@im.example.com'" in sent(actions)


def test_every_stream_has_an_id_of_its_own() -> None:
    negotiation = Negotiation(make_setup())
    ids = [sent(negotiation.receive(header())).split(b" id='")[1].split(b"'")[0]]
    actions = drive(negotiation, received(STARTTLS), TlsEstablished(), header())
    ids.append(sent(actions).split(b" id='")[1].split(b"'")[0])
    assert ids == [b"stream-1", b"stream-2"]


@pytest.mark.parametrize(
    ("to", "version", "condition"),
    [
        (None, "1.0", "improper-addressing"),
        ("example.org", "1.0", "host-unknown"),
        ("juliet@im.example.com", "1.0", "host-unknown"),
        ("im.example.com", "0.9", "unsupported-version"),
        ("im.example.com", "one", "unsupported-version"),
        ("im.example.com", "1", "unsupported-version"),
        ("im.example.com", "", "unsupported-version"),
    ],
)
def test_header_that_no_stream_can_answer_gets_a_header_and_an_error(
    to: str | None, version: str, condition: str
) -> None:
    negotiation = Negotiation(make_setup())
    actions = negotiation.receive(header(to, version))
    written = sent(actions).decode()
    assert written.index("<stream:stream ") < written.index("<stream:error>")
    assert f"<{condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>" in written
    assert "<stream:features>" not in written
    assert written.endswith("</stream:stream>")
    assert others(actions) == [CloseStream()]
    assert negotiation.state is State.CLOSED


@pytest.mark.parametrize("version", ["1.0", "1.1", "2.0", "10.0"])
def test_header_of_a_later_version_is_answered_with_ours(version: str) -> None:
    assert b"version='1.0'" in sent(Negotiation(make_setup()).receive(header(version=version)))


def test_header_without_version_gets_one_without_and_no_features() -> None:
    negotiation = Negotiation(make_setup())
    actions = negotiation.receive(header(version=None))
    written = sent(actions).decode()
    assert "<stream:stream " in written
    assert "version='1.0'" not in written.replace("<?xml version='1.0'?>", "")
    assert "<stream:features>" not in written
    assert "<unsupported-version " in written
    assert written.count("<stream:stream ") == 1
    assert others(actions) == [CloseStream()]
    assert negotiation.state is State.CLOSED


def test_header_after_login_from_another_account_is_refused() -> None:
    negotiation = opened()
    drive(
        negotiation,
        auth("PLAIN", f"\0juliet\0{PASSWORD}".encode()),
        CredentialsFound(KEYS),
        PasswordVerified(),
    )
    actions = negotiation.receive(header(sender="romeo@im.example.com"))
    assert b"<invalid-from " in sent(actions)


def test_header_after_login_from_the_account_itself_is_fine() -> None:
    negotiation = opened()
    drive(
        negotiation,
        auth("PLAIN", f"\0juliet\0{PASSWORD}".encode()),
        CredentialsFound(KEYS),
        PasswordVerified(),
    )
    negotiation.receive(header(sender="juliet@im.example.com/balcony"))
    assert negotiation.state is State.WAIT_FOR_BIND


def test_bytes_that_never_became_a_stream_get_a_header_and_the_error() -> None:
    negotiation = Negotiation(make_setup())
    written = sent(negotiation.receive(StreamFailed(StreamCondition.NOT_WELL_FORMED, "a < b"))).decode()
    assert written.index("<stream:stream ") < written.index("<not-well-formed ")
    assert "a &lt; b" in written


def test_timeout_before_any_header_gets_a_header_and_the_error() -> None:
    written = sent(
        Negotiation(make_setup()).receive(StreamEnded(StreamCondition.CONNECTION_TIMEOUT))
    ).decode()
    assert written.index("<stream:stream ") < written.index("<connection-timeout ")


def test_error_on_an_open_stream_has_no_second_header() -> None:
    written = sent(opened().receive(StreamEnded(StreamCondition.SYSTEM_SHUTDOWN))).decode()
    assert "<stream:stream " not in written


def test_end_with_a_detail_says_it_behind_the_text() -> None:
    detail = b"<handled-count-too-high xmlns='urn:xmpp:sm:3' h='10' send-count='8'/>"
    ended = StreamEnded(StreamCondition.UNDEFINED_CONDITION, "You acknowledged 10 stanzas.", detail)
    assert b"stanzas.</text>" + detail + b"</stream:error></stream:stream>" in sent(opened().receive(ended))


def test_starttls_proceeds_and_begins_anew() -> None:
    negotiation = opened(TLS_REQUIRED)
    assert negotiation.receive(received(STARTTLS)) == [
        Send(b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
        StartTls(),
    ]
    assert negotiation.is_waiting
    assert negotiation.receive(TlsEstablished()) == []
    assert negotiation.state is State.WAIT_FOR_STREAM
    features = sent(negotiation.receive(header()))
    assert b"starttls" not in features
    assert b"<mechanism>PLAIN</mechanism>" in features


@pytest.mark.parametrize("bits", [DIRECT_TLS, SessionBits.LOGIN_ALLOWED, CLEAR_ALLOWED | SessionBits.SECURE])
def test_starttls_where_it_is_not_on_offer_fails_and_closes(bits: SessionBits) -> None:
    negotiation = opened(bits)
    actions = negotiation.receive(received(STARTTLS))
    assert sent(actions) == b"<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:stream>"
    assert others(actions) == [CloseStream()]
    assert negotiation.state is State.CLOSED


def test_compression_is_refused_and_the_stream_goes_on() -> None:
    negotiation = opened()
    compress = received(
        "<compress xmlns='http://jabber.org/protocol/compress'><method>zlib</method></compress>"
    )
    assert negotiation.receive(compress) == [
        Send(b"<failure xmlns='http://jabber.org/protocol/compress'><unsupported-method/></failure>")
    ]
    assert negotiation.state is State.WAIT_FOR_FEATURE_REQUEST


@pytest.mark.parametrize("version", ["1.0", None])
def test_client_is_sent_to_another_host_once_it_may_log_in(version: str | None) -> None:
    bits = DIRECT_TLS | SessionBits.OLD_LOGIN_ALLOWED
    negotiation = Negotiation(make_setup(bits, see_other_host="[2001:db8::1]:5222"))
    actions = negotiation.receive(header(version=version))
    condition = (
        b"<see-other-host xmlns='urn:ietf:params:xml:ns:xmpp-streams'>[2001:db8::1]:5222</see-other-host>"
    )
    assert b"<stream:error>" + condition + b"</stream:error></stream:stream>" in sent(actions)
    assert b"<stream:features" not in sent(actions)
    assert others(actions) == [CloseStream()]
    assert negotiation.state is State.CLOSED


def test_client_is_sent_nowhere_in_clear_where_tls_is_required() -> None:
    """Who stands between could have said so as well."""
    negotiation = Negotiation(make_setup(TLS_REQUIRED, see_other_host="elsewhere.example"))
    assert b"<starttls" in sent(negotiation.receive(header()))
    drive(negotiation, received(STARTTLS), TlsEstablished())
    assert b">elsewhere.example</see-other-host>" in sent(negotiation.receive(header()))
