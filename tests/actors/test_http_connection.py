"""The HTTP port: what it answers and when it stops waiting; holders of WebSockets and who outlives whom."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any, Final

import pytest
import trio

from actors.connection_state import Phase
from actors.websocket_connection import FRAMES_MAX, WebSocketState
from protocols.namespaces import FRAMING, SASL
from supervision.report import ChildTerminated, IntensityReached
from tests.actors.http_stage import SECONDS_MAX, Stage, http_stage
from tests.actors.websocket_bytes import CLOSE, REQUEST, TEXT, Frame, close_frame, frame, read_frame

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from supervision.slot import Slot

OPEN: Final = frame(f"<open xmlns='{FRAMING}' to='localhost' version='1.0'/>")
AUTH: Final = frame(f"<auth xmlns='{SASL}' mechanism='PLAIN'>AGEAYg==</auth>")
END: Final = frame(f"<close xmlns='{FRAMING}'/>")


class Client:
    """One connection to the port, by hand."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self._unread = b""

    async def send(self, *data: bytes) -> None:
        await self.stream.send_all(b"".join(data))

    async def read_all(self) -> bytes:
        """Everything until the server closes its half."""
        read = b""
        while data := await self.stream.receive_some():
            read += data
        return read

    async def open_websocket(self, *headers: bytes) -> None:
        await self.send(REQUEST.removesuffix(b"\r\n"), *headers, b"\r\n")
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += await self.stream.receive_some(1)
        assert head.startswith(b"HTTP/1.1 101 ")

    async def open_stream(self) -> bytes:
        """Open WebSocket and stream; returns the stream's features."""
        await self.open_websocket()
        await self.send(OPEN)
        assert b"<open " in (await self.read()).payload
        return (await self.read()).payload

    async def read(self) -> Frame:
        while (found := read_frame(self._unread)) is None:
            data = await self.stream.receive_some()
            assert data, "the server has closed"
            self._unread += data
        self._unread = found[1]
        return found[0]

    async def read_to_close(self) -> tuple[list[bytes], int]:
        """All messages up to the Close frame, and its code; it is answered."""
        texts = []
        while (got := await self.read()).opcode == TEXT:
            texts.append(got.payload)
        assert got.opcode == CLOSE
        await self.send(close_frame(got.code))
        return texts, got.code


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    with trio.fail_after(SECONDS_MAX):
        async with http_stage(negotiation_seconds_max=SECONDS_MAX) as made:
            yield made
            await made.wait_empty()


@pytest.fixture
async def client(stage: Stage) -> AsyncIterator[Client]:
    async with await stage.connect() as stream:
        yield Client(stream)


def state_of(slot: Slot[Any]) -> WebSocketState:
    assert isinstance(slot.state, WebSocketState)
    return slot.state


# -- requests


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.1 200 OK"),
        (b"GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.1 404 Not Found"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", b"HTTP/1.1 405 Method Not Allowed"),
        (b"GET /ws HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.1 426 Upgrade Required"),
        (REQUEST.replace(b"xmpp", b"mqtt"), b"HTTP/1.1 400 Bad Request"),
        (REQUEST.replace(b"/ws", b"/wss"), b"HTTP/1.1 404 Not Found"),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 20_000, b"HTTP/1.1 431 Request Header Fields Too Large"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"HTTP/1.1 400 Bad Request"),
        (b"<?xml version='1.0'?><stream:stream to='localhost'>\r\n\r\n", b"HTTP/1.1 400 Bad Request"),
    ],
)
async def test_request_is_answered_and_the_connection_closed(
    stage: Stage, client: Client, sent: bytes, answer: bytes
) -> None:
    await client.send(sent)
    assert (await client.read_all()).partition(b"\r\n")[0] == answer


