"""WebSocket over a port, against the same library's client and against bytes that no library would send."""

from __future__ import annotations

import pytest
import trio
import trio_websocket
from trio.testing import wait_all_tasks_blocked

from actors.http_message import read_request
from actors.transport import CONTROL_BYTES_MAX, CloseCode, accept_websocket
from actors.websocket_handshake import checked_upgrade
from tests.actors.http_stage import SECONDS_MAX, stream_pair
from tests.actors.websocket_bytes import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Frame,
    close_frame,
    frame,
)
from tests.actors.websocket_stage import MESSAGE_BYTES_MAX, Recorder, opened


async def test_accept_websocket_is_what_a_client_understands() -> None:
    """Both directions, all lengths of headers, and the subprotocol, with the client of the library."""
    texts = ["<a/>", "", "ä€😀", "x" * 125, "x" * 126, "x" * 65_535, "x" * 65_536]
    async with stream_pair() as pair, trio.open_nursery() as nursery:

        async def serve() -> None:
            request = await read_request(pair.stream)
            transport = await accept_websocket(
                nursery,
                pair.stream,
                checked_upgrade(request),
                request.rest,
                Recorder(),
                message_bytes_max=100_000,
            )
            while (text := await transport.receive()) is not None:
                transport.append(text.encode())
                await pair.stream.wait_written()
            await transport.close(CloseCode.NORMAL)
            pair.stream.close()

        nursery.start_soon(serve)
        with trio.fail_after(SECONDS_MAX):
            websocket = await trio_websocket.wrap_client_stream(
                nursery, pair.client, "localhost", "/ws", subprotocols=["xmpp"]
            )
            assert websocket.subprotocol == "xmpp"
            for text in texts:
                await websocket.send_message(text)
                assert await websocket.get_message() == text
            await websocket.aclose()
    assert websocket.closed is not None
    assert websocket.closed.code == CloseCode.NORMAL


async def test_receive_takes_what_was_sent_with_the_request() -> None:
    """Clients are to wait for the answer; one that does not is understood all the same."""
    async with opened(early=frame("<early/>") + frame("<b/>")[:3]) as opening:
        assert await opening.transport.receive() == "<early/>"
        await opening.send(frame("<b/>")[3:])
        assert await opening.transport.receive() == "<b/>"


async def test_receive_joins_fragments_and_answers_pings_between_them() -> None:
    async with opened() as opening:
        await opening.send(
            frame("<mes", is_last=False),
            frame("one", PING),
            frame("sa", CONTINUATION, is_last=False),
            frame("ge/>", CONTINUATION),
        )
        assert await opening.transport.receive() == "<message/>"
        assert await opening.read() == Frame(PONG, b"one")


async def test_receive_after_a_binary_message_is_over() -> None:
    async with opened() as opening:
        await opening.send(frame("<a/>"), frame(b"<b/>", BINARY))
        assert await opening.transport.receive() == "<a/>"
        assert await opening.transport.receive() is None
        await opening.send(close_frame(CloseCode.UNSUPPORTED_DATA))
        await opening.transport.close(CloseCode.NORMAL)
        assert (await opening.read()).code == CloseCode.UNSUPPORTED_DATA


@pytest.mark.parametrize(
    "frames",
    [
        [frame("x" * (MESSAGE_BYTES_MAX + 1))],
        [frame("x" * 600, is_last=False), frame("x" * 600, CONTINUATION)],
        [frame("x" * MESSAGE_BYTES_MAX)[:-1] + b"x", frame("y" * 5_000)],
    ],
)
async def test_receive_of_a_message_that_is_too_long_is_over(frames: list[bytes]) -> None:
    async with opened() as opening:
        await opening.send(*frames)
        while await opening.transport.receive() is not None:
            pass
        await opening.transport.close(CloseCode.NORMAL)
        assert (await opening.read()).code == 1009  # message too big


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(b"<\xff/>"), CloseCode.INVALID_DATA),
        (frame("<a/>", is_masked=False), CloseCode.PROTOCOL_ERROR),
        (frame("<a/>", 3), CloseCode.PROTOCOL_ERROR),
        (frame("<a/>", CONTINUATION), CloseCode.PROTOCOL_ERROR),
        (frame("<a", is_last=False) + frame("<b/>"), CloseCode.PROTOCOL_ERROR),
        (frame("x" * 126, PING), CloseCode.PROTOCOL_ERROR),
        (b"\xff" * 100, CloseCode.PROTOCOL_ERROR),
    ],
)
async def test_close_tells_a_client_that_broke_the_protocol_so(data: bytes, code: CloseCode) -> None:
    async with opened() as opening:
        await opening.send(data)
        assert await opening.transport.receive() is None
        await opening.transport.close(CloseCode.NORMAL)
        await opening.pair.stream.wait_written()
        assert (await opening.read()).code == code
        assert await opening.transport.receive() is None


