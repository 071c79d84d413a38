"""XEP-0191: who is blocked is told, changed and pushed, and is part of the default privacy list."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import trio

from protocols.privacy_lists import ItemType, Kind, PrivacyItem, PrivacyList
from store.memory.faults import Fault
from tests.actors.house_client import Client, said
from tests.actors.managed_client import appear, died
from tests.actors.managed_house import BALCONY, JULIET, ORCHARD, ROMEO, WINDOW, after
from tests.actors.privacy_support import (
    BLOCKLIST,
    PARIS,
    block,
    blocking,
    choose,
    deny,
    lists,
    new_list,
    unblock,
    verona,
)

if TYPE_CHECKING:
    from trio.testing import MockClock


async def blocked(client: Client) -> list[str]:
    return re.findall('<item jid="(.*?)"', await client.ask(BLOCKLIST))


def push(to: str, name: str, *addresses: str) -> list[str]:
    items = "".join(f"<item jid='{each}'/>" for each in addresses)
    return said(f"<iq to='{to}' type='set'><{name} xmlns='urn:xmpp:blocking'>{items}</{name}></iq>")


def result() -> str:
    return said(f"<iq type='result' id='b' from='{JULIET}' to='{BALCONY}'/>")[0]


async def test_block_list_is_empty_then_has_who_is_blocked_and_outlives_the_server() -> None:
    house = verona()
    async with house.open():
        juliet = await house.log_in(BALCONY)
        empty = "<blocklist xmlns='urn:xmpp:blocking'/>"
        assert [await juliet.ask(BLOCKLIST)] == said(
            f"<iq type='result' id='b' from='{JULIET}' to='{BALCONY}'>{empty}</iq>"
        )
        assert await juliet.ask(block("Romeo@localhost", "example.com")) == result()
    async with house.open():
        juliet = await house.log_in(BALCONY)
        assert await blocked(juliet) == [ROMEO, "example.com"]
        assert await juliet.ask(unblock(ROMEO, "nobody@example.com")) == result()
        assert await blocked(juliet) == ["example.com"]
        assert await juliet.ask(unblock()) == result()
        assert await blocked(juliet) == []
        assert house.account(JULIET).privacy_lists == (), "the list was made for that only"


async def test_changes_are_pushed_to_the_clients_that_asked() -> None:
    async with verona().open() as house:
        juliet, window = await house.log_in(BALCONY), await house.log_in(WINDOW)
        silent = await house.log_in(f"{JULIET}/garden")
        await blocked(window)
        await blocked(juliet)
        assert await juliet.ask(block(ROMEO, PARIS)) == result()
        for client, to in ((juliet, BALCONY), (window, WINDOW)):
            assert await client.hears() == push(to, "block", ROMEO, PARIS)
        await juliet.ask(unblock(PARIS))
        await juliet.ask(unblock())
        assert await window.hears() == push(WINDOW, "unblock", PARIS) + push(WINDOW, "unblock")
        assert await silent.hears() == []


async def test_client_that_asked_hears_of_changes_after_a_crash_as_well() -> None:
    async with verona().open() as house:
        juliet = await appear(house, BALCONY)
        juliet.send(BLOCKLIST)
        await juliet.hears()
        store = died(house, juliet)
    second = after(store)
    async with second.open():
        await juliet.resume(second)
        await juliet.hears()
        window = await second.log_in(WINDOW)
        await window.ask(block(ROMEO))
        assert push(BALCONY, "block", ROMEO)[0] in await juliet.hears()


@pytest.mark.parametrize(
    ("xml", "condition"),
    [
        (block(), "bad-request"),
        (block("@"), "jid-malformed"),
        (blocking("block", ROMEO).replace("<item", "<other"), "bad-request"),
        (blocking("unblock", ROMEO).replace("<item", "<other"), "bad-request"),
        (blocking("block", ROMEO).replace("jid=", "id="), "jid-malformed"),
        (block(ROMEO, JULIET), "not-allowed"),
        (block(BALCONY), "not-allowed"),
        (blocking("block", ROMEO, type="get"), "service-unavailable"),
        (blocking("blocklist", type="set"), "service-unavailable"),
    ],
)
async def test_what_makes_no_sense_is_refused_and_changes_nothing(xml: str, condition: str) -> None:
    async with verona().open() as house:
        juliet = await house.log_in(BALCONY)
        await blocked(juliet)
        before = house.account(JULIET)
        assert f"<{condition} " in await juliet.ask(xml)
        assert house.account(JULIET) == before
        assert await juliet.hears() == []


@pytest.mark.parametrize("xml", [BLOCKLIST, block(ROMEO), unblock()])
async def test_block_list_is_nobody_else_s(xml: str) -> None:
    async with verona().open() as house:
        romeo = await house.log_in(ORCHARD)
        assert "<forbidden " in await romeo.ask(xml.replace(" id=", f" to='{JULIET}' id="))
        assert house.account(JULIET).privacy_lists == ()


async def test_block_waits_for_the_database(autojump_clock: MockClock) -> None:
    """Nobody is told that he has blocked somebody before that lasts."""
    async with verona(limits={"store_away_seconds": 1.0}).open() as house:
        romeo, juliet = await house.log_in(ORCHARD), await house.log_in(BALCONY)
        await house.settle()
        house.faults = lambda _operation: Fault.AWAY
        juliet.send(block(ROMEO))
        await trio.sleep(30)
        assert 'type="result"' not in "".join(await juliet.hears())
        romeo.send(f"<message to='{BALCONY}'><body>hi</body></message>")
        assert "<body>hi" in "".join(await juliet.hears())


async def test_block_of_who_is_blocked_changes_nothing_and_is_a_success() -> None:
    async with verona().open() as house:
        juliet = await house.log_in(BALCONY)
        await juliet.ask(block(ROMEO, PARIS))
        rev = house.account(JULIET).rev
        assert await juliet.ask(block(ROMEO, PARIS)) == result()
        assert await juliet.ask(unblock("nobody@example.com")) == result()
        assert house.account(JULIET).rev == rev


async def test_unblock_without_any_list_is_a_success() -> None:
    async with verona().open() as house:
        juliet = await house.log_in(BALCONY)
        assert await juliet.ask(unblock()) == result()
        assert await juliet.ask(unblock(ROMEO)) == result()


# -- with privacy lists


async def test_block_comes_first_in_the_default_list_and_unblock_leaves_the_rest() -> None:
    async with verona().open() as house:
        juliet = await house.log_in(BALCONY)
        await juliet.ask(new_list("mine", "action='allow'|<message/>", deny(PARIS)))
        await juliet.ask(choose("default", "mine"))
        await juliet.hears()
        await juliet.ask(block(ROMEO))
        allowed = PrivacyItem(2, is_allowed=True, kinds=frozenset({Kind.MESSAGE}))
        blocks = [
            PrivacyItem(at, is_allowed=False, type=ItemType.JID, value=jid)
            for at, jid in ((1, ROMEO), (3, PARIS))
        ]
        assert house.account(JULIET).privacy_lists == (PrivacyList("mine", (blocks[0], allowed, blocks[1])),)
        assert await juliet.hears() == [], "it never asked for lists"
        await juliet.ask(unblock())
        assert house.account(JULIET).privacy_lists == (PrivacyList("mine", (allowed,)),)


async def test_block_is_told_of_to_those_who_asked_for_lists() -> None:
    async with verona().open() as house:
        juliet = await house.log_in(BALCONY)
        await juliet.ask(lists("", "get"))
        await juliet.ask(block(ROMEO))
        (told,) = await juliet.hears()
        assert '<list name="blocklist">' in told


async def test_list_made_for_blocks_takes_no_name_that_is_taken_and_stays_where_it_is_chosen() -> None:
    async with verona().open() as house:
        juliet = await house.log_in(BALCONY)
        await juliet.ask(new_list("blocklist", "action='allow'"))
        await juliet.ask(block(ROMEO))
        assert house.account(JULIET).default_list == "blocklist 2"
        await juliet.ask(choose("active", "blocklist 2"))
        await juliet.ask(unblock())
        assert [each.name for each in house.account(JULIET).privacy_lists] == ["blocklist", "blocklist 2"]
        assert house.account(JULIET).default_list == "blocklist 2"


async def test_active_list_lets_through_what_the_default_one_blocks() -> None:
    """XEP-0191 §5, item 5."""
    async with verona().open() as house:
        romeo, juliet = await house.log_in(ORCHARD), await house.log_in(BALCONY)
        await juliet.ask(block(ROMEO))
        await juliet.ask(new_list("open", "action='allow'"))
        await juliet.ask(choose("active", "open"))
        await juliet.hears()
        romeo.send(f"<message to='{BALCONY}'><body>hi</body></message>")
        assert "<body>hi" in "".join(await juliet.hears())
