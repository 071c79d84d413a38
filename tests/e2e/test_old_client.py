"""A client of the Jabber 1.4 days and one of today: they share rosters, presence and chat."""

from __future__ import annotations

import asyncio
import hashlib
import re
from typing import TYPE_CHECKING, Final, final

import pytest
from slixmpp import JID

from tests.support.raw_client import RawClient
from tests.support.server import RunningServer
from tests.support.slixmpp_client import Client, Contact, connected, on_asyncio, online

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.server import Account

_MESSAGE: Final = rb"<message .*?</message>"
_PRESENCE: Final = rb"<presence [^>]*(?:/>|>.*?</presence>)"
_IQ: Final = rb"<iq [^>]*(?:/>|>.*?</iq>)"


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server on which clients of old may log in."""
    flags = [f"--set=auth.{name}=true" for name in ("jabber_iq_auth", "digest_md5")]
    server = RunningServer(tmp_path_factory.mktemp("old"), *flags)
    yield server
    assert server.stop() == 0, server.log.tail()


@final
class OldClient(RawClient):
    """It knows direct TLS, and neither versions of streams nor SASL nor binding."""

    def header(self, to: str | None = None) -> str:
        """Without a version."""
        return super().header(to).replace(" version='1.0' xmlns=", " xmlns=")

    def log_in_by_digest(self, account: Account, resource: str) -> bytes:
        """Log in; returns the server's answer."""
        self.send(self.header())
        opened = self.read_until(rb"<stream:stream [^>]*>")
        assert b"version=" not in opened.partition(b"?>")[2]
        found = re.search(rb" id='([^']*)'", opened)
        assert found is not None
        digest = hashlib.sha1(found[1] + account.password.encode(), usedforsecurity=False).hexdigest()
        self.ask(f"<username>{account.username}</username>", "jabber:iq:auth")
        return self.ask(
            f"<username>{account.username}</username><digest>{digest}</digest><resource>{resource}</resource>",
            "jabber:iq:auth",
            "set",
        )

    async def hear(self, pattern: bytes) -> bytes:
        """Read until a regular expression matches, while others go on."""
        return await asyncio.to_thread(self.read_until, pattern)

    def ask(self, fields: str, namespace: str, type: str = "get", to: str = "") -> bytes:
        """Make a request; returns what comes next, its answer."""
        self.send(f"<iq type='{type}' id='q'{to}><query xmlns='{namespace}'>{fields}</query></iq>")
        return self.read_until(_IQ)


@on_asyncio
async def test_clients_of_old_and_of_today_share_roster_presence_and_chat(own_server: RunningServer) -> None:
    server = own_server
    juliet, romeo = server.account(keep=["password"]), server.account()
    with server.watched(), OldClient(server, "c2s_tls") as old:
        assert old.log_in_by_digest(juliet, "Gabber") == b"<iq type='result' id='q'/>"
        assert b"<query" in old.ask("", "jabber:iq:roster")
        old.send("<presence/>")
        old.read_until(_PRESENCE)
        async with online(server, romeo, "orchard") as today:
            await today.roster_items()
            await _befriend(old, juliet.jid, today)
            await _chat(old, juliet.jid, today)
        old.read_until(rb"<presence [^>]*type=.unavailable")
        old.unread = b""
        gone = old.ask("", "jabber:iq:version", to=f" to='{romeo.jid}/orchard'")
        assert b"code='503'" in gone
        old.send("</stream:stream>")
        assert b"</stream:stream>" in old.read_to_end()


async def _befriend(old: OldClient, juliet: str, today: Client) -> None:
    """Each asks, each grants, and both rosters say so."""
    romeo = today.boundjid.bare
    old.send(f"<presence to='{romeo}' type='subscribe'/>")
    await today.presence("subscribe", juliet)
    for type in ("subscribed", "subscribe"):
        today.send_presence_subscription(pto=JID(juliet), ptype=type)
    await old.hear(rb"<presence [^>]*type=.subscribed")
    await old.hear(rb"<presence [^>]*type=.subscribe['\"][^>]*/>")
    old.send(f"<presence to='{romeo}' type='subscribed'/>")
    await today.presence("subscribed", juliet)
    assert (await today.presence("available", juliet))["from"].resource == "Gabber"
    await old.hear(rb"subscription='both'")
    await old.hear(rb"</iq>")
    roster = old.ask("", "jabber:iq:roster")
    assert f"jid='{romeo}'".encode() in roster
    assert b"subscription='both'" in roster
    assert await today.roster_items() == {juliet: Contact("both")}
    today.forget()


async def _chat(old: OldClient, juliet: str, today: Client) -> None:
    old.send("<presence><show>away</show><status>Brb</status></presence>")
    assert (await today.presence("available", juliet))["status"] == "Brb"
    old.send(f"<message to='{today.boundjid.full}' type='chat'><body>Wherefore?</body></message>")
    assert (await today.message())["body"] == "Wherefore?"
    today.send_message(mto=JID(juliet), mbody="Call me but love", mtype="chat")
    assert b"<body>Call me but love</body>" in await old.hear(_MESSAGE)
    today.send_presence(pshow="dnd")
    await old.hear(rb"<show>dnd</show>.*?</presence>")


def test_wrong_digest_has_its_number(own_server: RunningServer) -> None:
    account = own_server.account(keep=["password"])
    with OldClient(own_server, "c2s_tls") as old:
        refusal = old.log_in_by_digest(account._replace(password="guess"), "Gabber")
        assert b"code='401'" in refusal


def test_account_that_keeps_no_password_logs_in_in_plain(own_server: RunningServer) -> None:
    account = own_server.account()
    with OldClient(own_server, "c2s_tls") as old:
        assert b"code='401'" in old.log_in_by_digest(account, "Gabber")
        answer = old.ask(
            f"<username>{account.username}</username><password>{account.password}</password>"
            "<resource>Gabber</resource>",
            "jabber:iq:auth",
            "set",
        )
        assert answer == b"<iq type='result' id='q'/>"


@on_asyncio
async def test_client_that_knows_nothing_better_logs_in_by_digest_md5(own_server: RunningServer) -> None:
    account = own_server.account(keep=["digest-md5"])
    async with connected(own_server, account, "balcony", mechanism="DIGEST-MD5") as client:
        assert client.mechanism == "DIGEST-MD5"
        await client.settle()
