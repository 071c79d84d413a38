"""Tests of `ops.status`: each number against a tree in memory in which it is known."""

import io

import pytest
import trio

from actors.settings import LogSettings
from ops.logs import make_logger
from ops.reports import Reporter
from ops.status import Status
from protocols.conditions import SaslCondition
from protocols.negotiation_values import LoginFailed
from store.memory.faults import Fault
from supervision.exit_reason import Killed
from supervision.report import ChildTerminated, IntensityReached, MessageSetAside
from tests.actors.house import House


def status_of(house: House) -> tuple[Status, Reporter]:
    reporter = Reporter(make_logger(LogSettings(), io.StringIO()))
    return Status(house.server, reporter, "1.2.3"), reporter


async def test_read_counts_those_who_are_there() -> None:
    async with House().open() as house:
        status, _ = status_of(house)
        await house.appear("romeo@localhost/orchard")
        await house.appear("romeo@localhost/street")
        await house.log_in("juliet@localhost/balcony")
        house.connect("tybalt@localhost/x")
        await house.settle()
        read = await status.read()
        counted = {name: read[name] for name in ("connections", "sessions", "available", "users")}
        assert counted == {"connections": 4, "sessions": 3, "available": 2, "users": 2}
        house.clients[0].log_out()
        await house.settle()
        assert (await status.read())["sessions"] == 2


async def test_read_of_an_empty_house() -> None:
    async with House().open() as house:
        status, _ = status_of(house)
        read = dict(await status.read())
        memory = read.pop("memory_peak_mb")
        assert isinstance(memory, int)
        assert 1 < memory < 100_000
        assert read == {
            "version": "1.2.3",
            "domain": "localhost",
            "uptime_seconds": 0.0,
            "connections": 0,
            "sessions": 0,
            "available": 0,
            "users": 0,
            "database": "answers",
            "crashes": 0,
            "restarts_given_up": 0,
            "messages_set_aside": 0,
            "failed_logins": 0,
        }


async def test_read_uptime_goes_on(autojump_clock: trio.testing.MockClock) -> None:
    async with House().open() as house:
        status, _ = status_of(house)
        await trio.sleep(3_600.25)
        assert (await status.read())["uptime_seconds"] == pytest.approx(3_600.25, abs=0.06)


async def test_read_counts_what_was_reported() -> None:
    async with House().open() as house:
        status, reporter = status_of(house)
        reporter.report(ChildTerminated("/registry", 1, Killed(), None, True))
        reporter.report(ChildTerminated("/registry", 2, Killed(), None, True))
        reporter.report(IntensityReached("/store", 10, 60.0))
        reporter.report(MessageSetAside("/registry", "a letter", None))
        reporter.note(LoginFailed(None, SaslCondition.NOT_AUTHORIZED))
        read = await status.read()
        counted = {name: read[name] for name in ("crashes", "restarts_given_up", "messages_set_aside")}
        assert counted == {"crashes": 2, "restarts_given_up": 1, "messages_set_aside": 1}
        assert read["failed_logins"] == 1


async def test_read_tells_that_the_database_is_away_and_back(autojump_clock: trio.testing.MockClock) -> None:
    async with House().open() as house:
        status, _ = status_of(house)
        romeo = await house.appear("romeo@localhost/orchard")
        house.faults = lambda operation: Fault.AWAY if operation == "commit" else None
        romeo.send("<message to='juliet@localhost' type='chat'><body>are you there?</body></message>")
        await trio.sleep(2)
        assert (await status.read())["database"] == "away"
        house.faults = None
        await trio.sleep(60)
        assert (await status.read())["database"] == "answers"
