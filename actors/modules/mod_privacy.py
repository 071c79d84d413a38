"""Privacy lists (XEP-0016): rules about what may reach an account and its clients, and what they may send.

The engine is in `actors/privacy.py`, the rules themselves in `protocols/privacy_lists.py`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from actors.module import GET_SET, AccountContext, AccountIq, Asker, Module, Request, Xep
from actors.presence_effects import Answer, KeepNote
from actors.privacy import (
    ACTIVE,
    ASKED,
    GATE,
    find_list,
    is_applied,
    is_default_applied,
    note_asked,
    push_list,
    save,
    with_list,
    without_list,
)
from protocols.conditions import StanzaCondition
from protocols.errors import StanzaError
from protocols.namespaces import PRIVACY
from protocols.privacy_lists import ItemType, PrivacyList
from protocols.privacy_xml import list_name, list_xml, read_list
from protocols.stanza import PayloadName
from protocols.xml_text import escape_attribute

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.presence_effects import AccountEffect
    from protocols.xml_element import Element
    from store.users import User

_LIST: Final = f"{{{PRIVACY}}}list"
_ACTIVE: Final = f"{{{PRIVACY}}}active"
_DEFAULT: Final = f"{{{PRIVACY}}}default"
_UNKNOWN: Final = "there is no such list"


async def manage_lists(context: AccountContext, request: Request) -> Sequence[AccountEffect]:
    """Tell of lists (§2.3), choose one (§2.4, §2.5), change or remove one (§2.6 to §2.8)."""
    children, resource = list(request.payload), request.asker.resourcepart
    if not request.is_set:
        asked = note_asked(context, resource, ASKED)
        return (Answer(_query(_told(context, resource, children))), *asked)
    if len(children) != 1:
        raise StanzaError(StanzaCondition.BAD_REQUEST, "one thing at a time is set")
    (child,) = children
    match child.tag:
        case _ if child.tag == _ACTIVE and not len(child):
            return _choose_active(context, list_name(child))
        case _ if child.tag == _DEFAULT and not len(child):
            return _choose_default(context, list_name(child), resource)
        case _ if child.tag == _LIST:
            return _change(context, child, resource)
        case _:
            raise StanzaError(StanzaCondition.BAD_REQUEST, "what is set is active, default or list")


def _query(content: str) -> bytes:
    return f"<query xmlns='{PRIVACY}'>{content}</query>".encode()


# -- get


def _told(context: AccountContext, resource: str | None, children: Sequence[Element]) -> str:
    if not children:
        return _names(context, resource)
    if len(children) > 1 or children[0].tag != _LIST:
        raise StanzaError(StanzaCondition.BAD_REQUEST, "one list at a time is fetched")
    return list_xml(_existing(context.user, list_name(children[0])))


def _names(context: AccountContext, resource: str | None) -> str:
    """All lists, behind the active and the default one."""
    user = context.user
    active = context.notes.get(resource or "", {}).get(ACTIVE)
    names = [("active", active), ("default", user.default_list)]
    names += [("list", each.name) for each in user.privacy_lists]
    return "".join(f"<{tag} name='{escape_attribute(name)}'/>" for tag, name in names if name is not None)


def _existing(user: User, name: str | None) -> PrivacyList:
    found = find_list(user, name)
    if found is None:
        raise StanzaError(
            StanzaCondition.BAD_REQUEST if name is None else StanzaCondition.ITEM_NOT_FOUND, _UNKNOWN
        )
    return found


# -- set


def _choose_active(context: AccountContext, name: str | None) -> Sequence[AccountEffect]:
    """The list for this session, which is applied before its client is answered."""
    return (KeepNote(ACTIVE, None if name is None else _existing(context.user, name).name), Answer())


def _choose_default(
    context: AccountContext, name: str | None, resource: str | None
) -> Sequence[AccountEffect]:
    """The list for everybody without an active one; not while another client relies on the present one."""
    user = context.user
    if name is not None:
        _existing(user, name)
    if name == user.default_list:
        return (Answer(),)
    if user.default_list is not None and is_default_applied(context, resource):
        raise StanzaError(StanzaCondition.CONFLICT, "another client uses the default list")
    return (*save(context, replace(user, default_list=name)), Answer())


def _change(context: AccountContext, element: Element, resource: str | None) -> Sequence[AccountEffect]:
    name = list_name(element)
    if name is None:
        raise StanzaError(StanzaCondition.BAD_REQUEST, "a list has a name")
    if not len(element):
        return _remove(context, name, resource)
    new = read_list(name, element)
    groups = {group for item in context.user.roster for group in item.groups}
    if any(item.type is ItemType.GROUP and item.value not in groups for item in new.items):
        raise StanzaError(StanzaCondition.ITEM_NOT_FOUND, "there is no such group in your roster")
    return (*save(context, with_list(context, new)), Answer(), *push_list(context, name))


def _remove(context: AccountContext, name: str, resource: str | None) -> Sequence[AccountEffect]:
    _existing(context.user, name)
    if is_applied(context, name, resource):
        raise StanzaError(StanzaCondition.CONFLICT, "another client uses that list")
    is_active = context.notes.get(resource or "", {}).get(ACTIVE) == name
    decline = (KeepNote(ACTIVE, None),) if is_active else ()
    changed = save(context, without_list(context.user, name))
    return (*decline, *changed, Answer(), *push_list(context, name))


MODULE: Final = Module(
    name="privacy",
    summary="Lets users say, list by list, what may reach them and their clients, and what these may send.",
    xeps=(Xep("0016", "1.7"),),
    features=(PRIVACY,),
    iqs=(AccountIq(PayloadName(PRIVACY, "query"), GET_SET, Asker.OWNER, manage_lists),),
    hooks=(GATE,),
)
