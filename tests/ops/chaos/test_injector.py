"""Tests of `ops.chaos.injector`: what it asks for, what it counts, what it does without."""

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from ops.chaos.cast import cast
from ops.chaos.client import Client, Clock, Stage
from ops.chaos.injector import Injector, _kind_and_point
from ops.chaos.ledger import Ledger
from ops.chaos.options import Options
from ops.chaos.plan import Fault
from ops.chaos.tally import Tally
from ops.chaos.target import Target
from ops.chaos.wire import Place
from ops.control_protocol import Command, Refusal, Request
from tests.ops.fake_server import fake_server

OPTIONS = Options(2, 60.0, 1, (), (), 1_000.0, 1.0)


def made(folder: Path) -> Injector:
    """An injector for a server in a folder, with clients that are not connected."""
    parts, tally, clock = cast(2, "c"), Tally(), Clock()
    place = Place("localhost", {}, ssl.create_default_context())
    stage = Stage(place, parts, "", 1, 1.0, Ledger({}), tally, trio.CapacityLimiter(1), clock)
    return Injector(Target(place, folder), [Client(part, stage) for part in parts], clock, tally, OPTIONS)


def now(kind: str, point: str = "rest", victim: int = 5) -> Fault:
    return Fault(0.0, kind, point, victim, 0.1)


@contextmanager
def answering(folder: Path, answer: Callable[[Request], Any]) -> Iterator[list[Request]]:
    with fake_server(folder, answer) as requests:
        yield requests


def refuse(_request: Request) -> object:
    raise Refusal("not now")


async def test_carry_out_asks_the_server_for_each_fault_in_order(tmp_path: Path) -> None:
    injector = made(tmp_path)
    with answering(tmp_path, lambda _request: {"killed": 1}) as requests:
        await injector.carry_out([now("session", "after decide"), now("registry", victim=7)])
    assert [request.arguments for request in requests] == [
        {"kind": "session", "at": "after decide", "match": "", "pick": 5},
        {"kind": "registry", "at": "rest", "match": "", "pick": 7},
    ]
    assert [(mark.kind, mark.point) for mark in injector.marks] == [
        ("session", "after decide"),
        ("registry", "rest"),
    ]
    assert not injector.missed
    assert not injector.happened  # the server will tell


async def test_carry_out_counts_what_was_refused(tmp_path: Path) -> None:
    injector = made(tmp_path)
    with answering(tmp_path, refuse):
        await injector.carry_out([now("session")])
    await injector.carry_out([now("registry")])
    assert injector.missed == {("session", "not now"): 1, ("registry", "the server was away"): 1}
    assert not injector.marks


async def test_carry_out_takes_the_death_of_the_control_socket_for_done(tmp_path: Path) -> None:
    injector = made(tmp_path)
    with answering(tmp_path, refuse):
        await injector.carry_out([now("control")])
    assert [mark.kind for mark in injector.marks] == ["control"]


async def test_carry_out_counts_what_met_nobody(tmp_path: Path) -> None:
    injector = made(tmp_path)
    await injector.carry_out([now("cut"), now("stall")])
    assert injector.missed == {
        ("cut", "the client was not connected"): 1,
        ("stall", "the client was not connected"): 1,
    }


async def test_carry_out_makes_nothing_when_the_time_is_over(tmp_path: Path) -> None:
    injector = made(tmp_path)
    injector._clock.began -= 2 * OPTIONS.seconds
    await injector.carry_out([now("cut")])
    assert injector.missed == {("cut", "no time was left"): 1}


async def test_count_adds_what_is_new_in_each_life_of_the_server(tmp_path: Path) -> None:
    injector = made(tmp_path)
    told: dict[str, Any] = {
        "happened": {"session after decide": 2, "database process": 1, "registry at rest": 1},
        "recoveries": [["session", 0.5]],
        "next": 1,
    }
    with answering(
        tmp_path, lambda request: told if request.command is Command.FAULT_COUNT else {}
    ) as requests:
        await injector.count()
        told |= {"happened": told["happened"] | {"session after decide": 3}, "recoveries": [], "next": 1}
        await injector.count()
        injector._in_this_life, injector._recoveries_heard = {}, 0  # as at each start
        told |= {"happened": {"session after decide": 1}}
        await injector.count()
    assert injector.happened == {
        ("session", "after decide"): 4,
        ("database process", "rest"): 1,
        ("registry", "rest"): 1,
    }
    assert injector.recoveries == [("session", 0.5)]
    counts = [request.arguments for request in requests if request.command is Command.FAULT_COUNT]
    assert counts == [{"after": 0}, {"after": 1}, {"after": 0}]
    assert sum(request.command is Command.STATUS for request in requests) == 3


async def test_begin_leaves_out_what_happened_before(tmp_path: Path) -> None:
    injector = made(tmp_path)
    told = {"happened": {"registry at rest": 4}, "recoveries": [["registry", 0.5]] * 4, "next": 4}
    with answering(tmp_path, lambda _request: told) as requests:
        await injector.begin()
        told = {"happened": {"registry at rest": 5}, "recoveries": [["registry", 0.1]], "next": 5}
        await injector.count()
    assert injector.happened == {("registry", "rest"): 1}
    assert injector.recoveries == [("registry", 0.1)]
    assert requests[1].arguments == {"after": 4}


async def test_count_measures_how_long_the_database_was_away(tmp_path: Path) -> None:
    injector = made(tmp_path)
    databases = iter(["answers", "away", "away", "answers", "answers"])

    def answer(request: Request) -> object:
        if request.command is Command.STATUS:
            return {"database": next(databases)}
        return {"happened": {}, "recoveries": [], "next": 0}

    with answering(tmp_path, answer):
        for _ in range(5):
            await injector.count()
    ((kind, seconds),) = injector.recoveries
    assert kind == "database away"
    assert seconds > 0


async def test_count_and_disarm_bear_a_server_that_is_away(tmp_path: Path) -> None:
    injector = made(tmp_path)
    await injector.count()
    await injector.disarm()
    with answering(tmp_path, refuse):
        await injector.count()
        await injector.disarm()
    assert not injector.happened


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("session after decide", ("session", "after decide")),
        ("database at rest", ("database", "rest")),
        ("database process", ("database process", "rest")),
        ("port driver before decide", ("port driver", "before decide")),
        ("batcher committed but not answered", ("batcher", "committed but not answered")),
    ],
)
def test_kind_and_point_are_read_from_a_count(name: str, expected: tuple[str, str]) -> None:
    assert _kind_and_point(name) == expected
