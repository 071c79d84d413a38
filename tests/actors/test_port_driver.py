"""Tests of `actors.port_driver`: the real epoll, socket pairs, and owners that note what they are told."""

from __future__ import annotations

import socket
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest
import trio

from actors import port_driver
from actors.port import HUNG_UP, READABLE, WRITABLE, Port
from actors.port_driver import PortTable, port_driver_spec
from supervision.report import ChildTerminated
from supervision.runtime import KillHere, Point
from tests.supervision.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from supervision.slot import Slot

DRIVER: Final = "/port_driver"
SECONDS_MAX: Final = 10.0
"""Bounds failure only."""


class Owner:
    """Notes what it is told, for whoever waits for it."""

    def __init__(self) -> None:
        self.bits = 0
        self._news = trio.Event()

    def signal(self, bits: int) -> None:
        self.bits |= bits
        self._news.set()

    async def hears(self, bits: int) -> int:
        """Wait until all of these have been told; returns all that has been, and forgets it."""
        with trio.fail_after(SECONDS_MAX):
            while self.bits & bits != bits:
                self._news = trio.Event()
                await self._news.wait()
        told, self.bits = self.bits, 0
        return told


class Line(NamedTuple):
    """A port in the table, its owner, and the other end."""

    port: Port
    owner: Owner
    client: socket.socket


class Lines:
    """A table of ports, and more of them when asked."""

    def __init__(self, stack: ExitStack) -> None:
        self.table = PortTable()
        self._stack = stack

    def lay(self) -> Line:
        """A line whose port is watched."""
        server, client = socket.socketpair()
        self._stack.enter_context(client)
        owner = Owner()
        port = Port(server, owner)
        self._stack.callback(port.close)
        self.table.add(port)
        return Line(port, owner, client)


@pytest.fixture
def lines() -> Iterator[Lines]:
    with ExitStack() as stack:
        yield Lines(stack)


async def _passed(lines: Lines) -> None:
    """The driver has told everything that happened before: a line laid now is told of later."""
    await lines.lay().owner.hears(WRITABLE)


async def test_add_tells_what_the_port_is_ready_for(lines: Lines) -> None:
    stage = Stage()
    async with stage.supervising(port_driver_spec(lines.table)):
        assert await lines.lay().owner.hears(WRITABLE) == WRITABLE


async def test_add_before_the_driver_lives_is_told_when_it_does(lines: Lines) -> None:
    line = lines.lay()
    line.client.send(b"early")
    async with Stage().supervising(port_driver_spec(lines.table)):
        assert await line.owner.hears(READABLE | WRITABLE) == READABLE | WRITABLE


async def test_data_is_told_to_its_owner_alone(lines: Lines) -> None:
    async with Stage().supervising(port_driver_spec(lines.table)):
        one, other = lines.lay(), lines.lay()
        await one.owner.hears(WRITABLE)
        await other.owner.hears(WRITABLE)
        one.client.send(b"<presence/>")
        assert await one.owner.hears(READABLE) & READABLE
        await _passed(lines)
        assert other.owner.bits == 0


async def test_data_that_was_not_read_is_told_once(lines: Lines) -> None:
    """Edges, not levels: an owner that has no room for more is not woken again and again."""
    async with Stage().supervising(port_driver_spec(lines.table)):
        line = lines.lay()
        line.client.send(b"<presence/>")
        await line.owner.hears(READABLE | WRITABLE)
        await _passed(lines)
        assert line.owner.bits == 0
        line.client.send(b"<presence/>")
        assert await line.owner.hears(READABLE), "more has come: another edge"


async def test_peer_that_ends_is_told_as_readable_and_hung_up(lines: Lines) -> None:
    async with Stage().supervising(port_driver_spec(lines.table)):
        line = lines.lay()
        await line.owner.hears(WRITABLE)
        line.client.close()
        assert await line.owner.hears(READABLE | HUNG_UP)


