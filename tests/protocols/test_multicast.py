"""XEP-0033: who gets a stanza for many, what it says to each, and which headers are refused."""

import pytest

from protocols.conditions import StanzaCondition
from protocols.errors import StanzaError
from protocols.jid import JID, parse_jid
from protocols.multicast import copies
from protocols.stanza import Stanza, StanzaKind

SENDER = parse_jid("a@h/work")
BODY = "<body>Hello, World!</body>"


def message(*content: str) -> Stanza:
    data = f"<message to='h' from='{SENDER}'>{''.join(content)}</message>".encode()
    return Stanza(StanzaKind.MESSAGE, parse_jid("h"), SENDER, "", None, None, data)


def header(*addresses: str) -> str:
    return f"<addresses xmlns='http://jabber.org/protocol/address'>{''.join(addresses)}</addresses>"


def address(type: str, jid: str, more: str = "") -> str:
    return f"<address type='{type}' jid='{jid}'{more}/>"


def is_here(jid: JID) -> bool:
    return jid.domainpart == "h"


def made(*content: str, count_max: int = 10) -> dict[str, str]:
    """What each recipient gets, without the outermost tags."""
    found = copies(message(*content), count_max, is_here)
    assert found is not None
    assert all(each.sender == SENDER for each in found)
    texts = [(str(each.to), each.data.decode().partition(">")) for each in found]
    assert all(f"to='{to}'" in start for to, (start, _, _) in texts)
    return {to: text.removesuffix("</message>") for to, (_, _, text) in texts}


def test_copies_are_as_in_the_example_of_the_standard() -> None:
    found = made(header(address("to", "to@h"), address("cc", "cc@h"), address("bcc", "bcc@h")), BODY)
    shown = [f"<address delivered='true' type='{type}' jid='{type}@h'/>" for type in ("to", "cc")]
    assert found == {
        "to@h": header(*shown) + BODY,
        "cc@h": header(*shown) + BODY,
        "bcc@h": header(*shown, address("bcc", "bcc@h")) + BODY,
    }


def test_each_hidden_recipient_sees_itself_and_no_other() -> None:
    found = made(
        header(address("bcc", "x@h"), address("bcc", "y@h"), address("bcc", "z@h", " delivered='true'"))
    )
    assert found == {name: header(address("bcc", name)) for name in ("x@h", "y@h")}


def test_what_is_no_recipient_passes_as_it_is() -> None:
    other = (
        address("replyto", "r@elsewhere"),
        address("replyroom", "r@elsewhere"),
        "<address type='noreply'/>",
        address("ofrom", "o@elsewhere"),
        address("to", "d@elsewhere", " delivered='true'"),
        "<group xmlns='some:funny:group:ns'/>",
    )
    found = made(header(*other, address("to", "x@h", " desc='&lt;X&gt;' node='n' delivered='false'")))
    marked = "<address delivered='true' type='to' jid='x@h' desc='&lt;X&gt;' node='n'/>"
    assert found == {"x@h": header(*other, marked)}


@pytest.mark.parametrize("types", [("to", "cc"), ("bcc", "to"), ("to", "bcc")])
def test_who_is_named_twice_gets_it_once_and_openly(types: tuple[str, str]) -> None:
    (found,) = made(header(*(address(type, "X@h/y") for type in types)))
    assert found == "x@h/y"


def test_old_envelope_names_recipients_and_passes_as_it_is() -> None:
    envelope = "<x xmlns='jabber:x:envelope'><to jid='x@h'>X</to><cc jid='y@h'/><from jid='q@w'/></x>"
    assert made(envelope, BODY) == {"x@h": envelope + BODY, "y@h": envelope + BODY}


def test_prefixes_are_no_matter() -> None:
    inside = "<a:address type='to' jid='x@h'></a:address>"
    text = f"<a:addresses xmlns:a='http://jabber.org/protocol/address'> {inside}</a:addresses>"
    assert made(text) == {"x@h": text.replace("<a:address ", "<a:address delivered='true' ")}


@pytest.mark.parametrize("content", ["", BODY, "<addresses xmlns='urn:x'/>", "<x xmlns='jabber:x:event'/>"])
def test_stanza_without_a_header_is_none_for_many(content: str) -> None:
    assert copies(message(content), 10, is_here) is None


@pytest.mark.parametrize(
    ("content", "condition"),
    [
        (header(), StanzaCondition.BAD_REQUEST),
        (header(address("to", "x@h", " delivered='true'")), StanzaCondition.BAD_REQUEST),
        (header(address("replyto", "x@h")), StanzaCondition.BAD_REQUEST),
        (header("<address type='to'/>"), StanzaCondition.BAD_REQUEST),
        (header("<address jid='x@h'/>"), StanzaCondition.BAD_REQUEST),
        (header(address("to", "x@h", " uri='im:x@h'")), StanzaCondition.BAD_REQUEST),
        (header(address("to", "x@h")) + header(address("to", "y@h")), StanzaCondition.BAD_REQUEST),
        ("<x xmlns='jabber:x:envelope'/>", StanzaCondition.BAD_REQUEST),
        ("<x xmlns='jabber:x:envelope'><to>X</to></x>", StanzaCondition.BAD_REQUEST),
        (header("<address type='to' uri='im:x@h'/>"), StanzaCondition.JID_MALFORMED),
        (header(address("to", "@h")), StanzaCondition.JID_MALFORMED),
        (header(address("to", "x@h"), address("cc", "y@elsewhere")), StanzaCondition.FORBIDDEN),
    ],
)
def test_header_that_is_wrong_is_refused_as_a_whole(content: str, condition: StanzaCondition) -> None:
    with pytest.raises(StanzaError) as caught:
        copies(message(content), 10, is_here)
    assert caught.value.condition is condition


def test_recipients_are_let_in_up_to_the_limit() -> None:
    addresses = [address("to", f"x{number}@h") for number in range(4)]
    assert len(made(header(*addresses[:3], addresses[0]), count_max=3)) == 3
    with pytest.raises(StanzaError) as caught:
        copies(message(header(*addresses)), 3, is_here)
    assert caught.value.condition is StanzaCondition.NOT_ACCEPTABLE
