"""What privacy lists say of a stanza, rule by rule."""

import pytest

from protocols.jid import JID, parse_jid
from protocols.privacy_lists import (
    STRANGER,
    CompiledList,
    ItemType,
    Kind,
    PrivacyItem,
    PrivacyList,
    Standing,
    addresses_of,
    blocked,
    kind_of,
    with_blocked,
    without_blocked,
)
from protocols.stanza import Stanza, StanzaKind

PEER = parse_jid("tybalt@example.com/hall")


def compiled(*items: PrivacyItem) -> CompiledList:
    return CompiledList(PrivacyList("list", items))


def deny(
    order: int = 1, type: ItemType = ItemType.ANYBODY, value: str = "", *kinds: Kind, allow: bool = False
) -> PrivacyItem:
    return PrivacyItem(order, allow, type, value, frozenset(kinds))


def allows(
    privacy_list: CompiledList, kind: Kind | None, peer: JID = PEER, standing: Standing = STRANGER
) -> bool:
    return privacy_list.denial(kind, peer, lambda _bare_jid: standing) is None


@pytest.mark.parametrize("restricted", Kind)
@pytest.mark.parametrize("kind", [*Kind, None])
def test_item_is_about_the_kinds_that_it_names(restricted: Kind, kind: Kind | None) -> None:
    assert allows(compiled(deny(1, ItemType.ANYBODY, "", restricted)), kind) is (kind is not restricted)


@pytest.mark.parametrize("kind", [*Kind, None])
def test_item_without_kinds_is_about_everything(kind: Kind | None) -> None:
    assert not allows(compiled(deny()), kind)


@pytest.mark.parametrize(
    ("kind", "type", "incoming", "outgoing"),
    [
        (StanzaKind.MESSAGE, "chat", Kind.MESSAGE, None),
        (StanzaKind.MESSAGE, "error", Kind.MESSAGE, None),
        (StanzaKind.IQ, "get", Kind.IQ, None),
        (StanzaKind.IQ, "result", Kind.IQ, None),
        (StanzaKind.PRESENCE, "", Kind.PRESENCE_IN, Kind.PRESENCE_OUT),
        (StanzaKind.PRESENCE, "unavailable", Kind.PRESENCE_IN, Kind.PRESENCE_OUT),
        (StanzaKind.PRESENCE, "subscribe", None, None),
        (StanzaKind.PRESENCE, "probe", None, None),
        (StanzaKind.PRESENCE, "error", None, None),
    ],
)
def test_kind_of_a_stanza(kind: StanzaKind, type: str, incoming: Kind | None, outgoing: Kind | None) -> None:
    stanza = Stanza(kind, None, None, type, None, None, b"")
    assert kind_of(stanza, is_outgoing=False) is incoming
    assert kind_of(stanza, is_outgoing=True) is outgoing


@pytest.mark.parametrize(
    ("peer", "addresses"),
    [
        ("a@b/c", ("a@b/c", "a@b", "b/c", "b")),
        ("a@b", ("a@b", "b")),
        ("b/c", ("b/c", "b", "b/c", "b")),
        ("b", ("b", "b")),
    ],
)
def test_addresses_of_a_peer_are_those_of_the_standard(peer: str, addresses: tuple[str, ...]) -> None:
    assert addresses_of(parse_jid(peer)) == addresses


@pytest.mark.parametrize(
    ("value", "is_denied"),
    [
        ("tybalt@example.com/hall", True),
        ("tybalt@example.com/street", False),
        ("tybalt@example.com", True),
        ("example.com/hall", True),
        ("example.com/street", False),
        ("example.com", True),
        ("com", False),
        ("romeo@example.com", False),
    ],
)
def test_item_for_an_address(value: str, is_denied: bool) -> None:
    assert allows(compiled(deny(1, ItemType.JID, value)), Kind.MESSAGE) is not is_denied


@pytest.mark.parametrize("subscription", ["none", "to", "from", "both"])
def test_item_for_a_subscription_is_exact(subscription: str) -> None:
    rules = compiled(deny(1, ItemType.SUBSCRIPTION, "both"))
    assert allows(rules, None, standing=Standing(subscription)) is (subscription != "both")


def test_stranger_has_no_subscription_and_is_in_no_group() -> None:
    assert not allows(compiled(deny(1, ItemType.SUBSCRIPTION, "none")), None)
    assert allows(compiled(deny(1, ItemType.GROUP, "Enemies")), None)
    assert not allows(
        compiled(deny(1, ItemType.GROUP, "Enemies")), None, standing=Standing("to", ("Enemies",))
    )


def test_first_item_that_is_about_a_stanza_decides() -> None:
    rules = compiled(
        deny(1, ItemType.JID, "example.com", Kind.IQ),
        deny(2, ItemType.JID, "tybalt@example.com", allow=True),
        deny(3),
    )
    assert not allows(rules, Kind.IQ)
    assert allows(rules, Kind.MESSAGE)
    assert not allows(rules, Kind.MESSAGE, parse_jid("romeo@example.com"))


def test_list_of_nothing_allows_everything() -> None:
    assert allows(compiled(), None)


def test_standing_is_asked_for_only_where_a_rule_is_about_it() -> None:
    def never(_bare_jid: str) -> Standing:
        raise AssertionError("nobody need know")

    assert compiled(deny(1, ItemType.JID, "a@b")).denial(None, PEER, never) is None


# -- the block list


RULES = PrivacyList(
    "list",
    (
        deny(3, ItemType.JID, "romeo@example.com"),
        deny(5, ItemType.JID, "paris@example.com", Kind.MESSAGE),
        deny(6, ItemType.JID, "nurse@example.com", allow=True),
        deny(7, ItemType.JID, "tybalt@example.com"),
        deny(8),
    ),
)


def test_blocked_are_those_to_whom_everything_is_denied() -> None:
    assert blocked(RULES) == ("romeo@example.com", "tybalt@example.com")
    assert blocked(None) == ()


def test_with_blocked_comes_first_and_once() -> None:
    changed = with_blocked(RULES, ["a@b", "tybalt@example.com", "a@b"])
    assert blocked(changed) == ("a@b", "tybalt@example.com", "romeo@example.com")
    assert [item.order for item in changed.items] == [1, 2, 3, 4, 5, 6]
    assert changed.items[3:] == tuple(
        item._replace(order=at)
        for at, item in zip((4, 5, 6), (*RULES.items[1:3], RULES.items[4]), strict=True)
    )


def test_without_blocked_leaves_all_other_rules_as_they_are() -> None:
    changed = without_blocked(RULES, ["tybalt@example.com", "nurse@example.com"])
    assert changed.items == (*RULES.items[:3], RULES.items[4])