async def test_head_request_gets_no_body(stage: Stage, client: Client) -> None:
    await client.send(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (await client.read_all()).endswith(b"\r\n\r\n")


async def test_request_that_does_not_come_is_not_waited_for() -> None:
    """Not even while it comes byte by byte."""
    async with http_stage(negotiation_seconds_max=0.1) as stage:
        async with await stage.connect() as stream, trio.open_nursery() as nursery:
            client = Client(stream)

            async def trickle() -> None:
                await client.send(b"GET / HTTP/1.1\r\n")
                while True:
                    await client.send(b"X: x\r\n")
                    await trio.sleep(0.01)

            nursery.start_soon(trickle)
            with trio.fail_after(SECONDS_MAX):
                assert (await client.read_all()).startswith(b"HTTP/1.1 408 Request Timeout")
            nursery.cancel_scope.cancel()
        await stage.wait_empty()


@pytest.mark.parametrize("sent", [b"", b"GET / HT", REQUEST])
async def test_client_that_resets_leaves_nothing_behind(stage: Stage, sent: bytes) -> None:
    stream = await stage.connect()
    await stream.send_all(sent)
    await stage.holder()
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    stream.socket.close()
    await stage.wait_empty()
    assert stage.reports_of(ChildTerminated) == []


async def test_holder_asked_to_stop_waits_for_no_request(stage: Stage, client: Client) -> None:
    holder = await stage.holder()
    await stage.server.connections.terminate_child(holder.spec.id)
    assert await client.read_all() == b""


# -- streams


async def test_stream_opens_over_websocket_with_log_in_on_offer(stage: Stage, client: Client) -> None:
    """Plain HTTP comes from this machine only, so nothing has to be encrypted here first."""
    assert stage.server.settings.auth.require_tls
    assert b"<mechanisms" in await client.open_stream()
    await client.send(END)
    texts, code = await client.read_to_close()
    assert texts == [f"<close xmlns='{FRAMING}'/>".encode()]
    assert code == 1000


async def test_server_that_ends_the_stream_waits_for_the_clients_close(stage: Stage, client: Client) -> None:
    await client.open_websocket()
    await client.send(frame(f"<open xmlns='{FRAMING}' to='elsewhere' version='1.0'/>"))
    for expected in (b"<open ", b"<host-unknown ", b"<close "):
        assert expected in (await client.read()).payload
    assert state_of(await stage.connection()).phase is Phase.CLOSING
    await client.send(END)
    assert await client.read_to_close() == ([], 1000)


@pytest.mark.parametrize(
    ("sent", "condition"),
    [
        (frame("<message/>"), b"invalid-namespace"),
        (frame("no xml"), b"bad-format"),
        (OPEN + frame("<message xmlns='jabber:client'/><message/>"), b"not-well-formed"),
        (OPEN + frame("<message xmlns='jabber:client'>"), b"not-well-formed"),
        (OPEN + frame("<!DOCTYPE a><a/>"), b"restricted-xml"),
        (OPEN + frame(f"<message xmlns='jabber:client'>{'x' * 20_000}</message>"), b"policy-violation"),
        (OPEN + frame("<message xmlns='jabber:client'/>"), b"not-authorized"),
        (OPEN + OPEN, b"bad-format"),
    ],
)
async def test_broken_stream_is_told_its_error_and_closed(
    stage: Stage, client: Client, sent: bytes, condition: bytes
) -> None:
    """A client that broke its stream has nothing more to say and is not waited for; the others do answer."""
    await client.open_websocket()
    await client.send(sent, END)
    texts, code = await client.read_to_close()
    assert b"<%b " % condition in texts[-2]
    assert texts[-1] == f"<close xmlns='{FRAMING}'/>".encode()
    assert code == 1000


async def test_message_without_end_is_refused_while_it_comes(stage: Stage, client: Client) -> None:
    """The client may send on; it is told, all the same, and the WebSocket closed."""
    await client.open_stream()
    await client.send(frame("x" * 1_000_000)[:100_000])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.send, b"x" * 500_000)
        assert b"<policy-violation " in (await client.read()).payload
        assert b"<close " in (await client.read()).payload
        assert (await client.read()).code == 1000


async def test_binary_message_closes_the_websocket(stage: Stage, client: Client) -> None:
    await client.open_websocket()
    await client.send(OPEN, frame(OPEN, 2))
    texts, code = await client.read_to_close()
    assert len(texts) == 2  # header and features
    assert code == 1003


async def test_client_may_close_the_websocket_alone(stage: Stage, client: Client) -> None:
    await client.open_websocket()
    await client.send(OPEN, close_frame(1001))
    _texts, code = await client.read_to_close()
    assert code == 1001


