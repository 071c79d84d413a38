"""XEP-0016: lists are told, made, changed, chosen and removed; each kind of stanza is let through or not."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from actors.modules import MODULES, mod_privacy
from tests.actors.house_client import Client, said
from tests.actors.managed_house import BALCONY, JULIET, ORCHARD, ROMEO, WINDOW, chat
from tests.actors.privacy_support import (
    BLOCKLIST,
    block,
    choose,
    deny,
    lists,
    new_list,
    verona,
)

if TYPE_CHECKING:
    from trio.testing import MockClock

    from tests.actors.house import House


def result(content: str) -> list[str]:
    return said(
        f"<iq type='result' id='l' from='{JULIET}' to='{BALCONY}'>"
        f"<query xmlns='jabber:iq:privacy'>{content}</query></iq>"
    )


def push(to: str, name: str) -> list[str]:
    return said(
        f"<iq to='{to}' type='set'><query xmlns='jabber:iq:privacy'><list name='{name}'/></query></iq>"
    )


async def names(juliet: Client) -> list[str]:
    return [await juliet.ask(lists("", "get"))]


async def condition(client: Client, xml: str) -> str:
    """The condition that a request is refused with; '' if it is not."""
    answer = await client.ask(xml)
    assert ('type="error"' in answer) == ("<error " in answer)
    found = re.findall('<([a-z-]+) xmlns="urn:ietf:params:xml:ns:xmpp-stanzas">', answer)
    return found[0] if found else ""


async def set_up(house: House) -> tuple[Client, Client]:
    """Two clients of Juliet's: the first has the list 'mine' as its active one, and the default is 'all'."""
    juliet, window = await house.appear(BALCONY), await house.appear(WINDOW)
    for xml in (
        new_list("mine", deny(ROMEO)),
        new_list("all", "action='allow'"),
        new_list("spare", "action='deny'"),
        choose("active", "mine"),
        choose("default", "all"),
    ):
        assert await condition(juliet, xml) == ""
    await juliet.hears()
    await window.hears()
    return juliet, window


# -- get


async def test_names_come_with_the_active_and_the_default_list_first() -> None:
    async with verona().open() as house:
        juliet = await house.log_in(BALCONY)
        assert await names(juliet) == result("")
        juliet, window = await set_up(house)
        every = "<list name='mine'/><list name='all'/><list name='spare'/>"
        assert await names(juliet) == result(f"<active name='mine'/><default name='all'/>{every}")
        (other,) = await names(window)
        assert "<active" not in other


async def test_list_is_told_as_it_is_kept_and_outlives_the_server() -> None:
    denial = "<item type='jid' value='{}' action='deny' order='3'><message/></item>"
    items = f"{denial}<item action='allow' order='68'/>"
    house = verona()
    async with house.open():
        juliet = await house.log_in(BALCONY)
        await juliet.ask(lists(f"<list name='public'>{items.format('Tybalt@EXAMPLE.com')}</list>"))
    async with house.open():
        juliet = await house.log_in(BALCONY)
        answer = await juliet.ask(lists("<list name='public'/>", "get"))
        assert [answer] == result(f"<list name='public'>{items.format('tybalt@example.com')}</list>")


@pytest.mark.parametrize(
    ("content", "type", "expected"),
    [
        ("<list name='The Empty Set'/>", "get", "item-not-found"),
        ("<list name='mine'/><list name='all'/>", "get", "bad-request"),
        ("<list/>", "get", "bad-request"),
        ("<active/>", "get", "bad-request"),
        ("", "set", "bad-request"),
        ("<active name='mine'/><default name='mine'/>", "set", "bad-request"),
        ("<other name='mine'/>", "set", "bad-request"),
        ("<list xmlns='urn:x' name='mine'/>", "set", "bad-request"),
        ("<active name='mine'><x/></active>", "set", "bad-request"),
        ("<active name='The Empty Set'/>", "set", "item-not-found"),
        ("<active name=''/>", "set", "bad-request"),
        ("<default name='The Empty Set'/>", "set", "item-not-found"),
        ("<list/>", "set", "bad-request"),
        ("<list><item action='deny' order='1'/></list>", "set", "bad-request"),
        ("<list name='The Empty Set'/>", "set", "item-not-found"),
        (
            "<list name='x'><item action='deny' order='1'/><item action='allow' order='1'/></list>",
            "set",
            "bad-request",
        ),
        (
            "<list name='x'><item type='group' value='Foes' action='deny' order='1'/></list>",
            "set",
            "item-not-found",
        ),
        (
            "<list name='x'><item type='jid' value='@' action='deny' order='1'/></list>",
            "set",
            "jid-malformed",
        ),
    ],
)
async def test_what_makes_no_sense_is_refused_and_changes_nothing(
    content: str, type: str, expected: str
) -> None:
    async with verona().open() as house:
        juliet, _window = await set_up(house)
        before = house.account(JULIET)
        assert await condition(juliet, lists(content, type)) == expected
        assert house.account(JULIET) == before
        assert await juliet.hears() == []


