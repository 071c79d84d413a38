"""Accounts of clients that log in as nobody in particular (SASL ANONYMOUS, RFC 4505, XEP-0175).

A guest's account is one like any other, under a random name, but goes with its last session. That it is a
guest's is written down before the account is made, and struck out when it is gone: what a crash leaves behind
is found when the server starts, and goes as soon as no session of it waits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from actors.presence_effects import DropResource, RemoveAccount
from store.account_items import AccountItem
from store.writes import DropItem, SaveItem

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence

    from actors.presence_effects import PresenceEffect
    from actors.presence_state import PresenceState
    from actors.store_access import StoreAccess

GUESTS: Final = "guests"
"""The kind of what the domain itself keeps: an item for each guest, by address."""


@final
class Guests:
    """Who is a guest: a plain table that everybody reads."""

    __slots__ = ("_domain", "_left", "_names", "_store")

    def __init__(self, domain: str, store: StoreAccess) -> None:
        self._domain = domain
        self._store = store
        self._names: set[str] = set()
        self._left: list[str] = []

    def __contains__(self, bare_jid: str) -> bool:
        """Whether this account is a guest's, or was until a moment ago."""
        return bare_jid in self._names

    async def read(self, waiting: Container[str]) -> None:
        """Find those that earlier processes have left, but for accounts whose sessions wait.

        Raises:
            StoreUnavailable: the database is away.
        """
        names = [item.key for item in await self._store.read_items(self._domain, GUESTS)]
        self._names.update(names)
        self._left = [name for name in names if name not in waiting]

    def left_behind(self, count_max: int) -> Sequence[str]:
        """Some of those that nobody has asked yet to go; they are taken to be asked now."""
        left, self._left = self._left[:count_max], self._left[count_max:]
        return left

    def leave_for_later(self, names: Iterable[str]) -> None:
        """These could not be asked."""
        self._left += names

    def notice_of(self, bare_jid: str) -> SaveItem:
        """What is to be written before such an account is made."""
        return SaveItem(AccountItem(self._domain, GUESTS, bare_jid, b""))

    def add(self, bare_jid: str) -> None:
        """It has been written."""
        self._names.add(bare_jid)

    def strike_out(self, bare_jid: str) -> None:
        """The account is gone: nobody can take its name before that is known for good."""
        if bare_jid not in self._names:
            return
        reply = self._store.log(DropItem(self._domain, GUESTS, bare_jid))

        def told() -> None:
            if reply.succeeded:
                self._names.discard(bare_jid)

        if reply.is_filled:
            told()
        else:
            reply.on_filled = told


def with_farewell(
    guests: Guests, state: PresenceState, effects: Sequence[PresenceEffect]
) -> Sequence[PresenceEffect]:
    """Let a guest's account go where what is planned leaves it without a session."""
    if state.jid.bare not in guests:
        return effects
    dropped = {effect.resource for effect in effects if isinstance(effect, DropResource)}
    return effects if state.resources.keys() - dropped else [*effects, RemoveAccount()]
