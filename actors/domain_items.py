"""What the server keeps for itself, as modules read it; what follows from messages to it may change it.

It lies where accounts keep theirs, with the domain as the owner. There is little of it, so that what has been
read once is remembered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from actors.presence_effects import ForgetItem, KeepItem
from store.account_items import AccountItem
from store.writes import DropItem, SaveItem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from actors.store_access import StoreAccess


@final
class DomainItems:
    """One per server."""

    def __init__(self, store: StoreAccess, domain: str) -> None:
        self._store = store
        self._domain = domain
        self._known: dict[str, Mapping[str, bytes]] = {}
        self._changes = 0

    async def read(self, kind: str) -> Mapping[str, bytes]:
        """Everything of a kind, by key.

        Raises:
            StoreUnavailable: the database is away.
        """
        while kind not in self._known:
            before = self._changes
            items = {item.key: item.data for item in await self._store.read_items(self._domain, kind)}
            if before == self._changes:  # nothing was committed meanwhile that had not been read
                self._known[kind] = items
        return self._known[kind]

    def write_for(self, effect: KeepItem | ForgetItem) -> SaveItem | DropItem:
        """What an effect is to the database."""
        if isinstance(effect, KeepItem):
            return SaveItem(AccountItem(self._domain, effect.kind, effect.key, effect.data))
        return DropItem(self._domain, effect.kind, effect.key)

    def changed(self, effect: KeepItem | ForgetItem) -> None:
        """That has been committed."""
        self._changes += 1
        known = self._known.get(effect.kind)
        if known is None:
            return
        others = {key: data for key, data in known.items() if key != effect.key}
        new = {effect.key: effect.data} if isinstance(effect, KeepItem) else {}
        self._known[effect.kind] = others | new