@pytest.mark.parametrize("type", ["get", "set"])
async def test_lists_are_nobody_else_s(type: str) -> None:
    async with verona().open() as house:
        romeo = await house.log_in(ORCHARD)
        xml = lists("<list name='x'><item action='deny' order='1'/></list>", type).replace(
            " id=", f" to='{JULIET}' id="
        )
        assert await condition(romeo, xml) == "forbidden"
        assert house.account(JULIET).privacy_lists == ()


# -- set


async def test_change_of_a_list_is_pushed_to_every_client() -> None:
    async with verona().open() as house:
        juliet, window = await house.log_in(BALCONY), await house.log_in(WINDOW)
        assert await condition(juliet, new_list("mine", deny(ROMEO))) == ""
        assert (await juliet.hears(), await window.hears()) == (push(BALCONY, "mine"), push(WINDOW, "mine"))
        assert await condition(juliet, lists("<list name='mine'/>")) == ""
        assert (await juliet.hears(), await window.hears()) == (push(BALCONY, "mine"), push(WINDOW, "mine"))
        assert house.account(JULIET).privacy_lists == ()


async def test_changed_list_holds_at_once_for_whoever_uses_it() -> None:
    async with verona().open() as house:
        romeo = await house.log_in(ORCHARD)
        juliet, _window = await set_up(house)
        romeo.send(chat(BALCONY, "1"))
        await romeo.hears()
        await condition(juliet, new_list("mine", "action='allow'"))
        romeo.send(chat(BALCONY, "2"))
        assert re.findall("<body>(.)", "".join(await juliet.hears())) == ["2"]


async def test_change_of_the_roster_is_heeded_by_rules_about_it() -> None:
    async with verona().open() as house:
        romeo, juliet = await house.log_in(ORCHARD), await house.log_in(BALCONY)
        item = "<iq type='set' id='r'><query xmlns='jabber:iq:roster'><item jid='{}'>{}</item></query></iq>"
        await juliet.ask(item.format("nurse@example.com", "<group>Enemies</group>"))
        await condition(juliet, new_list("mine", deny("Enemies", "message", type="group")))
        await condition(juliet, choose("active", "mine"))
        await juliet.hears()
        romeo.send(chat(BALCONY, "1"))
        assert "<body>1" in "".join(await juliet.hears())
        await juliet.ask(item.format(ROMEO, "<group>Enemies</group>"))
        romeo.send(chat(BALCONY, "2"))
        assert "<body>2" not in "".join(await juliet.hears())
        assert "<service-unavailable " in "".join(await romeo.hears())


async def test_active_list_is_declined() -> None:
    async with verona().open() as house:
        juliet, _window = await set_up(house)
        assert await condition(juliet, choose("active")) == ""
        (told,) = await names(juliet)
        assert "<active" not in told


async def test_default_list_that_another_client_relies_on_stays() -> None:
    async with verona().open() as house:
        juliet, window = await set_up(house)
        for xml in (choose("default", "mine"), choose("default"), lists("<list name='all'/>")):
            assert await condition(juliet, xml) == "conflict"
        assert house.account(JULIET).default_list == "all"
        assert await condition(juliet, choose("default", "all")) == "", "no change"
        assert await condition(window, choose("active", "spare")) == ""
        assert await condition(juliet, choose("default", "mine")) == ""
        assert await condition(window, choose("default")) == ""
        assert house.account(JULIET).default_list is None


