"""RFC 6121 §2: get with versions, set, remove, and who is told."""

import pytest

from store.users import RosterItem
from tests.actors.house import House
from tests.actors.house_client import Client, said

Q = "<query xmlns='jabber:iq:roster'{ver}>{items}</query>"
ITEM = "<item jid='nurse@localhost' name='Nurse'><group>Staff</group></item>"
SHOWN = "<item jid='nurse@localhost' subscription='none' name='Nurse'><group>Staff</group></item>"
REMOVED = "<item jid='nurse@localhost' subscription='remove'/>"


def get(ver: str | None = None) -> str:
    given = "" if ver is None else f" ver='{ver}'"
    return f"<iq type='get' id='g1'>{Q.format(ver=given, items='')}</iq>"


def set_(items: str, to: str = "") -> str:
    return f"<iq type='set' id='s1'{to}>{Q.format(ver='', items=items)}</iq>"


def result(resource: str, content: str = "", id_: str = "g1") -> str:
    return (
        f"<iq type='result' id='{id_}' from='romeo@localhost' to='romeo@localhost/{resource}'>{content}</iq>"
    )


def push(resource: str, version: int, item: str) -> str:
    """From nobody, which is from the account itself (§2.1.6)."""
    ver = f" ver='{version}'"
    return f"<iq type='set' to='romeo@localhost/{resource}'>{Q.format(ver=ver, items=item)}</iq>"


async def interested(house: House, *resources: str) -> list[Client]:
    clients = [await house.log_in(f"romeo@localhost/{resource}") for resource in resources]
    for client in clients:
        await client.ask(get())
    return clients


# -- get


async def test_roster_get_is_the_whole_with_its_version() -> None:
    house = House()
    house.befriend("romeo@localhost", "juliet@localhost")
    async with house.open():
        romeo = await house.log_in("romeo@localhost/orchard")
        item = "<item jid='juliet@localhost' subscription='both'/>"
        whole = Q.format(ver=" ver='1'", items=item)
        for known in (None, "", "x", "99", "-1", "9" * 40, "²"):
            assert [await romeo.ask(get(known))] == said(result("orchard", whole))


async def test_roster_get_with_the_present_version_is_empty() -> None:
    house = House()
    house.befriend("romeo@localhost", "juliet@localhost")
    async with house.open():
        romeo = await house.log_in("romeo@localhost/orchard")
        romeo.send(get("1"))
        assert await romeo.hears() == said(result("orchard"))


async def test_roster_get_with_an_older_version_is_what_has_changed_for_that_client_alone() -> None:
    house = House()
    house.befriend("romeo@localhost", "juliet@localhost")
    async with house.open():
        orchard, garden = await interested(house, "orchard", "garden")
        orchard.send(set_(ITEM))
        orchard.send(set_(REMOVED))
        orchard.send(set_("<item jid='mercutio@localhost'/>"))
        await orchard.hears()
        await garden.hears()
        late = await house.log_in("romeo@localhost/late")
        late.send(get("1"))
        assert await late.hears() == said(
            result("late"),
            push("late", 3, REMOVED),
            push("late", 4, "<item jid='mercutio@localhost' subscription='none'/>"),
        )
        assert await orchard.hears() == []
        assert await garden.hears() == []


# -- set


async def test_roster_set_is_kept_and_pushed_to_those_who_asked_for_the_roster() -> None:
    async with House().open() as house:
        orchard, garden = await interested(house, "orchard", "garden")
        uninterested = await house.appear("romeo@localhost/uninterested")
        await orchard.hears()
        await garden.hears()
        orchard.send(set_(ITEM))
        assert await orchard.hears() == said(result("orchard", id_="s1"), push("orchard", 1, SHOWN))
        assert await garden.hears() == said(push("garden", 1, SHOWN))
        assert await uninterested.hears() == []
        kept = RosterItem("nurse@localhost", name="Nurse", groups=("Staff",), version=1)
        assert house.account("romeo@localhost").roster == (kept,)


