"""Tests of `ops.faults`: which actor dies, when, and what is counted, on the whole tree in memory."""

import pytest
import trio

from actors.registry import Count
from ops.control_protocol import Refusal
from ops.faults import DATABASE_PROCESS, KINDS, SERVER_PROCESS, Faults, kind_of
from supervision.reply import ActorCrashed
from supervision.report import ChildTerminated, MessageSetAside
from supervision.slot import Slot
from supervision.tree import find
from tests.actors.house import House

ROMEO, JULIET = "romeo@localhost/orchard", "juliet@localhost/balcony"


def root(house: House) -> Slot[object]:
    assert house.tree is not None
    return house.tree.root


def deaths(house: House) -> list[str]:
    """Who died, in order; forgives them."""
    return [report.path for report in house.forgive() if isinstance(report, ChildTerminated)]


async def test_make_at_rest_kills_now_and_counts() -> None:
    async with House().open() as house:
        faults = Faults(house.runtime)
        assert faults.make(root(house), "registry", "rest", "") == 1
        await house.settle()
        assert deaths(house) == ["/registry"]
        assert faults.happened == {"registry at rest": 1}


async def test_make_at_rest_kills_those_only_whose_path_matches() -> None:
    async with House().open() as house:
        faults = Faults(house.runtime)
        for jid in (ROMEO, JULIET):
            await house.appear(jid)
        assert faults.make(root(house), "session", "rest", "nurse@") == 0
        assert faults.make(root(house), "session", "rest", "romeo@") == 1
        await house.settle()
        (died,) = deaths(house)
        assert died.startswith("/sessions/romeo@localhost")
        assert faults.make(root(house), "session", "rest", "") == 2
        await house.settle()
        assert len(deaths(house)) == 2
        assert faults.happened["session at rest"] == 3


@pytest.mark.parametrize("point", ["before decide", "after decide"])
async def test_make_at_a_point_waits_for_a_message_in_hand(point: str) -> None:
    async with House().open() as house:
        faults = Faults(house.runtime)
        assert faults.make(root(house), "registry", point, "") == 0
        await house.settle()
        assert faults.happened == {}
        assert house.server.registry is not None
        await house.server.registry.call(Count)  # answered by the successor
        (report,) = house.forgive()
        assert isinstance(report, ChildTerminated)
        assert isinstance(report.in_hand, Count)
        assert faults.happened == {f"registry {point}": 1}


async def test_make_in_apply_breaks_the_state_and_answers_the_caller() -> None:
    async with House().open() as house:
        faults = Faults(house.runtime)
        faults.make(root(house), "registry", "in apply", "")
        assert house.server.registry is not None
        with pytest.raises(ActorCrashed):
            await house.server.registry.call(Count)
        await house.server.registry.call(Count)
        assert [type(report) for report in house.forgive()] == [ChildTerminated, MessageSetAside]
        assert faults.happened == {"registry in apply": 1}


async def test_make_twice_kills_twice() -> None:
    """Two deaths with one message in hand make that message suspect."""
    async with House().open() as house:
        faults = Faults(house.runtime)
        for _ in range(2):
            faults.make(root(house), "registry", "before decide", "")
        assert house.server.registry is not None
        with pytest.raises(ActorCrashed, match="died 2 times with this message in hand"):
            await house.server.registry.call(Count)
        kinds = [type(report) for report in house.forgive()]
        assert (kinds.count(ChildTerminated), kinds.count(MessageSetAside)) == (2, 1)
        assert faults.happened == {"registry before decide": 2}


async def test_make_at_a_point_spares_those_that_do_not_match() -> None:
    async with House().open() as house:
        faults = Faults(house.runtime)
        faults.make(root(house), "registry", "before decide", "nowhere")
        faults.make(root(house), "batcher", "before decide", "")
        assert house.server.registry is not None
        await house.server.registry.call(Count)
        assert faults.happened == {}
        assert faults.disarm() == 2


