"""XEP-0049: what clients keep with their accounts comes back as it was, within bounds, to nobody else."""

import pytest

from actors.kept_elements import KeptOptions
from store.memory.faults import Fault
from tests.actors.house import House
from tests.actors.house_client import Client, said

ROMEO, JULIET = "romeo@localhost", "juliet@localhost"
PREFS = "<exodus xmlns='exodus:prefs' v='1'><nick>R &amp; J</nick> tail<b xmlns='urn:x' c='d'/></exodus>"
OTHER = "<other xmlns='exodus:prefs'/>"


def query(content: str, type: str = "get", to: str = "") -> str:
    address = f" to='{to}'" if to else ""
    return f"<iq type='{type}' id='p'{address}><query xmlns='jabber:iq:private'>{content}</query></iq>"


async def fetched(client: Client, name: str) -> list[str]:
    return [await client.ask(query(name))]


def result(content: str) -> list[str]:
    return said(
        f"<iq type='result' id='p' from='{ROMEO}' to='{ROMEO}/orchard'>"
        f"<query xmlns='jabber:iq:private'>{content}</query></iq>"
    )


async def test_private_element_comes_back_as_it_was() -> None:
    async with House().open() as house:
        romeo = await house.log_in(f"{ROMEO}/orchard")
        assert 'type="result"' in await romeo.ask(query(PREFS, "set"))
        assert await fetched(romeo, "<exodus xmlns='exodus:prefs'/>") == result(PREFS)
        assert await fetched(romeo, OTHER) == result(OTHER)


async def test_private_element_replaces_the_one_of_its_name_and_outlives_the_server() -> None:
    house = House()
    async with house.open():
        romeo = await house.log_in(f"{ROMEO}/orchard")
        await romeo.ask(query("<a xmlns='urn:a'>1</a><b xmlns='urn:a'>2</b>", "set"))
        await romeo.ask(query("<a xmlns='urn:a'>3</a>", "set"))
    async with house.open():
        romeo = await house.log_in(f"{ROMEO}/orchard")
        assert await fetched(romeo, "<a xmlns='urn:a'/>") == result("<a xmlns='urn:a'>3</a>")
        assert await fetched(romeo, "<b xmlns='urn:a'/>") == result("<b xmlns='urn:a'>2</b>")


@pytest.mark.parametrize(
    ("content", "type", "condition"),
    [
        ("", "get", "bad-request"),
        ("", "set", "bad-request"),
        ("<a xmlns='urn:a'/><b xmlns='urn:a'/>", "get", "bad-request"),
        ("<a/>", "set", "not-acceptable"),
        ("<a xmlns=''/>", "set", "not-acceptable"),
        ("<query xmlns='jabber:iq:roster'/>", "set", "not-acceptable"),
        ("<vCard xmlns='vcard-temp'/>", "get", "not-acceptable"),
        (f"<a xmlns='urn:{'x' * 1024}'/>", "set", "not-acceptable"),
    ],
)
async def test_private_refuses_what_is_no_request(content: str, type: str, condition: str) -> None:
    async with House().open() as house:
        romeo = await house.log_in(f"{ROMEO}/orchard")
        assert f"<{condition} " in await romeo.ask(query(content, type))
        assert house.store._items == {}


@pytest.mark.parametrize("type", ["get", "set"])
async def test_private_is_nobody_else_s(type: str) -> None:
    async with House().open() as house:
        romeo = await house.log_in(f"{ROMEO}/orchard")
        assert "<forbidden " in await romeo.ask(query("<a xmlns='urn:a'/>", type, JULIET))
        assert house.store._items == {}


async def test_private_is_full_at_its_bounds() -> None:
    options = KeptOptions(bytes_max=len('<a xmlns="urn:a">12</a>'), elements_max=1)
    async with House(options={"private": options}).open() as house:
        romeo = await house.log_in(f"{ROMEO}/orchard")
        assert 'type="result"' in await romeo.ask(query("<a xmlns='urn:a'>12</a>", "set"))
        assert "<resource-constraint " in await romeo.ask(query("<a xmlns='urn:a'>123</a>", "set"))
        assert "<resource-constraint " in await romeo.ask(query("<b xmlns='urn:b'/>", "set"))
        assert await fetched(romeo, "<a xmlns='urn:a'/>") == result("<a xmlns='urn:a'>12</a>")


async def test_private_waits_for_the_database() -> None:
    """A client is told, and nothing is taken for kept (row S-159)."""
    async with House().open() as house:
        romeo = await house.log_in(f"{ROMEO}/orchard")
        house.faults = lambda _operation: Fault.AWAY
        answer = await romeo.ask(query("<a xmlns='urn:a'/>", "set"))
        assert 'type="wait"' in answer
        assert "<resource-constraint " in answer


async def test_private_goes_with_the_account() -> None:
    async with House().open() as house:
        romeo = await house.log_in(f"{ROMEO}/orchard")
        await romeo.ask(query("<a xmlns='urn:a'/>", "set"))
        assert house.store._items
        romeo.send("<iq type='set' id='r'><query xmlns='jabber:iq:register'><remove/></query></iq>")
        await house.settle()
        assert house.store._items == {}
