"""Tests of `ops.demo`."""

from dataclasses import replace
from itertools import count

import pytest

from actors.settings import Settings
from ops.accounts import Accounts
from ops.demo import how_to_log_in, prepare_demonstration
from protocols.sasl.keys import verify_plain
from store.memory.driver import MemoryStore
from store.users import RosterItem
from store.writes import ReplaceUser


@pytest.fixture
def accounts() -> Accounts:
    store = MemoryStore()
    store.open()
    return Accounts(store, "localhost", lambda: 0, lambda: b"0123456789abcdef")


def test_prepare_demonstration_two_accounts_are_contacts(accounts: Accounts) -> None:
    numbers = count()
    romeo, juliet = prepare_demonstration(accounts, lambda: f"password {next(numbers)}")
    assert romeo.password != juliet.password
    for login, contact in ((romeo, juliet), (juliet, romeo)):
        user = accounts.existing(login.jid)
        (item,) = user.roster
        assert (item.jid, item.subscription, item.version) == (contact.jid, "both", user.roster_version)
        assert all(verify_plain(login.password, keys) for keys in user.credentials)


def test_prepare_demonstration_again_only_the_passwords_are_new(accounts: Accounts) -> None:
    prepare_demonstration(accounts, lambda: "old")
    user = accounts.existing("romeo@localhost")
    roster = (*user.roster, RosterItem("mercutio@localhost", version=2))
    accounts.save(ReplaceUser(replace(user, rev=user.rev + 1, roster=roster, roster_version=2), user.rev))
    prepare_demonstration(accounts, lambda: "new")
    again = accounts.existing("romeo@localhost")
    assert (again.roster, again.roster_version) == (roster, 2)
    assert all(verify_plain("new", keys) for keys in again.credentials)


def test_how_to_log_in_says_who_where_and_with_what(accounts: Accounts) -> None:
    text = how_to_log_in(Settings(), prepare_demonstration(accounts, lambda: "geheim"))
    for part in ("romeo@localhost   password geheim", "127.0.0.1:5222   STARTTLS", "ws://127.0.0.1:5280/ws"):
        assert part in text
