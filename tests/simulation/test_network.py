"""A line delays, keeps order, stalls and is cut, half-way through a word if need be."""

from random import Random

import pytest
import trio
from trio.testing import MockClock

from tests.actors.house import ADDRESS, House
from tests.actors.house_wire import lay_wire
from tests.simulation.agenda import Agenda
from tests.simulation.network import LATENCY_SECONDS_MAX, NOTICED_SECONDS_MAX, UNNOTICED_SECONDS_MAX, Line

HEADER = (
    b"<stream:stream to='localhost' version='1.0' xmlns='jabber:client' "
    b"xmlns:stream='http://etherx.jabber.org/streams'>"
)


class Stage:
    """A line to a house, and what comes over it."""

    def __init__(self, house: House, agenda: Agenda, seed: int = 0) -> None:
        self.heard: list[bytes] = []
        self.wire = lay_wire(house.server, ADDRESS)
        self.line = Line(agenda, Random(seed), self.wire, self.heard.append, lambda _who, _what: None, "line")


async def test_line_delays_and_reorders_nothing(autojump_clock: MockClock) -> None:
    agenda = Agenda()
    async with House().open() as house, trio.open_nursery() as nursery:
        nursery.start_soon(agenda.run)
        stage = Stage(house, agenda)
        for at in range(len(HEADER)):
            stage.line.send(HEADER[at : at + 1])
        assert not stage.wire.to_server
        await trio.sleep(2 * LATENCY_SECONDS_MAX)
        assert b"<stream:features>" in b"".join(stage.heard)
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("seed", range(8))
async def test_line_that_is_cut_passes_a_part_and_tells_both_sides(
    autojump_clock: MockClock, seed: int
) -> None:
    agenda = Agenda()
    async with House().open() as house, trio.open_nursery() as nursery:
        nursery.start_soon(agenda.run)
        stage = Stage(house, agenda, seed)
        slot = stage.wire.slot
        assert slot is not None
        stage.line.send(HEADER)
        stage.line.cut()
        stage.line.send(b"nobody hears this")
        await trio.sleep(UNNOTICED_SECONDS_MAX + 1)
        assert stage.heard == [b""]
        assert not slot.is_live
        nursery.cancel_scope.cancel()


async def test_line_to_a_server_that_is_gone_ends_soon(autojump_clock: MockClock) -> None:
    agenda = Agenda()
    async with House().open() as house, trio.open_nursery() as nursery:
        nursery.start_soon(agenda.run)
        stage = Stage(house, agenda)
        stage.line.cut(is_server_gone=True)
        await trio.sleep(NOTICED_SECONDS_MAX)
        assert stage.heard == [b""]
        nursery.cancel_scope.cancel()


async def test_line_that_stalls_gives_nothing_until_it_flows_again(
    autojump_clock: MockClock,
) -> None:
    agenda = Agenda()
    async with House().open() as house, trio.open_nursery() as nursery:
        nursery.start_soon(agenda.run)
        stage = Stage(house, agenda)
        stage.line.stall(10)
        stage.line.send(HEADER)
        await trio.sleep(9)
        assert not stage.heard
        unread = [agenda.now - 9, stage.line.unread_since]
        await trio.sleep(2)
        assert b"<stream:features>" in b"".join(stage.heard)
        assert [*unread, stage.line.unread_since] == [agenda.now - 11, agenda.now - 11, None]
        nursery.cancel_scope.cancel()
