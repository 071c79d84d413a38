"""Privacy lists (XEP-0016): what a list of rules says of a stanza, without a word of where it is kept.

A list that is in force is *compiled*: for each thing that a rule may ask about, its rules are found by one
look, so that a long list costs no more than a short one.
"""

from collections.abc import Callable, Iterable
from enum import Enum
from typing import Final, NamedTuple, final

from protocols.jid import JID
from protocols.stanza import Stanza, StanzaKind


class Kind(Enum):
    """What an item may be restricted to; the value is the element's name (§2.1)."""

    MESSAGE = "message"
    IQ = "iq"
    PRESENCE_IN = "presence-in"
    PRESENCE_OUT = "presence-out"


class ItemType(Enum):
    """What an item asks about."""

    ANYBODY = ""
    JID = "jid"
    GROUP = "group"
    SUBSCRIPTION = "subscription"


_ABOUT_STANDING: Final = frozenset({ItemType.GROUP, ItemType.SUBSCRIPTION})


@final
class PrivacyItem(NamedTuple):
    """One rule.

    Attributes:
        order: Its place, unique in its list; the lowest is looked at first.
        is_allowed: What it says of those it is about.
        type: What it asks about.
        value: Of whom it is true: an address in normal form, a group, a subscription; '' for anybody.
        kinds: What it is restricted to; everything that comes and goes if empty.
    """

    order: int
    is_allowed: bool
    type: ItemType = ItemType.ANYBODY
    value: str = ""
    kinds: frozenset[Kind] = frozenset()

    @property
    def is_block(self) -> bool:
        """Whether it is an entry of the block list (XEP-0191 §5)."""
        return self.type is ItemType.JID and not self.is_allowed and not self.kinds


@final
class PrivacyList(NamedTuple):
    """Rules by a name; the first that is about a stanza decides, and what none is about is allowed (§2.2)."""

    name: str
    items: tuple[PrivacyItem, ...]  # in their order


@final
class Standing(NamedTuple):
    """What a contact is to the user; a stranger is in no group, and has no subscription."""

    subscription: str = "none"
    groups: tuple[str, ...] = ()


STRANGER = Standing()


def kind_of(stanza: Stanza, *, is_outgoing: bool) -> Kind | None:
    """What a stanza is to a list; None for what only rules about everything are about.

    Such are requests for subscription and probes, and what goes out but for presence (§2.13).
    """
    if stanza.kind is StanzaKind.PRESENCE:
        if stanza.type not in {"", "unavailable"}:
            return None
        return Kind.PRESENCE_OUT if is_outgoing else Kind.PRESENCE_IN
    if is_outgoing:
        return None
    return Kind.MESSAGE if stanza.kind is StanzaKind.MESSAGE else Kind.IQ


def addresses_of(peer: JID) -> tuple[str, ...]:
    """What an item may have for value that is about this address (§2.1), the most special first."""
    bare, domain = peer.bare, peer.domainpart
    if peer.resourcepart is None:
        return (bare, domain)
    return (peer.full, bare, f"{domain}/{peer.resourcepart}", domain)


@final
class CompiledList:
    """A list that is in force.

    Attributes:
        asks_for_standing: Whether any rule is about what somebody is to the user.
    """

    __slots__ = ("_rules", "asks_for_standing")

    def __init__(self, privacy_list: PrivacyList) -> None:
        self._rules: dict[tuple[ItemType, str], list[tuple[int, PrivacyItem]]] = {}
        for at, item in enumerate(privacy_list.items):
            self._rules.setdefault((item.type, item.value), []).append((at, item))
        self.asks_for_standing = any(item.type in _ABOUT_STANDING for item in privacy_list.items)

    def denial(self, kind: Kind | None, peer: JID, standing: Callable[[str], Standing]) -> PrivacyItem | None:
        """The rule that denies a stanza; None if it is allowed.

        Args:
            kind: See `kind_of`.
            peer: Who is at the other end.
            standing: What the owner of this bare address is to the user.
        """
        first: tuple[int, PrivacyItem] | None = None
        for key in self._keys(peer, standing):
            for found in self._rules.get(key, ()):
                if first is not None and found[0] > first[0]:
                    break
                if not found[1].kinds or kind in found[1].kinds:
                    first = found
                    break
        return None if first is None or first[1].is_allowed else first[1]

    def _keys(self, peer: JID, standing: Callable[[str], Standing]) -> Iterable[tuple[ItemType, str]]:
        """What rules may be found by that are about this peer."""
        yield ItemType.ANYBODY, ""
        for address in addresses_of(peer):
            yield ItemType.JID, address
        if self.asks_for_standing:
            found = standing(peer.bare)
            yield ItemType.SUBSCRIPTION, found.subscription
            for group in found.groups:
                yield ItemType.GROUP, group


# -- the block list: some of the rules of the default list (XEP-0191 §5)


def blocked(privacy_list: PrivacyList | None) -> tuple[str, ...]:
    """The addresses that a list blocks, in its order."""
    return () if privacy_list is None else tuple(item.value for item in privacy_list.items if item.is_block)


def with_blocked(privacy_list: PrivacyList, addresses: Iterable[str]) -> PrivacyList:
    """The list with these addresses blocked as well, before all other rules."""
    new = tuple(dict.fromkeys(addresses))
    kept = (item for item in privacy_list.items if not (item.is_block and item.value in new))
    blocks = (PrivacyItem(0, is_allowed=False, type=ItemType.JID, value=each) for each in new)
    return _numbered(privacy_list.name, (*blocks, *kept))


def without_blocked(privacy_list: PrivacyList, addresses: Iterable[str]) -> PrivacyList:
    """The list with these addresses not blocked any more."""
    gone = frozenset(addresses)
    kept = (item for item in privacy_list.items if not (item.is_block and item.value in gone))
    return privacy_list._replace(items=tuple(kept))


def _numbered(name: str, items: Iterable[PrivacyItem]) -> PrivacyList:
    return PrivacyList(name, tuple(item._replace(order=at) for at, item in enumerate(items, 1)))
