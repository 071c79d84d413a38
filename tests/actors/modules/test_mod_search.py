"""XEP-0055: who wants to be found is found by what it tells, at a host of its own, and nobody else."""

from xml.etree import ElementTree

import pytest

from actors.modules.mod_search import (
    BEGINNING_CHARACTERS_MIN,
    VALUE_CHARACTERS_MAX,
    SearchOptions,
    normalised,
)
from actors.settings import AuthSettings, Settings
from store.memory.faults import Fault
from tests.actors.house import House
from tests.actors.house_client import Client, said

ROMEO, JULIET = "romeo@localhost", "juliet@localhost"
CAPULETS = {"juliet": "Juliet", "tybalt": "Tybalt", "rosaline": "Rosaline"}
QUERY = "<query xmlns='jabber:iq:search'>"
X = "<x xmlns='jabber:x:data' type='submit'>"


def directory(
    content: str = "", type: str = "set", namespace: str = "search", to: str = "users.localhost"
) -> str:
    query = f"<query xmlns='jabber:iq:{namespace}'>{content}</query>"
    return f"<iq type='{type}' id='s' to='{to}'>{query}</iq>"


def filled(**fields: str) -> str:
    return "".join(f"<{name}>{text}</{name}>" for name, text in fields.items())


def in_a_form(**fields: str) -> str:
    values = "".join(f"<field var='{name}'><value>{text}</value></field>" for name, text in fields.items())
    return f"{X}{values}</x>"


async def enter(client: Client, content: str) -> None:
    assert 'type="result"' in await client.ask(directory(content, namespace="register"))


async def found(client: Client, content: str) -> list[str]:
    """The addresses that a search gives, in order."""
    answer = ElementTree.fromstring(await client.ask(directory(content)))
    assert answer.get("type") == "result"
    items = [item.get("jid") for item in answer.iter("{jabber:iq:search}item")]
    fields = [field for field in answer.iter("{jabber:x:data}field") if field.get("var") == "jid"]
    values = [field.findtext("{jabber:x:data}value") for field in fields]
    return [each for each in (*items, *values) if each]


async def verona(house: House) -> Client:
    """Three Capulets in the directory, and Romeo who looks for them."""
    for name, first in CAPULETS.items():
        capulet = await house.log_in(f"{name}@localhost/x")
        await enter(capulet, filled(first=first, last="Capulet", nick=name[:3]))
    return await house.log_in(f"{ROMEO}/orchard")


def house(**options: int | bool) -> House:
    accounts = (ROMEO, *(f"{name}@localhost" for name in CAPULETS))
    return House(accounts, options={"search": SearchOptions(**options)})  # type: ignore[arg-type] # of each its own


# -- searching


async def test_search_form_has_its_fields_in_both_ways() -> None:
    async with House().open() as here:
        romeo = await here.log_in(f"{ROMEO}/orchard")
        answer = await romeo.ask(directory(type="get"))
        assert "<instructions>" in answer
        assert "<first></first><last></last><nick></nick><email></email>" in answer
        assert '<x xmlns="jabber:x:data" type="form">' in answer
        for name in ("FORM_TYPE", "first", "last", "nick", "email"):
            assert f'var="{name}"' in answer
        assert "key" not in answer


@pytest.mark.parametrize(
    ("fields", "who"),
    [
        ({"last": "Capulet"}, ["juliet", "rosaline", "tybalt"]),
        ({"last": " cApULet  "}, ["juliet", "rosaline", "tybalt"]),
        ({"last": "ca*"}, ["juliet", "rosaline", "tybalt"]),
        ({"last": "Capulet*", "first": "ro*"}, ["rosaline"]),
        ({"last": "ca*", "first": "Tybalt"}, ["tybalt"]),
        ({"first": "Juliet", "last": "Montague"}, []),
        ({"last": "Cap"}, []),
        ({"last": "apulet*"}, []),
        ({"nick": "jul", "email": ""}, ["juliet"]),
        ({"email": "a@b"}, []),
        ({"first": "Capulet"}, []),
    ],
)
async def test_search_gives_those_who_have_what_is_looked_for(fields: dict[str, str], who: list[str]) -> None:
    async with house().open() as here:
        romeo = await verona(here)
        wanted = [f"{name}@localhost" for name in who]
        assert await found(romeo, filled(**fields)) == wanted
        assert await found(romeo, in_a_form(**fields)) == wanted


