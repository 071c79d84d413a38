"""A compiled list says what its rules say one by one, and who is blocked is denied everything."""

from hypothesis import given
from hypothesis import strategies as st

from protocols.jid import JID, parse_jid
from protocols.privacy_lists import (
    CompiledList,
    ItemType,
    Kind,
    PrivacyItem,
    PrivacyList,
    Standing,
    addresses_of,
    blocked,
    with_blocked,
    without_blocked,
)
from protocols.privacy_xml import list_xml, read_list
from protocols.xml_element import build_without_budget

ADDRESSES = ("a@x/1", "a@x/2", "a@x", "b@x/1", "b@x", "x/1", "x", "c@y/1", "y")
GROUPS = ("Friends", "Enemies")
PEERS = st.sampled_from(ADDRESSES).map(parse_jid)
STANDINGS = st.builds(
    Standing,
    st.sampled_from(["none", "to", "from", "both"]),
    st.lists(st.sampled_from(GROUPS), unique=True, max_size=2).map(tuple),
)
KINDS = st.none() | st.sampled_from(Kind)
ABOUT = st.one_of(
    st.just((ItemType.ANYBODY, "")),
    st.tuples(st.just(ItemType.JID), st.sampled_from(ADDRESSES)),
    st.tuples(st.just(ItemType.GROUP), st.sampled_from(GROUPS)),
    st.tuples(st.just(ItemType.SUBSCRIPTION), st.sampled_from(["none", "to", "from", "both"])),
)
RULES = st.tuples(st.booleans(), ABOUT, st.frozensets(st.sampled_from(Kind)))
LISTS = st.lists(RULES, max_size=8).map(
    lambda rules: PrivacyList(
        "list",
        tuple(
            PrivacyItem(at, allow, type_, value, kinds)
            for at, (allow, (type_, value), kinds) in enumerate(rules)
        ),
    )
)


def is_about(item: PrivacyItem, kind: Kind | None, peer: JID, standing: Standing) -> bool:
    if item.kinds and kind not in item.kinds:
        return False
    match item.type:
        case ItemType.ANYBODY:
            return True
        case ItemType.JID:
            return item.value in addresses_of(peer)
        case ItemType.GROUP:
            return item.value in standing.groups
        case ItemType.SUBSCRIPTION:
            return item.value == standing.subscription


@given(LISTS, KINDS, PEERS, STANDINGS)
def test_compiled_list_says_what_the_first_rule_says_that_is_about_a_stanza(
    privacy_list: PrivacyList, kind: Kind | None, peer: JID, standing: Standing
) -> None:
    first = next((item for item in privacy_list.items if is_about(item, kind, peer, standing)), None)
    expected = None if first is None or first.is_allowed else first
    assert CompiledList(privacy_list).denial(kind, peer, lambda _bare_jid: standing) == expected


@given(LISTS, st.lists(st.sampled_from(ADDRESSES), max_size=3), KINDS, PEERS, STANDINGS)
def test_blocked_are_denied_whatever_else_the_list_says(
    privacy_list: PrivacyList, addresses: list[str], kind: Kind | None, peer: JID, standing: Standing
) -> None:
    changed = with_blocked(privacy_list, addresses)
    assert set(blocked(changed)) == {*blocked(privacy_list), *addresses}
    if set(addresses) & set(addresses_of(peer)):
        assert CompiledList(changed).denial(kind, peer, lambda _bare_jid: standing) is not None
    assert blocked(without_blocked(changed, blocked(changed))) == ()


@given(LISTS)
def test_list_is_read_as_it_was_written(privacy_list: PrivacyList) -> None:
    written = list_xml(privacy_list).replace("<list ", "<list xmlns='jabber:iq:privacy' ", 1)
    assert read_list("list", build_without_budget(written.encode())) == privacy_list
