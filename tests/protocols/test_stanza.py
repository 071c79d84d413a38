"""Tests of `protocols.stanza`."""

import pytest

from protocols.conditions import StanzaCondition
from protocols.errors import StanzaError
from protocols.jid import parse_jid
from protocols.namespaces import STANZAS
from protocols.stanza import (
    Fanout,
    Stanza,
    StanzaKind,
    addressed,
    as_framed,
    build_error,
    build_iq,
    build_iq_result,
    build_message,
    build_presence,
    readdressed,
    stamped,
    with_children_changed,
    with_delay,
)
from protocols.stream_events import StanzaReceived
from tests.protocols.xml_examples import opened

ROMEO = parse_jid("romeo@example.net/orchard")
JULIET = parse_jid("juliet@example.com/balcony")
AWKWARD = parse_jid("a@b.c/<'&\">")


def received(data: bytes) -> Stanza:
    """Return the stanza that a client's stream makes of these bytes."""
    (event,) = opened().receive_data(data)
    assert isinstance(event, StanzaReceived), event
    return event.stanza


def same_when_read_again(stanza: Stanza) -> bool:
    """Tell whether the bytes say what the fields say."""
    again = received(stanza.data)
    return again._fields()[:7] == stanza._fields()[:7]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"<message/>", b"<message from='romeo@example.net/orchard'/>"),
        (b"<iq id='1'><q/></iq>", b"<iq from='romeo@example.net/orchard' id='1'><q/></iq>"),
        (
            b"<message from='mallory@example.net/x' to='b.c'/>",
            b"<message from='romeo@example.net/orchard' to='b.c'/>",
        ),
        (b'<presence from="romeo@example.net"/>', b"<presence from='romeo@example.net/orchard'/>"),
        (
            b"<message from='ROMEO@example.net/orchard'/>",
            b"<message from='romeo@example.net/orchard'/>",
        ),
    ],
)  # fmt: skip
def test_stamped_carries_the_full_address_of_the_sender(data: bytes, expected: bytes) -> None:
    stanza = stamped(received(data), ROMEO)
    assert stanza.data == expected
    assert stanza.sender == ROMEO
    assert same_when_read_again(stanza)


def test_stamped_leaves_a_true_from_where_it_stands() -> None:
    data = b"<message to='b.c' from='romeo@example.net/orchard'/>"
    assert stamped(received(data), ROMEO).data == data


def test_stamped_adds_the_language_of_the_stream_where_the_stanza_has_none() -> None:
    stanza = stamped(received(b"<message/>"), ROMEO, "de")
    assert stanza.data == b"<message from='romeo@example.net/orchard' xml:lang='de'/>"
    assert stanza.lang == "de"


def test_stamped_never_rewrites_a_language() -> None:
    stanza = stamped(received(b"<message xml:lang='en'/>"), ROMEO, "de")
    assert stanza.data == b"<message from='romeo@example.net/orchard' xml:lang='en'/>"
    assert stanza.lang == "en"


def test_stamped_escapes_what_an_address_may_hold() -> None:
    assert same_when_read_again(stamped(received(b"<message/>"), AWKWARD))


def test_stamped_keeps_what_an_iq_is_dispatched_on() -> None:
    request = received(b"<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>")
    stanza = stamped(request, ROMEO)
    assert (stanza.payload, stanza.children) == (("urn:xmpp:ping", "ping"), 1)


def test_fanout_writes_both_addresses_for_each_recipient() -> None:
    fanout = Fanout(received(b"<presence from='x.y' id='1' to='z.y'><show>away</show></presence>"), ROMEO)
    for recipient in (JULIET, AWKWARD):
        stanza = fanout.to(recipient)
        assert (stanza.to, stanza.sender) == (recipient, ROMEO)
        assert same_when_read_again(stanza)
    assert fanout.to(JULIET).data == (
        b"<presence from='romeo@example.net/orchard' to='juliet@example.com/balcony' id='1'>"
        b"<show>away</show></presence>"
    )


def test_readdressed_replaces_both_addresses() -> None:
    stanza = readdressed(received(b"<presence to='a.b'/>"), ROMEO, JULIET)
    assert stanza.data == b"<presence from='romeo@example.net/orchard' to='juliet@example.com/balcony'/>"


def test_readdressed_adds_what_was_not_there() -> None:
    assert readdressed(received(b"<presence/>"), ROMEO, JULIET).data == (
        b"<presence from='romeo@example.net/orchard' to='juliet@example.com/balcony'/>"
    )


