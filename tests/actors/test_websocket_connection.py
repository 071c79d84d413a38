"""XMPP over WebSocket against a real server: with a library, with TCP on the other side, and by hand."""

from __future__ import annotations

import base64
import re
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import pytest
import trio

from ops.control import ask
from ops.control_protocol import Command, Request
from protocols.namespaces import BIND, FRAMING, SASL
from tests.actors.websocket_bytes import REQUEST, Frame, frame, read_frame
from tests.support.client_certificates import authority
from tests.support.raw_client import RawClient
from tests.support.server import Account, RunningServer
from tests.support.websocket_client import websocket_client

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHAT: Final = "<message xmlns='jabber:client' type='chat' to='{}'><body>{}</body></message>"
TEXTS: Final = ["hello", "ä € 😀 \u202eright to left", "e\u0301", "&lt;not an element&gt;", "x" * 70_000]
UNAVAILABLE: Final = rb"<presence [^>]*type='unavailable'[^>]*>"


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """With HTTPS, certificates of clients, little patience with those that do not read, faults on demand."""
    folder = tmp_path_factory.mktemp("websocket")
    settings = {
        "tls.client_ca": str(authority().write(folder / "clients.pem")),
        "listen.https": '["127.0.0.1:0"]',
        "limits.write_seconds_max": "0.5",
        "limits.output_bytes_max": "300_000",
        "limits.restarts_max": "1000",
    }
    flags = [flag for key, value in settings.items() for flag in ("--set", f"{key}={value}")]
    server = RunningServer(folder, "--faults", *flags)
    yield server
    assert server.stop() == 0, server.log.tail()


def bodies(text: str) -> list[str]:
    return re.findall("<body>(.*?)</body>", text, re.DOTALL)


class HandClient:
    """A WebSocket by hand, behind its opening handshake."""

    def __init__(self, client: RawClient) -> None:
        self.client = client
        client.send(REQUEST)
        client.read_until(rb"HTTP/1.1 101 .*\r\n\r\n")

    def send(self, text: str) -> None:
        self.client.send(frame(text))

    def read(self) -> Frame:
        while (found := read_frame(self.client.unread)) is None:
            self.client.read_until(b"(?=.{%d})" % (len(self.client.unread) + 1))
        self.client.unread = found[1]
        return found[0]

    def log_in(self, account: Account) -> str:
        """Log in, without waiting for an answer before the last; returns the full address."""
        response = base64.b64encode(f"\0{account.username}\0{account.password}".encode()).decode()
        stream = f"<open xmlns='{FRAMING}' to='localhost' version='1.0'/>"
        self.send(stream)
        self.send(f"<auth xmlns='{SASL}' mechanism='PLAIN'>{response}</auth>")
        self.send(stream)
        self.send(f"<iq xmlns='jabber:client' type='set' id='b'><bind xmlns='{BIND}'/></iq>")
        while (bound := re.search(b"<jid>(.*)</jid>", self.read().payload)) is None:
            pass
        return bound[1].decode()


# -- conversations


async def test_clients_chat_over_websocket_and_tcp(server: RunningServer) -> None:
    """Both ways, each text as it was, in order."""
    with RawClient(server) as tcp:
        async with websocket_client(server) as web:
            there = tcp.log_in(server.account())
            tcp.become_available()
            here = await web.log_in(server.account())
            await web.become_available()
            for text in TEXTS:
                await web.send(CHAT.format(there, text))
                tcp.send(CHAT.format(here, text))
            received = b"".join(tcp.read_until(b"</message>") for _ in TEXTS).decode()
            assert bodies(received) == TEXTS
            assert f"from='{here}'" in received
            got = [await web.read_until("^<message ") for _ in TEXTS]
            assert bodies("".join(got)) == TEXTS
            assert all(" xmlns='jabber:client'" in each for each in got)
            await web.close_stream()
            assert await web.read_to_end() == ([], 1000)


