"""What modules see of what an account keeps."""

import pytest

from actors.account_items import AccountItems, FoundItems
from store.account_items import AccountItem
from store.errors import StoreUnavailable
from store.memory.faults import Fault
from store.writes import SaveItem
from tests.actors.house import House


async def test_read_gives_the_account_s_own_by_key() -> None:
    async with House().open() as house:
        for owner in ("romeo@localhost", "juliet@localhost"):
            house.store.commit([SaveItem(AccountItem(owner, "card", owner, b"data"))])
        items = AccountItems(house.server.store, "romeo@localhost")
        assert await items.read("card") == {"romeo@localhost": b"data"}
        assert await items.read("other") == {}


async def test_read_from_a_database_that_is_away() -> None:
    async with House().open() as house:
        house.faults = lambda _operation: Fault.AWAY
        with pytest.raises(StoreUnavailable):
            await AccountItems(house.server.store, "romeo@localhost").read("card")


async def test_find_gives_what_all_accounts_keep_between_two_texts() -> None:
    async with House().open() as house:
        kept = [AccountItem(f"{text}@localhost", "card", "", b"data", text) for text in ("a", "b", "c")]
        house.store.commit([SaveItem(item) for item in kept])
        items = FoundItems(house.server.store)
        assert await items.find("card", "b", "c", 10) == kept[1:]
        house.faults = lambda _operation: Fault.AWAY
        with pytest.raises(StoreUnavailable):
            await items.find("card", "b", "c", 10)
