"""The blocking command (XEP-0191): nothing comes from, or goes to, who is blocked, and it sees nobody there.

The block list is those rules of the default privacy list that deny everything to an address (§5); one is made
if there is none. The engine is in `actors/privacy.py`.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Final

from actors.module import GET, SET, AccountContext, AccountIq, Asker, Module, Request, Xep
from actors.presence_effects import Answer, SaveUser
from actors.privacy import (
    BLOCKLIST,
    GATE,
    default_list,
    find_list,
    is_applied,
    note_asked,
    push_blocklist,
    push_list,
    with_list,
    without_list,
)
from protocols.conditions import StanzaCondition
from protocols.errors import StanzaError
from protocols.jid import parse_jid
from protocols.namespaces import BLOCKING
from protocols.privacy_lists import PrivacyList, blocked, with_blocked, without_blocked
from protocols.privacy_xml import blocked_xml, read_blocked
from protocols.stanza import PayloadName

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.presence_effects import AccountEffect
    from store.users import User

LIST_NAME: Final = "blocklist"
"""What the default list is called that is made for the block list; with a number where that is taken."""


async def tell_blocklist(context: AccountContext, request: Request) -> Sequence[AccountEffect]:
    """Who is blocked (§3.2); who asks is told of changes from here on."""
    answer = Answer(blocked_xml("blocklist", blocked(default_list(context.user))))
    return (answer, *note_asked(context, request.asker.resourcepart, BLOCKLIST))


async def block(context: AccountContext, request: Request) -> Sequence[AccountEffect]:
    """Block some addresses (§3.3)."""
    addresses = read_blocked(request.payload)
    if not addresses:
        raise StanzaError(StanzaCondition.BAD_REQUEST, "name who is to be blocked")
    if any(parse_jid(each).bare == context.jid.bare for each in addresses):
        raise StanzaError(StanzaCondition.NOT_ALLOWED, "nobody blocks himself")
    present = default_list(context.user) or PrivacyList(_free_name(context.user), ())
    changed = with_blocked(present, addresses)
    user = replace(with_list(context, changed), default_list=changed.name)
    return _carry_out(context, user, changed.name, blocked_xml("block", addresses))


async def unblock(context: AccountContext, request: Request) -> Sequence[AccountEffect]:
    """Block some addresses no longer (§3.4), or none at all (§3.5)."""
    addresses = read_blocked(request.payload)
    present = default_list(context.user)
    payload = blocked_xml("unblock", addresses)
    if present is None:
        return (Answer(), *push_blocklist(context, payload))
    changed = without_blocked(present, addresses or blocked(present))
    user = with_list(context, changed)
    if not changed.items and not _is_active(context, changed.name):
        user = without_list(user, changed.name)
    return _carry_out(context, user, changed.name, payload)


def _carry_out(context: AccountContext, user: User, name: str, payload: bytes) -> Sequence[AccountEffect]:
    """Who has asked for privacy lists hears of the change to the default one as well."""
    saved: Sequence[AccountEffect] = ()
    if user != context.user:
        saved = (SaveUser(user), *push_list(context, name, only_who_asked=True))
    return (*saved, Answer(), *push_blocklist(context, payload))


def _is_active(context: AccountContext, name: str) -> bool:
    """Whether a session has chosen the list; then it stays, though it is empty."""
    without = replace(context, user=replace(context.user, default_list=None))
    return is_applied(without, name)


def _free_name(user: User) -> str:
    names = (LIST_NAME if number == 1 else f"{LIST_NAME} {number}" for number in count(1))
    return next(name for name in names if find_list(user, name) is None)


MODULE: Final = Module(
    name="blocking",
    summary="Lets users block others.",
    xeps=(Xep("0191", "1.3"),),
    features=(BLOCKING,),
    iqs=(
        AccountIq(PayloadName(BLOCKING, "blocklist"), GET, Asker.OWNER, tell_blocklist),
        AccountIq(PayloadName(BLOCKING, "block"), SET, Asker.OWNER, block),
        AccountIq(PayloadName(BLOCKING, "unblock"), SET, Asker.OWNER, unblock),
    ),
    hooks=(GATE,),
)
