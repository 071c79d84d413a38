"""Accounts made, changed and deleted while the server runs."""

from dataclasses import replace

import pytest
import trio
from trio.testing import MockClock

from actors.accounts import Accounts, TooManyRegistrationsError
from actors.settings import RegistrationSettings, Settings
from protocols.jid import parse_jid
from protocols.sasl.kept_password import KEPT_PASSWORD
from protocols.sasl.keys import PasswordUnusable, find_keys, verify_plain
from protocols.sasl.zero_knowledge import ZERO_KNOWLEDGE
from store.errors import StoreUnavailable
from store.memory.faults import Fault
from tests.actors.house import House
from tests.actors.house_client import PASSWORD
from tests.actors.managed_client import ManagedClient

ROMEO, TYBALT = parse_jid("romeo@localhost"), parse_jid("tybalt@localhost")


def can_log_in(house: House, jid: str, password: str) -> bool:
    keys = house.store.credentials(jid)
    return bool(keys) and all(verify_plain(password, each) for each in keys or ())


async def test_create_makes_an_account_once() -> None:
    async with House().open() as house:
        accounts = house.server.accounts
        assert await accounts.create(TYBALT, "one")
        assert not await accounts.create(TYBALT, "two")
        assert can_log_in(house, "tybalt@localhost", "one")
        described = await accounts.describe(TYBALT)
        assert described == house.account("tybalt@localhost")


async def test_set_password_replaces_the_keys_and_nothing_else() -> None:
    async with House().open() as house:
        accounts = house.server.accounts
        assert await accounts.set_password(ROMEO, "new")
        assert can_log_in(house, "romeo@localhost", "new")
        assert not can_log_in(house, "romeo@localhost", PASSWORD)
        assert not await accounts.set_password(TYBALT, "new")
        assert house.store.user("tybalt@localhost") is None


@pytest.mark.parametrize("keeps_password", [True, False])
async def test_password_is_kept_where_asked_and_when_changed(*, keeps_password: bool) -> None:
    async with House().open() as house:
        accounts = house.server.accounts
        await accounts.create(TYBALT, "one", (KEPT_PASSWORD,) if keeps_password else ())
        for password in ("one", "two"):
            keys = find_keys(house.account("tybalt@localhost").credentials, (KEPT_PASSWORD,))
            assert (keys is not None and keys.stored_key == password.encode()) == keeps_password
            await accounts.set_password(TYBALT, "two")


@pytest.mark.parametrize("keeps_password", [True, False])
async def test_register_keeps_the_password_where_the_setting_says_so(*, keeps_password: bool) -> None:
    settings = Settings(registration=RegistrationSettings(open=True, keep_password=keeps_password))
    async with House(settings=settings).open() as house:
        await house.server.accounts.register(TYBALT, "one", "192.0.2.1")
        keys = find_keys(house.account("tybalt@localhost").credentials, (KEPT_PASSWORD,))
        assert (keys is not None) == keeps_password


async def test_delete_ends_the_sessions() -> None:
    async with House().open() as house:
        romeo = await house.appear("romeo@localhost/orchard")
        accounts = house.server.accounts
        assert await accounts.delete(ROMEO)
        await house.settle()
        assert (romeo.is_open, romeo.error) == (False, "not-authorized")
        assert not await accounts.delete(ROMEO)
        assert await accounts.describe(ROMEO) is None


@pytest.mark.parametrize("password", ["", "\u0000", "x" * 2000])
async def test_password_that_cannot_be_one_is_refused(password: str) -> None:
    async with House().open() as house:
        accounts = house.server.accounts
        with pytest.raises(PasswordUnusable):
            await accounts.create(TYBALT, password)
        with pytest.raises(PasswordUnusable):
            await accounts.set_password(ROMEO, password)
        assert can_log_in(house, "romeo@localhost", PASSWORD)


async def test_accounts_while_the_database_is_away(autojump_clock: MockClock) -> None:
    async with House(limits={"store_away_seconds": 1.0}).open() as house:
        house.faults = lambda _operation: Fault.AWAY
        with pytest.raises(StoreUnavailable):
            await house.server.accounts.create(TYBALT, "one")
        house.faults = None
        await trio.sleep(5)
        assert await house.server.accounts.create(TYBALT, "one")


