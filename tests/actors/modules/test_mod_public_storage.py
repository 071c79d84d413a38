"""Public storage: what a user keeps in a namespace of its own is read by its contacts, and by nobody else."""

import pytest

from actors.kept_elements import KeptOptions
from actors.modules import mod_public_storage
from store.memory.faults import Fault
from tests.actors.house import USUAL, House
from tests.actors.house_client import said

ROMEO, JULIET = "romeo@localhost", "juliet@localhost"
ME = f"{ROMEO}/orchard"
MODULES = (*USUAL, mod_public_storage.MODULE)
DINNER = "<query xmlns='urn:example:dinner'><food>Thai</food></query>"


def public_house(options: KeptOptions | None = None) -> House:
    house = House(modules=MODULES, options={"public_storage": options or KeptOptions()})
    house.befriend(ROMEO, JULIET)
    house.make_account("tybalt@localhost")
    return house


def iq(content: str, type: str = "get", to: str = ROMEO) -> str:
    return f"<iq type='{type}' id='p' to='{to}'>{content}</iq>"


async def test_contacts_read_what_a_user_keeps_while_it_is_away() -> None:
    async with public_house().open() as house:
        romeo = await house.log_in(ME)
        assert 'type="result"' in await romeo.ask(iq("<query xmlns='urn:example:dinner'>fish</query>", "set"))
        assert 'type="result"' in await romeo.ask(iq(DINNER, "set"))
        romeo.log_out()
        juliet = await house.log_in(f"{JULIET}/balcony")
        answer = await juliet.ask(iq("<query xmlns='urn:example:dinner'/>"))
        assert [answer] == said(
            f"<iq type='result' id='p' from='{ROMEO}' to='{JULIET}/balcony'>{DINNER}</iq>"
        )


@pytest.mark.parametrize(("type", "condition"), [("get", "service-unavailable"), ("set", "forbidden")])
async def test_others_neither_read_nor_change_it(type: str, condition: str) -> None:
    async with public_house().open() as house:
        romeo = await house.log_in(ME)
        await romeo.ask(iq(DINNER, "set"))
        tybalt = await house.log_in("tybalt@localhost/street")
        assert f"<{condition} " in await tybalt.ask(iq("<query xmlns='urn:example:dinner'/>", type))
        assert "Thai" in await romeo.ask(iq("<query xmlns='urn:example:dinner'/>"))


@pytest.mark.parametrize(
    ("content", "condition"),
    [
        ("<query xmlns='jabber:iq:unheard-of'/>", "service-unavailable"),
        ("<query xmlns='urn:xmpp:unheard-of'/>", "service-unavailable"),
        ("<query xmlns=''/>", "service-unavailable"),
        ("<a xmlns='urn:x'/><b xmlns='urn:x'/>", "bad-request"),
        (f"<a xmlns='urn:{'x' * 1024}'/>", "not-acceptable"),
    ],
)
@pytest.mark.parametrize("type", ["get", "set"])
async def test_what_is_no_thing_of_a_user_s_own_is_not_kept(content: str, condition: str, type: str) -> None:
    async with public_house().open() as house:
        romeo = await house.log_in(ME)
        assert f"<{condition} " in await romeo.ask(iq(content, type))
        assert house.store._items == {}


async def test_handlers_with_names_of_their_own_come_first() -> None:
    async with public_house().open() as house:
        romeo = await house.log_in(ME)
        assert "<item " not in await romeo.ask(
            iq("<query xmlns='jabber:iq:private'><a xmlns='urn:a'/></query>")
        )
        assert "<service-unavailable " in await romeo.ask(iq(DINNER))
        assert "Thai" not in await romeo.ask(iq(DINNER))


async def test_public_storage_is_full_at_its_bounds() -> None:
    async with public_house(
        KeptOptions(bytes_max=len(b'<a xmlns="urn:a">12</a>'), elements_max=1)
    ).open() as house:
        romeo = await house.log_in(ME)
        assert 'type="result"' in await romeo.ask(iq("<a xmlns='urn:a'>12</a>", "set"))
        assert "<resource-constraint " in await romeo.ask(iq("<a xmlns='urn:a'>123</a>", "set"))
        assert "<resource-constraint " in await romeo.ask(iq("<b xmlns='urn:b'/>", "set"))
        assert ">12</a>" in await romeo.ask(iq("<a xmlns='urn:a'/>"))


async def test_public_storage_waits_for_the_database() -> None:
    async with public_house().open() as house:
        romeo = await house.log_in(ME)
        house.faults = lambda _operation: Fault.AWAY
        assert 'type="wait"' in await romeo.ask(iq(DINNER, "set"))
