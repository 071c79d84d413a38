"""What modules see of the messages that wait."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from actors import offline_queue
from actors.ledger import logged_parcel
from actors.offline_queue import OfflineQueue, Waiting, read_undelivered
from actors.presence_state import PendingSize
from protocols.jid import parse_jid
from tests.actors.house import House

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.store_access import StoreAccess
    from store.log import LogRecord
    from store.users import User


def queue(house: House, user: User, size: PendingSize | None = None) -> OfflineQueue:
    ledger = house.server.ledger_of(parse_jid(user.bare_jid))
    return OfflineQueue(house.server.store, user, ledger, size, house.server.names, lambda waiting: waiting)


async def keep(house: House, count: int) -> None:
    """Have so many messages put into Juliet's queue."""
    romeo = await house.log_in("romeo@localhost/orchard")
    for number in range(count):
        romeo.send(f"<message id='m{number}' to='juliet@localhost' type='chat'><body>hi</body></message>")
    await house.settle()


async def test_offline_queue_reads_stanzas_in_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offline_queue, "PAGE", 2)
    async with House().open() as house:
        await keep(house, 5)
        before = house.pool.jobs
        first = await queue(house, house.account("juliet@localhost")).read()
        assert house.pool.jobs == before + 3
        assert [each.stanza.id for each in first] == [f"m{number}" for number in range(5)]
        assert all(isinstance(each, Waiting) for each in first)
        stanza = first[0].stanza
        assert (stanza.to, stanza.type) == (parse_jid("juliet@localhost"), "chat")
        assert stanza.sender == parse_jid("romeo@localhost/orchard")
        assert stanza.element.findtext("{jabber:client}body") == "hi"


async def test_offline_queue_of_an_account_that_never_got_a_message_asks_no_database() -> None:
    async with House().open() as house:
        before = house.pool.jobs
        empty = queue(house, house.account("juliet@localhost"), PendingSize(0, 0))
        assert empty.size == PendingSize(0, 0)
        assert list(await empty.read()) == []
        assert house.pool.jobs == before


async def test_offline_queue_leaves_out_what_is_a_session_s() -> None:
    async with House().open() as house:
        await keep(house, 3)
        juliet = house.account("juliet@localhost")
        ledger = house.server.ledger_of(parse_jid("juliet@localhost"))
        logged_parcel(ledger, 2, 0, None)
        assert [each.seq for each in await queue(house, juliet).read()] == [1, 3]
        assert [each.seq for each in await read_undelivered(house.server.store, juliet)] == [1, 2, 3]


async def test_offline_queue_leaves_out_what_left_it_while_it_was_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with House().open() as house:
        await keep(house, 3)
        ledger = house.server.ledger_of(parse_jid("juliet@localhost"))
        parcel, read = logged_parcel(ledger, 2, 0, None), read_undelivered

        async def read_slowly(store: StoreAccess, user: User) -> Sequence[LogRecord]:
            records = await read(store, user)
            ledger.settled([parcel])
            return records

        monkeypatch.setattr(offline_queue, "read_undelivered", read_slowly)
        juliet = house.account("juliet@localhost")
        assert [each.seq for each in await queue(house, juliet).read()] == [1, 3]


async def test_read_undelivered_looks_no_further_than_numbers_were_reserved() -> None:
    async with House().open() as house:
        await keep(house, 3)
        juliet = replace(house.account("juliet@localhost"), log_reserved=2)
        assert [each.seq for each in await read_undelivered(house.server.store, juliet)] == [1, 2]