def test_addressed_leaves_the_bytes() -> None:
    """A stanza that named no address is routed to one; its recipient reads it as it was sent."""
    stanza = addressed(received(b"<message><body>x</body></message>"), JULIET)
    assert (stanza.to, stanza.data) == (JULIET, b"<message><body>x</body></message>")
    assert readdressed(stanza, ROMEO, JULIET).data.count(b" to=") == 1


def test_with_delay_adds_who_held_it_and_when_it_came() -> None:
    stanza = with_delay(received(b"<message><body>x</body></message>"), "example.com", "2002-09-10T23:08:25Z")
    delay = stanza.element.find("{urn:xmpp:delay}delay")
    assert delay is not None
    assert dict(delay.attrib) == {"from": "example.com", "stamp": "2002-09-10T23:08:25Z"}
    assert [child.tag for child in stanza.element] == ["{jabber:client}body", "{urn:xmpp:delay}delay"]


def test_as_framed_declares_the_namespace_once() -> None:
    assert as_framed(received(b"<message/>")) == b"<message xmlns='jabber:client'/>"
    assert as_framed(received(b'<message xmlns="jabber:client"/>')) == b'<message xmlns="jabber:client"/>'


def test_element_is_read_in_the_namespace_of_stanzas() -> None:
    element = received(b"<message to='a.b'><body>hi</body></message>").element
    assert element.tag == "{jabber:client}message"
    assert element.get("to") == "a.b"
    assert element.findtext("{jabber:client}body") == "hi"


def test_element_is_built_once() -> None:
    stanza = received(b"<message/>")
    assert stanza.element is stanza.element


def test_element_of_what_the_server_wrote_needs_no_budget() -> None:
    element = build_message(to=JULIET, sender=None, content=b"<body>hi</body>").element
    assert element.findtext("{jabber:client}body") == "hi"


def test_size_counts_bytes() -> None:
    assert received("<message id='é'/>".encode()).size == 18


def test_build_message_writes_what_it_is_given() -> None:
    stanza = build_message(to=JULIET, sender=AWKWARD, type="chat", id="<1>", lang="en", content=b"<body/>")
    assert same_when_read_again(stanza)
    assert stanza.kind is StanzaKind.MESSAGE
    assert stanza.id == "<1>"
    assert len(stanza.element) == 1


def test_build_presence_available_has_no_type() -> None:
    """S-024: available is told by the absence of a type."""
    assert build_presence(to=JULIET, sender=None).data == b"<presence to='juliet@example.com/balcony'/>"


def test_build_iq_keeps_an_empty_id() -> None:
    assert build_iq(to=None, sender=None, type="get", id="").data == b"<iq type='get' id=''/>"


def test_build_iq_result_answers_with_the_same_id() -> None:
    request = stamped(received(b"<iq type='get' id='x' to='example.com'><q xmlns='u'/></iq>"), ROMEO)
    assert build_iq_result(request, b"<q xmlns='u'/>").data == (
        b"<iq from='example.com' to='romeo@example.net/orchard' type='result' id='x'><q xmlns='u'/></iq>"
    )


@pytest.mark.parametrize("kind", StanzaKind)
def test_build_error_tells_the_sender_what_was_wrong(kind: StanzaKind) -> None:
    request = stamped(received(f"<{kind.value} type='set' id='x' to='b.c'/>".encode()), ROMEO)
    stanza = build_error(request, StanzaError(StanzaCondition.ITEM_NOT_FOUND, "no <such> thing"))
    assert (stanza.kind, stanza.type, stanza.id, stanza.to) == (kind, "error", "x", ROMEO)
    assert stanza.sender == parse_jid("b.c")
    error = stanza.element.find("{jabber:client}error")
    assert error is not None
    assert error.get("type") == "cancel"
    assert error.get("code") == "404"
    assert error.findtext(f"{{{STANZAS}}}text") == "no <such> thing"
    assert same_when_read_again(stanza)


def test_stanza_equality_is_by_value() -> None:
    one, other = received(b"<message id='1'/>"), received(b"<message id='1'/>")
    assert one == other
    assert hash(one) == hash(other)
    assert one != received(b"<message id='2'/>")
    assert one != b"<message id='1'/>"
    assert "message" in repr(one)


def test_with_children_changed_leaves_everything_else_as_it_came() -> None:
    data = b"<message id='1'>a<x xmlns='u'/><y><x/></y><n:x xmlns:n='u'>b</n:x ><x/></message>"
    stanza = Stanza(StanzaKind.MESSAGE, None, None, "", "1", None, data)
    changed = with_children_changed(stanza, "{u}x", lambda _child, data: b"<!%d>" % len(data))
    assert changed.data == b"<message id='1'>a<!14><y><x/></y><!25><x/></message>"
    assert changed.id == "1"
    assert with_children_changed(stanza, "{u}z", lambda _child, _data: b"").data == data
