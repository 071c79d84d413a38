"""Tests of `ops.cli.users`, against stand-ins for the running server and for the database."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from actors.settings import Settings
from ops.accounts import Accounts
from ops.cli import users
from ops.cli.main import main
from ops.control_protocol import Command, Refusal, Request
from protocols.sasl.keys import verify_plain
from protocols.sasl.kinds import KINDS
from store.memory.driver import MemoryStore
from tests.ops.fake_server import fake_server

JULIET = "juliet@localhost"


@pytest.fixture
def accounts(monkeypatch: pytest.MonkeyPatch) -> Accounts:
    """What is in the database while no server runs."""
    store = MemoryStore()
    store.open()
    opened = Accounts(store, "localhost", lambda: 0, lambda: b"0123456789abcdef")

    @contextmanager
    def open_accounts(_settings: Settings, say: Callable[[str], None]) -> Iterator[Accounts]:
        say("starting the database")
        yield opened

    monkeypatch.setattr(users, "open_accounts", open_accounts)
    return opened


def _trouper(data_dir: Path, *arguments: str, typed: str = "") -> Result:
    return CliRunner().invoke(main, ["user", *arguments, "--set", f"data_dir={data_dir}"], input=typed)


def test_add_stopped_server_the_database_is_changed(tmp_path: Path, accounts: Accounts) -> None:
    result = _trouper(tmp_path, "add", JULIET, "--password", "secret")
    assert (result.exit_code, result.stdout) == (0, "juliet@localhost added\n")
    assert result.stderr == "starting the database\n"
    assert all(verify_plain("secret", keys) for keys in accounts.existing(JULIET).credentials)


def test_add_running_server_is_asked(tmp_path: Path, accounts: Accounts) -> None:
    with fake_server(tmp_path, lambda _: {"jid": JULIET}) as requests:
        result = _trouper(tmp_path, "add", "Juliet@localhost", "--password", "secret")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "juliet@localhost added\n", "")
    assert requests == [Request(Command.USER_ADD, {"jid": JULIET, "password": "secret"})]
    assert accounts.store.user(JULIET) is None


def test_add_as_json_is_what_the_server_said(tmp_path: Path) -> None:
    with fake_server(tmp_path, lambda _: {"jid": JULIET}):
        result = _trouper(tmp_path, "add", JULIET, "--password", "secret", "--json")
    assert json.loads(result.stdout) == {"jid": JULIET}


def test_add_password_is_read_from_standard_input(tmp_path: Path) -> None:
    with fake_server(tmp_path, lambda _: None) as requests:
        _trouper(tmp_path, "add", JULIET, typed="correct horse \nsomething else")
    assert requests[0].arguments["password"] == "correct horse "


def test_add_keeps_only_what_it_is_told_to(tmp_path: Path) -> None:
    with fake_server(tmp_path, lambda _: None) as requests:
        _trouper(tmp_path, "add", JULIET, "--password", "x", *(f"--keep-{kind}" for kind in KINDS))
        _trouper(tmp_path, "add", JULIET, "--password", "x", "--keep-password")
        _trouper(tmp_path, "add", JULIET, "--password", "x")
    assert [request.arguments.get("keep") for request in requests] == [list(KINDS), ["password"], None]


def test_add_refusal_is_shown_without_control_characters(tmp_path: Path) -> None:
    def refuse(_request: Request) -> object:
        raise Refusal("there is\x1b[2J one already")

    with fake_server(tmp_path, refuse):
        result = _trouper(tmp_path, "add", JULIET, "--password", "x")
    assert (result.exit_code, result.stderr) == (1, "trouper: there is\\x1b[2J one already\n")


def test_add_address_that_is_none_is_refused_before_anything_is_started(
    tmp_path: Path, accounts: Accounts
) -> None:
    result = _trouper(tmp_path, "add", "juliet", "--password", "x")
    assert result.exit_code == 1
    assert result.stderr == "trouper: juliet has no name before the @: write for example juliet@localhost\n"
    assert accounts.store.users(None, 1) == []


def test_passwd_changes_the_password(tmp_path: Path, accounts: Accounts) -> None:
    _trouper(tmp_path, "add", JULIET, "--password", "old")
    result = _trouper(tmp_path, "passwd", JULIET, "--password", "new")
    assert (result.exit_code, result.stdout) == (0, "juliet@localhost changed\n")
    assert all(verify_plain("new", keys) for keys in accounts.existing(JULIET).credentials)


def test_delete_removes_the_account(tmp_path: Path, accounts: Accounts) -> None:
    _trouper(tmp_path, "add", JULIET, "--password", "x")
    assert _trouper(tmp_path, "delete", JULIET).stdout == "juliet@localhost deleted\n"
    assert accounts.store.user(JULIET) is None


def test_list_is_sorted(tmp_path: Path, accounts: Accounts) -> None:
    for name in ("romeo", "juliet", "mercutio"):
        _trouper(tmp_path, "add", f"{name}@localhost", "--password", "x")
    assert _trouper(tmp_path, "list").stdout.split() == [
        "juliet@localhost",
        "mercutio@localhost",
        "romeo@localhost",
    ]
    assert accounts.store.user("romeo@localhost") is not None


@pytest.mark.parametrize("command", ["disable", "enable"])
def test_disable_and_enable_are_asked_of_the_server(tmp_path: Path, command: str) -> None:
    with fake_server(tmp_path, lambda _: {"jid": JULIET}) as requests:
        result = _trouper(tmp_path, command, JULIET)
    assert [(request.command.value, request.arguments) for request in requests] == [
        (f"user.{command}", {"jid": JULIET})
    ]
    assert result.stdout == f"{JULIET} {command}d\n"


def test_list_asks_the_server_page_by_page(tmp_path: Path) -> None:
    pages = {None: {"users": ["b@x", "a@x"], "next": "a@x"}, "a@x": {"users": ["c@x"], "next": None}}
    with fake_server(tmp_path, lambda request: pages[request.arguments["after"]]):
        result = _trouper(tmp_path, "list", "--json")
    assert json.loads(result.stdout) == {"users": ["a@x", "b@x", "c@x"]}


def test_list_configuration_with_faults_ends_with_all_of_them(tmp_path: Path) -> None:
    result = _trouper(tmp_path, "list", "--set", "domian=x", "--set", "limits.sessions_max=0")
    assert result.exit_code == 2
    assert "domian: there is no such setting; did you mean domain?" in result.stderr
    assert "limits.sessions_max: 0 will not do" in result.stderr