async def test_search_tells_what_those_found_have_entered() -> None:
    async with house().open() as here:
        juliet = await here.log_in("juliet@localhost/balcony")
        await enter(juliet, filled(first="J &amp; R", email="j@x"))
        start = f"<iq type='result' id='s' from='users.localhost' to='{juliet.jid}'>{QUERY}"
        assert [await juliet.ask(directory(filled(email="J@X")))] == said(
            f"{start}<item jid='{JULIET}'><first>J &amp; R</first><last/><nick/><email>j@x</email></item>"
            "</query></iq>"
        )
        table = await juliet.ask(directory(in_a_form(email="j@x")))
        assert '<x xmlns="jabber:x:data" type="result">' in table
        assert "<reported>" in table
        assert '<item><field var="first"><value>J &amp; R</value></field>' in table
        nobody = said(f"{start}</query></iq>")
        assert [await juliet.ask(directory(filled(email="k@x")))] == nobody
        assert [await juliet.ask(directory(in_a_form(email="k@x")))] == nobody


@pytest.mark.parametrize(
    ("content", "condition"),
    [
        ("", "not-acceptable"),
        (filled(first="", username="x"), "not-acceptable"),
        (filled(first="*"), "not-acceptable"),
        (filled(first="a" * (BEGINNING_CHARACTERS_MIN - 1) + "*"), "not-acceptable"),
        (filled(first="a*b"), "not-acceptable"),
        (filled(first="a" * (VALUE_CHARACTERS_MAX + 1)), "not-acceptable"),
        ("<first xmlns='urn:x'>a</first>", "not-acceptable"),
        (f"{X}</x>", "not-acceptable"),
        ("<x xmlns='jabber:x:data' type='cancel'/>", "bad-request"),
    ],
)
async def test_search_refuses_what_cannot_be_looked_for(content: str, condition: str) -> None:
    async with house().open() as here:
        romeo = await here.log_in(f"{ROMEO}/orchard")
        assert f"<{condition} " in await romeo.ask(directory(content))


@pytest.mark.parametrize("length", [BEGINNING_CHARACTERS_MIN, VALUE_CHARACTERS_MAX - 1])
async def test_search_takes_what_is_just_long_enough(length: int) -> None:
    async with house().open() as here:
        romeo = await here.log_in(f"{ROMEO}/orchard")
        assert await found(romeo, filled(first="a" * length + "*")) == []


@pytest.mark.parametrize("results_max", [2, 3])
async def test_search_gives_no_more_than_its_bound(results_max: int) -> None:
    async with house(results_max=results_max).open() as here:
        romeo = await verona(here)
        assert len(await found(romeo, filled(last="Capulet"))) == results_max


@pytest.mark.parametrize("namespace", ["search", "register"])
async def test_directory_waits_for_the_database(namespace: str) -> None:
    async with house().open() as here:
        romeo = await here.log_in(f"{ROMEO}/orchard")
        here.faults = lambda _operation: Fault.AWAY
        assert 'type="wait"' in await romeo.ask(directory(filled(nick="romeo"), namespace=namespace))


@pytest.mark.parametrize("to", ["localhost", ROMEO, "romeo@users.localhost"])
async def test_search_is_no_business_of_others(to: str) -> None:
    async with house().open() as here:
        romeo = await here.log_in(f"{ROMEO}/orchard")
        assert "<service-unavailable " in await romeo.ask(directory(filled(nick="romeo"), to=to))


# -- being found


async def test_card_does_not_enter_anybody() -> None:
    async with house().open() as here:
        romeo = await here.log_in(f"{ROMEO}/orchard")
        await romeo.ask(
            "<iq type='set' id='v'><vCard xmlns='vcard-temp'><NICKNAME>romeo</NICKNAME></vCard></iq>"
        )
        assert await found(romeo, filled(nick="romeo")) == []


async def test_nobody_is_found_who_has_not_registered_or_has_left() -> None:
    async with house().open() as here:
        romeo = await here.log_in(f"{ROMEO}/orchard")
        assert await found(romeo, filled(nick="romeo")) == []
        await enter(romeo, in_a_form(nick="Romeo", last="Montague"))
        assert await found(romeo, filled(nick="romeo")) == [ROMEO]
        await enter(romeo, filled(nick="R"))
        assert await found(romeo, filled(last="montague")) == []
        assert await found(romeo, filled(nick="r")) == [ROMEO]
        await enter(romeo, "<remove/>")
        assert await found(romeo, filled(nick="r")) == []
        assert here.store._items == {}