async def test_close_by_the_client_is_answered() -> None:
    async with opened() as opening:
        await opening.send(close_frame(CloseCode.GOING_AWAY))
        assert await opening.transport.receive() is None
        await opening.transport.close(CloseCode.NORMAL)
        assert (await opening.read()).code == CloseCode.GOING_AWAY
        assert not opening.transport.append(b"<late/>")
        assert opening.pair.stream.output.bytes_pending == 0


async def test_close_waits_for_the_answer() -> None:
    async with opened() as opening, trio.open_nursery() as nursery:
        assert opening.transport.append(b"<last/>")
        nursery.start_soon(opening.transport.close, CloseCode.NORMAL)
        assert await opening.read() == Frame(TEXT, b"<last/>")
        assert (await opening.read()).code == CloseCode.NORMAL
        await wait_all_tasks_blocked()
        assert len(nursery.child_tasks) == 1
        await opening.send(close_frame(CloseCode.NORMAL))


async def test_close_that_crosses_other_frames_ends_all_the_same() -> None:
    """A ping that was on its way cannot be answered any more."""
    async with opened() as opening, trio.open_nursery() as nursery:
        nursery.start_soon(opening.transport.close, CloseCode.NORMAL)
        assert (await opening.read()).opcode == CLOSE
        await opening.send(frame("late", PING), frame("<late/>"), close_frame(CloseCode.NORMAL))


async def test_close_of_a_connection_that_is_gone_ends() -> None:
    async with opened() as opening:
        opening.pair.reset()
        assert await opening.transport.receive() is None
        await opening.transport.close(CloseCode.NORMAL)


@pytest.mark.parametrize(
    "filler", [frame("", CONTINUATION, is_last=False), frame("p", PING)], ids=["empty fragments", "pings"]
)
async def test_frames_without_end_are_an_excess(filler: bytes) -> None:
    """They are complained of once; the client may send on, but nothing is kept of it, and it can be told."""
    async with opened() as opening, trio.open_nursery() as nursery:
        received: list[str | None] = []

        async def receive() -> None:
            received.append(await opening.transport.receive())

        nursery.start_soon(receive)
        await opening.send(frame("<a", is_last=False))
        while not opening.reader.excesses:
            await opening.send(filler * 200)
        await opening.send(filler * 100_000)
        assert opening.reader.excesses == 1
        opening.transport.append(b"<told/>")
        opening.pair.stream.output.flush()
        while (got := await opening.read()).opcode == PONG:
            pass
        assert got == Frame(TEXT, b"<told/>")
        assert received == []
        nursery.cancel_scope.cancel()


async def test_allow_sets_what_is_an_excess() -> None:
    async with opened() as opening:
        opening.transport.allow(10)
        await opening.send(frame("p" * 100, PING) * (CONTROL_BYTES_MAX // 100))
        with trio.move_on_after(SECONDS_MAX):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(opening.transport.receive)
                while not opening.reader.excesses:
                    await trio.lowlevel.checkpoint()
                nursery.cancel_scope.cancel()
        assert opening.reader.excesses == 1


async def test_whole_messages_are_no_excess() -> None:
    """However much comes in all, and in one piece."""
    async with opened() as opening, trio.open_nursery() as nursery:
        nursery.start_soon(opening.send, *[frame("x" * 500)] * 1_000)
        for _ in range(1_000):
            assert await opening.transport.receive() == "x" * 500
        assert opening.reader.excesses == 0
