"""XEP-0077: strangers make accounts, owners change and remove them."""

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from actors.modules.mod_register import RegisterOptions
from actors.settings import RegistrationSettings, Settings
from protocols.jid import parse_jid
from protocols.sasl.kept_password import KEPT_PASSWORD
from protocols.sasl.keys import find_keys
from tests.actors.house import House
from tests.actors.house_client import PASSWORD, Client, said

Q = "<query xmlns='jabber:iq:register'>{fields}</query>"
OPEN = Settings(registration=RegistrationSettings(open=True))
ME = "romeo@localhost/orchard"


def get(to: str = "") -> str:
    return f"<iq type='get' id='r1'{to}>{Q.format(fields='')}</iq>"


def set_(fields: str, to: str = "") -> str:
    return f"<iq type='set' id='r1'{to}>{Q.format(fields=fields)}</iq>"


def login(username: str | None, password: str | None) -> str:
    name = "" if username is None else f"<username>{username}</username>"
    return name + ("" if password is None else f"<password>{password}</password>")


def form(username: str, password: str, type: str = "submit") -> str:
    return (
        f"<x xmlns='jabber:x:data' type='{type}'>"
        "<field var='FORM_TYPE'><value>jabber:iq:register</value></field>"
        f"<field var='username'><value>{username}</value></field>"
        f"<field var='password'><value>{password}</value></field></x>"
    )


async def stranger(house: House, address: str = "192.0.2.1") -> Client:
    """A client whose stream is open and who has not logged in."""
    client = house.connect("tybalt@localhost/x", address)
    await client.begin()
    return client


# -- strangers


async def test_register_form_is_offered_in_both_ways() -> None:
    async with House(settings=OPEN).open() as house:
        tybalt = await stranger(house)
        answer = await tybalt.ask(get(" to='localhost'"))
        assert "<username></username><password></password>" in answer
        assert '<x xmlns="jabber:x:data" type="form">' in answer
        for name in ("FORM_TYPE", "username", "password"):
            assert f'var="{name}"' in answer


@pytest.mark.parametrize("fields", [login("Tybalt", "r4pier"), form("tybalt", "r4pier")])
async def test_register_makes_an_account_that_can_log_in(fields: str) -> None:
    async with House(settings=OPEN).open() as house:
        tybalt = await stranger(house)
        assert [await tybalt.ask(set_(fields))] == said("<iq type='result' id='r1'/>")
        await tybalt.authenticate("r4pier")
        assert house.account("tybalt@localhost").credentials


@pytest.mark.parametrize(
    ("fields", "condition"),
    [
        ("", "not-acceptable"),
        (login("tybalt", None), "not-acceptable"),
        (login(None, "r4pier"), "not-acceptable"),
        (login("tybalt", ""), "not-acceptable"),
        (login("", "r4pier"), "not-acceptable"),
        (login("ty@balt", "r4pier"), "not-acceptable"),
        (login("tybalt", "x" * 2000), "not-acceptable"),
        (form("tybalt", ""), "not-acceptable"),
        (form("tybalt", "r4pier", "cancel"), "bad-request"),
        (login("romeo", "r4pier"), "conflict"),
        ("<remove/>", "unexpected-request"),
        (login("ROMEO", "r4pier"), "conflict"),
    ],
)
async def test_register_refuses_what_cannot_be(fields: str, condition: str) -> None:
    async with House(settings=OPEN).open() as house:
        tybalt = await stranger(house)
        answer = await tybalt.ask(set_(fields))
        assert f"<{condition} " in answer
        assert "r4pier" not in answer
        assert house.store.users(None, 10) == ["juliet@localhost", "romeo@localhost"]


async def test_register_where_it_is_closed() -> None:
    async with House().open() as house:
        tybalt = await stranger(house)
        assert "<service-unavailable " in await tybalt.ask(set_(login("tybalt", "r4pier")))


