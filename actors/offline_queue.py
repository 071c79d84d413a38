"""The messages that wait for one account, as modules see them: oldest first, made into stanzas again."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, final

from protocols.stored_stanza import read_stored

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.presence_state import PendingSize
    from actors.store_access import StoreAccess
    from protocols.stanza import Stanza
    from protocols.xml_element import NameBudget
    from store.users import User


@final
class Waiting(NamedTuple):
    """One message, under which number it is kept, and when it was accepted."""

    seq: int
    at_ms: int
    stanza: Stanza


@final
class OfflineQueue:
    """The queue of one account, as it is while one of its messages is being handled.

    Attributes:
        size: How much waits, where that is known.
    """

    def __init__(self, store: StoreAccess, user: User, size: PendingSize | None, names: NameBudget) -> None:
        self._store = store
        self._user = user
        self._names = names
        self.size = size

    async def read(self, after_seq: int, count_max: int) -> Sequence[Waiting]:
        """The next messages behind this number, at most so many.

        Raises:
            StoreUnavailable: the database is away.
        """
        user = self._user
        records = await self._store.read_pending(user.bare_jid, after_seq, user.log_reserved, count_max)
        return [Waiting(each.seq, each.at_ms, read_stored(each.data, self._names)) for each in records]