async def test_client_over_https_logs_in(own_server: RunningServer) -> None:
    async with websocket_client(own_server, "https") as web:
        here = await web.log_in(own_server.account())
        await web.send(CHAT.format(here, "to myself"))
        assert bodies(await web.read_until("^<message ")) == ["to myself"]
        await web.close_stream()
        assert await web.read_to_end() == ([], 1000)


async def test_client_over_https_with_a_certificate_logs_in_by_it(
    own_server: RunningServer, tmp_path: Path
) -> None:
    account = own_server.account()
    certificate = authority().issue(tmp_path / "client.pem", account.jid)
    async with websocket_client(own_server, "https", certificate) as web:
        assert "<mechanism>EXTERNAL</mechanism>" in await web.open_stream()
        await web.send(f"<auth xmlns='{SASL}' mechanism='EXTERNAL'>=</auth>")
        assert (await web.read()).startswith("<success ")


def test_page_of_any_origin_may_connect(server: RunningServer) -> None:
    with RawClient(server, "http") as client:
        client.send(REQUEST.removesuffix(b"\r\n") + b"Origin: https://elsewhere.example\r\n\r\n")
        answer = client.read_until(rb"\r\n\r\n").lower()
        assert answer.startswith(b"http/1.1 101 ")
        assert b"\r\nsec-websocket-protocol: xmpp\r\n" in answer


def test_client_without_the_subprotocol_is_refused(server: RunningServer) -> None:
    with RawClient(server, "http") as client:
        client.send(REQUEST.replace(b"xmpp", b"mqtt"))
        assert client.read_to_end().startswith(b"HTTP/1.1 400 ")


def test_http_in_clear_to_https_is_no_crash(own_server: RunningServer) -> None:
    with own_server.watched(), RawClient(own_server, "https") as client:
        client.send(REQUEST)
        with suppress(ConnectionResetError):
            assert b"101" not in client.read_to_end()
    with RawClient(own_server, "https") as client:
        client.start_tls()
        assert isinstance(client.socket, ssl.SSLSocket)
        client.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert client.read_to_end().startswith(b"HTTP/1.1 200 OK")


async def test_wrong_password_is_refused_and_another_may_be_tried(server: RunningServer) -> None:
    account = server.account()
    async with websocket_client(server) as web:
        await web.open_stream()
        assert "<not-authorized/>" in await web.attempt_plain(account.username, "wrong")
        assert (await web.attempt_plain(account.username, account.password)).startswith("<success")


async def test_resource_taken_by_another_client_is_lost(server: RunningServer) -> None:
    account = server.account()
    async with websocket_client(server) as older, websocket_client(server) as newer:
        await older.log_in(account, "same")
        await newer.log_in(account, "same")
        assert "<conflict " in await older.read()
        await older.close_stream()
        assert await older.read_to_end() == ([], 1000)
        await newer.become_available()


async def test_many_messages_arrive_in_order(server: RunningServer) -> None:
    """More at once than any mailbox on the way takes, so that the sender has to wait."""
    count = 2_000
    async with websocket_client(server) as sender, websocket_client(server) as receiver:
        there = await receiver.log_in(server.account())
        await sender.log_in(server.account())

        async def send() -> None:
            for number in range(count):
                await sender.send(CHAT.format(there, number))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
            got = [await receiver.read() for _ in range(count)]
        assert bodies("".join(got)) == [str(number) for number in range(count)]


async def test_stanza_over_the_limit_ends_the_stream_with_its_error(server: RunningServer) -> None:
    """In bytes; a message longer than that in characters does not even get so far."""
    async with websocket_client(server) as web:
        here = await web.log_in(server.account())
        await web.send(CHAT.format(here, "€" * 90_000))
        assert "<policy-violation " in await web.read()
        assert (await web.read()).startswith("<close ")
        assert await web.read_to_end() == ([], 1000)
    async with websocket_client(server) as web:
        here = await web.log_in(server.account())
        await web.send(CHAT.format(here, "x" * 270_000))
        assert await web.read_to_end() == ([], 1009)