async def test_register_too_often_from_one_address_must_wait() -> None:
    limited = replace(OPEN, limits=replace(OPEN.limits, registrations_max=2))
    async with House(settings=limited).open() as house:
        tybalt = await stranger(house)
        for name in ("a", "b"):
            assert 'type="result"' in await tybalt.ask(set_(login(name, "r4pier")))
        assert "<resource-constraint " in await tybalt.ask(set_(login("c", "r4pier")))
        other = await stranger(house, "192.0.2.2")
        assert 'type="result"' in await other.ask(set_(login("c", "r4pier")))
        near = await stranger(house, "127.0.0.1")
        for name in ("d", "e", "f"):
            assert 'type="result"' in await near.ask(set_(login(name, "r4pier")))


# -- owners


@pytest.mark.parametrize(("to", "sender"), [("", "romeo@localhost"), (" to='localhost'", "localhost")])
async def test_register_tells_an_owner_what_is_known(to: str, sender: str) -> None:
    async with House().open() as house:
        romeo = await house.log_in(ME)
        answer = await romeo.ask(get(to))
        assert f' from="{sender}"' in answer
        assert "<registered></registered>" in answer
        assert "<username>romeo</username><password></password>" in answer


@pytest.mark.parametrize("to", ["", " to='localhost'", " to='romeo@localhost'"])
@pytest.mark.parametrize(
    "fields", [login("romeo", "a new one"), login("Romeo@localhost", "a new one"), form("romeo", "a new one")]
)
async def test_register_changes_the_password(fields: str, to: str) -> None:
    async with House().open() as house:
        romeo = await house.log_in(ME)
        assert 'type="result"' in await romeo.ask(set_(fields, to))
        again = house.connect("romeo@localhost/again")
        await again.begin()
        await again.authenticate("a new one")
        assert romeo.is_open


@pytest.mark.parametrize(
    ("fields", "condition"),
    [
        (login("juliet", "a new one"), "forbidden"),
        (login("romeo@example.org", "a new one"), "forbidden"),
        (login("@", "a new one"), "forbidden"),
        (login("romeo", ""), "bad-request"),
        (login("romeo", "x" * 2000), "not-acceptable"),
        (login(None, "a new one"), "bad-request"),
        (form("romeo", ""), "bad-request"),
        ("<remove/><username>romeo</username>", "bad-request"),
    ],
)
async def test_register_keeps_the_account_as_it_was(fields: str, condition: str) -> None:
    async with House().open() as house:
        before = house.account("romeo@localhost")
        romeo = await house.log_in(ME)
        assert f"<{condition} " in await romeo.ask(set_(fields))
        assert house.account("romeo@localhost") == before


async def test_register_of_somebody_else_is_forbidden() -> None:
    async with House().open() as house:
        romeo = await house.log_in(ME)
        assert "<forbidden " in await romeo.ask(set_("<remove/>", " to='juliet@localhost'"))
        assert house.store.user("juliet@localhost") is not None


@pytest.mark.parametrize(("to", "sender"), [("", "romeo@localhost"), (" to='localhost'", "localhost")])
async def test_remove_takes_leave_of_everybody(to: str, sender: str) -> None:
    house = House()
    house.befriend("romeo@localhost", "juliet@localhost")
    async with house.open():
        juliet = await house.appear("juliet@localhost/balcony")
        romeo = await house.appear(ME)
        garden = await house.appear("romeo@localhost/garden")
        await juliet.hears()
        answer = f"<iq type='result' id='r1' from='{sender}' to='{ME}'/>"
        assert [await romeo.ask(set_("<remove/>", to))] == said(answer)
        assert [(each.is_open, each.error) for each in (romeo, garden)] == [(False, "not-authorized")] * 2
        heard = await juliet.hears()
        for resource in (ME, "romeo@localhost/garden"):
            gone = f"<presence type='unavailable' from='{resource}' to='juliet@localhost'/>"
            assert heard.count(said(gone)[0]) == 1
        assert house.account("juliet@localhost").roster[0].subscription == "none"
        assert house.store.user("romeo@localhost") is None


