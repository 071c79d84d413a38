"""What the server keeps for itself: read once, changed with what is committed, there after a restart."""

import trio
from trio.testing import MockClock

from actors.domain_items import DomainItems
from actors.presence_effects import ForgetItem, KeepItem
from tests.actors.house import House


async def test_domain_items_are_read_once_and_changed_as_is_committed() -> None:
    async with House().open() as house:
        items = DomainItems(house.server.store, "localhost")
        for key in "ab":
            house.store.commit([items.write_for(KeepItem("kind", key, key.encode()))])
        assert await items.read("kind") == {"a": b"a", "b": b"b"}
        jobs = house.pool.jobs
        items.changed(KeepItem("kind", "b", b"new"))
        items.changed(KeepItem("kind", "c", b"c"))
        items.changed(ForgetItem("kind", "a"))
        items.changed(ForgetItem("other", "a"))
        assert await items.read("kind") == {"b": b"new", "c": b"c"}
        assert house.pool.jobs == jobs
        house.store.commit([items.write_for(ForgetItem("kind", "a"))])
        assert set(await DomainItems(house.server.store, "localhost").read("kind")) == {"b"}
        assert house.store.items("romeo@localhost", "kind") == []


async def test_domain_items_that_change_while_they_are_read_are_read_again(autojump_clock: MockClock) -> None:
    async with House().open() as house:
        items = DomainItems(house.server.store, "localhost")
        house.pool.delay = lambda: 1.0

        async def change() -> None:
            await trio.sleep(1.5)  # the reading has its result, and not told yet
            house.store.commit([items.write_for(KeepItem("kind", "a", b"1"))])
            items.changed(KeepItem("kind", "a", b"1"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(change)
            house.pool.delay = lambda: 2.0
            assert await items.read("kind") == {"a": b"1"}