async def test_disarm_forgets_what_waits() -> None:
    async with House().open() as house:
        faults = Faults(house.runtime)
        faults.make(root(house), "registry", "before decide", "")
        assert (faults.disarm(), faults.disarm()) == (1, 0)
        assert house.server.registry is not None
        with trio.fail_after(60):
            await house.server.registry.call(Count)
        assert faults.happened == {}


@pytest.mark.parametrize(
    ("kind", "at", "reason"),
    [
        ("prompter", "rest", "no such kind; there are session, .*database process"),
        ("registry", "noon", "no such point; there are rest, before decide"),
    ],
)
async def test_make_what_there_is_not_is_refused(kind: str, at: str, reason: str) -> None:
    async with House().open() as house:
        faults = Faults(house.runtime)
        with pytest.raises(Refusal, match=reason):
            faults.make(root(house), kind, at, "")
        assert faults.disarm() == 0


async def test_make_database_process_where_there_is_none_kills_nothing() -> None:
    async with House().open() as house:
        faults = Faults(house.runtime)
        assert faults.make(root(house), DATABASE_PROCESS, "rest", "") == 0
        assert faults.happened == {}


@pytest.mark.parametrize("kind", ["session", "presence", "connection", "registry", "batcher", "database"])
async def test_kinds_name_what_is_in_the_tree(kind: str) -> None:
    async with House().open() as house:
        await house.appear(ROMEO)
        if not KINDS[kind].path.endswith("/"):
            assert find(root(house), KINDS[kind].path) is not None
        assert Faults(house.runtime).make(root(house), kind, "rest", "") == 1
        await house.settle()
        assert all(path.startswith(KINDS[kind].path) for path in deaths(house))


async def test_make_at_rest_with_a_pick_kills_one_of_those_that_match() -> None:
    async with House().open() as house:
        faults = Faults(house.runtime)
        for jid in (ROMEO, JULIET):
            await house.appear(jid)
        died = []
        for pick in (0, 1, 2):
            assert faults.make(root(house), "session", "rest", "", pick) == 1
            await house.settle()
            died += deaths(house)
        assert died[0] == died[2] != died[1]
        assert faults.make(root(house), "session", "rest", "nurse@", 0) == 0


async def test_make_server_process_at_a_point_ends_the_process_with_a_message_in_hand() -> None:
    async with House().open() as house:
        ends: list[object] = []
        faults = Faults(house.runtime, lambda: ends.append(None))
        faults.make(root(house), SERVER_PROCESS, "before decide", "")
        assert house.server.registry is not None
        await house.server.registry.call(Count)  # no stanza in hand there
        assert not ends
        await house.appear(ROMEO)
        assert len(ends) == 1
        assert faults.happened == {"server process before decide": 1}
        assert deaths(house)  # in the house it goes on, as a kill of the actor


async def test_make_server_process_at_rest_ends_the_process() -> None:
    async with House().open() as house:
        ends: list[object] = []
        assert Faults(house.runtime, lambda: ends.append(None)).make(root(house), SERVER_PROCESS, "rest", "")
        assert len(ends) == 1


async def test_recoveries_tell_what_is_there_again_since_last_asked() -> None:
    async with House().open() as house:
        faults = Faults(house.runtime)
        assert faults.recoveries(0) == ((), 0)
        faults.make(root(house), "registry", "rest", "")
        await house.settle()
        (recovery,), following = faults.recoveries(0)
        assert recovery.kind == "registry"
        assert faults.recoveries(following) == ((), 1)
        assert deaths(house) == ["/registry"]  # reports are handed on


@pytest.mark.parametrize(
    ("path", "kind"), [("/sessions/a@b/c", "session"), ("/store/batcher", "batcher"), ("/timers", None)]
)
def test_kind_of_tells_by_the_path(path: str, kind: str | None) -> None:
    assert kind_of(path) == kind
