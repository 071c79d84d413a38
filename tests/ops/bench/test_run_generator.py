"""Tests of the load generator of `ops.bench.run` on managed streams (XEP-0198), with two users.

The server is the test's: it knows just enough of the dialogue to log in and to pass messages on; it can be
made to count wrong.
"""

import json
import re
import shutil
import subprocess
from base64 import b64decode
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol

import pytest
import trio

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")

SOURCE: Final = Path(__file__).parents[3] / "ops" / "bench" / "xmppload.c"
# Bounds failure only.
SECONDS_MAX: Final = 30.0

# What the generator sends next: a whole stanza or log-in, or one tag.
_ELEMENT: Final = re.compile(
    rb"(?:<\?xml[^>]*\?>)?(<(message|presence|iq|auth)\b(?:[^>]*/>|.*?</\2>)"
    rb"|<(?!message|presence|iq|auth|\?)[^>]*>)",
    re.DOTALL,
)
_MANAGED: Final = b"xmlns='urn:xmpp:sm:3'"
_ENABLED: Final = b"<enabled %s id='1' resume='true'/>" % _MANAGED


class StandIn:
    """A server for two users.

    Args:
        ack: Says `h`, given how many stanzas were handled and which request this is of its stream.
        features: What it offers after log-in.
        enabled: Its answer to `<enable/>`.
    """

    def __init__(
        self,
        ack: Callable[[int, int], int] = lambda handled, _: handled,
        features: bytes = b"<sm %s/>" % _MANAGED,
        enabled: bytes = _ENABLED,
    ) -> None:
        self.ack = ack
        self.features = features
        self.enabled = enabled
        self.users: dict[str, Stream] = {}
        self.kinds: list[str] = []
        """Every element that came, by name, of all streams, in order."""

    async def serve(self, stream: trio.SocketStream) -> None:
        await Stream(self, stream).serve()


class Stream:
    """One client's stream. It asks for an ack behind everything it sends."""

    def __init__(self, server: StandIn, stream: trio.SocketStream) -> None:
        self.server = server
        self.stream = stream
        self.name = ""
        self.is_managed = False
        self.handled = self.requests = self.sent = 0
        self.asked: list[int] = []
        """How many stanzas had been sent before each request."""
        self.acks: list[int] = []
        """What the client acknowledged."""
        self._lock = trio.Lock()

    async def serve(self) -> None:
        rest = b""
        try:
            async for data in self.stream:
                rest += data
                while (found := _ELEMENT.match(rest)) is not None:
                    rest = rest[found.end() :]
                    await self.take(found[1])
        except trio.BrokenResourceError:
            return  # the generator gave up: what it says of that is what is tested

    async def take(self, element: bytes) -> None:
        kind = re.split(r"[ />]", element[1:].decode(), maxsplit=1)[0]
        if kind in {"message", "presence", "iq"}:
            self.handled += self.is_managed
        self.server.kinds.append(kind)
        match kind:
            case "stream:stream":
                offered = self.server.features if self.name else b"<mechanism>PLAIN</mechanism>"
                await self.send(b"<stream:stream><stream:features>%s</stream:features>" % offered)
            case "auth":
                self.name = b64decode(element.split(b">")[1].split(b"<")[0]).split(b"\0")[1].decode()
                self.server.users[self.name] = self
                await self.send(b"<success/>")
            case "enable":
                self.is_managed = True
                await self.send(self.server.enabled)
            case "r":
                await self.acknowledge()
            case "a":
                self.acks.append(int(element.split(b"h='")[1].split(b"'")[0]))
            case "":
                await self.send(b"</stream:stream>")
            case _:
                await self.stanza(kind, element)

    async def acknowledge(self) -> None:
        self.requests += 1
        await self.send(b"<a %s h='%d'/>" % (_MANAGED, self.server.ack(self.handled, self.requests)))

    async def stanza(self, kind: str, element: bytes) -> None:
        if kind == "message":
            await self.server.users[element.split(b"to='")[1].split(b"@")[0].decode()].send_stanza(element)
        elif kind == "presence":
            await self.send_stanza(b"<presence from='%s@localhost/load'/>" % self.name.encode())
        elif b"bind" in element:
            await self.send(
                b"<iq type='result' id='bind'><jid>%s@localhost/load</jid></iq>" % self.name.encode()
            )
        elif b"jabber:iq:roster" in element:
            await self.send_stanza(b"<iq type='result' id='roster'/>")

    async def send_stanza(self, element: bytes) -> None:
        self.sent += 1
        self.asked += [self.sent] * self.is_managed
        await self.send(element + b"<r %s/>" % _MANAGED * self.is_managed)

    async def send(self, data: bytes) -> None:
        async with self._lock:  # which is fair: what was counted first goes first
            await self.stream.send_all(data)


