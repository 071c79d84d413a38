"""Logging in, as slixmpp does it: mechanisms, passwords, resources and their conflicts (RFC 6120 §5-§7)."""

import hashlib
import ssl
import unicodedata
from base64 import b64decode, b64encode

import pytest
from scramp import ScramClient

from tests.support.raw_client import SASL, RawClient
from tests.support.server import RunningServer
from tests.support.slixmpp_client import Client, LoginRefused, connected, on_asyncio, online

MECHANISMS = ("SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN")


@pytest.mark.parametrize("way", ["c2s", "c2s_tls"])
@pytest.mark.parametrize("mechanism", MECHANISMS)
@on_asyncio
async def test_login_by_each_mechanism_and_way_binds_resource(
    server: RunningServer, mechanism: str, way: str
) -> None:
    account = server.account()
    async with connected(server, account, "balcony", mechanism=mechanism, way=way) as client:
        assert client.mechanism == mechanism
        assert client.boundjid.full == f"{account.jid}/balcony"
        await client.settle()


@pytest.mark.parametrize("way", ["c2s", "c2s_tls"])
def test_login_is_bound_to_the_certificate(server: RunningServer, way: str) -> None:
    """By SCRAM-SHA-256-PLUS, which slixmpp has no means for under TLS 1.3."""
    account = server.account()
    with RawClient(server, way) as client:
        assert b"<mechanism>SCRAM-SHA-256-PLUS</mechanism>" in client.secure()
        assert isinstance(client.socket, ssl.SSLSocket)
        seen = client.socket.getpeercert(binary_form=True)
        assert seen is not None
        binding = ("tls-server-end-point", hashlib.sha256(seen).digest())
        scram = ScramClient(["SCRAM-SHA-256-PLUS"], account.username, account.password, binding)
        first = b64encode(scram.get_client_first().encode()).decode()
        client.send(f"<auth xmlns='{SASL}' mechanism='SCRAM-SHA-256-PLUS'>{first}</auth>")
        scram.set_server_first(_text(client.read_until(rb"</challenge>")))
        final = b64encode(scram.get_client_final().encode()).decode()
        client.send(f"<response xmlns='{SASL}'>{final}</response>")
        scram.set_server_final(_text(client.read_until(rb"</success>")))
        assert b"<bind " in client.open_stream()


def _text(element: bytes) -> str:
    return b64decode(element.partition(b">")[2].partition(b"<")[0]).decode()


@on_asyncio
async def test_login_left_to_client_takes_strongest_mechanism(server: RunningServer) -> None:
    async with connected(server, server.account()) as client:
        assert client.mechanism == "SCRAM-SHA-256"


@on_asyncio
async def test_login_without_resource_gets_one_of_its_own(server: RunningServer) -> None:
    account = server.account()
    async with connected(server, account) as one, connected(server, account) as other:
        assert one.boundjid.bare == other.boundjid.bare == account.jid
        assert one.boundjid.resource
        assert other.boundjid.resource not in {"", one.boundjid.resource}
        await one.settle()


@pytest.mark.parametrize("mechanism", MECHANISMS)
@on_asyncio
async def test_login_with_wrong_password_is_refused(server: RunningServer, mechanism: str) -> None:
    """And says the same of an account that does not exist."""
    account = server.account()
    for wrong in (account._replace(password="guess"), account._replace(jid=f"nobody-{account.jid}")):
        client = Client(server, wrong, mechanism=mechanism)
        with pytest.raises(LoginRefused, match="not-authorized"):
            await client.log_in()
        await client.leave()
    async with connected(server, account, mechanism=mechanism) as client:
        assert client.boundjid.bare == account.jid


def test_login_name_is_prepared(server: RunningServer) -> None:
    """Case does not matter in a user's name (RFC 8265 §3.3), nor how its letters are composed."""
    account = server.account(f"Zoé{server.unique()}")
    name = account.username.lower()
    for spelling in (name, name.upper(), unicodedata.normalize("NFD", name), name.replace("z", "\uff3a")):
        with RawClient(server, "c2s_tls") as client:
            address = client.log_in(account._replace(jid=f"{spelling}@{server.domain}"))
            assert address == f"{name}@{server.domain}/raw"


def test_login_without_tls_is_refused(server: RunningServer) -> None:
    account = server.account()
    with RawClient(server) as client:
        features = client.open_stream()
        assert b"<required/>" in features
        assert b"<mechanism" not in features
        answer = client.attempt_plain(account.username, account.password)
        assert b"<encryption-required/>" in answer
        assert SASL.encode() in answer


@on_asyncio
async def test_bind_of_resource_in_use_closes_older_with_conflict(server: RunningServer) -> None:
    account = server.account()
    async with online(server, account, "balcony") as older, online(server, account, "balcony") as newer:
        assert await older.stream_error() == "conflict"
        newer.send_message(newer.boundjid, "the name is mine")
        assert (await newer.message())["body"] == "the name is mine"
        assert newer.is_connected()


@on_asyncio
async def test_bind_of_resource_in_use_ends_availability_of_older(server: RunningServer) -> None:
    """Other resources hear that the older has gone, before they hear of the newer."""
    account = server.account()
    async with online(server, account, "witness") as witness, online(server, account, "balcony") as older:
        await witness.presence("available", older.boundjid.full)
        async with online(server, account, "balcony") as newer:
            await older.wait_ended()
            await witness.presence("unavailable", newer.boundjid.full)
            await witness.presence("available", newer.boundjid.full)


@on_asyncio
async def test_resource_with_space_and_other_scripts_is_kept(server: RunningServer) -> None:
    account = server.account()
    for resource in ("my phone", "телефон ☎", "a'b\"c<d>&e"):
        async with online(server, account, resource) as client:
            assert client.boundjid.resource == resource
            client.send_message(client.boundjid, "to myself")
            message = await client.message()
            assert message["from"].resource == message["to"].resource == resource
