"""Guests: accounts that go with their last session, whatever becomes of the server (XEP-0175)."""

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from actors.guests import GUESTS
from actors.presence_messages import CreateAccount
from actors.settings import AuthSettings, Settings
from store.errors import StoreUnavailable
from store.memory.driver import MemoryStore
from supervision.reply import Reply
from tests.actors.house import House
from tests.actors.house_client import Client
from tests.actors.managed_client import ManagedClient
from tests.actors.managed_house import FAILED, RESUMED, after, chat

OPEN = Settings(auth=AuthSettings(anonymous=True, jabber_iq_auth=True))
OLD_HEADER = (
    "<stream:stream to='localhost' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
)
BIND = "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"
ROMEO = "romeo@localhost/orchard"


def open_house(**fields: Any) -> House:
    return House(settings=OPEN, **fields)


async def guest(house: House) -> Client:
    client = house.connect("nobody@localhost/hall")
    await client.log_in_as_guest()
    return client


async def managed_guest(house: House) -> ManagedClient:
    client = ManagedClient(house, await guest(house))
    await client.enable()
    return client


def accounts(store: MemoryStore) -> list[str]:
    return sorted(store.users(None, 100))


def noted(store: MemoryStore) -> list[str]:
    return [item.key for item in store.items("localhost", GUESTS)]


def remains(store: MemoryStore) -> object:
    """What is in the store of guests."""
    sessions = [session for session in store.sessions() if not session.jid.startswith("romeo")]
    return (*(name for name in accounts(store) if name != "romeo@localhost"), *noted(store), *sessions)


async def test_guest_is_nobody_who_was_there_before() -> None:
    async with open_house().open() as house:
        one, other = await guest(house), await guest(house)
        assert one.jid.resourcepart == other.jid.resourcepart == "hall"
        names = {one.jid.bare, other.jid.bare, "juliet@localhost", "romeo@localhost"}
        assert len(names) == 4
        assert accounts(house.store) == sorted(names)
        assert set(noted(house.store)) == {one.jid.bare, other.jid.bare}


async def test_guest_writes_and_is_written_to() -> None:
    async with open_house().open() as house:
        client, romeo = await guest(house), await house.appear(ROMEO)
        client.send(chat(ROMEO, "who am I?"))
        (heard,) = await romeo.hears()
        assert f'from="{client.jid.full}"' in heard
        romeo.send(chat(client.jid.full, "nobody"))
        assert "nobody" in (await client.hears())[0]


@pytest.mark.parametrize("leave", [Client.log_out, Client.hang_up])
async def test_guest_leaves_nothing_behind(leave: Any) -> None:
    async with open_house(accounts=["romeo@localhost"]).open() as house:
        client, romeo = await guest(house), await house.appear(ROMEO)
        await client.ask("<iq type='set' id='1'><query xmlns='jabber:iq:private'><a xmlns='x'/></query></iq>")
        leave(client)
        await house.settle()
        assert remains(house.store) == ()
        assert client.jid.bare not in house.server.guests
        romeo.send(chat(client.jid.bare, "are you there?"))
        assert "service-unavailable" in (await romeo.hears())[0]


async def test_guest_has_no_contacts_and_no_account_to_manage() -> None:
    async with open_house().open() as house:
        client = await guest(house)
        for payload in (
            "<query xmlns='jabber:iq:roster'><item jid='romeo@localhost'/></query>",
            "<query xmlns='jabber:iq:register'><username>a</username><password>b</password></query>",
            "<query xmlns='jabber:iq:register'><remove/></query>",
        ):
            assert "<not-allowed " in await client.ask(f"<iq type='set' id='1'>{payload}</iq>")
        client.send("<presence to='romeo@localhost' type='subscribe' id='s'/>")
        assert "<not-allowed " in (await client.hears())[0]
        romeo = await house.appear(ROMEO)
        romeo.send(f"<presence to='{client.jid.bare}' type='subscribe'/>")
        client.send("<presence/>")
        client.send("<presence to='romeo@localhost' type='subscribed' id='s'/>")
        await house.settle()
        assert house.account(client.jid.bare).roster == ()
        answer = await client.ask("<iq type='get' id='2'><query xmlns='jabber:iq:roster'/></iq>")
        assert "item" not in answer


async def test_guest_is_told_of_as_such() -> None:
    async with open_house().open() as house:
        info = "<iq type='get' id='1'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>"
        answer = await (await guest(house)).ask(info)
        assert '<identity category="account" type="anonymous">' in answer
        assert "registered" not in answer


async def test_guest_by_the_log_in_of_old() -> None:
    async with open_house(accounts=["romeo@localhost"]).open() as house:
        client = house.connect("nobody@localhost/hall")
        client.send(OLD_HEADER)
        query = "<query xmlns='jabber:iq:auth'><resource>hall</resource></query>"
        assert 'type="result"' in await client.ask(f"<iq type='set' id='1'>{query}</iq>")
        romeo = await house.appear(ROMEO)
        client.send(chat(ROMEO, "hello"))
        assert len(await romeo.hears()) == 1
        client.log_out()
        await house.settle()
        assert remains(house.store) == ()