async def test_roster_pushes_have_ids_of_their_own() -> None:
    async with House().open() as house:
        orchard, garden = await interested(house, "orchard", "garden")
        orchard.send(set_(ITEM))
        await house.settle()
        ids = [stanza.id for client in (orchard, garden) for stanza in client.stanzas if stanza.type == "set"]
        assert len(set(ids)) == len(ids) == 2


async def test_roster_set_changes_no_subscription() -> None:
    house = House()
    house.befriend("romeo@localhost", "juliet@localhost")
    async with house.open():
        romeo = await house.log_in("romeo@localhost/orchard")
        forged = "subscription='none' ask='subscribe' approved='true'"
        await romeo.ask(set_(f"<item jid='juliet@localhost/balcony' name='J' {forged}/>"))
        (item,) = house.account("romeo@localhost").roster
        assert item == RosterItem("juliet@localhost", name="J", subscription="both", version=2)


@pytest.mark.parametrize(
    ("items", "condition"),
    [
        ("", "bad-request"),
        (ITEM * 2, "bad-request"),
        (f"{ITEM}<other xmlns='urn:x'/>", "bad-request"),
        ("<item/>", "bad-request"),
        ("<item jid='@'/>", "bad-request"),
        ("<item jid='a@b'><group>x</group><group>x</group></item>", "bad-request"),
        ("<item jid='a@b'><group/></item>", "not-acceptable"),
        (f"<item jid='a@b'><group>{'x' * 1024}</group></item>", "not-acceptable"),
        (f"<item jid='a@b' name='{'x' * 1024}'/>", "not-acceptable"),
        (
            f"<item jid='a@b'>{''.join(f'<group>{number}</group>' for number in range(51))}</item>",
            "not-acceptable",
        ),
        ("<item jid='romeo@localhost'/>", "not-allowed"),
        (REMOVED, "item-not-found"),
    ],
)
async def test_roster_set_that_will_not_do_changes_nothing(items: str, condition: str) -> None:
    async with House().open() as house:
        (romeo,) = await interested(house, "orchard")
        assert f"<{condition} " in await romeo.ask(set_(items))
        assert await romeo.hears() == []
        assert house.account("romeo@localhost").roster == ()


async def test_roster_has_a_bound() -> None:
    async with House(limits={"roster_items_max": 1}).open() as house:
        romeo = await house.log_in("romeo@localhost/orchard")
        assert 'type="result"' in await romeo.ask(set_(ITEM))
        assert "resource-constraint" in await romeo.ask(set_("<item jid='a@b'/>"))
        assert 'type="result"' in await romeo.ask(set_("<item jid='nurse@localhost' name='N'/>"))


async def test_roster_is_for_its_owner() -> None:
    house = House()
    house.befriend("romeo@localhost", "juliet@localhost")
    async with house.open():
        romeo = await house.log_in("romeo@localhost/orchard")
        assert "forbidden" in await romeo.ask(set_(ITEM, " to='juliet@localhost'"))
        assert len(house.account("juliet@localhost").roster) == 1


# -- remove (§2.5)


async def test_roster_remove_ends_the_subscriptions_both_ways() -> None:
    house = House()
    house.befriend("romeo@localhost", "juliet@localhost")
    async with house.open():
        romeo = await house.appear("romeo@localhost/orchard")
        await romeo.ask(get())
        juliet = await house.appear("juliet@localhost/balcony")
        await juliet.ask(get())
        await juliet.hears()
        await romeo.hears()
        remove = "<item jid='juliet@localhost' subscription='remove'/>"
        romeo.send(set_(remove))
        heard = await romeo.hears()
        assert heard[:2] == said(result("orchard", id_="s1"), push("orchard", 2, remove))
        gone = "<presence type='unavailable' from='juliet@localhost/balcony' to='romeo@localhost'/>"
        assert said(gone)[0] in heard
        to_juliet = await juliet.hears()
        for type_, sender in (
            ("unsubscribe", "romeo@localhost"),
            ("unavailable", "romeo@localhost/orchard"),
            ("unsubscribed", "romeo@localhost"),
        ):
            assert said(f"<presence type='{type_}' from='{sender}' to='juliet@localhost'/>")[0] in to_juliet
        (item,) = house.account("juliet@localhost").roster
        assert item.subscription == "none"
        assert house.account("romeo@localhost").roster == ()
