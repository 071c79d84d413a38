"""`trouper user add | delete | passwd | disable | enable | list`, with a running server or a stopped one."""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar

import click

from actors.settings import Settings
from ops.accounts import account_name
from ops.cli.options import Failure, configuration_options, json_option, settings, write_json
from ops.control import ServerNotRunning, ask, is_running
from ops.control_protocol import Command, Refusal, Request
from ops.database import open_accounts
from ops.harmless import harmless_line

Answer: TypeAlias = Callable[[Request], object]

_Result = TypeVar("_Result")


_EXAMPLES: Final = """\b
Examples:
  trouper user add juliet@chat.example --config trouper.toml
  trouper user passwd juliet@chat.example < password.txt
  trouper user list --json
"""


@click.group(epilog=_EXAMPLES, short_help="Manages the accounts.")
def user() -> None:
    """Manages the accounts of the domain, whether or not a server is running."""


_password_option = click.option(
    "--password",
    metavar="PASSWORD",
    help="Can be seen by whoever lists this machine's processes; without it, it is asked for or read from "
    "standard input.",
)


@user.command()
@click.argument("jid")
@_password_option
@click.option(
    "--keep-password",
    is_flag=True,
    help="Keeps the password as it is, for clients of old that log in by digest: whoever can read the "
    "database can read it.",
)
@click.option(
    "--keep-digest-md5",
    is_flag=True,
    help="Keeps the keys of DIGEST-MD5, for clients that know nothing better: whoever can read the database "
    "can log in with them.",
)
@click.option(
    "--keep-zero-knowledge",
    is_flag=True,
    help="Keeps a chain of hashes for clients of 2000 that log in by zero knowledge: 500 times, then the "
    "password is to be set again.",
)
@configuration_options
@json_option
def add(
    jid: str,
    password: str | None,
    keep_password: bool,
    keep_digest_md5: bool,
    keep_zero_knowledge: bool,
    config: Path | None,
    overrides: tuple[str, ...],
    as_json: bool,
) -> None:
    """Makes the account JID, for example juliet@chat.example."""
    arguments: dict[str, object] = {"password": _asked(password)}
    flags = {
        "password": keep_password,
        "zero-knowledge": keep_zero_knowledge,
        "digest-md5": keep_digest_md5,
    }
    if keep := [word for word, is_kept in flags.items() if is_kept]:
        arguments["keep"] = keep
    chosen = settings(config, overrides)
    _change(Command.USER_ADD, jid, "added", chosen=chosen, as_json=as_json, **arguments)


@user.command()
@click.argument("jid")
@_password_option
@configuration_options
@json_option
def passwd(
    jid: str, password: str | None, config: Path | None, overrides: tuple[str, ...], as_json: bool
) -> None:
    """Gives the account JID a new password."""
    chosen = settings(config, overrides)
    _change(Command.USER_PASSWD, jid, "changed", chosen=chosen, as_json=as_json, password=_asked(password))


@user.command()
@click.argument("jid")
@configuration_options
@json_option
def delete(jid: str, config: Path | None, overrides: tuple[str, ...], as_json: bool) -> None:
    """Deletes the account JID with its contacts and messages."""
    _change(Command.USER_DELETE, jid, "deleted", chosen=settings(config, overrides), as_json=as_json)


@user.command()
@click.argument("jid")
@configuration_options
@json_option
def disable(jid: str, config: Path | None, overrides: tuple[str, ...], as_json: bool) -> None:
    """Shuts the account JID out: it keeps everything, may not log in, and its sessions end."""
    _change(Command.USER_DISABLE, jid, "disabled", chosen=settings(config, overrides), as_json=as_json)


@user.command()
@click.argument("jid")
@configuration_options
@json_option
def enable(jid: str, config: Path | None, overrides: tuple[str, ...], as_json: bool) -> None:
    """Lets the account JID log in again."""
    _change(Command.USER_ENABLE, jid, "enabled", chosen=settings(config, overrides), as_json=as_json)


@user.command("list")
@configuration_options
@json_option
def list_users(config: Path | None, overrides: tuple[str, ...], as_json: bool) -> None:
    """Lists all accounts."""
    chosen = settings(config, overrides)
    names = sorted(_carried_out(chosen, _all_names))
    if as_json:
        write_json({"users": names})
        return
    for name in names:
        click.echo(harmless_line(name))


def _change(
    command: Command, jid: str, done: str, *, chosen: Settings, as_json: bool, **arguments: object
) -> None:
    try:
        name = account_name(jid, chosen.domain)
    except Refusal as error:
        raise Failure(str(error)) from error
    request = Request(command, {"jid": name, **arguments})
    result = _carried_out(chosen, lambda answer: answer(request))
    if as_json:
        write_json(result)
    else:
        click.echo(f"{name} {done}")


def _all_names(answer: Answer) -> list[str]:
    names: list[str] = []
    after: str | None = None
    while True:
        page: Any = answer(Request(Command.USER_LIST, {"after": after}))
        names += page["users"]
        after = page["next"]
        if after is None:
            return names


def _carried_out(chosen: Settings, task: Callable[[Answer], _Result]) -> _Result:
    """Carries out a task with whoever answers: the running server, or else the database itself."""
    try:
        if is_running(chosen.data_dir):
            return task(lambda request: ask(chosen.data_dir, request))
        with open_accounts(chosen, partial(click.echo, err=True)) as accounts:
            return task(accounts.answer)
    except (Refusal, ServerNotRunning) as error:
        raise Failure(str(error)) from error


def _asked(password: str | None) -> str:
    """Returns the password given, or asks for one: twice at a terminal, once where a program writes it."""
    if password is not None:
        return password
    if sys.stdin.isatty():
        typed: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
        return typed
    return sys.stdin.readline().rstrip("\n")