# -- the end


async def test_websocket_closed_alone_ends_the_session_behind_its_last_words(server: RunningServer) -> None:
    with RawClient(server) as tcp:
        here = tcp.log_in(server.account())
        tcp.become_available()
        async with websocket_client(server) as web:
            await web.log_in(server.account())
            await web.send(f"<presence xmlns='jabber:client' to='{here}'/>")
            await web.send(CHAT.format(here, "last words"))
        assert b"last words" in tcp.read_until(UNAVAILABLE)


@pytest.mark.parametrize("is_reset", [False, True])
def test_client_that_vanishes_becomes_unavailable(server: RunningServer, is_reset: bool) -> None:
    with RawClient(server) as tcp, RawClient(server, "http") as raw:
        here = tcp.log_in(server.account())
        tcp.become_available()
        web = HandClient(raw)
        web.log_in(server.account())
        web.send(f"<presence xmlns='jabber:client' to='{here}'/>")
        tcp.read_until(rb"<presence [^>]*>")
        if is_reset:
            raw.reset()
        else:
            raw.socket.close()
        tcp.read_until(UNAVAILABLE)


def test_client_that_does_not_read_is_closed_in_the_end(own_server: RunningServer) -> None:
    """Who writes to it does not have to wait."""
    server = own_server
    with RawClient(server, "http") as raw, RawClient(server) as tcp:
        here = tcp.log_in(server.account())
        tcp.become_available()
        deaf = HandClient(raw)
        there = deaf.log_in(server.account())
        deaf.send(f"<presence xmlns='jabber:client' to='{here}'/>")
        read = b""
        while not re.search(UNAVAILABLE, read):
            tcp.send(CHAT.format(there, "x" * 50_000))
            tcp.send("<iq type='get' id='p' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>")
            read += tcp.read_until(rb"<iq [^>]*id='p'[^>]*?(/>|>.*?</iq>)")
        assert b"<resource-constraint" in read
        with suppress(ConnectionResetError):
            raw.read_to_end()


async def test_server_that_stops_says_so(tmp_path_factory: pytest.TempPathFactory) -> None:
    server = RunningServer(tmp_path_factory.mktemp("stopping"))
    async with websocket_client(server) as web:
        await web.log_in(server.account())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.to_thread.run_sync, server.stop)
            messages, code = await web.read_to_end()
    assert "<system-shutdown " in messages[0]
    assert messages[1].startswith("<close ")
    assert code == 1001
    assert server.process.returncode == 0


# -- kills


@pytest.mark.parametrize("at", ["rest", "before decide", "after decide"])
async def test_connection_that_is_killed_closes_nothing_and_loses_nothing(
    own_server: RunningServer, at: str
) -> None:
    """At rest or with a message in hand, while two clients talk."""
    server, rounds, burst = own_server, 10, 20
    async with websocket_client(server) as one, websocket_client(server) as other:
        here, there = await one.log_in(server.account()), await other.log_in(server.account())
        before = _kills(server, at)
        for number in range(rounds):
            ask(server.data_dir, Request(Command.FAULT, {"kind": "connection", "at": at, "match": "ws#"}))
            for message in range(burst):
                await one.send(CHAT.format(there, f"{number}.{message}"))
                await other.send(CHAT.format(here, f"{number}.{message}"))
            expected = [f"{number}.{message}" for message in range(burst)]
            assert bodies("".join([await one.read() for _ in expected])) == expected
            assert bodies("".join([await other.read() for _ in expected])) == expected
        assert _kills(server, at) - before >= rounds
        await one.close_stream()
        assert await one.read_to_end() == ([], 1000)


def _kills(server: RunningServer, at: str) -> int:
    """How many connections have been killed so."""
    answer = ask(server.data_dir, Request(Command.FAULT_COUNT, {}))
    assert isinstance(answer, dict)
    return sum(
        count
        for name, count in answer["happened"].items()
        if name in {f"connection at {at}", f"connection {at}"}
    )
