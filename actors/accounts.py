"""Accounts made, changed and deleted by people and modules.

The writing is done by each account's presence actor.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, final

from actors.presence_messages import (
    CreateAccount,
    DeleteAccount,
    DescribeUser,
    ReplaceKeys,
    SetCredentials,
    SetDisabled,
)
from protocols.sasl.kept_password import KEPT_PASSWORD
from protocols.sasl.kinds import KINDS, derive_all
from store.errors import StoreUnavailable
from supervision.reply import Reply

if TYPE_CHECKING:
    from collections.abc import Collection

    from actors.presence_messages import PresenceMessage
    from actors.server import Server
    from protocols.jid import JID
    from protocols.sasl.keys import ScramKeys
    from store.users import User
    from supervision.ref import Ref

CALL_SECONDS_MAX: Final = 60.0
"""Longer than a commit may take."""


class TooManyRegistrationsError(Exception):
    """This address has registered too many accounts just now."""


@final
class Accounts:
    """One per server. Every method may raise `StoreUnavailable`, and `CallError` if the actor dies of it."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def create(self, jid: JID, password: str, kinds: Collection[str] = ()) -> bool:
        """Make an account; false if there is one by that name.

        Args:
            jid: Its address.
            password: Its password.
            kinds: What else is kept of that, from here on (`protocols.sasl.kinds`).

        Raises:
            PasswordUnusable: the text cannot be a password.
        """
        keys = await self.derive(jid, password, kinds)
        at_ms = self._server.world.now_ms()
        return await self._presence(jid).call(
            lambda reply: CreateAccount(keys, at_ms, reply), deadline_seconds=CALL_SECONDS_MAX
        )

    async def register(self, jid: JID, password: str, address: str) -> bool:
        """Make an account for a stranger at this IP address; false if there is one by that name.

        Loopback, where proxies sit, may register any number, unless the setting says otherwise.

        Raises:
            TooManyRegistrationsError: there were too many from this address just now.
            PasswordUnusable: the text cannot be a password.
        """
        throttle = self._server.registration_throttle
        if not (self._server.settings.limits.spare_loopback and _is_loopback(address)):
            if throttle.is_blocked(address):
                raise TooManyRegistrationsError(address)
            throttle.count(address)
        is_kept = self._server.settings.registration.keep_password
        return await self.create(jid, password, (KEPT_PASSWORD,) if is_kept else ())

    def make_guest(self, jid: JID) -> Reply[bool]:
        """Make an account that goes with its last session; false if somebody has that name.

        The reply fails with `StoreUnavailable` where that cannot be done just now.
        """
        reply: Reply[bool] = Reply()
        make = CreateAccount((), self._server.world.now_ms(), reply, is_guest=True)
        if not self._server.tell_user(jid, make):
            reply.fail(StoreUnavailable("there is no room for more accounts"))
        return reply

    async def set_password(self, jid: JID, password: str) -> bool:
        """Replace an account's password; false if there is no such account.

        Raises:
            PasswordUnusable: the text cannot be a password.
        """
        keys = await self.derive(jid, password, KINDS.values())
        return await self._presence(jid).call(
            lambda reply: SetCredentials(keys, reply), deadline_seconds=CALL_SECONDS_MAX
        )

    def replace_keys(self, jid: JID, before: ScramKeys, after: ScramKeys) -> Reply[bool]:
        """Put keys in the place of those that have served once; false if somebody else has done so already.

        The reply comes when that is safe, and fails with `StoreUnavailable` where it cannot be done just now.
        """
        reply: Reply[bool] = Reply()
        if not self._server.tell_user(jid, ReplaceKeys(before, after, reply)):
            reply.fail(StoreUnavailable("there is no room for more accounts at work"))
        return reply

    async def set_disabled(self, jid: JID, *, is_disabled: bool) -> bool:
        """Shut an account out and end its sessions, or let it in again; false if there is no such account."""
        return await self._presence(jid).call(
            lambda reply: SetDisabled(is_disabled, reply), deadline_seconds=CALL_SECONDS_MAX
        )

    async def delete(self, jid: JID) -> bool:
        """Delete an account and everything of it; false if there is no such account."""
        return await self._presence(jid).call(DeleteAccount, deadline_seconds=CALL_SECONDS_MAX)

    async def describe(self, jid: JID) -> User | None:
        """The account's document."""
        return await self._presence(jid).call(DescribeUser, deadline_seconds=CALL_SECONDS_MAX)

    async def derive(self, jid: JID, password: str, kinds: Collection[str] = ()) -> tuple[ScramKeys, ...]:
        """What is kept of a password; see `derive_all`.

        Raises:
            PasswordUnusable: the text cannot be a password.
        """
        world = self._server.world
        salt = world.new_salt()
        derived = world.hashing.submit(lambda: derive_all(jid, password, salt, kinds))
        return await derived.wait(CALL_SECONDS_MAX)

    def _presence(self, jid: JID) -> Ref[PresenceMessage]:
        return self._server.presence_of(jid)


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:  # a local socket has no address: it is a proxy's as well
        return True
