"""Changes accounts directly in the database, while no server runs on it.

Used by the command line, and for the demonstration accounts. A running server is asked instead
(`ops/control.py`): there each account's document has one writer. Both answer the same requests alike.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Final, NamedTuple

from ops.control_protocol import USERS_PER_ANSWER_MAX, Command, Refusal, Request
from protocols.errors import JIDMalformed
from protocols.jid import parse_jid
from protocols.sasl.keys import PasswordUnusable, ScramKeys
from protocols.sasl.kinds import KINDS, derive_all, kinds_of, renewed, with_mark
from store.errors import StoreUnavailable
from store.store import Store
from store.users import User
from store.writes import CreateUser, DeleteUser, Refused, ReplaceUser, Write

# A database that was just started may need a moment; one that stays away is reported.
_TRIES: Final = 3


class Accounts(NamedTuple):
    """The accounts of one domain in an open store.

    Attributes:
        store: Where they are.
        domain: The domain served.
        now_ms: Milliseconds since 1970.
        new_salt: Gives fresh random bytes for a password's keys.
    """

    store: Store
    domain: str
    now_ms: Callable[[], int]
    new_salt: Callable[[], bytes]

    def answer(self, request: Request) -> object:
        """Carries out one request and returns its result.

        Raises:
            Refusal: It cannot be carried out.
            StoreError: The database cannot be used.
        """
        return _HANDLERS[request.command](self, request)

    def save(self, write: Write) -> None:
        """Commits one write; while the outcome is unknown the identical one is committed again.

        Raises:
            Refusal: It contradicts what is there.
            StoreError: The database cannot be used.
        """
        for attempt in range(1, _TRIES + 1):
            try:
                (outcome,) = self.store.commit([write])
            except StoreUnavailable:
                if attempt == _TRIES:
                    raise
            else:
                break
        if isinstance(outcome, Refused):
            raise Refusal(str(outcome.reason))

    def keys(self, jid: str, password: str, kinds: Collection[str] = ()) -> tuple[ScramKeys, ...]:
        """Returns what is stored of a password; see `derive_all`.

        Raises:
            Refusal: It cannot be a password.
        """
        try:
            return derive_all(parse_jid(jid), password, self.new_salt(), kinds)
        except PasswordUnusable as error:
            raise Refusal(str(error)) from error

    def existing(self, jid: str) -> User:
        """Returns an account.

        Raises:
            Refusal: There is none.
        """
        user = self.store.user(jid)
        if user is None:
            raise Refusal(f"there is no account {jid}")
        return user


def account_name(text: str, domain: str) -> str:
    """Returns the address of an account in normal form.

    Raises:
        Refusal: It is no account's address, or one of another domain.
    """
    try:
        jid = parse_jid(text)
    except JIDMalformed as error:
        raise Refusal(f"{text} is no address: {error}") from error
    if jid.localpart is None:
        raise Refusal(f"{text} has no name before the @: write for example {text}@{domain}")
    if jid.resourcepart is not None:
        raise Refusal(f"{text} names one of an account's clients: write {jid.bare}")
    if jid.domainpart != domain:
        raise Refusal(f"{text} is of another domain: this server serves {domain}")
    return jid.bare


def kept_kinds(request: Request) -> list[str]:
    """Returns what else is to be kept of a password, as `protocols.sasl.kinds` calls it.

    Raises:
        Refusal: There is no such kind.
    """
    words = request.arguments.get("keep") or []
    if not isinstance(words, list) or not all(word in KINDS for word in words):
        raise Refusal(f"what can be kept is {', '.join(KINDS)}")
    return [KINDS[word] for word in words]


def _add(accounts: Accounts, request: Request) -> object:
    jid = account_name(request.text("jid"), accounts.domain)
    keys = accounts.keys(jid, request.text("password"), kept_kinds(request))
    if accounts.store.credentials(jid) is not None:
        raise Refusal(
            f"there is an account {jid} already; its password is changed by: trouper user passwd {jid}"
        )
    accounts.save(CreateUser(User(bare_jid=jid, rev=1, created_ms=accounts.now_ms(), credentials=keys)))
    return {"jid": jid}


def _delete(accounts: Accounts, request: Request) -> object:
    jid = account_name(request.text("jid"), accounts.domain)
    accounts.existing(jid)
    accounts.save(DeleteUser(jid))
    return {"jid": jid}


def _set_password(accounts: Accounts, request: Request) -> object:
    jid = account_name(request.text("jid"), accounts.domain)
    user = accounts.existing(jid)
    new = accounts.keys(jid, request.text("password"), kinds_of(user.credentials))
    keys = renewed(user.credentials, new)
    accounts.save(ReplaceUser(replace(user, rev=user.rev + 1, credentials=keys), user.rev))
    return {"jid": jid}


def _disable(accounts: Accounts, request: Request) -> object:
    return _mark(accounts, request, is_disabled=True)


def _enable(accounts: Accounts, request: Request) -> object:
    return _mark(accounts, request, is_disabled=False)


def _mark(accounts: Accounts, request: Request, *, is_disabled: bool) -> object:
    jid = account_name(request.text("jid"), accounts.domain)
    user = accounts.existing(jid)
    keys = with_mark(user.credentials, is_disabled=is_disabled)
    accounts.save(ReplaceUser(replace(user, rev=user.rev + 1, credentials=keys), user.rev))
    return {"jid": jid}


def _list(accounts: Accounts, request: Request) -> object:
    after = request.arguments.get("after")
    names = accounts.store.users(after if isinstance(after, str) else None, USERS_PER_ANSWER_MAX)
    return {"users": names, "next": names[-1] if len(names) == USERS_PER_ANSWER_MAX else None}


_HANDLERS: Final[Mapping[Command, Callable[[Accounts, Request], object]]] = {
    Command.USER_ADD: _add,
    Command.USER_DELETE: _delete,
    Command.USER_PASSWD: _set_password,
    Command.USER_DISABLE: _disable,
    Command.USER_ENABLE: _enable,
    Command.USER_LIST: _list,
}
