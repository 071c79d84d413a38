"""Changes to a roster as pure functions from one account document to the next (RFC 6121 §2, §3).

Used by the roster module and by the presence actor. Every change that clients see counts the roster's
version up and is noted in the item; removals are remembered, a bounded number of them, so that a client can
be told what changed since its version (§2.6).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from protocols.namespaces import ROSTER
from protocols.stanza import build_iq
from protocols.subscription import SubscriptionState, subscription_state
from protocols.xml_text import escape_attribute, escape_text
from store.users import RemovedItem, RosterItem, SubscriptionRequest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from protocols.jid import JID
    from protocols.stanza import Stanza
    from protocols.subscription import Transition
    from store.users import User

REMOVED_MAX: Final = 100
"""Removals remembered; a client that missed more gets the whole roster.

As long as there are fewer, none has ever been forgotten: `changes_since` relies on that.
"""


def find_item(user: User, jid: str) -> RosterItem | None:
    """The item for this bare address."""
    return next((item for item in user.roster if item.jid == jid), None)


def find_request(user: User, jid: str) -> SubscriptionRequest | None:
    """The request from this bare address that awaits the user's answer."""
    return next((request for request in user.requests if request.jid == jid), None)


def state_of(user: User, jid: str) -> SubscriptionState:
    """The subscription between the user and this bare address, seen from the user."""
    item = find_item(user, jid)
    pending_in = find_request(user, jid) is not None
    if item is None:
        return subscription_state("none", ask=False, pending_in=pending_in)
    return subscription_state(item.subscription, ask=item.ask, pending_in=pending_in)


def with_item(user: User, item: RosterItem) -> User:
    """The account with this item added or in the place of the one for the same address."""
    version = user.roster_version + 1
    item = item._replace(version=version)
    others = tuple(each for each in user.roster if each.jid != item.jid)
    return replace(user, roster=(*others, item), roster_version=version)


def without_item(user: User, jid: str) -> User:
    """The account without the item for this address, and without a request from it."""
    version = user.roster_version + 1
    removed = (*(each for each in user.removed if each.jid != jid), RemovedItem(jid, version))
    return replace(
        user,
        roster=tuple(each for each in user.roster if each.jid != jid),
        requests=tuple(each for each in user.requests if each.jid != jid),
        removed=removed[-REMOVED_MAX:],
        roster_version=version,
    )


def changes_since(user: User, version: int) -> list[tuple[int, str]] | None:
    """What clients see changed since that version: items with their versions, in order.

    None if that is not known, or is more than the whole roster. A contact that was removed and then added
    again is in it twice.
    """
    changes = all_changes_since(user, version)
    return None if changes is None or len(changes) > len(user.roster) else changes


def all_changes_since(user: User, version: int) -> list[tuple[int, str]] | None:
    """The same however much it is; None if it is not known."""
    is_forgotten = len(user.removed) >= REMOVED_MAX and version < user.removed[0].version - 1
    if version > user.roster_version or is_forgotten:
        return None
    changed = [(item.version, item_xml(item)) for item in user.roster if item.version > version]
    removed = [(each.version, removed_xml(each.jid)) for each in user.removed if each.version > version]
    return sorted(changed + removed)


def with_transition(user: User, jid: str, transition: Transition, stanza: bytes) -> User:
    """The account after a subscription stanza, as the tables have it; `stanza` is kept if it is a request."""
    user = _with_request(user, jid, stanza if transition.state.pending_in else None)
    item = find_item(user, jid)
    if item is None and not transition.push:
        return user
    changed = (item or RosterItem(jid))._replace(
        subscription=transition.state.subscription, ask=transition.state.ask, approved=transition.approved
    )
    return user if changed == item else with_item(user, changed)


def _with_request(user: User, jid: str, stanza: bytes | None) -> User:
    known = find_request(user, jid)
    if (known is not None) == (stanza is not None):
        return user  # the first request stands until it is answered
    others = tuple(each for each in user.requests if each.jid != jid)
    kept = others if stanza is None else (*others, SubscriptionRequest(jid, stanza))
    return replace(user, requests=kept)


def item_xml(item: RosterItem) -> str:
    """The item as clients see it (RFC 6121 §2.1.2)."""
    name = "" if item.name is None else f" name='{escape_attribute(item.name)}'"
    ask = " ask='subscribe'" if item.ask else ""
    approved = " approved='true'" if item.approved else ""
    start = (
        f"<item jid='{escape_attribute(item.jid)}' subscription='{item.subscription}'{name}{ask}{approved}"
    )
    groups = "".join(f"<group>{escape_text(group)}</group>" for group in item.groups)
    return f"{start}>{groups}</item>" if groups else f"{start}/>"


def removed_xml(jid: str) -> str:
    """An item that is no more."""
    return f"<item jid='{escape_attribute(jid)}' subscription='remove'/>"


def roster_xml(version: int, items: Iterable[str]) -> bytes:
    """A roster result or push with these items."""
    return f"<query xmlns='{ROSTER}' ver='{version}'>{''.join(items)}</query>".encode()


def push_for(user: User, jid: str) -> bytes:
    """The push that tells clients of the last change to this contact."""
    item = find_item(user, jid)
    return roster_xml(user.roster_version, [removed_xml(jid) if item is None else item_xml(item)])


def build_push(to: JID, id_: str, payload: bytes) -> Stanza:
    """A push for one resource, without `from`: clients take it as from the account itself (§2.1.6)."""
    return build_iq(to=to, sender=None, type="set", id=id_, payload=payload)
