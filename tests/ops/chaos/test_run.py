"""Tests of `ops.chaos.run`: whole runs against a stand-in server, sound and with planted bugs."""

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ops.chaos.options import Options
from ops.chaos.result import Result
from ops.chaos.run import run
from ops.chaos.target import Target, Unusable
from ops.control_protocol import Command, Refusal, Request
from tests.ops.chaos.stand_in import Bug, StandIn, stand_in
from tests.ops.fake_server import fake_server

# Enough that a bug strikes dozens of times.
SEEDS_MAX = 5
OPTIONS = Options(10, 2.0, 1, ("cut", "stall"), ("rest",), 5.0, 20.0)


@asynccontextmanager
async def target(folder: Path, bug: Bug = Bug.NONE) -> AsyncIterator[tuple[Target, StandIn, list[Request]]]:
    async with stand_in(bug) as (server, place):
        with fake_server(folder, server.control) as requests:
            yield Target(place, folder), server, requests


async def chaos(folder: Path, bug: Bug = Bug.NONE, options: Options = OPTIONS) -> Result:
    async with target(folder, bug) as (server, _, _):
        return await run(options, server, io.StringIO(), lambda _text: None)


async def test_run_against_a_sound_server_holds(tmp_path: Path) -> None:
    result = await chaos(tmp_path)
    assert result.holds, result.balance
    balance = result.balance
    assert balance.sent == balance.acknowledged == balance.delivered > 100
    assert sum(result.delivered_by_second) == balance.delivered
    assert result.resumed > 0
    assert not result.not_resumed
    assert result.closed.keys() == {"cut by the harness"}
    assert result.asked == result.answered > 0
    assert {(made.kind, made.point) for made in result.made} == {("cut", "rest"), ("stall", "rest")}
    assert result.recoveries["cut"].times == result.resumed


@pytest.mark.parametrize(
    ("bug", "wrong"),
    [
        (Bug.DROPS, "lost"),
        pytest.param(Bug.FORGETS, "lost", marks=pytest.mark.long),
        pytest.param(Bug.DOUBLES, "doubled", marks=pytest.mark.long),
        pytest.param(Bug.RESUMES_LOW, "doubled", marks=pytest.mark.long),
        pytest.param(Bug.SWAPS, "disordered", marks=pytest.mark.long),
    ],
    ids=lambda each: each.value if isinstance(each, Bug) else each,
)
async def test_run_finds_the_planted_bug(
    tmp_path: Path, bug: Bug, wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some bug only if a fault meets a message: one of a few runs does."""
    monkeypatch.setattr("ops.chaos.run.QUIET_SECONDS_MAX", 2.0)  # what is lost is waited for in vain
    for seed in range(1, SEEDS_MAX + 1):
        folder = tmp_path / str(seed)
        folder.mkdir()
        result = await chaos(folder, bug, OPTIONS._replace(seed=seed))
        if getattr(result.balance, wrong):
            break
    assert not result.holds
    assert getattr(result.balance, wrong)
    others = {"doubled", "disordered", "strays"} - {wrong}
    if bug is not Bug.SWAPS:  # which may hold one back in the end
        assert not any(getattr(result.balance, each) for each in others)


@pytest.mark.parametrize("bug", [Bug.ACKNOWLEDGES_TOO_MUCH, Bug.RUNS_BACKWARDS], ids=lambda bug: bug.value)
async def test_run_finds_an_impossible_h(tmp_path: Path, bug: Bug) -> None:
    result = await chaos(tmp_path, bug)
    assert not result.holds
    assert any("a: h is" in each for each in result.violations)


async def test_run_counts_errors_as_answers(tmp_path: Path) -> None:
    result = await chaos(tmp_path, Bug.BOUNCES)
    assert result.holds
    assert result.balance.refused > 5
    assert result.balance.delivered + result.balance.refused == result.balance.sent


async def test_run_counts_refused_resumptions_apart(tmp_path: Path) -> None:
    result = await chaos(tmp_path, Bug.RESUMES_NOBODY)
    assert result.resumed == 0
    assert result.not_resumed["item-not-found"] > 0
    assert not result.balance.doubled


async def test_run_whose_point_is_never_hit_does_not_hold(tmp_path: Path) -> None:
    options = OPTIONS._replace(kinds=("cut", "registry"), points=("rest", "in apply"), seconds=1.5)
    result = await chaos(tmp_path, options=options)
    assert result.balance.holds
    assert result.points_missed == ("in apply",)
    assert not result.holds


async def test_run_makes_accounts_and_deletes_them_on_a_server_that_is_not_its_own(tmp_path: Path) -> None:
    async with target(tmp_path) as (server, _, requests):
        await run(OPTIONS._replace(seconds=1.0), server, io.StringIO(), lambda _text: None)
    made = [request.text("jid") for request in requests if request.command is Command.USER_ADD]
    deleted = [request.text("jid") for request in requests if request.command is Command.USER_DELETE]
    assert made == deleted
    assert len(made) == 8


async def test_run_disarms_in_the_end(tmp_path: Path) -> None:
    async with target(tmp_path) as (server, _, requests):
        await run(OPTIONS._replace(seconds=1.0), server, io.StringIO(), lambda _text: None)
    assert [each.command for each in requests if each.command in (Command.FAULT, Command.FAULT_DISARM)] == [
        Command.FAULT_DISARM
    ]


async def test_run_without_accounts_is_refused(tmp_path: Path) -> None:
    def refuse(_request: Request) -> object:
        raise Refusal("not here")

    async with stand_in() as (_, place):
        with fake_server(tmp_path, refuse), pytest.raises(Unusable, match=r"user.add chaos-.*: not here"):
            await run(OPTIONS, Target(place, tmp_path), io.StringIO(), lambda _text: None)


async def test_run_whose_clients_cannot_log_in_is_refused_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ops.chaos.run.ENTER_SECONDS_MAX", 0.5)
    async with stand_in() as (server, place):
        pass  # nobody listens there any more
    with (
        fake_server(tmp_path, server.control),
        pytest.raises(Unusable, match="only 0 of 10 clients could log in: nobody answers"),
    ):
        await run(OPTIONS, Target(place, tmp_path), io.StringIO(), lambda _text: None)
