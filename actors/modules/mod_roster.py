"""The roster (RFC 6121 §2): get with versions, set, remove, push."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from actors.module import GET_SET, AccountContext, AccountIq, Module, Request, Scope, Xep
from actors.presence_effects import Answer, NoteInterested, PresenceEffect, PushRoster, SaveUser, Send
from actors.roster_changes import (
    find_item,
    find_request,
    item_xml,
    push_for,
    removed_xml,
    roster_xml,
    with_item,
    without_item,
)
from protocols.conditions import StanzaCondition
from protocols.errors import JIDMalformed, StanzaError
from protocols.jid import parse_jid
from protocols.namespaces import ROSTER
from protocols.stanza import PayloadName, build_presence
from store.users import RosterItem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from protocols.jid import JID
    from protocols.xml_element import Element
    from store.users import User

NAME_CHARACTERS_MAX: Final = 1_023
"""Of a contact's or a group's name; as long as a part of an address, and longer than any screen."""
GROUPS_MAX: Final = 50
"""Groups of one contact."""

_ITEM: Final = f"{{{ROSTER}}}item"
_GROUP: Final = f"{{{ROSTER}}}group"


async def handle_roster(context: AccountContext, request: Request) -> Sequence[PresenceEffect]:
    """Get or set, for the account itself."""
    if request.is_set:
        return _set(context, _only_item(request.payload))
    return _get(context.user, request.payload.get("ver"))


# -- get


def _get(user: User, known: str | None) -> Sequence[PresenceEffect]:
    """The whole roster, or what has changed since the version that the client has (§2.6)."""
    changes = None if known is None else _changes_since(user, known)
    if changes is None:
        return (NoteInterested(), Answer(roster_xml(user.roster_version, map(item_xml, user.roster))))
    pushes = [PushRoster(roster_xml(version, [item])) for version, item in changes]
    return (NoteInterested(), Answer(), *pushes)


def _changes_since(user: User, known: str) -> list[tuple[int, str]] | None:
    """Each change since that version with its own, in order; None if the client needs the whole roster."""
    if not (known.isascii() and known.isdecimal()) or int(known) > user.roster_version:
        return None
    version = int(known)
    changed = [(item.version, item_xml(item)) for item in user.roster if item.version > version]
    removed = [(each.version, removed_xml(each.jid)) for each in user.removed if each.version > version]
    is_covered = version >= (user.removed[0].version if len(user.removed) else 0) or not user.removed
    return sorted(changed + removed) if is_covered else None


# -- set


def _only_item(query: Element) -> Element:
    """The one item of a set (§2.1.3).

    Raises:
        StanzaError: there is none, or more than one.
    """
    items = query.findall(_ITEM)
    if len(items) != 1 or len(query) != 1:
        raise StanzaError(StanzaCondition.BAD_REQUEST, "a roster set holds exactly one item")
    return items[0]


def _set(context: AccountContext, element: Element) -> Sequence[PresenceEffect]:
    contact = _contact(element)
    if element.get("subscription") == "remove":
        return _remove(context, contact)
    if contact.bare == context.jid.bare:
        raise StanzaError(StanzaCondition.NOT_ALLOWED, "nobody is his own contact")
    user = context.user
    known = find_item(user, contact.bare)
    if known is None and len(user.roster) >= context.limits.roster_items_max:
        raise StanzaError(StanzaCondition.RESOURCE_CONSTRAINT, "the roster is full", type=None)
    item = known or RosterItem(contact.bare)
    changed = with_item(user, item._replace(name=_name(element), groups=_groups(element)))
    return (SaveUser(changed), Answer(), PushRoster(push_for(changed, contact.bare)))


def _remove(context: AccountContext, contact: JID) -> Sequence[PresenceEffect]:
    """Remove a contact, and end the subscriptions both ways (§2.5.2)."""
    user, own = context.user, context.jid
    item = find_item(user, contact.bare)
    if item is None:
        raise StanzaError(StanzaCondition.ITEM_NOT_FOUND)
    types = []
    if item.subscription in {"to", "both"} or item.ask:
        types.append("unsubscribe")
    if item.subscription in {"from", "both"} or find_request(user, contact.bare) is not None:
        types.append("unsubscribed")
    changed = without_item(user, contact.bare)
    ends = [Send(build_presence(to=contact, sender=own, type=each)) for each in types]
    return (SaveUser(changed), Answer(), PushRoster(push_for(changed, contact.bare)), *ends)


def _contact(element: Element) -> JID:
    try:
        return parse_jid(element.get("jid") or "").bare_jid
    except JIDMalformed as error:
        raise StanzaError(StanzaCondition.BAD_REQUEST, f"the item's jid is no address: {error}") from error


def _name(element: Element) -> str | None:
    name = element.get("name")
    if name is not None and len(name) > NAME_CHARACTERS_MAX:
        raise StanzaError(StanzaCondition.NOT_ACCEPTABLE, "the name is too long")
    return name or None


def _groups(element: Element) -> tuple[str, ...]:
    """The groups (§2.1.2.5, §2.3.3)."""
    groups = tuple(group.text or "" for group in element.findall(_GROUP))
    if len(set(groups)) != len(groups):
        raise StanzaError(StanzaCondition.BAD_REQUEST, "a group is named twice")
    if any(not group or len(group) > NAME_CHARACTERS_MAX for group in groups) or len(groups) > GROUPS_MAX:
        raise StanzaError(StanzaCondition.NOT_ACCEPTABLE, "a group's name is empty or too long, or too many")
    return groups


MODULE: Final = Module(
    name="roster",
    summary="Keeps each account's contacts, tells all its clients of changes, and knows what each has seen.",
    xeps=(Xep("RFC 6121", "2011", "section 2"), Xep("0237", "1.3")),
    account_iqs=(AccountIq(PayloadName(ROSTER, "query"), GET_SET, Scope.OWNER, handle_roster),),
)