async def test_list_that_another_client_has_chosen_stays_and_one_s_own_goes_with_the_choice() -> None:
    async with verona().open() as house:
        juliet, window = await set_up(house)
        assert await condition(window, lists("<list name='mine'/>")) == "conflict"
        assert await condition(juliet, lists("<list name='mine'/>")) == ""
        (told,) = await names(juliet)
        assert "mine" not in told
        window.hang_up()
        await house.settle()
        assert await condition(juliet, lists("<list name='all'/>")) == ""
        assert house.account(JULIET).default_list is None


async def test_lists_are_bounded() -> None:
    limits = {"privacy_items_max": 3, "privacy_lists_max": 2}
    async with verona(limits=limits).open() as house:
        juliet = await house.log_in(BALCONY)
        assert await condition(juliet, new_list("a", deny(ROMEO), deny("a@b"))) == ""
        assert await condition(juliet, new_list("b", deny(ROMEO), deny("a@b"))) == "resource-constraint"
        assert await condition(juliet, new_list("b", deny(ROMEO))) == ""
        assert await condition(juliet, new_list("c")) == "item-not-found"
        assert await condition(juliet, new_list("a", deny(ROMEO))) == ""
        assert await condition(juliet, new_list("c", deny(ROMEO))) == "resource-constraint"
        assert await condition(juliet, new_list("b", deny(ROMEO), deny("a@b"))) == ""
        assert await condition(juliet, block("c@d")) == "resource-constraint"
        assert [len(each.items) for each in house.account(JULIET).privacy_lists] == [1, 2]


async def test_block_list_follows_the_default_list() -> None:
    """XEP-0191 §5: who asked for the one hears of changes to the other."""
    async with verona().open() as house:
        juliet = await house.log_in(BALCONY)
        await juliet.ask(BLOCKLIST)
        await condition(juliet, new_list("mine", deny(ROMEO), deny("a@b", "message"), "action='deny'"))
        await juliet.hears()
        await condition(juliet, choose("default", "mine"))
        blocked = f"<block xmlns='urn:xmpp:blocking'><item jid='{ROMEO}'/></block>"
        assert await juliet.hears() == said(f"<iq to='{BALCONY}' type='set'>{blocked}</iq>")
        assert re.findall('jid="(.*?)"', await juliet.ask(BLOCKLIST)) == [ROMEO]
        await condition(juliet, choose("default"))
        assert "<unblock" in "".join(await juliet.hears())


# -- each kind, each way


@pytest.mark.parametrize("kind", ["message", "iq", "presence-in", "presence-out"])
async def test_rule_about_a_kind_stops_that_and_nothing_else(kind: str) -> None:
    async with verona().open() as house:
        romeo, juliet = await house.appear(ORCHARD), await house.appear(BALCONY)
        await condition(juliet, new_list("mine", deny(ROMEO, kind)))
        await condition(juliet, choose("active", "mine"))
        await romeo.hears()
        await juliet.hears()
        version = "<iq to='{}' type='get' id='v'><query xmlns='jabber:iq:version'/></iq>"
        romeo.send(chat(BALCONY, "in") + version.format(BALCONY) + "<presence><show>xa</show></presence>")
        into = "".join(await juliet.hears())
        await romeo.hears()
        juliet.send(chat(ORCHARD, "out") + version.format(ORCHARD) + "<presence><show>dnd</show></presence>")
        out = "".join(await romeo.hears())
        passed = {
            "message": "<body>in" in into,
            "iq": "jabber:iq:version" in into,
            "presence-in": "<show>xa" in into,
            "presence-out": "<show>dnd" in out,
        }
        assert [each for each, is_through in passed.items() if not is_through] == [kind]
        assert ("<body>out" in out, "jabber:iq:version" in out) == (True, True)


async def test_lists_hold_without_the_blocking_command_and_not_without_either(
    autojump_clock: MockClock,
) -> None:
    without = [module for module in MODULES if module.name != "blocking"]
    neither = [module for module in without if module is not mod_privacy.MODULE]
    for modules, is_stopped in ((without, True), (neither, False)):
        house = verona(modules=modules)
        async with house.open():
            romeo, juliet = await house.log_in(ORCHARD), await house.log_in(BALCONY)
            made = await condition(juliet, new_list("mine", deny(ROMEO)))
            assert made == ("" if is_stopped else "service-unavailable")
            await condition(juliet, choose("active", "mine"))
            romeo.send(chat(BALCONY, "hi"))
            assert ("<body>hi" not in "".join(await juliet.hears())) is is_stopped
