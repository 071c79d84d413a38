"""Tests of `ops.chaos.wire` over WebSocket, and of ends; tests/chaos/test_harness.py connects by TLS."""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import trio

from ops.chaos.cast import Way
from ops.chaos.wire import ConnectionLost, Place, connect
from tests.ops.chaos.stand_in import SM, stand_in

SECONDS_MAX = 10.0


@asynccontextmanager
async def saying(
    serve: Callable[[trio.SocketStream], Awaitable[None]],
) -> AsyncIterator[Place]:
    """A place where each connection is served by a function."""
    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, serve, [listener])
        address = ("127.0.0.1", listener.socket.getsockname()[1])
        yield Place("localhost", dict.fromkeys(Way, address), ssl.create_default_context())
        nursery.cancel_scope.cancel()


async def test_open_stream_gives_the_features() -> None:
    async with stand_in() as (_, place):
        with trio.fail_after(SECONDS_MAX):
            wire = await connect(place, Way.WEBSOCKET)
            features = await wire.open_stream()
            assert features.name == "features"
            assert features.find("sm") is not None
            await wire.abandon()


async def test_next_gives_one_after_the_other() -> None:
    async with stand_in() as (server, place):
        with trio.fail_after(SECONDS_MAX):
            wire = await connect(place, Way.WEBSOCKET)
            await wire.open_stream()
            (connection,) = server.connections
            connection.send("<a/>", "<b/>", "<c/>")
            assert [(await wire.next()).name for _ in range(3)] == ["a", "b", "c"]
            await wire.abandon()


async def test_receive_ends_when_the_stream_is_closed_in_order() -> None:
    async with stand_in() as (_, place):
        with trio.fail_after(SECONDS_MAX):
            wire = await connect(place, Way.WEBSOCKET)
            await wire.open_stream()
            await wire.send(wire.farewell)
            with pytest.raises(ConnectionLost, match="in order"):
                await wire.next()
            await wire.abandon()


async def test_receive_tells_a_stream_error() -> None:
    async with stand_in() as (server, place):
        with trio.fail_after(SECONDS_MAX):
            wire = await connect(place, Way.WEBSOCKET)
            await wire.open_stream()
            (connection,) = server.connections
            connection.send("<error><conflict/></error>")
            with pytest.raises(ConnectionLost, match="stream error: conflict"):
                await wire.next()
            await wire.abandon()


async def test_receive_refuses_what_is_no_xml() -> None:
    async with stand_in() as (server, place):
        with trio.fail_after(SECONDS_MAX):
            wire = await connect(place, Way.WEBSOCKET)
            await wire.open_stream()
            (connection,) = server.connections
            connection.send("<a></b>")
            with pytest.raises(ConnectionLost, match="this is no XML"):
                await wire.next()
            await wire.abandon()


async def test_cut_is_felt_by_both_sides() -> None:
    async with stand_in() as (server, place):
        with trio.fail_after(SECONDS_MAX):
            wire = await connect(place, Way.WEBSOCKET)
            await wire.open_stream()
            wire.cut()
            with pytest.raises(ConnectionLost, match="cut"):
                await wire.send(f"<r {SM}/>")
            while server.connections:
                await trio.lowlevel.checkpoint()


async def test_connection_that_ends_is_lost_without_a_word() -> None:
    async with stand_in() as (server, place):
        with trio.fail_after(SECONDS_MAX):
            wire = await connect(place, Way.WEBSOCKET)
            await wire.open_stream()
            (connection,) = server.connections
            await connection.stream.aclose()
            with pytest.raises(ConnectionLost, match="without a word"):
                await wire.next()
            await wire.abandon()


async def test_connect_where_nobody_listens_is_told() -> None:
    async with saying(trio.sleep) as place:  # type: ignore[arg-type] # nobody comes that far
        pass
    with pytest.raises(ConnectionLost, match="nobody answers"):
        await connect(place, Way.TLS)


@pytest.mark.parametrize(
    ("way", "answer", "why"),
    [
        (Way.WEBSOCKET, b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", "no WebSocket: Reject"),
        (Way.WEBSOCKET, b"nonsense\r\n\r\n", "no WebSocket: "),
        (Way.TLS, b"this is no TLS at all", "without a word"),
        (Way.STARTTLS, b"<s:stream xmlns:s='s'><s:features/><failure/>", "no TLS: failure"),
    ],
)
async def test_connect_to_something_else_is_told(way: Way, answer: bytes, why: str) -> None:
    async def serve(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(answer)
        await stream.receive_some()
        await stream.aclose()

    async with saying(serve) as place:
        with trio.fail_after(SECONDS_MAX), pytest.raises(ConnectionLost, match=why):
            await connect(place, way)
