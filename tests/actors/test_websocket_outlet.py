"""The outlet over WebSocket: each element a message, pending until the kernel has it; and how it ends."""

from __future__ import annotations

import math

import trio

from actors.connection import CLOSING_SECONDS_MAX
from actors.transport import CloseCode
from actors.websocket_outlet import WebSocketOutlet
from protocols.framing import WebSocketFraming
from protocols.stanza import build_message
from tests.actors.websocket_bytes import TEXT, Frame
from tests.actors.websocket_stage import Opened, opened


class Woken:
    """Counts how often the holder was woken."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


def outlet_of(opening: Opened, woken: Woken, scope: trio.CancelScope) -> WebSocketOutlet:
    return WebSocketOutlet(WebSocketFraming(), opening.transport, opening.pair.stream.output, woken, scope)


async def test_append_makes_a_message_of_each_element() -> None:
    async with opened() as opening:
        outlet = outlet_of(opening, Woken(), trio.CancelScope())
        framing = outlet.framing
        outlet.append(framing.nonza(b"<a/>") + framing.nonza(b"<b/>"))
        outlet.append_stanza(build_message(to=None, sender=None))
        assert outlet.bytes_pending == len("<a/><b/>") + len("<message xmlns='jabber:client'/>") + 3 * 2
        outlet.flush()
        assert await opening.read() == Frame(TEXT, b"<a/>")
        assert await opening.read() == Frame(TEXT, b"<b/>")
        assert (await opening.read()).payload.startswith(b"<message xmlns='jabber:client'")
        assert outlet.bytes_pending == 0


async def test_on_drained_is_told_when_the_client_has_read() -> None:
    told: list[int] = []
    async with opened() as opening, trio.open_nursery() as nursery:
        outlet = outlet_of(opening, Woken(), trio.CancelScope())
        outlet.append(outlet.framing.nonza(b"x" * 20_000_000))
        outlet.flush()
        assert outlet.bytes_pending > 0
        outlet.on_drained = lambda: told.append(1)
        assert outlet.on_drained is not None
        assert told == []
        nursery.start_soon(opening.pair.stream.wait_written)
        await opening.read()
    assert told == [1]
    assert outlet.on_drained is None


async def test_finish_gives_the_holder_a_bounded_time_and_keeps_the_first_code() -> None:
    woken, scope = Woken(), trio.CancelScope()
    async with opened() as opening:
        outlet = outlet_of(opening, woken, scope)
        assert scope.deadline == math.inf
        earliest = trio.current_time() + CLOSING_SECONDS_MAX
        outlet.finish(CloseCode.GOING_AWAY)
        outlet.finish(CloseCode.NORMAL)
        assert outlet.closing_code is CloseCode.GOING_AWAY
        assert earliest <= scope.deadline <= trio.current_time() + CLOSING_SECONDS_MAX
        assert woken.count == 1


async def test_finish_gives_no_more_time_to_what_has_waited_since_the_stream_ended() -> None:
    scope = trio.CancelScope()
    async with opened() as opening:
        outlet = outlet_of(opening, Woken(), scope)
        outlet.append(outlet.framing.nonza(b"x" * 20_000_000))
        outlet.flush()
        outlet.end()
        latest = trio.current_time() + CLOSING_SECONDS_MAX
        await trio.sleep(0.01)
        outlet.finish(CloseCode.NORMAL)
        assert scope.deadline <= latest


async def test_end_lets_no_stanza_follow() -> None:
    async with opened() as opening:
        outlet = outlet_of(opening, Woken(), trio.CancelScope())
        assert outlet.append_stanza(build_message(to=None, sender=None))
        outlet.end()
        assert not outlet.append_stanza(build_message(to=None, sender=None))


async def test_broken_connection_takes_no_stanza() -> None:
    async with opened() as opening:
        outlet = outlet_of(opening, Woken(), trio.CancelScope())
        opening.pair.stream.close()
        assert not outlet.append_stanza(build_message(to=None, sender=None))
        assert outlet.bytes_pending == 0