@pytest.fixture(scope="module")
def generator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("generator") / "xmppload"
    subprocess.run(["cc", "-std=c11", "-DDRAIN_SECONDS=1", "-o", program, SOURCE], check=True)
    return program


class Chat(Protocol):
    """Runs a chat of two users against the stand-in; returns the generator's status and what it wrote."""

    def __call__(self, server: StandIn, *arguments: str) -> Awaitable[tuple[int, str]]: ...


@pytest.fixture
def chat(generator: Path, nursery: trio.Nursery) -> Chat:
    async def run(server: StandIn, *arguments: str) -> tuple[int, str]:
        [listener] = await nursery.start(partial(trio.serve_tcp, server.serve, 0, host="127.0.0.1"))
        target = ("--users", "2", "--port", str(listener.socket.getsockname()[1]))
        command = [
            str(generator),
            "chat",
            *target,
            "--seconds",
            "0.2",
            "--warmup",
            "0",
            "--quiet",
            *arguments,
        ]
        with trio.fail_after(SECONDS_MAX):
            done = await trio.run_process(command, check=False, capture_stdout=True, capture_stderr=True)
        return done.returncode, (done.stdout + done.stderr).decode()

    return run


async def test_chat_managed_counts_messages_and_acks(chat: Chat, tmp_path: Path) -> None:
    server, result = StandIn(), tmp_path / "result"
    status, said = await chat(server, "--sm", "--json", str(result))
    assert status == 0, said
    measured: dict[str, Any] = json.loads(result.read_text())
    assert measured["delivered"] == measured["sent"] == measured["sm_sent"] > 0
    assert 0 < measured["sm_acknowledged"] <= measured["sm_sent"]
    assert measured["sm_unacknowledged"] == measured["sm_wrong_acks"] == 0
    assert measured["sm_ack_us"]["n"] > 0


async def test_chat_managed_acknowledges_what_it_got(chat: Chat) -> None:
    """At every request exactly what came before it, and once more before it closes the stream."""
    server = StandIn()
    await chat(server, "--sm")
    for stream in server.users.values():
        assert stream.acks == [*stream.asked, stream.sent]
        assert stream.sent > 5


@pytest.mark.parametrize("every", [1, 3])
async def test_chat_managed_asks_behind_every_nth_stanza(chat: Chat, every: int) -> None:
    """And once at the end, if anything is not acknowledged by then."""
    server = StandIn()
    await chat(server, "--sm", "--sm-every", str(every))
    for stream in server.users.values():
        assert stream.requests - stream.handled // every in {0, 1}


async def test_chat_unmanaged_has_no_word_of_it(chat: Chat) -> None:
    server = StandIn()
    status, said = await chat(server)
    assert status == 0, said
    assert server.kinds.count("message") > 5
    assert {"enable", "r"}.isdisjoint(server.kinds)
    assert "acknowledged" not in said


async def test_chat_h_that_runs_backwards_is_told(chat: Chat) -> None:
    status, said = await chat(StandIn(lambda handled, request: handled if request == 1 else 2), "--sm")
    assert status == 3
    assert "h ran backwards from 5 to 2" in said


async def test_chat_h_beyond_what_was_sent_is_told(chat: Chat) -> None:
    status, said = await chat(StandIn(lambda handled, _: handled + 100), "--sm")
    assert status == 3
    assert re.search(r"h is 1\d\d+, but only \d+ were sent", said)


async def test_chat_stanza_never_acknowledged_is_told(chat: Chat) -> None:
    status, said = await chat(StandIn(lambda handled, _: handled - 1), "--sm")
    assert status == 3
    assert "unacked       2 at the end   wrong acks 0" in said


@pytest.mark.parametrize(
    ("server", "told"),
    [
        (StandIn(features=b""), "does not offer stream management"),
        (StandIn(enabled=b"<failed %s/>" % _MANAGED), "enabling stream management of load"),
        (StandIn(enabled=b"<enabled %s/>" % _MANAGED), "making the stream resumable of load"),
    ],
)
async def test_chat_server_without_management_is_an_error(chat: Chat, server: StandIn, told: str) -> None:
    status, said = await chat(server, "--sm")
    assert status == 1
    assert told in said
