"""Privacy lists and block lists on the wire: what is taken, and what is refused how."""

import pytest

from protocols.conditions import StanzaCondition
from protocols.errors import StanzaError
from protocols.privacy_lists import ItemType, Kind, PrivacyItem, PrivacyList
from protocols.privacy_xml import (
    GROUP_CHARACTERS_MAX,
    NAME_CHARACTERS_MAX,
    ORDER_MOST,
    blocked_xml,
    list_name,
    list_xml,
    read_blocked,
    read_list,
)
from protocols.xml_element import Element, build_without_budget


def built(name: str, content: str, namespace: str = "jabber:iq:privacy", attributes: str = "") -> Element:
    return build_without_budget(f"<{name} xmlns='{namespace}' {attributes}>{content}</{name}>".encode())


def test_list_is_read_in_its_order() -> None:
    items = (
        "<item action='allow' order='68'/>"
        "<item type='jid' value='Tybalt@Example.com' action='deny' order='3'><message/><presence-in/></item>"
        "<item type='group' value='Enemies' action='deny' order='0'><iq/><presence-out/></item>"
        f"<item type='subscription' value='none' action='deny' order='{ORDER_MOST}'/>"
    )
    assert read_list("l", built("list", items)) == PrivacyList(
        "l",
        (
            PrivacyItem(0, False, ItemType.GROUP, "Enemies", frozenset({Kind.IQ, Kind.PRESENCE_OUT})),
            PrivacyItem(
                3, False, ItemType.JID, "tybalt@example.com", frozenset({Kind.MESSAGE, Kind.PRESENCE_IN})
            ),
            PrivacyItem(68, True),
            PrivacyItem(ORDER_MOST, False, ItemType.SUBSCRIPTION, "none"),
        ),
    )


@pytest.mark.parametrize(
    ("items", "condition"),
    [
        ("<other/>", StanzaCondition.BAD_REQUEST),
        ("<item action='allow'/>", StanzaCondition.BAD_REQUEST),
        ("<item order='1'/>", StanzaCondition.BAD_REQUEST),
        ("<item action='perhaps' order='1'/>", StanzaCondition.BAD_REQUEST),
        ("<item action='deny' order='-1'/>", StanzaCondition.BAD_REQUEST),
        ("<item action='deny' order='one'/>", StanzaCondition.BAD_REQUEST),
        ("<item action='deny' order='\u0661'/>", StanzaCondition.BAD_REQUEST),
        (f"<item action='deny' order='{ORDER_MOST + 1}'/>", StanzaCondition.BAD_REQUEST),
        ("<item action='deny' order='99999999999'/>", StanzaCondition.BAD_REQUEST),
        ("<item action='deny' order='1'/><item action='allow' order='1'/>", StanzaCondition.BAD_REQUEST),
        ("<item action='deny' order='1'/><item action='deny' order='01'/>", StanzaCondition.BAD_REQUEST),
        ("<item action='deny' order='1'><other/></item>", StanzaCondition.BAD_REQUEST),
        ("<item action='deny' order='1' value='a@b'/>", StanzaCondition.BAD_REQUEST),
        ("<item action='deny' order='1' type='mood' value='a'/>", StanzaCondition.BAD_REQUEST),
        ("<item action='deny' order='1' type='group'/>", StanzaCondition.BAD_REQUEST),
        ("<item action='deny' order='1' type='subscription' value='some'/>", StanzaCondition.BAD_REQUEST),
        ("<item action='deny' order='1' type='jid'/>", StanzaCondition.JID_MALFORMED),
        ("<item action='deny' order='1' type='jid' value='@'/>", StanzaCondition.JID_MALFORMED),
        (
            f"<item action='deny' order='1' type='group' value='{'g' * (GROUP_CHARACTERS_MAX + 1)}'/>",
            StanzaCondition.NOT_ACCEPTABLE,
        ),
    ],
)
def test_list_that_is_none_is_refused(items: str, condition: StanzaCondition) -> None:
    with pytest.raises(StanzaError) as caught:
        read_list("l", built("list", items))
    assert caught.value.condition is condition


def test_group_of_the_greatest_length_is_taken() -> None:
    item = f"<item action='deny' order='1' type='group' value='{'g' * GROUP_CHARACTERS_MAX}'/>"
    assert len(read_list("l", built("list", item)).items) == 1


def test_list_is_written_with_what_is_special_escaped() -> None:
    item = PrivacyItem(1, is_allowed=False, type=ItemType.GROUP, value="<'>")
    assert list_xml(PrivacyList("'&", (item,))) == (
        "<list name='&apos;&amp;'><item type='group' value='&lt;&apos;&gt;' action='deny' order='1'/></list>"
    )


@pytest.mark.parametrize(
    ("name", "condition"), [("", StanzaCondition.BAD_REQUEST), ("n" * 256, StanzaCondition.NOT_ACCEPTABLE)]
)
def test_name_that_is_none_is_refused(name: str, condition: StanzaCondition) -> None:
    with pytest.raises(StanzaError) as caught:
        list_name(built("list", "", attributes=f"name='{name}'"))
    assert caught.value.condition is condition


def test_name_is_what_is_said() -> None:
    longest = "n" * NAME_CHARACTERS_MAX
    assert list_name(built("list", "", attributes=f"name='{longest}'")) == longest
    assert list_name(built("list", "")) is None


# -- the block list


def test_blocked_addresses_are_read_in_normal_form_and_once() -> None:
    items = (
        "<item jid='Romeo@example.net'><report/></item><item jid='romeo@example.net'/><item jid='b.example'/>"
    )
    assert read_blocked(built("block", items, "urn:xmpp:blocking")) == ["romeo@example.net", "b.example"]


@pytest.mark.parametrize(
    ("items", "condition"),
    [
        ("<item/>", StanzaCondition.JID_MALFORMED),
        ("<item jid=''/>", StanzaCondition.JID_MALFORMED),
        ("<other jid='a@b'/>", StanzaCondition.BAD_REQUEST),
        ("<item xmlns='' jid='a@b'/>", StanzaCondition.BAD_REQUEST),
    ],
)
def test_blocked_that_are_no_addresses_are_refused(items: str, condition: StanzaCondition) -> None:
    with pytest.raises(StanzaError) as caught:
        read_blocked(built("block", items, "urn:xmpp:blocking"))
    assert caught.value.condition is condition


def test_block_list_is_written() -> None:
    assert blocked_xml("blocklist", ()) == b"<blocklist xmlns='urn:xmpp:blocking'/>"
    assert blocked_xml("block", ["a@b", "b/'"]) == (
        b"<block xmlns='urn:xmpp:blocking'><item jid='a@b'/><item jid='b/&apos;'/></block>"
    )
