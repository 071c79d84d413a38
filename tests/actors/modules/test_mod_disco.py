"""XEP-0030: what the modules declare is what is told, to those who may know."""

import pytest

from actors.module import Identity, Module, Service
from actors.modules import mod_disco
from actors.modules.mod_disco import NAME_CHARACTERS_MAX, DiscoOptions
from store.memory.faults import Fault
from store.writes import ITEM_KEY_CHARACTERS_MAX
from tests.actors.house import House
from tests.actors.house_client import said

INFO = "http://jabber.org/protocol/disco#info"
ITEMS = "http://jabber.org/protocol/disco#items"
PUBLISH = "http://jabber.org/protocol/disco#publish"
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
        assert [await romeo.ask(ask(ITEMS, "users.localhost"))] == told(ITEMS, "users.localhost", "")
        who = "<identity category='directory' type='user' name='Who&apos;s who'/>"
        assert [await romeo.ask(ask(INFO, "users.localhost"))] == told(
            INFO, "users.localhost", who + features(INFO, ITEMS)
        )


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
            "<identity category='pubsub' type='pep' name='&apos;P&apos;'/>"
            + features(INFO, ITEMS, PUBLISH, "urn:c"),
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


# -- what accounts publish

BOOK = "<item action='update' jid='romeo@localhost' node='book' name='Sonnets &amp;c.'/>"
LUTE = "<item action='update' jid='lute.example.com'/>"


def publish(content: str, to: str = "", node: str = "") -> str:
    address = f" to='{to}'" if to else ""
    return f"<iq type='set' id='p'{address}><query xmlns='{ITEMS}'{node}>{content}</query></iq>"


async def test_published_items_are_told_to_subscribers_while_their_owner_is_away() -> None:
    house = friends()
    async with house.open():
        romeo = await house.log_in("romeo@localhost/orchard")
        assert 'type="result"' in await romeo.ask(publish(BOOK + LUTE))
    async with house.open():
        juliet = await house.log_in("juliet@localhost/balcony")
        (answer,) = said(await juliet.ask(ask(ITEMS, "romeo@localhost")))
        items = (
            "<item jid='lute.example.com'/><item jid='romeo@localhost' node='book' name='Sonnets &amp;c.'/>"
        )
        assert [answer] == said(
            "<iq type='result' id='d1' from='romeo@localhost' to='juliet@localhost/balcony'>"
            f"<query xmlns='{ITEMS}'>{items}</query></iq>"
        )


async def test_published_items_are_renamed_and_taken_back() -> None:
    async with friends().open() as house:
        romeo = await house.log_in("romeo@localhost/orchard")
        await romeo.ask(publish(BOOK + LUTE))
        change = "<item action='update' jid='lute.example.com' name='Lute'/>"
        back = "<item action='remove' jid='romeo@localhost' node='book'/>"
        unknown = "<item action='remove' jid='romeo@localhost' node='other'/>"
        assert 'type="result"' in await romeo.ask(publish(change + back + unknown, "romeo@localhost"))
        items = "<item jid='lute.example.com' name='Lute'/>"
        assert [await romeo.ask(ask(ITEMS, "romeo@localhost"))] == told(ITEMS, "romeo@localhost", items)


@pytest.mark.parametrize(
    ("content", "condition"),
    [
        ("", "bad-request"),
        ("<item jid='a@b'/>", "bad-request"),
        ("<item action='update'/>", "bad-request"),
        ("<item action='take' jid='a@b'/>", "bad-request"),
        ("<thing action='update' jid='a@b'/>", "bad-request"),
        ("<item xmlns='urn:x' action='update' jid='a@b'/>", "bad-request"),
        ("<item action='update' jid='@b'/>", "jid-malformed"),
        (f"<item action='update' jid='b' name='{'x' * (NAME_CHARACTERS_MAX + 1)}'/>", "not-acceptable"),
        (f"<item action='remove' jid='b' node='{'x' * (ITEM_KEY_CHARACTERS_MAX - 1)}'/>", "not-acceptable"),
    ],
)
async def test_publishing_what_is_no_item_publishes_nothing(content: str, condition: str) -> None:
    async with friends().open() as house:
        romeo = await house.log_in("romeo@localhost/orchard")
        assert f"<{condition} " in await romeo.ask(publish(content))
        assert f"<{condition} " in await romeo.ask(publish(BOOK + content if content else content))
        assert house.store._items == {}


async def test_publishing_below_a_node_is_not_found() -> None:
    async with friends().open() as house:
        romeo = await house.log_in("romeo@localhost/orchard")
        assert "<item-not-found " in await romeo.ask(publish(BOOK, node=" node='urn:n'"))
        assert house.store._items == {}


async def test_publishing_takes_names_up_to_their_bound() -> None:
    async with friends().open() as house:
        romeo = await house.log_in("romeo@localhost/orchard")
        name, node = "x" * NAME_CHARACTERS_MAX, "x" * (ITEM_KEY_CHARACTERS_MAX - len("b\n"))
        item = f"<item action='update' jid='b' name='{name}' node='{node}'/>"
        assert 'type="result"' in await romeo.ask(publish(item))


async def test_publishing_for_somebody_else_is_forbidden() -> None:
    async with friends().open() as house:
        romeo = await house.log_in("romeo@localhost/orchard")
        assert "<forbidden " in await romeo.ask(publish(BOOK, "juliet@localhost"))
        assert house.store._items == {}


async def test_publishing_has_a_bound() -> None:
    house = House(options={"disco": DiscoOptions(published_max=2)})
    async with house.open():
        romeo = await house.log_in("romeo@localhost/orchard")
        third = "<item action='update' jid='third'/>"
        assert "<resource-constraint " in await romeo.ask(publish(BOOK + LUTE + third))
        assert house.store._items == {}
        assert 'type="result"' in await romeo.ask(publish(BOOK + LUTE))
        assert "<resource-constraint " in await romeo.ask(publish(third))
        swap = "<item action='remove' jid='lute.example.com'/>"
        assert 'type="result"' in await romeo.ask(publish(third + swap))
        assert len(house.store._items) == 2


async def test_publishing_waits_for_the_database() -> None:
    async with friends().open() as house:
        romeo = await house.log_in("romeo@localhost/orchard")
        house.faults = lambda _operation: Fault.AWAY
        assert 'type="wait"' in await romeo.ask(publish(BOOK))


async def test_published_items_are_not_told_to_strangers() -> None:
    async with House().open() as house:
        romeo = await house.log_in("romeo@localhost/orchard")
        await romeo.ask(publish(BOOK))
        juliet = await house.log_in("juliet@localhost/balcony")
        assert "<service-unavailable " in await juliet.ask(ask(ITEMS, "romeo@localhost"))