async def try_often(accounts: Accounts, address: str) -> int:
    """How many of ten tries from this address are let through."""
    admitted = 0
    for _ in range(10):
        try:
            await accounts.register(ROMEO, "taken", address)
        except TooManyRegistrationsError:
            continue
        admitted += 1
    return admitted


@pytest.mark.parametrize(
    ("address", "admitted"),
    [
        ("192.0.2.1", 3),
        ("2001:db8::1", 3),
        ("127.0.0.1", 10),
        ("127.8.8.8", 10),
        ("::1", 10),
        ("", 10),
    ],
)
async def test_register_counts_every_try_from_an_address_but_loopback(
    autojump_clock: MockClock, address: str, admitted: int
) -> None:
    async with House(limits={"registrations_max": 3, "registrations_seconds": 60.0}).open() as house:
        assert await try_often(house.server.accounts, address) == admitted
        await trio.sleep(61)
        assert await try_often(house.server.accounts, address) == admitted


async def test_register_counts_loopback_where_the_setting_says_so() -> None:
    async with House(limits={"registrations_max": 3, "spare_loopback": False}).open() as house:
        assert await try_often(house.server.accounts, "127.0.0.1") == 3


async def test_replace_keys_happens_once_and_is_safe_before_anybody_is_told() -> None:
    async with House().open() as house:
        accounts = house.server.accounts
        await accounts.create(TYBALT, "one", (ZERO_KNOWLEDGE,))
        before = find_keys(house.account("tybalt@localhost").credentials, (ZERO_KNOWLEDGE,))
        assert before is not None
        after = replace(before, iterations=7)
        replies = [accounts.replace_keys(TYBALT, before, after) for _ in range(2)]
        told: list[bool] = []
        replies[0].on_filled = lambda: told.append(after in house.account("tybalt@localhost").credentials)
        await house.settle()
        assert [reply.result() for reply in replies] == [True, False]
        assert told == [True]
        assert house.account("tybalt@localhost").credentials[-1] == after
        nobody = accounts.replace_keys(parse_jid("nobody@localhost"), before, after)
        await house.settle()
        assert nobody.result() is False


async def test_replace_keys_while_the_database_is_away_fails() -> None:
    async with House().open() as house:
        key = house.account("romeo@localhost").credentials[0]
        house.faults = lambda _operation: Fault.AWAY
        reply = house.server.accounts.replace_keys(ROMEO, key, key)
        await house.settle()
        with pytest.raises(StoreUnavailable):
            reply.result()
        house.faults = None


async def test_disabled_account_ends_its_sessions_those_that_wait_for_a_client_too(
    autojump_clock: MockClock,
) -> None:
    async with House().open() as house:
        accounts = house.server.accounts
        romeo, other = (
            await house.log_in("romeo@localhost/orchard"),
            ManagedClient(house, await house.log_in("romeo@localhost/street")),
        )
        await other.enable()
        other.hang_up()
        await house.settle()
        assert await accounts.set_disabled(ROMEO, is_disabled=True)
        await house.settle()
        assert (romeo.is_open, romeo.error) == (False, "not-authorized")
        assert house.slots("sessions") == []
        assert not await accounts.set_disabled(TYBALT, is_disabled=True)


async def test_disabled_account_is_told_so_when_it_has_proved_who_it_is() -> None:
    async with House().open() as house:
        await house.server.accounts.set_disabled(ROMEO, is_disabled=True)
        client = house.connect("romeo@localhost/orchard")
        await client.begin()
        for password, condition in ((PASSWORD, b"<account-disabled"), ("wrong", b"<not-authorized")):
            with pytest.raises(AssertionError) as caught:
                await client.authenticate(password)
            assert condition.decode() in str(caught.value)


async def test_account_disabled_between_log_in_and_binding_has_no_session() -> None:
    async with House().open() as house:
        client = house.connect("romeo@localhost/orchard")
        await client.begin()
        await client.authenticate()
        await house.server.accounts.set_disabled(ROMEO, is_disabled=True)
        await client.bind()
        await house.settle()
        assert (client.is_open, client.error) == (False, "not-authorized")
