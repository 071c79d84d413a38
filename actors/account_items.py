"""What an account keeps beside its document, as modules read it; `KeepItem` and `ForgetItem` change it."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from actors.store_access import StoreAccess


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
