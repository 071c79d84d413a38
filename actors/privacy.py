"""Privacy lists at work: the one engine behind privacy lists (XEP-0016) and the blocking command (XEP-0191).

The lists are in the account's document, so that they hold before anything is delivered; which of them a
session has made its active one the session keeps. The block list is some of the rules of the default list.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from actors.module import Gate
from actors.presence_effects import KeepNote, SaveUser, Send
from protocols.conditions import ErrorType, StanzaCondition
from protocols.errors import StanzaError
from protocols.jid import JID
from protocols.namespaces import BLOCKING_ERRORS, PRIVACY
from protocols.privacy_lists import STRANGER, CompiledList, PrivacyList, Standing, blocked, kind_of
from protocols.privacy_xml import blocked_xml
from protocols.stanza import build_iq
from protocols.xml_text import escape_attribute

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from actors.gates import Guard, Notes, Passage
    from actors.module import AccountContext
    from actors.presence_effects import AccountEffect
    from store.users import User

ACTIVE: Final = "privacy.active"
"""The note of a session that has an active list: its name."""
ASKED: Final = "privacy.asked"
"""The note of a session that has asked for privacy lists."""
BLOCKLIST: Final = "blocking.asked"
"""The note of a session that has asked for the block list, and is told of changes (XEP-0191 §3.3)."""

_UNAVAILABLE: Final = StanzaError(StanzaCondition.SERVICE_UNAVAILABLE)
_DENIED: Final = StanzaError(StanzaCondition.NOT_ACCEPTABLE, type=ErrorType.CANCEL)
_BLOCKED: Final = StanzaError(
    StanzaCondition.NOT_ACCEPTABLE,
    type=ErrorType.CANCEL,
    detail=f"<blocked xmlns='{BLOCKING_ERRORS}'/>".encode(),
)


# -- what may pass


def guard_of(user: User, notes: Notes) -> Guard | None:
    """Asks the active list of the resource, or else the default list (XEP-0016 §2.2)."""
    lists = {each.name: each for each in user.privacy_lists}
    if not lists:
        return None
    default = None if user.default_list is None else CompiledList(lists[user.default_list])
    active = {
        resource: CompiledList(lists[kept[ACTIVE]]) for resource, kept in notes.items() if ACTIVE in kept
    }
    if default is None and not active:
        return None
    in_force = [each for each in (default, *active.values()) if each is not None]
    standing = _standing_in(user, in_force)

    def guard(passage: Passage) -> StanzaError | None:
        privacy_list = default if passage.resource is None else active.get(passage.resource, default)
        if privacy_list is None:
            return None
        kind = kind_of(passage.stanza, is_outgoing=passage.is_outgoing)
        denial = privacy_list.denial(kind, passage.peer, standing)
        if denial is None:
            return None
        if not passage.is_outgoing:
            return _UNAVAILABLE
        return _BLOCKED if denial.is_block else _DENIED

    return guard


def _standing_in(user: User, in_force: Iterable[CompiledList]) -> Callable[[str], Standing]:
    """What anybody is to the user; nobody asks if no rule does."""
    if not any(each.asks_for_standing for each in in_force):
        return lambda _bare_jid: STRANGER
    roster = {item.jid: Standing(item.subscription, item.groups) for item in user.roster}
    return lambda bare_jid: roster.get(bare_jid, STRANGER)


GATE: Final = Gate(guard_of)


# -- the lists of an account


def find_list(user: User, name: str | None) -> PrivacyList | None:
    """The list by that name."""
    return next((each for each in user.privacy_lists if each.name == name), None)


def default_list(user: User) -> PrivacyList | None:
    """The list that holds where a session has not chosen another."""
    return find_list(user, user.default_list)


def is_applied(context: AccountContext, name: str, but_for: str | None = None) -> bool:
    """Whether a list applies to a connected resource, other than this one."""
    return any(
        kept.get(ACTIVE, context.user.default_list) == name
        for resource, kept in context.notes.items()
        if resource != but_for
    )


def is_default_applied(context: AccountContext, but_for: str | None) -> bool:
    """Whether the default list applies to a connected resource other than this one, if there is any."""
    return any(ACTIVE not in kept for resource, kept in context.notes.items() if resource != but_for)


def with_list(context: AccountContext, privacy_list: PrivacyList) -> User:
    """The account with this list, in the place of the one by its name.

    Raises:
        StanzaError: there are too many rules then, or lists.
    """
    user, limits = context.user, context.limits
    known = find_list(user, privacy_list.name)
    others = tuple(each for each in user.privacy_lists if each is not known)
    grows = known is None or len(privacy_list.items) > len(known.items)
    count = sum(len(each.items) for each in (*others, privacy_list))
    if (grows and count > limits.privacy_items_max) or (
        known is None and len(others) >= limits.privacy_lists_max
    ):
        raise StanzaError(StanzaCondition.RESOURCE_CONSTRAINT, "you have too many rules, or lists")
    lists = tuple(privacy_list if each is known else each for each in user.privacy_lists)
    return replace(user, privacy_lists=lists if known is not None else (*lists, privacy_list))


def without_list(user: User, name: str) -> User:
    """The account without that list."""
    lists = tuple(each for each in user.privacy_lists if each.name != name)
    return replace(
        user,
        privacy_lists=lists,
        default_list=None if user.default_list == name else user.default_list,
    )


# -- telling the account's clients


def save(context: AccountContext, user: User) -> Sequence[AccountEffect]:
    """The account becomes this one; who has asked for the block list hears of what has changed in that."""
    before, after = blocked(default_list(context.user)), blocked(default_list(user))
    added = [each for each in after if each not in before]
    gone = [each for each in before if each not in after]
    effects: list[AccountEffect] = [SaveUser(user)]
    if gone:
        effects += push_blocklist(context, blocked_xml("unblock", gone))
    if added:
        effects += push_blocklist(context, blocked_xml("block", added))
    return effects


def push_blocklist(context: AccountContext, payload: bytes) -> Sequence[Send]:
    """Tell those clients that have asked for the block list (XEP-0191 §3.3)."""
    asked = [resource for resource, kept in context.notes.items() if BLOCKLIST in kept]
    return _push(context, asked, payload)


def push_list(context: AccountContext, name: str, *, only_who_asked: bool = False) -> Sequence[Send]:
    """Tell the clients that a list has changed (XEP-0016 §2.6), or only those that ever asked for one."""
    told = [resource for resource, kept in context.notes.items() if not only_who_asked or ASKED in kept]
    payload = f"<query xmlns='{PRIVACY}'><list name='{escape_attribute(name)}'/></query>"
    return _push(context, told, payload.encode())


def _push(context: AccountContext, resources: Collection[str], payload: bytes) -> Sequence[Send]:
    """As roster pushes are: without `from`, from the account itself."""
    jid = context.jid
    return [
        Send(
            build_iq(
                to=JID(jid.localpart, jid.domainpart, resource),
                sender=None,
                type="set",
                id=context.new_token(),
                payload=payload,
            )
        )
        for resource in resources
    ]


def note_asked(context: AccountContext, resource: str | None, note: str) -> Sequence[KeepNote]:
    """That a client has asked, unless its session keeps that already."""
    return () if note in context.notes.get(resource or "", {}) else (KeepNote(note, ""),)
