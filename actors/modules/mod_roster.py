"""The roster (RFC 6121 §2): get with versions, set, remove, push."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from actors.module import GET_SET, AccountContext, AccountIq, Asker, Module, Request, Xep
from actors.presence_effects import Answer, NoteInterested, PushRoster, SaveUser, Send
from actors.roster_changes import (
    build_push,
    changes_since,
    find_item,
    item_xml,
    push_for,
    roster_xml,
    with_item,
    without_item,
)
from actors.subscription_rules import end_subscriptions
from protocols.conditions import StanzaCondition
from protocols.errors import JIDMalformed, StanzaError
from protocols.jid import parse_jid
from protocols.namespaces import ROSTER
from protocols.stanza import PayloadName
from store.users import RosterItem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.presence_effects import AccountEffect
    from protocols.jid import JID
    from protocols.xml_element import Element
    from store.users import User

NAME_CHARACTERS_MAX: Final = 1_023
"""Of a contact's or a group's name; as long as a part of an address, and longer than any screen."""
GROUPS_MAX: Final = 50
"""Groups of one contact."""
VERSION_DIGITS_MAX: Final = 18
"""Of a roster's version: a change each microsecond takes thirty thousand years to more."""

_ITEM: Final = f"{{{ROSTER}}}item"
_GROUP: Final = f"{{{ROSTER}}}group"


async def handle_roster(context: AccountContext, request: Request) -> Sequence[AccountEffect]:
    """Get or set, for the account itself."""
    if request.is_set:
        return _set(context, _only_item(request.payload))
    return _get(context, request)


# -- get


def _get(context: AccountContext, request: Request) -> Sequence[AccountEffect]:
    """The whole roster, or nothing and then what has changed since the version that the client has (§2.6)."""
    user = context.user
    changes = _changes(user, request.payload.get("ver"))
    if changes is None:
        return (Answer(roster_xml(user.roster_version, map(item_xml, user.roster))), NoteInterested())
    pushes = [
        Send(build_push(request.asker, context.new_token(), roster_xml(version, [item])))
        for version, item in changes
    ]
    return (Answer(), *pushes, NoteInterested())


def _changes(user: User, known: str | None) -> list[tuple[int, str]] | None:
    """What to tell a client that has this version; None if it needs the whole roster."""
    if known is None or not (known.isascii() and known.isdecimal() and len(known) <= VERSION_DIGITS_MAX):
        return None
    return changes_since(user, int(known))


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


def _set(context: AccountContext, element: Element) -> Sequence[AccountEffect]:
    contact = _contact(element)
    if context.is_guest:
        raise StanzaError(StanzaCondition.NOT_ALLOWED, "guests have no contacts")
    if element.get("subscription") == "remove":
        return _remove(context, contact)
    if contact.bare == context.jid.bare:
        raise StanzaError(StanzaCondition.NOT_ALLOWED, "nobody is his own contact")
    user = context.user
    known = find_item(user, contact.bare)
    if known is None and len(user.roster) >= context.limits.roster_items_max:
        raise StanzaError(StanzaCondition.RESOURCE_CONSTRAINT, "the roster is full")
    item = known or RosterItem(contact.bare)
    changed = with_item(user, item._replace(name=_name(element), groups=_groups(element)))
    return (SaveUser(changed), Answer(), PushRoster(push_for(changed, contact.bare)))


def _remove(context: AccountContext, contact: JID) -> Sequence[AccountEffect]:
    """Remove a contact, and end the subscriptions both ways (§2.5.2)."""
    user = context.user
    if find_item(user, contact.bare) is None:
        raise StanzaError(StanzaCondition.ITEM_NOT_FOUND)
    changed = without_item(user, contact.bare)
    ends = end_subscriptions(context.jid, context.priorities, user, contact)
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
    iqs=(AccountIq(PayloadName(ROSTER, "query"), GET_SET, Asker.OWNER, handle_roster),),
    is_optional=False,
)
