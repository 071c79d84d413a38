"""Faults at named points and delays after each wake: how the simulation gets at a tree."""

from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from supervision.child_spec import ChildSpec
from supervision.exit_reason import Crashed, Killed
from supervision.report import ChildTerminated, MessageSetAside
from supervision.runtime import KillHere, Point
from supervision.slot import Slot
from tests.supervision.stage import Message, Note, Raise, Stage, Worker


class Saboteur:
    """A probe that raises at one point, so many times."""

    def __init__(self, point: Point, fault: Exception, times: int = 1) -> None:
        self.point = point
        self.fault = fault
        self.times = times
        self.seen: list[tuple[Point, object]] = []

    def __call__(self, point: Point, _slot: Slot[Any], message: object) -> None:
        self.seen.append((point, message))
        if point is self.point and self.times:
            self.times -= 1
            raise self.fault


async def test_probe_is_called_at_every_point_with_the_message() -> None:
    stage = Stage()
    async with stage.supervising(stage.spec("a")):
        saboteur = stage.runtime.probe = Saboteur(Point.IN_APPLY, KeyError(), times=0)
        await stage.end("/a", Note("one"))
        everywhere = (Point.BEFORE_DECIDE, Point.AFTER_DECIDE, Point.IN_APPLY)
        assert saboteur.seen == [(point, Note("one")) for point in everywhere]
        assert stage.notes("/a") == ["one"]


@pytest.mark.parametrize("point", [Point.BEFORE_DECIDE, Point.AFTER_DECIDE])
async def test_probe_that_raises_is_a_crash_with_that_message_in_hand(point: Point) -> None:
    stage = Stage()
    async with stage.supervising(stage.spec("a")):
        stage.ref("/a").cast(Note("zero"))
        await wait_all_tasks_blocked()
        fault = KeyError("sabotage")
        stage.runtime.probe = Saboteur(point, fault)
        for text in ("one", "two"):
            stage.ref("/a").cast(Note(text))
        await wait_all_tasks_blocked()
        assert stage.notes("/a") == ["zero", "two"]
        assert stage.reported(ChildTerminated) == [
            ChildTerminated("/a", 1, Crashed(fault), Note("one"), will_restart=True)
        ]
        assert stage.reported(MessageSetAside) == [MessageSetAside("/a", Note("one"), fault)]


@pytest.mark.parametrize("point", [Point.BEFORE_DECIDE, Point.AFTER_DECIDE])
async def test_probe_that_kills_leaves_the_message_for_the_next_incarnation(point: Point) -> None:
    """A kill from outside would wait for a checkpoint, by when the message has been handled."""
    stage = Stage()
    async with stage.supervising(stage.spec("a")):
        stage.runtime.probe = Saboteur(point, KillHere("chaos"))
        for text in ("one", "two"):
            stage.ref("/a").cast(Note(text))
        await wait_all_tasks_blocked()
        assert stage.notes("/a") == ["one", "two"]
        assert stage.reported(ChildTerminated) == [
            ChildTerminated("/a", 1, Killed("chaos"), Note("one"), will_restart=True)
        ]
        assert stage.reported(MessageSetAside) == []


async def test_probe_that_kills_twice_makes_the_message_suspect() -> None:
    stage = Stage()
    async with stage.supervising(stage.spec("a")):
        stage.runtime.probe = Saboteur(Point.BEFORE_DECIDE, KillHere(), times=2)
        for text in ("one", "two"):
            stage.ref("/a").cast(Note(text))
        await wait_all_tasks_blocked()
        assert stage.notes("/a") == ["two"]
        assert [report.reason for report in stage.reported(ChildTerminated)] == [Killed(), Killed()]
        assert [report.message for report in stage.reported(MessageSetAside)] == [Note("one")]


@pytest.mark.parametrize("fault", [KeyError("sabotage"), KillHere("chaos")])
async def test_probe_in_apply_makes_the_state_untrustworthy(fault: Exception) -> None:
    stage = Stage()
    async with stage.supervising(stage.spec("a")):
        stage.ref("/a").cast(Note("zero"))
        await wait_all_tasks_blocked()
        stage.runtime.probe = Saboteur(Point.IN_APPLY, fault)
        for text in ("one", "two"):
            stage.ref("/a").cast(Note(text))
        await wait_all_tasks_blocked()
        assert stage.notes("/a") == ["two"]
        assert stage.reported(MessageSetAside) == [MessageSetAside("/a", Note("one"), fault)]


async def test_probed_actor_that_decides_on_nothing_applies_nothing() -> None:
    class Content(Worker):
        def decide(self, _message: Message) -> tuple[Message, ...]:
            return ()

        def apply(self, _effects: Sequence[Message]) -> None:
            raise AssertionError("there is nothing to apply")

    stage = Stage()
    async with stage.supervising(ChildSpec("a", lambda slot: Content(slot, stage))):
        stage.runtime.probe = Saboteur(Point.IN_APPLY, KeyError(), times=0)
        await stage.end("/a", Note("one"))
        assert stage.incarnations("a") == [1]


async def test_actors_may_have_points_of_their_own() -> None:
    """One line each."""
    stage = Stage()
    slot: Slot[Any] = Slot(stage.spec("a"), None, stage.runtime)
    slot.probe(Point.BEFORE_DECIDE, "nobody looks")
    saboteur = stage.runtime.probe = Saboteur(Point.AFTER_DECIDE, KeyError())
    slot.probe(Point.BEFORE_DECIDE, "batch")
    assert saboteur.seen == [(Point.BEFORE_DECIDE, "batch")]


async def test_pause_delays_each_wake_and_loses_nothing(autojump_clock: MockClock) -> None:
    stage = Stage()
    pauses: list[float] = []

    async def pause() -> None:
        pauses.append(stage.runtime.random.uniform(0, 2))
        await trio.sleep(pauses[-1])

    stage.runtime.random = Random(7)
    async with stage.supervising(stage.spec("a"), stage.spec("b")):
        stage.runtime.pause = pause
        for number in range(5):
            stage.ref("/a").cast(Note(f"{number}"))
            stage.ref("/b").cast(Note(f"{number}"))
            await trio.sleep(0.5)
        stage.ref("/b").cast(Raise(ValueError("broken")))
        await trio.sleep(20)
        assert stage.notes("/a") == stage.notes("/b") == [f"{number}" for number in range(5)]
        assert stage.incarnations("a", "b") == [1, 2]
        assert trio.current_time() >= sum(pauses) / 2
    assert len(pauses) > 4
