"""What accounts keep beside their documents, as modules read it; `KeepItem` and `ForgetItem` change it."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from actors.store_access import StoreAccess
    from store.account_items import AccountItem


@final
class AccountItems:
    """What one account keeps."""

    def __init__(self, store: StoreAccess, bare_jid: str) -> None:
        self._store = store
        self._bare_jid = bare_jid

    async def read(self, kind: str) -> Mapping[str, bytes]:
        """Everything of a kind, by key.

        Raises:
            StoreUnavailable: the database is away.
        """
        return {item.key: item.data for item in await self._store.read_items(self._bare_jid, kind)}


@final
class FoundItems:
    """What all accounts keep to be found."""

    def __init__(self, store: StoreAccess) -> None:
        self._store = store

    async def find(self, kind: str, first: str, last: str, count_max: int) -> Sequence[AccountItem]:
        """Those of a kind that are found by a text from `first` to `last`, inclusive, in order.

        Raises:
            StoreUnavailable: the database is away.
        """
        return await self._store.find_items(kind, first, last, count_max)
