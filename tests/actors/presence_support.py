"""A user's presence without an actor: states made up for tests, and effects in words."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar, cast

import trio

from actors.presence import IDLE_SECONDS
from actors.presence_effects import (
    DropResource,
    NoteResource,
    Publish,
    PushRoster,
    SaveUser,
    Send,
    SendToSession,
    TellLoggedOut,
)
from actors.presence_state import OwnResource, PresenceState
from protocols.jid import parse_jid
from protocols.stanza import Stanza, StanzaKind
from store.users import RosterItem, User

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from actors.presence_effects import PresenceEffect
    from supervision.ref import Ref
    from tests.actors.house import House

ROMEO = parse_jid("romeo@localhost")


async def end_idle(house: House) -> None:
    """Let time pass until presence actors with nobody there have ended; wants a clock that jumps."""
    await trio.sleep(2 * IDLE_SECONDS)
    await house.settle()


class FakeSession(str):
    """Stands for the reference of a session, and is called by its resource; nobody knows what that keeps."""

    __slots__ = ()
    slot: ClassVar[Any] = SimpleNamespace(state=None)


def presence(xml: str) -> Stanza:
    """A presence as it comes from its sender's session."""
    plain = Stanza(StanzaKind.PRESENCE, None, None, "", None, None, xml.encode())
    get = plain.element.get
    to, sender = get("to"), get("from")
    return Stanza(
        StanzaKind.PRESENCE,
        None if to is None else parse_jid(to),
        None if sender is None else parse_jid(sender),
        get("type") or "",
        get("id"),
        None,
        xml.encode(),
    )


def make_state(
    resources: Mapping[str, int | None], items: Iterable[RosterItem] = (), **fields: Any
) -> PresenceState:
    """Romeo with these resources (None: not available) and contacts."""
    state = PresenceState(ROMEO)
    state.user = User(bare_jid=ROMEO.bare, rev=1, created_ms=0, roster=tuple(items), **fields)
    state.is_loaded = True
    for resource, priority in resources.items():
        last = presence(f"<presence from='{ROMEO}/{resource}'><status>{resource}</status></presence>")
        session = cast("Ref[Any]", FakeSession(resource))
        state.resources[resource] = OwnResource(session, None if priority is None else last, priority or 0)
    return state


def in_words(effects: Iterable[PresenceEffect]) -> list[str]:
    """Effects, each in a few words; stanzas as `type from -> to`."""
    return [_in_words(effect) for effect in effects]


def _in_words(effect: PresenceEffect) -> str:
    match effect:
        case Send(stanza):
            return f"send {_stanza(stanza)}"
        case SendToSession(session, stanza):
            return f"give {session}: {_stanza(stanza)}"
        case NoteResource(resource, _, last, priority):
            return f"note {resource} {'away' if last is None else priority}"
        case DropResource(resource):
            return f"drop {resource}"
        case Publish():
            return "publish"
        case SaveUser(user):
            return f"save {[(item.jid, item.subscription, item.ask, item.approved) for item in user.roster]}"
        case PushRoster():
            return "push"
        case TellLoggedOut(status):
            return f"logged out: {status}"
        case _:
            return repr(effect)


def _stanza(stanza: Stanza) -> str:
    data = stanza.element
    assert data.get("to") == (None if stanza.to is None else stanza.to.full)
    assert data.get("from") == (None if stanza.sender is None else stanza.sender.full)
    return f"{stanza.type or 'available'} {stanza.sender} -> {stanza.to}"
