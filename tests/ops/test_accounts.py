"""Tests of `ops.accounts`: each request against a store in memory."""

from collections.abc import Callable, Iterator

import pytest

from ops.accounts import Accounts, account_name
from ops.control_protocol import USERS_PER_ANSWER_MAX, Command, Refusal, Request
from protocols.sasl.kept_password import KEPT_PASSWORD
from protocols.sasl.keys import find_keys, verify_plain
from protocols.sasl.kinds import is_disabled
from store.errors import StoreUnavailable
from store.memory.driver import MemoryStore
from store.memory.faults import Fault
from store.users import RosterItem, User
from store.writes import CreateUser

JULIET = "juliet@localhost"


def _accounts(faults: Callable[[str], Fault | None] = lambda _: None) -> Accounts:
    store = MemoryStore(faults)
    store.open()
    return Accounts(store, "localhost", lambda: 1_700_000_000_000, lambda: b"0123456789abcdef")


@pytest.fixture
def accounts() -> Accounts:
    return _accounts()


def _add(accounts: Accounts, jid: str = JULIET, password: str = "secret") -> object:
    return accounts.answer(Request(Command.USER_ADD, {"jid": jid, "password": password}))


def _password_is(accounts: Accounts, password: str) -> bool:
    credentials = accounts.store.credentials(JULIET)
    assert credentials
    return all(verify_plain(password, keys) for keys in credentials)


def test_add_account_can_log_in(accounts: Accounts) -> None:
    assert _add(accounts) == {"jid": JULIET}
    assert _password_is(accounts, "secret")
    assert not _password_is(accounts, "Secret")
    assert accounts.existing(JULIET).created_ms == 1_700_000_000_000


def test_add_address_is_brought_into_normal_form(accounts: Accounts) -> None:
    assert _add(accounts, "JULIET@Localhost") == {"jid": JULIET}


def test_add_existing_account_is_refused_and_unchanged(accounts: Accounts) -> None:
    _add(accounts)
    with pytest.raises(Refusal, match="is an account juliet@localhost already"):
        _add(accounts, password="other")
    assert _password_is(accounts, "secret")


@pytest.mark.parametrize("password", ["", "a\0b", "x" * 2_000])
def test_add_password_that_is_none_is_refused(accounts: Accounts, password: str) -> None:
    with pytest.raises(Refusal, match="password"):
        _add(accounts, password=password)
    assert accounts.store.user(JULIET) is None


def test_passwd_changes_the_password_and_nothing_else(accounts: Accounts) -> None:
    roster = (RosterItem("romeo@localhost", subscription="both", version=1),)
    accounts.save(CreateUser(User(bare_jid=JULIET, rev=7, created_ms=5, roster=roster, roster_version=1)))
    accounts.answer(Request(Command.USER_PASSWD, {"jid": JULIET, "password": "new"}))
    assert _password_is(accounts, "new")
    user = accounts.existing(JULIET)
    assert (user.rev, user.created_ms, user.roster) == (8, 5, roster)


@pytest.mark.parametrize("is_kept", [True, False])
def test_password_is_kept_where_asked_and_when_changed(accounts: Accounts, *, is_kept: bool) -> None:
    arguments = {"jid": JULIET, "password": "old", "keep": ["password"] if is_kept else []}
    accounts.answer(Request(Command.USER_ADD, arguments))
    for password in ("old", "new"):
        kept = find_keys(accounts.existing(JULIET).credentials, (KEPT_PASSWORD,))
        assert (kept is not None and kept.stored_key == password.encode()) == is_kept
        accounts.answer(Request(Command.USER_PASSWD, {"jid": JULIET, "password": "new"}))


def test_delete_account_is_gone(accounts: Accounts) -> None:
    _add(accounts)
    assert accounts.answer(Request(Command.USER_DELETE, {"jid": JULIET})) == {"jid": JULIET}
    assert accounts.store.user(JULIET) is None


def test_disabled_account_stays_so_with_another_password_until_it_is_enabled(accounts: Accounts) -> None:
    _add(accounts)
    before = accounts.existing(JULIET).credentials
    for command in (Command.USER_DISABLE, Command.USER_DISABLE):
        assert accounts.answer(Request(command, {"jid": JULIET})) == {"jid": JULIET}
    accounts.answer(Request(Command.USER_PASSWD, {"jid": JULIET, "password": "new"}))
    disabled = accounts.existing(JULIET).credentials
    assert is_disabled(disabled)
    assert len(disabled) == len(before) + 1
    accounts.answer(Request(Command.USER_ENABLE, {"jid": JULIET}))
    assert accounts.existing(JULIET).credentials == disabled[:-1]


@pytest.mark.parametrize(
    "command", [Command.USER_DELETE, Command.USER_PASSWD, Command.USER_DISABLE, Command.USER_ENABLE]
)
def test_account_that_is_not_there_is_named(accounts: Accounts, command: Command) -> None:
    with pytest.raises(Refusal, match="there is no account juliet@localhost"):
        accounts.answer(Request(command, {"jid": JULIET, "password": "x"}))


def test_list_comes_in_pages_without_gaps(accounts: Accounts) -> None:
    names = {f"user{number}@localhost" for number in range(2 * USERS_PER_ANSWER_MAX + 3)}
    for name in names:
        accounts.save(CreateUser(User(bare_jid=name, rev=1, created_ms=0)))
    assert [len(page) for page in _pages(accounts)] == [USERS_PER_ANSWER_MAX, USERS_PER_ANSWER_MAX, 3]
    assert {name for page in _pages(accounts) for name in page} == names


def _pages(accounts: Accounts) -> Iterator[list[str]]:
    after: str | None = None
    while True:
        page = accounts.answer(Request(Command.USER_LIST, {"after": after}))
        assert isinstance(page, dict)
        yield page["users"]
        after = page["next"]
        if after is None:
            return


@pytest.mark.parametrize("fault", list(Fault))
def test_save_commit_in_doubt_is_tried_again(fault: Fault) -> None:
    faults = iter([fault])
    accounts = _accounts(lambda operation: next(faults, None) if operation == "commit" else None)
    assert _add(accounts) == {"jid": JULIET}
    assert _password_is(accounts, "secret")


def test_save_database_that_stays_away_is_reported() -> None:
    accounts = _accounts(lambda operation: Fault.AWAY if operation == "commit" else None)
    with pytest.raises(StoreUnavailable):
        _add(accounts)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is no address"),
        ("@localhost", "is no address"),
        ("a b@localhost", "is no address"),
        ("juliet", "no name before the @: write for example juliet@localhost"),
        ("juliet@localhost/balcony", "write juliet@localhost"),
        ("juliet@other.example", "this server serves localhost"),
    ],
)
def test_account_name_that_is_none_says_why(text: str, reason: str) -> None:
    with pytest.raises(Refusal, match=reason):
        account_name(text, "localhost")