async def test_removed_account_can_be_made_again_and_is_another() -> None:
    async with House(settings=OPEN).open() as house:
        juliet = await house.log_in("juliet@localhost/balcony")
        romeo = await house.log_in(ME)
        juliet.send("<message to='romeo@localhost' type='chat'><body>for the old one</body></message>")
        await house.settle()
        await romeo.ask(set_("<remove/>"))
        tybalt = await stranger(house)
        assert 'type="result"' in await tybalt.ask(set_(login("romeo", "r4pier")))
        juliet.send("<message to='romeo@localhost' type='chat'><body>for the new one</body></message>")
        await house.settle()
        new = house.connect("romeo@localhost/new")
        await new.begin()
        await new.authenticate("r4pier")
        await new.bind()
        new.send("<presence/>")
        heard = " ".join(await new.hears())
        assert "for the new one" in heard
        assert "for the old one" not in heard


@pytest.mark.parametrize("keeps_password", [True, False])
async def test_new_password_is_kept_as_the_old_one_was(*, keeps_password: bool) -> None:
    async with House(settings=OPEN).open() as house:
        tybalt = parse_jid("tybalt@localhost")
        await house.server.accounts.create(tybalt, PASSWORD, (KEPT_PASSWORD,) if keeps_password else ())
        client = await house.log_in("tybalt@localhost/x")
        assert 'type="result"' in await client.ask(set_(login("tybalt", "r4pier")))
        keys = find_keys(house.account("tybalt@localhost").credentials, (KEPT_PASSWORD,))
        assert (keys is not None and keys.stored_key == b"r4pier") == keeps_password


# -- the key that must come back (row S-036)


async def key_for(client: Client) -> str:
    """The key that comes with the form; both ways of it have the same."""
    answer = ElementTree.fromstring(await client.ask(get()))
    key = answer.findtext(".//{jabber:iq:register}key")
    hidden = [each for each in answer.iter("{jabber:x:data}field") if each.get("var") == "key"]
    assert key
    assert [each.findtext("{jabber:x:data}value") for each in hidden] == [key] * len(hidden)
    return key


@pytest.mark.parametrize("as_form", [False, True])
async def test_register_wants_its_key_back_from_strangers(as_form: bool) -> None:
    def fields(key: str) -> str:
        if as_form:
            hidden = f"<field var='key'><value>{key}</value></field></x>"
            return form("tybalt", "r4pier").replace("</x>", hidden)
        return login("tybalt", "r4pier") + f"<key>{key}</key>"

    options = {"register": RegisterOptions(ask_key=True)}
    async with House(settings=OPEN, options=options).open() as house:
        tybalt = await stranger(house)
        for request in (login("tybalt", "r4pier"), form("tybalt", "r4pier"), fields("made up")):
            assert "<not-acceptable " in await tybalt.ask(set_(request))
        elsewhere = await stranger(house, "192.0.2.9")
        assert "<not-acceptable " in await tybalt.ask(set_(fields(await key_for(elsewhere))))
        assert 'type="result"' in await tybalt.ask(set_(fields(await key_for(tybalt))))


async def test_register_wants_its_key_back_from_owners() -> None:
    async with House(options={"register": RegisterOptions(ask_key=True)}).open() as house:
        romeo = await house.log_in(ME)
        key = f"<key>{await key_for(romeo)}</key>"
        assert "<not-acceptable " in await romeo.ask(set_(login("romeo", "a new one")))
        assert 'type="result"' in await romeo.ask(set_(login("romeo", "a new one") + key))
        assert "<not-acceptable " in await romeo.ask(set_("<remove/>"))
        assert "<bad-request " in await romeo.ask(set_(f"<remove/><x xmlns='urn:x'/>{key}"))
        assert 'type="result"' in await romeo.ask(set_(f"<remove/>{key}"))
        assert house.store.user("romeo@localhost") is None
