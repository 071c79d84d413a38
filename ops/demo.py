"""The demonstration: two accounts that are already contacts, with new passwords at each start.

Used by `trouper serve --demo`, which is `make run`. What is not about the passwords is kept from one start to
the next, so that a conversation can go on.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final, NamedTuple

from actors.settings import Settings
from ops.accounts import Accounts
from store.users import RosterItem, User
from store.writes import CreateUser, ReplaceUser

NAMES: Final = ("romeo", "juliet")


class Login(NamedTuple):
    """What somebody types to log in."""

    jid: str
    password: str


def prepare_demonstration(accounts: Accounts, new_password: Callable[[], str]) -> tuple[Login, ...]:
    """Makes the accounts, or gives those from last time new passwords.

    Raises:
        StoreError: The database cannot be used.
    """
    logins = tuple(Login(f"{name}@{accounts.domain}", new_password()) for name in NAMES)
    for login, contact in zip(logins, reversed(logins), strict=True):
        _prepare(accounts, login, contact.jid)
    return logins


def how_to_log_in(settings: Settings, logins: tuple[Login, ...]) -> str:
    """Returns what to tell somebody who has just started the demonstration."""
    listen = settings.listen
    lines = ["", "Two accounts are ready, each the other's contact:", ""]
    lines += [f"    {login.jid}   password {login.password}" for login in logins]
    lines += [
        "",
        "Log in with any XMPP client; the certificate is self-signed, so it will ask whether to trust it:",
        "",
    ]
    lines += [f"    {address}   STARTTLS" for address in listen.c2s]
    lines += [f"    {address}   direct TLS" for address in listen.c2s_tls]
    lines += [f"    ws://{address}/ws" for address in listen.http]
    return "\n".join([*lines, "", "Ctrl-C stops the server.", ""])


def _prepare(accounts: Accounts, login: Login, contact: str) -> None:
    keys = accounts.keys(login.jid, login.password)
    user = accounts.store.user(login.jid)
    if user is None:
        fresh = User(bare_jid=login.jid, rev=1, created_ms=accounts.now_ms(), credentials=keys)
        accounts.save(CreateUser(_with_contact(fresh, contact)))
    else:
        changed = replace(_with_contact(user, contact), rev=user.rev + 1, credentials=keys)
        accounts.save(ReplaceUser(changed, user.rev))


def _with_contact(user: User, contact: str) -> User:
    if any(item.jid == contact for item in user.roster):
        return user
    version = user.roster_version + 1
    item = RosterItem(contact, contact.partition("@")[0].capitalize(), subscription="both", version=version)
    return replace(user, roster=(*user.roster, item), roster_version=version)
