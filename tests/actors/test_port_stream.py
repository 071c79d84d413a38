"""A Trio stream over a port: reading, writing to a peer that does not read, and its two ways of ending."""

from __future__ import annotations

import itertools
import socket
from typing import TYPE_CHECKING

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from actors.port import HUNG_UP, READABLE, WRITABLE
from actors.port_driver import PortTable
from actors.port_stream import PortStream
from tests.actors.http_stage import Pair, stream_pair

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

# More than kernel buffers of both sides take.
MUCH = bytes(range(256)) * 65_536


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    async with stream_pair() as made:
        yield made


async def test_receive_some_waits_for_what_comes(pair: Pair) -> None:
    stream, client = pair.stream, pair.client
    received: list[bytes] = []

    async def read() -> None:
        received.append(await stream.receive_some())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await wait_all_tasks_blocked()
        assert received == []
        await client.send_all(b"hello")
    assert received == [b"hello"]


async def test_receive_some_gives_no_more_than_asked_for(pair: Pair) -> None:
    stream, client = pair.stream, pair.client
    await client.send_all(b"abcdef")
    received = b""
    while len(received) < 6:
        piece = await stream.receive_some(4)
        assert len(piece) <= 4
        received += piece
    assert received == b"abcdef"


async def test_receive_some_at_the_end_is_empty_each_time(pair: Pair) -> None:
    """The end may come together with the last bytes, which must not hide it."""
    stream, client = pair.stream, pair.client
    await client.send_all(b"last")
    await client.aclose()
    assert await stream.receive_some() == b"last"
    assert await stream.receive_some() == b""
    assert await stream.receive_some() == b""


async def test_receive_some_of_a_connection_that_breaks_says_so(pair: Pair) -> None:
    stream = pair.stream
    pair.reset()
    with pytest.raises(trio.BrokenResourceError):
        await stream.receive_some()


async def test_send_all_waits_for_a_peer_that_does_not_read(pair: Pair) -> None:
    stream, client = pair.stream, pair.client
    received = bytearray()

    async def read() -> None:
        while len(received) < len(MUCH):
            received.extend(await client.receive_some())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(stream.send_all, MUCH)
        await wait_all_tasks_blocked(0.05)
        assert stream.output.bytes_pending > 0
        nursery.start_soon(read)
    assert received == MUCH
    assert stream.output.bytes_pending == 0


async def test_send_all_to_a_peer_that_has_gone_breaks(pair: Pair) -> None:
    stream = pair.stream
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_send_in_vain, stream)
        await wait_all_tasks_blocked(0.05)
        pair.reset()
    assert stream.output.is_broken


async def _send_in_vain(stream: PortStream) -> None:
    with pytest.raises(trio.BrokenResourceError):
        await stream.send_all(MUCH)


async def test_several_may_write(pair: Pair) -> None:
    """What one writes is not cut by the other."""
    stream, client = pair.stream, pair.client
    received = bytearray()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stream.send_all, b"a" * 5_000_000)
        nursery.start_soon(stream.send_all, b"b" * 5_000_000)
        while len(received) < 10_000_000:
            received.extend(await client.receive_some())
    assert sum(one != other for one, other in itertools.pairwise(received)) == 1


async def test_signal_of_a_writable_port_tells_the_owner_only_while_something_waits() -> None:
    told: list[int] = []
    ours, theirs = socket.socketpair()
    with theirs:
        stream = PortStream(ours, PortTable(), lambda: told.append(1))
        stream.signal(WRITABLE | READABLE)
        assert told == []
        stream.output.append(MUCH)
        stream.output.flush()
        stream.signal(WRITABLE | HUNG_UP)
        assert told == [1]
        stream.close()


async def test_aclose_lets_the_peer_read_and_close(pair: Pair) -> None:
    stream, client = pair.stream, pair.client
    stream.output.append(MUCH)
    received = bytearray()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stream.aclose)
        while piece := await client.receive_some():
            received.extend(piece)
        assert len(pair.ports) == 1  # it waits for the client's end
        await client.send_all(b"which is not read any more")
        await client.aclose()
    assert received == MUCH
    assert len(pair.ports) == 0


async def test_aclose_cancelled_closes_at_once(pair: Pair) -> None:
    stream, client = pair.stream, pair.client
    with trio.CancelScope() as scope:
        scope.cancel()
        await stream.aclose()
    assert len(pair.ports) == 0
    assert await client.receive_some() == b""


async def test_close_wakes_who_reads(pair: Pair) -> None:
    stream, client = pair.stream, pair.client

    async def read() -> None:
        with pytest.raises(trio.ClosedResourceError):
            await stream.receive_some()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await wait_all_tasks_blocked()
        stream.close()
        stream.close()
    await client.aclose()