async def test_guests_are_not_welcome_unless_the_operator_says_so() -> None:
    async with House().open() as house:
        client = house.connect("nobody@localhost/hall")
        await client.begin()
        client.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='ANONYMOUS'/>")
        await house.settle()
        (failure,) = client.take_others()
        assert b"<invalid-mechanism" in failure.data


async def test_guest_that_binds_nothing_has_no_account() -> None:
    async with open_house(accounts=["romeo@localhost"]).open() as house:
        client = house.connect("nobody@localhost/hall")
        await client.begin()
        await client.authenticate_as_guest()
        assert remains(house.store) == ()


async def test_guest_whose_account_is_made_when_it_has_left_goes_all_the_same(
    autojump_clock: MockClock,
) -> None:
    async with open_house(accounts=["romeo@localhost"]).open() as house:
        client = house.connect("nobody@localhost/hall")
        await client.begin()
        await client.authenticate_as_guest()
        house.pool.delay = lambda: 1.0
        client.send(BIND)
        client.hang_up()
        await trio.sleep(20)
        house.pool.delay = None
        assert len(accounts(house.store)) == 2
        await trio.sleep(120)
        assert remains(house.store) == ()


async def test_guest_is_refused_while_the_database_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_house().open() as house:
        client = house.connect("nobody@localhost/hall")
        await client.begin()
        await client.authenticate_as_guest()
        reply: Reply[bool] = Reply()
        monkeypatch.setattr(house.server.accounts, "make_guest", lambda _jid: reply)

        reply.fail(StoreUnavailable("away"))
        assert "<resource-constraint " in await client.ask(BIND)


async def test_name_of_a_guest_is_nobody_elses() -> None:
    async with open_house().open() as house:
        client = await guest(house)
        made: Reply[bool] = Reply()
        house.server.presence_of(client.jid).cast(CreateAccount((), 0, made))
        guest_again = house.server.accounts.make_guest(client.jid)
        taken = house.server.accounts.make_guest((await house.log_in(ROMEO)).jid.bare_jid)
        await house.settle()
        assert (made.result(), guest_again.result(), taken.result()) == (False, True, False)
        assert "romeo@localhost" not in house.server.guests


# -- sessions that outlive their connection


async def test_guest_resumes_its_session(autojump_clock: MockClock) -> None:
    async with open_house(accounts=["romeo@localhost"]).open() as house:
        client = await managed_guest(house)
        address, romeo = client.client.jid, await house.appear(ROMEO)
        client.hang_up()
        await house.settle()
        romeo.send(chat(address.full, "come back"))
        assert (await client.resume()).tag == RESUMED
        assert "come back" in (await client.hears())[-1]
        client.send(chat(ROMEO, "I do"))
        assert f'from="{address.full}"' in (await romeo.hears())[-1]
        client.hang_up()
        await trio.sleep(house.settings.limits.resume_seconds_max + 10)
        assert remains(house.store) == ()


async def test_guest_has_no_session_of_one_who_is_somebody() -> None:
    async with open_house().open() as house:
        romeo = ManagedClient(house, await house.log_in(ROMEO))
        await romeo.enable()
        romeo.client.is_guest = True
        assert (await romeo.resume()).tag == FAILED


async def test_guest_resumes_after_an_orderly_restart_and_then_goes(autojump_clock: MockClock) -> None:
    async with open_house(accounts=["romeo@localhost"]).open() as house:
        client, other = await managed_guest(house), await guest(house)
        client.forget_connection()
        other.hang_up()
        await house.stop()
    assert client.client.jid.bare in accounts(house.store)
    async with after(house.store, settings=OPEN).open() as later:
        await trio.sleep(10)
        assert accounts(later.store) == sorted([client.client.jid.bare, "romeo@localhost"])
        assert (await client.resume(later)).tag == RESUMED
        client.client.log_out()
        await later.settle()
        assert remains(later.store) == ()


async def test_guests_of_before_a_crash_are_gone_after_it(autojump_clock: MockClock) -> None:
    async with open_house(accounts=["romeo@localhost"]).open() as house:
        for _ in range(3):
            await guest(house)
        await managed_guest(house)
        await house.settle()
        for client in house.clients:
            client.wire.hear = lambda _data: None
        await house.crash()
        store = house.store
    assert len(accounts(store)) == 5
    async with after(store).open() as later:  # whether or not guests are welcome still
        await trio.sleep(10)
        await trio.sleep(later.settings.limits.resume_seconds_max + 130)
        assert remains(store) == ()


async def test_guest_whose_presence_actor_dies_over_its_end_goes_later(autojump_clock: MockClock) -> None:
    async with open_house(accounts=["romeo@localhost"]).open() as house:
        client = await guest(house)
        slot = house.presence_of(client.jid.full)
        assert slot is not None
        slot.kill("for the test")
        await house.settle()
        client.log_out()
        await trio.sleep(200)
        house.forgive()
        assert remains(house.store) == ()
