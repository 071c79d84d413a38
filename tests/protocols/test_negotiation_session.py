"""What comes between log-in and session: registration before, binding or resumption after."""

import pytest

from protocols.conditions import StanzaCondition, StreamCondition
from protocols.errors import LocalProtocolError, StanzaError
from protocols.jid import parse_jid
from protocols.negotiation import Negotiation
from protocols.negotiation_session import REQUESTS_MAX
from protocols.negotiation_values import (
    BindRefused,
    BindResource,
    Bound,
    CloseStream,
    CredentialsFound,
    Established,
    PasswordVerified,
    RegistrationAnswered,
    RequestRegistration,
    Resumed,
    ResumeRefused,
    ResumeSession,
    Send,
    State,
    StreamEnded,
)
from protocols.session_bits import SessionBits
from protocols.stanza import build_iq
from protocols.stream_events import StanzaReceived
from protocols.stream_features import CLIENT_FEATURES, StreamFeature
from tests.protocols.negotiation_support import (
    BIND,
    BIND_BALCONY,
    CLEAR_ALLOWED,
    ENABLE,
    JULIET,
    KEYS,
    PASSWORD,
    REGISTER,
    RESUME,
    TLS_REQUIRED,
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

BALCONY = JULIET.with_resource("balcony")
OPEN = CLEAR_ALLOWED | SessionBits.REGISTRATION_OPEN


def bind_request(resource: str) -> StanzaReceived:
    event = received(
        "<iq type='set' id='b1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
        f"<resource>{resource}</resource></bind></iq>"
    )
    assert isinstance(event, StanzaReceived)
    return event


def test_bind_of_the_clients_choice_claims_it_and_begins_the_session() -> None:
    negotiation = authenticated()
    assert negotiation.receive(received(BIND_BALCONY)) == [BindResource(BALCONY)]
    assert negotiation.is_waiting
    result, established = negotiation.receive(Bound(BALCONY))
    assert result == Send(
        b"<iq type='result' id='b1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
        b"<jid>juliet@im.example.com/balcony</jid></bind></iq>"
    )
    assert established == Established(BALCONY)
    assert negotiation.state is State.SESSION_ESTABLISHED


@pytest.mark.parametrize("xml", [BIND, BIND_BALCONY.replace("balcony", "")], ids=["no-resource", "empty"])
def test_bind_without_a_choice_claims_a_resource_of_ours(xml: str) -> None:
    assert authenticated().receive(received(xml)) == [BindResource(JULIET.with_resource("resource-1"))]


def test_bind_prepares_the_resource_and_escapes_it() -> None:
    negotiation = authenticated()
    chosen = JULIET.with_resource("<e\u0301 & \u00e9>")
    assert negotiation.receive(bind_request("&lt;e\u0301 &amp; \u00e9&gt;")) == [BindResource(chosen)]
    written = sent(negotiation.receive(Bound(chosen))).decode()
    assert "<jid>juliet@im.example.com/&lt;\u00e9 &amp; \u00e9&gt;</jid>" in written


def test_bind_may_end_in_another_resource_than_was_asked_for() -> None:
    negotiation = authenticated()
    negotiation.receive(received(BIND_BALCONY))
    other = JULIET.with_resource("balcony-2")
    actions = negotiation.receive(Bound(other))
    assert b"<jid>juliet@im.example.com/balcony-2</jid>" in sent(actions)
    assert others(actions) == [Established(other)]


@pytest.mark.parametrize(
    "resource", ["bell\u0085", "x" * 1024, "\u00e9" * 512], ids=["control", "long", "bytes"]
)
def test_bind_to_what_can_be_no_resource_is_a_bad_request(resource: str) -> None:
    negotiation = authenticated()
    actions = negotiation.receive(bind_request(resource))
    assert b"<bad-request " in sent(actions)
    assert b"id='b1'" in sent(actions)
    assert others(actions) == []
    assert negotiation.state is State.WAIT_FOR_BIND
    assert negotiation.receive(received(BIND_BALCONY)) == [BindResource(BALCONY)]


@pytest.mark.parametrize(
    "xml",
    [
        BIND.replace("'set'", "'get'"),
        BIND.replace("</iq>", "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"),
    ],
    ids=["get", "two-children"],
)
def test_bind_that_is_no_proper_request_is_a_bad_request(xml: str) -> None:
    negotiation = authenticated()
    assert b"<bad-request " in sent(negotiation.receive(received(xml)))
    assert negotiation.state is State.WAIT_FOR_BIND


def test_bind_refused_by_the_registry_may_be_tried_again() -> None:
    negotiation = authenticated()
    negotiation.receive(received(BIND_BALCONY))
    actions = negotiation.receive(BindRefused(StanzaError(StanzaCondition.CONFLICT)))
    assert b"<conflict " in sent(actions)
    assert negotiation.state is State.WAIT_FOR_BIND
    assert negotiation.receive(received(BIND)) == [BindResource(JULIET.with_resource("resource-1"))]


def test_bind_tried_too_often_closes_the_stream() -> None:
    negotiation = authenticated()
    for _ in range(REQUESTS_MAX):
        negotiation.receive(received(BIND.replace("'set'", "'get'")))
    actions = negotiation.receive(received(BIND_BALCONY))
    assert b"<policy-violation " in sent(actions)
    assert others(actions) == [CloseStream()]


def test_session_of_another_account_cannot_begin() -> None:
    negotiation = authenticated()
    negotiation.receive(received(BIND))
    with pytest.raises(LocalProtocolError):
        negotiation.receive(Bound(parse_jid("romeo@im.example.com/orchard")))


def test_session_cannot_begin_while_a_required_feature_is_outstanding() -> None:
    consent = StreamFeature(
        "consent", SessionBits.BOUND, SessionBits.NONE, required=True, advertisement=b"<c/>"
    )
    negotiation = Negotiation(make_setup(features=(*CLIENT_FEATURES, consent)))
    drive(negotiation, header(), auth("PLAIN", f"\0juliet\0{PASSWORD}".encode()))
    drive(negotiation, CredentialsFound(KEYS), PasswordVerified(), header(), received(BIND_BALCONY))
    with pytest.raises(LocalProtocolError, match="consent"):
        negotiation.receive(Bound(BALCONY))


def test_registration_where_it_is_open_is_passed_on_and_answered() -> None:
    negotiation = opened(OPEN)
    request = received(REGISTER)
    assert isinstance(request, StanzaReceived)
    assert negotiation.receive(request) == [RequestRegistration(request.stanza)]
    assert negotiation.is_waiting
    answer = build_iq(to=None, sender=None, type="result", id="r1")
    assert negotiation.receive(RegistrationAnswered(answer)) == [Send(answer.data)]
    assert negotiation.state is State.WAIT_FOR_FEATURE_REQUEST


def test_registration_to_the_domain_by_name_is_fine() -> None:
    actions = opened(OPEN).receive(received(REGISTER.replace("<iq ", "<iq to='im.example.com' ")))
    assert isinstance(actions[0], RequestRegistration)


def test_registration_elsewhere_is_not_authorized() -> None:
    actions = opened(OPEN).receive(received(REGISTER.replace("<iq ", "<iq to='example.org' ")))
    assert b"<not-authorized " in sent(actions)
    assert others(actions) == [CloseStream()]


@pytest.mark.parametrize("bits", [CLEAR_ALLOWED, TLS_REQUIRED, TLS_REQUIRED | SessionBits.REGISTRATION_OPEN])
def test_registration_that_is_not_on_offer_is_unavailable(bits: SessionBits) -> None:
    negotiation = opened(bits)
    actions = negotiation.receive(received(REGISTER))
    assert b"<service-unavailable " in sent(actions)
    assert b"id='r1'" in sent(actions)
    assert others(actions) == []
    assert negotiation.state is State.WAIT_FOR_FEATURE_REQUEST


def test_registration_tried_too_often_closes_the_stream() -> None:
    negotiation = opened(OPEN)
    answer = RegistrationAnswered(build_iq(to=None, sender=None, type="result", id="r1"))
    for _ in range(REQUESTS_MAX):
        drive(negotiation, received(REGISTER), answer)
    assert b"<policy-violation " in sent(negotiation.receive(received(REGISTER)))


def test_registration_and_login_on_one_stream() -> None:
    negotiation = opened(OPEN)
    drive(negotiation, received(REGISTER))
    drive(negotiation, RegistrationAnswered(build_iq(to=None, sender=None, type="result", id="r1")))
    drive(negotiation, auth("PLAIN", f"\0juliet\0{PASSWORD}".encode()), CredentialsFound(KEYS))
    drive(negotiation, PasswordVerified(), header())
    assert negotiation.state is State.WAIT_FOR_BIND


def failed(condition: str, attributes: str = "") -> bytes:
    return (
        f"<failed xmlns='urn:xmpp:sm:3'{attributes}>"
        f"<{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>"
    ).encode()


def test_resumption_asks_for_the_session_and_leaves_all_words_to_it() -> None:
    negotiation = authenticated()
    assert negotiation.receive(received(RESUME)) == [ResumeSession(JULIET, "some-long-sm-id", 7)]
    assert negotiation.is_waiting
    assert negotiation.receive(Resumed(BALCONY)) == [Established(BALCONY)]
    assert negotiation.state is State.SESSION_ESTABLISHED


@pytest.mark.parametrize(("h", "attributes"), [(None, ""), (0, " h='0'"), (2**32 + 7, " h='7'")])
def test_resumption_refused_may_be_followed_by_binding(h: int | None, attributes: str) -> None:
    negotiation = authenticated()
    negotiation.receive(received(RESUME))
    refused = ResumeRefused(StanzaCondition.ITEM_NOT_FOUND, h)
    assert negotiation.receive(refused) == [Send(failed("item-not-found", attributes))]
    assert negotiation.state is State.WAIT_FOR_BIND
    drive(negotiation, received(BIND_BALCONY))
    assert others(negotiation.receive(Bound(BALCONY))) == [Established(BALCONY)]


def test_resumption_refused_may_be_followed_by_another() -> None:
    negotiation = authenticated()
    drive(negotiation, received(RESUME), ResumeRefused(StanzaCondition.ITEM_NOT_FOUND))
    assert others(negotiation.receive(received(RESUME))) == [ResumeSession(JULIET, "some-long-sm-id", 7)]


def test_resumption_with_a_count_too_high_ends_the_stream_with_the_detail() -> None:
    negotiation = authenticated()
    negotiation.receive(received(RESUME))
    detail = b"<handled-count-too-high xmlns='urn:xmpp:sm:3' h='7' send-count='6'/>"
    actions = negotiation.receive(StreamEnded(StreamCondition.UNDEFINED_CONDITION, "Only 6.", detail))
    assert (
        sent(actions)
        == (
            b"<stream:error><undefined-condition xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"
            b"<text xmlns='urn:ietf:params:xml:ns:xmpp-streams' xml:lang='en'>Only 6.</text>" + detail
        )
        + b"</stream:error></stream:stream>"
    )
    assert others(actions) == [CloseStream()]


@pytest.mark.parametrize(
    "xml",
    [
        "<resume xmlns='urn:xmpp:sm:3' previd='x'/>",
        "<resume xmlns='urn:xmpp:sm:3' previd='x' h='-1'/>",
        "<resume xmlns='urn:xmpp:sm:3' previd='x' h='4294967296'/>",
        "<resume xmlns='urn:xmpp:sm:3' h='1'/>",
        f"<resume xmlns='urn:xmpp:sm:3' previd='{'x' * 4001}' h='1'/>",
    ],
    ids=lambda xml: xml[:60],
)
def test_resumption_that_is_malformed_is_a_bad_request_and_may_be_tried_again(xml: str) -> None:
    negotiation = authenticated()
    assert negotiation.receive(received(xml)) == [Send(failed("bad-request"))]
    assert negotiation.state is State.WAIT_FOR_BIND
    assert negotiation.receive(received(RESUME)) == [ResumeSession(JULIET, "some-long-sm-id", 7)]


def test_resumption_of_a_session_of_another_account_cannot_begin() -> None:
    negotiation = authenticated()
    negotiation.receive(received(RESUME))
    with pytest.raises(LocalProtocolError):
        negotiation.receive(Resumed(parse_jid("romeo@im.example.com/orchard")))
    assert negotiation.state is State.WAIT_FOR_RESUMPTION


@pytest.mark.parametrize("begun", [False, True], ids=["nothing-begun", "login-begun"])
@pytest.mark.parametrize("xml", [RESUME, ENABLE, "<r xmlns='urn:xmpp:sm:3'/>", "<x xmlns='urn:xmpp:sm:3'/>"])
def test_stream_management_before_login_is_unexpected_and_login_goes_on(xml: str, begun: bool) -> None:
    negotiation = opened()
    login = [auth("PLAIN"), response(f"\0juliet\0{PASSWORD}".encode())]
    drive(negotiation, *login[:begun])
    assert negotiation.receive(received(xml)) == [Send(failed("unexpected-request"))]
    drive(negotiation, *login[begun:], CredentialsFound(KEYS), PasswordVerified(), header())
    assert negotiation.state is State.WAIT_FOR_BIND


@pytest.mark.parametrize("xml", [ENABLE, "<a xmlns='urn:xmpp:sm:3' h='1'/>"])
def test_stream_management_before_binding_is_unexpected_and_binding_goes_on(xml: str) -> None:
    negotiation = authenticated()
    assert negotiation.receive(received(xml)) == [Send(failed("unexpected-request"))]
    assert negotiation.receive(received(BIND_BALCONY)) == [BindResource(BALCONY)]


@pytest.mark.parametrize("xml", [RESUME, RESUME.replace("'7'", "''"), ENABLE])
def test_stream_management_tried_too_often_closes_the_stream(xml: str) -> None:
    negotiation = authenticated()
    for _ in range(REQUESTS_MAX):
        negotiation.receive(received(xml))
        if negotiation.is_waiting:
            negotiation.receive(ResumeRefused(StanzaCondition.ITEM_NOT_FOUND))
    actions = negotiation.receive(received(xml))
    assert b"<policy-violation " in sent(actions)
    assert others(actions) == [CloseStream()]


def test_stream_management_before_login_tried_too_often_closes_the_stream() -> None:
    negotiation = opened()
    for _ in range(REQUESTS_MAX):
        assert negotiation.receive(received(ENABLE)) == [Send(failed("unexpected-request"))]
    assert b"<policy-violation " in sent(negotiation.receive(received(ENABLE)))