async def test_guests_may_search_but_are_not_listed() -> None:
    async with House(settings=Settings(auth=AuthSettings(anonymous=True))).open() as here:
        guest = here.connect("nobody@localhost/hall")
        await guest.log_in_as_guest()
        assert "<not-allowed " in await guest.ask(directory(filled(nick="guest"), namespace="register"))
        assert await found(guest, filled(nick="guest")) == []


async def test_entry_goes_with_its_account() -> None:
    async with house().open() as here:
        romeo = await here.log_in(f"{ROMEO}/orchard")
        await enter(romeo, filled(nick="romeo"))
        romeo.send("<iq type='set' id='r'><query xmlns='jabber:iq:register'><remove/></query></iq>")
        await here.settle()
        juliet = await here.log_in(f"{JULIET}/balcony")
        assert await found(juliet, filled(nick="romeo")) == []


async def test_entry_is_told_to_its_owner() -> None:
    async with house().open() as here:
        romeo = await here.log_in(f"{ROMEO}/orchard")
        answer = await romeo.ask(directory(type="get", namespace="register"))
        assert "<registered>" not in answer
        assert "<first></first><last></last><nick></nick><email></email>" in answer
        await enter(romeo, filled(nick="R &amp; J"))
        answer = await romeo.ask(directory(type="get", namespace="register"))
        assert "<registered></registered><instructions>" in answer
        assert "<nick>R &amp; J</nick>" in answer
        assert 'var="nick"><value>R &amp; J</value>' in answer


@pytest.mark.parametrize(
    ("content", "condition"),
    [
        ("", "not-acceptable"),
        (filled(nick=" "), "not-acceptable"),
        ("<remove/>", "registration-required"),
        ("<remove/><nick>a</nick>", "bad-request"),
        (filled(username="romeo", password="x"), "not-acceptable"),
        (filled(nick="n" * (VALUE_CHARACTERS_MAX + 1)), "not-acceptable"),
        ("<x xmlns='jabber:x:data' type='form'/>", "bad-request"),
    ],
)
async def test_entry_that_cannot_be_is_refused(content: str, condition: str) -> None:
    async with house().open() as here:
        romeo = await here.log_in(f"{ROMEO}/orchard")
        assert f"<{condition} " in await romeo.ask(directory(content, namespace="register"))
        assert here.store._items == {}


@pytest.mark.parametrize("name", ["n" * VALUE_CHARACTERS_MAX, "\ufdfa" * VALUE_CHARACTERS_MAX])
async def test_entry_may_be_long_even_if_it_gets_longer_by_being_normalised(name: str) -> None:
    async with house().open() as here:
        romeo = await here.log_in(f"{ROMEO}/orchard")
        await enter(romeo, filled(nick=name))
        assert await found(romeo, filled(nick=name)) == [ROMEO]


@pytest.mark.parametrize(
    ("text", "normal"),
    [("  A\n b ", "a b"), ("STRASSE", "strasse"), ("Stra\u00dfe", "strasse"), ("\uff21", "a")],
)
def test_texts_are_compared_without_case_and_variants(text: str, normal: str) -> None:
    assert normalised(text) == normal


# -- the key that must come back (row S-036)


@pytest.mark.parametrize("namespace", ["search", "register"])
@pytest.mark.parametrize("as_form", [False, True])
async def test_key_must_come_back_where_it_is_asked_for(namespace: str, as_form: bool) -> None:
    fill = in_a_form if as_form else filled
    async with house(ask_key=True).open() as here:
        romeo = await here.log_in(f"{ROMEO}/orchard")
        answer = ElementTree.fromstring(await romeo.ask(directory(type="get", namespace=namespace)))
        key = answer.findtext(f".//{{jabber:iq:{namespace}}}key") or ""
        (hidden,) = [each for each in answer.iter("{jabber:x:data}field") if each.get("var") == "key"]
        assert hidden.findtext("{jabber:x:data}value") == key
        for other in ({}, {"key": ""}, {"key": key[1:]}):
            refused = await romeo.ask(directory(fill(nick="r", **other), namespace=namespace))
            assert "<not-acceptable " in refused
        assert 'type="result"' in await romeo.ask(directory(fill(nick="r", key=key), namespace=namespace))
        juliet = await here.log_in(f"{JULIET}/balcony")
        stolen = await juliet.ask(directory(fill(nick="r", key=key), namespace=namespace))
        assert "<not-acceptable " in stolen
