"""XEP-0030: what the modules declare is what is told, to those who may know."""

import pytest

from actors.module import Identity, Module, Service
from actors.modules import mod_disco
from tests.actors.house import House
from tests.actors.house_client import said

INFO = "http://jabber.org/protocol/disco#info"
ITEMS = "http://jabber.org/protocol/disco#items"
OTHER = Module(
    name="other",
    summary="Declares.",
    features=("urn:<b>", INFO),
    account_features=("urn:c",),
    identities=(Identity("component", "generic"),),
    account_identities=(Identity("pubsub", "pep", "'P'"),),
)


def ask(kind: str, to: str, node: str = "") -> str:
    return f"<iq type='get' id='d1' to='{to}'><query xmlns='{kind}'{node}/></iq>"


def told(kind: str, sender: str, content: str) -> list[str]:
    return said(
        f"<iq type='result' id='d1' from='{sender}' to='romeo@localhost/orchard'>"
        f"<query xmlns='{kind}'>{content}</query></iq>"
    )


def features(*names: str) -> str:
    return "".join(f"<feature var='{name}'/>" for name in names)


def friends() -> House:
    house = House(modules=(mod_disco.MODULE, OTHER))
    house.befriend("romeo@localhost", "juliet@localhost")
    return house


async def test_disco_domain_tells_what_modules_declare_each_once() -> None:
    async with friends().open() as house:
        romeo = await house.log_in("romeo@localhost/orchard")
        assert [await romeo.ask(ask(INFO, "localhost"))] == told(
            INFO,
            "localhost",
            "<identity category='server' type='im' name='Trouper'/>"
            "<identity category='component' type='generic'/>" + features(INFO, ITEMS, "urn:&lt;b>"),
        )
        assert [await romeo.ask(ask(ITEMS, "localhost"))] == told(ITEMS, "localhost", "")


async def test_disco_domain_tells_what_it_hosts() -> None:
    hosts = Module(
        name="hosts",
        summary="Hosts.",
        services=(Service("users", (Identity("directory", "user", "Who's who"),)), Service("x", ())),
    )
    async with House(modules=(mod_disco.MODULE, hosts)).open() as house:
        romeo = await house.log_in("romeo@localhost/orchard")
        items = "<item jid='users.localhost' name='Who&apos;s who'/><item jid='x.localhost'/>"
        assert [await romeo.ask(ask(ITEMS, "localhost"))] == told(ITEMS, "localhost", items)


@pytest.mark.parametrize("account", ["juliet@localhost", "romeo@localhost"])
async def test_disco_account_tells_subscribers_and_itself(account: str) -> None:
    async with friends().open() as house:
        romeo = await house.appear("romeo@localhost/orchard")
        await house.log_in("juliet@localhost/asleep")
        await house.appear("juliet@localhost/a'b")
        romeo.stanzas.clear()
        assert [await romeo.ask(ask(INFO, account))] == told(
            INFO,
            account,
            "<identity category='account' type='registered'/>"
            "<identity category='pubsub' type='pep' name='&apos;P&apos;'/>" + features(INFO, ITEMS, "urn:c"),
        )
        resource = {"juliet@localhost": "a&apos;b", "romeo@localhost": "orchard"}[account]
        items = f"<item jid='{account}/{resource}'/>"
        assert [await romeo.ask(ask(ITEMS, account))] == told(ITEMS, account, items)


@pytest.mark.parametrize("kind", [INFO, ITEMS])
async def test_disco_account_looks_to_strangers_as_if_it_were_not_there(kind: str) -> None:
    async with House().open() as house:
        romeo = await house.log_in("romeo@localhost/orchard")
        there = await romeo.ask(ask(kind, "juliet@localhost"))
        nobody = await romeo.ask(ask(kind, "nobody@localhost"))
        assert "service-unavailable" in there
        assert there == nobody.replace("nobody", "juliet")


@pytest.mark.parametrize("kind", [INFO, ITEMS])
@pytest.mark.parametrize("to", ["localhost", "juliet@localhost"])
async def test_disco_node_is_not_found(kind: str, to: str) -> None:
    async with friends().open() as house:
        romeo = await house.log_in("romeo@localhost/orchard")
        assert "item-not-found" in await romeo.ask(ask(kind, to, " node='urn:n'"))


async def test_disco_as_it_ships_tells_what_this_server_can_do() -> None:
    async with House().open() as house:
        romeo = await house.log_in("romeo@localhost/orchard")
        answer = await romeo.ask(ask(INFO, "localhost"))
        for feature in (
            INFO,
            ITEMS,
            "urn:xmpp:ping",
            "jabber:iq:version",
            "jabber:iq:register",
            "msgoffline",
        ):
            assert f'<feature var="{feature}">' in answer