async def test_client_that_vanishes_ends_its_stream(stage: Stage) -> None:
    stream = await stage.connect()
    client = Client(stream)
    await client.open_stream()
    await stream.aclose()
    await stage.wait_empty()
    assert stage.reports_of(ChildTerminated) == []


# -- who counts as the peer


async def test_peer_is_whom_the_proxy_names(stage: Stage, client: Client) -> None:
    await client.open_websocket(b"X-Forwarded-For: 198.51.100.1, 192.0.2.7\r\n")
    assert state_of(await stage.connection()).peer == "192.0.2.7"
    assert stage.server.connections_by_address == {"127.0.0.1": 1}


async def test_peer_without_a_proxy_is_the_sockets(stage: Stage, client: Client) -> None:
    await client.open_websocket()
    assert state_of(await stage.connection()).peer == "127.0.0.1"


# -- back-pressure


async def test_messages_wait_while_the_connection_does(stage: Stage, client: Client) -> None:
    """While a log-in is being checked nothing is read; what waits is bounded, and comes in its order."""
    await client.open_websocket()
    await client.send(OPEN, AUTH)
    connection = await stage.connection()
    filler = frame(" " * 2_000)
    sent = 0
    with trio.move_on_after(0.3) as blocked:
        while True:
            await client.send(filler)
            sent += 1
    assert blocked.cancelled_caught, "it should not have taken everything"
    assert sent > FRAMES_MAX
    assert len(connection.mailbox.queue) + len(state_of(connection).held_frames) <= FRAMES_MAX + 1
    await stage.answer(None)  # no such account,
    await stage.answer(False)  # whatever the password
    await client.read()
    await client.read()
    assert b"<failure " in (await client.read()).payload


# -- who outlives whom


async def test_connection_that_dies_while_negotiating_says_so_before_it_closes(
    stage: Stage, client: Client
) -> None:
    await client.open_stream()
    (await stage.connection()).kill()
    assert b"<internal-server-error " in (await client.read()).payload
    await client.send(END)
    texts, code = await client.read_to_close()
    assert len(texts) == 1
    assert code == 1000


async def test_connection_that_cannot_live_is_given_up_with_its_websocket() -> None:
    async with http_stage(restarts_max=2) as stage, await stage.connect() as stream:
        client = Client(stream)
        with trio.fail_after(SECONDS_MAX):
            await client.open_websocket()
            connection = await stage.connection()
            while connection.ref.is_alive:
                connection.kill()
                await trio.lowlevel.checkpoint()
            _texts, code = await client.read_to_close()
            await stream.aclose()
        assert code == 1011
        await stage.wait_empty()
        assert stage.reports_of(IntensityReached)


async def test_holder_that_dies_closes_the_socket_and_ends_the_stream(stage: Stage, client: Client) -> None:
    await client.open_stream()
    (await stage.holder()).kill()
    assert await client.read_all() == b""


async def test_holder_asked_to_stop_lets_the_connection_say_it(stage: Stage, client: Client) -> None:
    await client.open_stream()
    holder = await stage.holder()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stage.server.connections.terminate_child, holder.spec.id)
        texts, code = await client.read_to_close()
        await client.stream.aclose()
    assert b"<system-shutdown " in texts[0]
    assert code == 1001


async def test_tree_that_stops_says_so_to_every_client() -> None:
    async with trio.open_nursery() as nursery:
        stopping = trio.Event()
        client: Client | None = None

        async def serve(task_status: trio.TaskStatus[Stage]) -> None:
            async with http_stage() as stage:
                task_status.started(stage)
                await stopping.wait()

        stage = await nursery.start(serve)
        with trio.fail_after(SECONDS_MAX):
            client = Client(await stage.connect())
            await client.open_stream()
            stopping.set()
            texts, code = await client.read_to_close()
            await client.stream.aclose()
        assert b"<system-shutdown " in texts[0]
        assert code == 1001


async def test_new_websocket_past_the_maximum_of_connections_is_closed() -> None:
    """The holder is a connection too, and the last that is allowed."""
    async with http_stage(connections_max=1) as stage, await stage.connect() as stream:
        client = Client(stream)
        with trio.fail_after(SECONDS_MAX):
            await client.open_websocket()
            assert await client.read_to_close() == ([], 1013)
            await stream.aclose()
            await stage.wait_empty()
