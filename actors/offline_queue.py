"""The messages that wait for one account, as modules see them: oldest first, made into stanzas again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, final

from protocols.stored_stanza import read_stored

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from actors.ledger import Ledger
    from actors.presence_state import PendingSize
    from actors.store_access import StoreAccess
    from protocols.stanza import Stanza
    from protocols.xml_element import NameBudget
    from store.log import LogRecord, StanzaNumber
    from store.users import User

FETCHED: Final = "offline"
"""What a session keeps (`KeepNote`) whose client fetches what waits: meanwhile nobody is handed that."""
PAGE: Final = 100
"""Messages read at a time; at the largest there are, as many bytes as the driver takes in one piece."""


KEPT_TYPES: Final = frozenset({"", "chat", "normal"})
"""What a session had in hand when it ended may be of any type; the others mean nothing to anybody else."""


@final
class Waiting(NamedTuple):
    """One message, under which number it is kept, when it was accepted, and under which name it came."""

    seq: int
    at_ms: int
    stanza: Stanza
    origin: StanzaNumber | None = None


@final
class OfflineQueue:
    """The queue of one account, as it is while one of its messages is being handled.

    What the log still holds for a session that lives, or waits for its client, is not part of it.

    Attributes:
        size: How much waits, where that is known.
        late: A message as a client is to see it that gets it now; None if nobody is to have it any more.
    """

    def __init__(
        self,
        store: StoreAccess,
        user: User,
        ledger: Ledger,
        size: PendingSize | None,
        names: NameBudget,
        late: Callable[[Waiting], Waiting | None],
    ) -> None:
        self._store = store
        self._user = user
        self._ledger = ledger
        self._names = names
        self.size = size
        self.late = late

    async def read(self) -> Sequence[Waiting]:
        """Everything that waits; bounded by what is let in.

        Raises:
            StoreUnavailable: the database is away.
        """
        with self._ledger.reading() as gone:
            records = await read_undelivered(self._store, self._user)
        return [
            Waiting(each.seq, each.at_ms, read_stored(each.data, self._names), each.inbound)
            for each in records
            if not self._ledger.is_owed(each.seq) and each.seq not in gone
        ]


async def read_undelivered(store: StoreAccess, user: User) -> Sequence[LogRecord]:
    """Everything in an account's log that nobody has acknowledged, in order.

    Raises:
        StoreUnavailable: the database is away.
    """
    records: list[LogRecord] = []
    while True:
        after = records[-1].seq if records else 0
        page = await store.read_pending(user.bare_jid, after, user.log_reserved, PAGE)
        records += page
        if len(page) < PAGE:
            return records