async def test_full_port_is_told_when_it_is_writable_again(lines: Lines) -> None:
    async with Stage().supervising(port_driver_spec(lines.table)):
        line = lines.lay()
        await line.owner.hears(WRITABLE)
        while line.port.send(bytes(65_536)):
            pass
        await _passed(lines)
        line.owner.bits = 0
        line.client.setblocking(False)
        with suppress(BlockingIOError):
            while line.client.recv(1_048_576):
                pass
        assert await line.owner.hears(WRITABLE)


async def test_more_ports_ready_than_one_look_reports_are_all_told(
    lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(port_driver, "_READY_MAX", 2)
    laid = [lines.lay() for _ in range(7)]
    stage = Stage()
    async with stage.supervising(port_driver_spec(lines.table)):
        for line in laid:
            await line.owner.hears(WRITABLE)
        assert stage.slot(DRIVER).handled == 7


# -- deaths


async def test_kill_new_incarnation_repeats_what_may_have_been_lost(lines: Lines) -> None:
    stage = Stage()
    async with stage.supervising(port_driver_spec(lines.table)):
        line = lines.lay()
        line.client.send(b"not read yet")
        await line.owner.hears(READABLE | WRITABLE)
        stage.ref(DRIVER).kill()
        assert await line.owner.hears(READABLE | WRITABLE) == READABLE | WRITABLE
        assert stage.slot(DRIVER).incarnation == 2


async def test_kill_with_readiness_in_hand_loses_no_edge(lines: Lines) -> None:
    """The epoll object will not tell that edge again: a new one does."""
    stage = Stage()
    deaths: list[object] = []

    def die_once(point: Point, _slot: Slot[Any], ready: object) -> None:
        if point is Point.BEFORE_DECIDE and ready and not deaths:
            deaths.append(ready)
            raise KillHere

    stage.runtime.probe = die_once
    async with stage.supervising(port_driver_spec(lines.table)):
        assert await lines.lay().owner.hears(WRITABLE)
    assert len(deaths) == 1
    assert len(stage.reported(ChildTerminated)) == 1


async def test_kill_port_added_meanwhile_is_watched_by_the_next(lines: Lines) -> None:
    stage = Stage()
    async with stage.supervising(port_driver_spec(lines.table)):
        await _passed(lines)
        stage.ref(DRIVER).kill()
        line = lines.lay()
        assert await line.owner.hears(WRITABLE)
        line.client.send(b"<presence/>")
        assert await line.owner.hears(READABLE)


# -- the table


async def test_remove_is_told_nothing_more(lines: Lines) -> None:
    async with Stage().supervising(port_driver_spec(lines.table)):
        line = lines.lay()
        await line.owner.hears(WRITABLE)
        lines.table.remove(line.port)
        line.client.send(b"<presence/>")
        await _passed(lines)
        assert line.owner.bits == 0
        assert len(lines.table) == 1, "the line just laid"


async def test_remove_between_look_and_word_is_told_nothing(lines: Lines) -> None:
    """A port may go because of what another one was told in the same round."""
    line = lines.lay()
    lines.table.arm_all()
    ready = lines.table.poll()
    lines.table.remove(line.port)
    lines.table.signal(ready)
    lines.table.disarm()
    assert ready
    assert line.owner.bits == 0


def test_remove_twice_does_no_harm_to_the_next_with_that_number(lines: Lines) -> None:
    """Descriptors' numbers come again at once."""
    old = lines.lay()
    lines.table.remove(old.port)
    number = old.port.fileno
    successor = socket.socket(fileno=old.port._socket.detach())
    new = Port(successor, Owner())
    lines.table.add(new)
    lines.table.remove(old.port)
    assert new.fileno == number
    assert len(lines.table) == 1
    successor.close()


def test_remove_port_whose_descriptor_has_gone_does_not_raise(lines: Lines) -> None:
    lines.table.arm_all()
    line = lines.lay()
    line.port._socket.close()
    lines.table.remove(line.port)
    lines.table.disarm()
    assert len(lines.table) == 0


async def test_stop_closes_the_epoll_object(lines: Lines) -> None:
    async with Stage().supervising(port_driver_spec(lines.table)):
        await _passed(lines)
        epoll = lines.table._epoll
        assert epoll is not None
    assert epoll.closed
    lines.lay()
    assert len(lines.table) == 2, "a port may still come: a successor will watch it"
