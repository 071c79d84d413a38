"""XEP-0011: what disco tells is told as a tree as well, to those who may know."""

import pytest

from actors.module import Identity, Module, Service
from actors.modules import mod_browse, mod_disco
from tests.actors.house import House
from tests.actors.house_client import said

ROMEO, JULIET = "romeo@localhost", "juliet@localhost"
HOSTS = Module(
    name="hosts",
    summary="Hosts.",
    features=("urn:<b>",),
    account_features=("urn:c",),
    services=(
        Service("users", (Identity("directory", "user", "'Who'"),), ("jabber:iq:search",)),
        Service("rooms", (Identity("conference", "text"),)),
        Service("irc", (Identity("gateway", "irc"),)),
        Service("x", (Identity("component", "generic"),)),
        Service("y", ()),
    ),
)
DISCO = ("http://jabber.org/protocol/disco#info", "http://jabber.org/protocol/disco#items")
SHARED = "".join(f"<ns>{each}</ns>" for each in (*DISCO, "jabber:iq:browse"))
"""What the server answers for its services."""


def browse(to: str, type: str = "get") -> str:
    return f"<iq type='{type}' id='b' to='{to}'><query xmlns='jabber:iq:browse'/></iq>"


def told(sender: str, seen: str, namespaces: tuple[str, ...], items: str) -> list[str]:
    shown = "".join(f"<ns>{each}</ns>" for each in (*DISCO, *namespaces))
    return said(
        f"<iq type='result' id='b' from='{sender}' to='{ROMEO}/orchard'>"
        f"<query xmlns='jabber:iq:browse' jid='{sender}' {seen}>{shown}{items}</query></iq>"
    )


def house() -> House:
    made = House(modules=(mod_disco.MODULE, mod_browse.MODULE, HOSTS))
    made.befriend(ROMEO, JULIET)
    return made


async def test_browse_of_the_domain_is_a_tree_of_what_it_hosts() -> None:
    async with house().open() as here:
        romeo = await here.log_in(f"{ROMEO}/orchard")
        assert [await romeo.ask(browse("localhost"))] == told(
            "localhost",
            "category='service' type='jabber' name='Trouper'",
            ("jabber:iq:browse", "urn:&lt;b>"),
            "<item jid='users.localhost' category='service' type='jud' name='&apos;Who&apos;'>"
            f"{SHARED}<ns>jabber:iq:search</ns></item>"
            f"<item jid='rooms.localhost' category='conference' type='public'>{SHARED}</item>"
            f"<item jid='irc.localhost' category='service' type='irc'>{SHARED}</item>"
            f"<item jid='x.localhost' category='x-component' type='generic'>{SHARED}</item>"
            f"<item jid='y.localhost'>{SHARED}</item>",
        )


async def test_browse_of_a_service_is_what_it_is_and_can_do() -> None:
    async with house().open() as here:
        romeo = await here.log_in(f"{ROMEO}/orchard")
        assert [await romeo.ask(browse("users.localhost"))] == told(
            "users.localhost",
            "category='service' type='jud' name='&apos;Who&apos;'",
            ("jabber:iq:browse", "jabber:iq:search"),
            "",
        )


@pytest.mark.parametrize("account", [ROMEO, JULIET])
async def test_browse_of_an_account_tells_subscribers_and_itself(account: str) -> None:
    async with house().open() as here:
        romeo = await here.appear(f"{ROMEO}/orchard")
        await here.log_in(f"{JULIET}/asleep")
        await here.appear(f"{JULIET}/a'b")
        romeo.stanzas.clear()
        resource = {JULIET: "a&apos;b", ROMEO: "orchard"}[account]
        assert [await romeo.ask(browse(account))] == told(
            account,
            f"category='user' name='{account.partition('@')[0]}'",
            ("http://jabber.org/protocol/disco#publish", "jabber:iq:browse", "urn:c"),
            f"<item jid='{account}/{resource}' category='user' type='client'/>",
        )


async def test_browse_of_an_account_looks_to_strangers_as_if_it_were_not_there() -> None:
    async with House().open() as here:
        romeo = await here.log_in(f"{ROMEO}/orchard")
        there = await romeo.ask(browse(JULIET))
        assert "<service-unavailable " in there
        assert there == (await romeo.ask(browse("nobody@localhost"))).replace("nobody", "juliet")


@pytest.mark.parametrize("to", ["localhost", ROMEO, JULIET])
async def test_browse_cannot_be_set(to: str) -> None:
    async with house().open() as here:
        romeo = await here.log_in(f"{ROMEO}/orchard")
        assert 'code="405"' in await romeo.ask(browse(to, "set"))


async def test_browse_of_a_client_is_its_own_to_answer() -> None:
    async with house().open() as here:
        romeo = await here.log_in(f"{ROMEO}/orchard")
        juliet = await here.appear(f"{JULIET}/balcony")
        romeo.send(browse(f"{JULIET}/balcony"))
        (request,) = await juliet.hears()
        assert 'xmlns="jabber:iq:browse"' in request


async def test_browse_of_an_account_tells_what_it_has_published() -> None:
    async with house().open() as here:
        romeo = await here.log_in(f"{ROMEO}/orchard")
        await romeo.ask(
            f"<iq type='set' id='p'><query xmlns='{DISCO[1]}'>"
            "<item action='update' jid='lute.example.com' name='Lute'/></query></iq>"
        )
        assert '<item jid="lute.example.com" name="Lute">' in await romeo.ask(browse(ROMEO))
