"""Tests of `ops.cli.chaos`: usage, and what becomes of a result, for which functions stand in."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Any

import pytest
from click.testing import CliRunner, Result

from ops.chaos.options import Options
from ops.chaos.result import Result as Outcome
from ops.chaos.target import Target, Unusable
from ops.cli import chaos
from ops.cli.main import main
from tests.ops.chaos.results import RESULT

Asked = list[Options]


@pytest.fixture
def outcome() -> dict[str, Any]:
    """What the run will have as its result, changed by a test."""
    return {"result": RESULT, "error": None}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, outcome: dict[str, Any]) -> Asked:
    """What runs were asked for."""
    runs: Asked = []

    @asynccontextmanager
    async def somewhere(*_arguments: object) -> AsyncIterator[None]:
        yield None

    async def run(options: Options, _target: Target, _file: IO[str], _say: Callable[[str], None]) -> Outcome:
        runs.append(options)
        if outcome["error"] is not None:
            raise outcome["error"]
        result: Outcome = outcome["result"]
        return result

    monkeypatch.setattr(chaos, "own_server", somewhere)
    monkeypatch.setattr(chaos, "running_server", somewhere)
    monkeypatch.setattr(chaos, "run", run)
    return runs


def _chaos(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["chaos", *arguments])


def test_chaos_without_options_makes_every_fault_everywhere(asked: Asked) -> None:
    result = _chaos()
    assert result.exit_code == 0, result.output
    (options,) = asked
    assert (options.clients, options.seed) == (50, 1)
    assert {"session", "server", "restart", "server process", "cut", "slow database"} <= set(options.kinds)
    assert {"rest", "before decide", "in apply", "batch built"} <= set(options.points)
    assert "The balance holds" in result.stdout


def test_chaos_options_are_taken(asked: Asked) -> None:
    _chaos("--clients=8", "--seconds=5", "--seed=9", "--rate=3", "--pace=2")
    _chaos("--kinds", "registry, port driver", "--points", "before decide")
    assert asked[0][:3] == (8, 5.0, 9)
    assert asked[0][5:] == (3.0, 2.0)
    assert asked[1].kinds == ("registry", "port driver")
    assert asked[1].points == ("before decide",)


def test_chaos_with_a_server_that_runs_leaves_out_what_needs_its_own(asked: Asked, tmp_path: Path) -> None:
    config = tmp_path / "trouper.toml"
    config.touch()
    assert _chaos("--config", str(config)).exit_code == 0
    assert not {"server", "restart", "server process", "slow database"} & set(asked[0].kinds)
    refused = _chaos("--config", str(config), "--kinds", "server,cut")
    assert (refused.exit_code, len(asked)) == (2, 1)
    assert "server: only with a server of its own" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--kinds", "prompter"], "no such kind: prompter; there are session"),
        (["--points", "noon"], "no such point: noon; there are rest, before decide"),
        (["--clients", "3"], "--clients must be even"),
        (["--clients", "1000000"], "2<=x<=2000"),
        (["--kinds", "cut", "--points", "in apply"], "a message in hand at: in apply"),
        (["--rate", "0"], "--rate"),
        (["--seconds", "0"], "--seconds"),
        (["--config", "/nowhere/trouper.toml"], "does not exist"),
    ],
)
def test_chaos_wrong_usage_is_told(asked: Asked, arguments: list[str], why: str) -> None:
    result = _chaos(*arguments)
    assert result.exit_code == 2
    assert why in result.stderr
    assert not asked


@pytest.mark.usefixtures("asked")
def test_chaos_whose_balance_does_not_hold_has_a_status_of_its_own(outcome: dict[str, Any]) -> None:
    outcome["result"] = RESULT._replace(violations=("h ran backwards \x1b[2J",))
    result = _chaos()
    assert result.exit_code == 1
    assert "against the rules: h ran backwards" in result.stdout
    assert "\x1b" not in result.stdout


@pytest.mark.usefixtures("asked")
def test_chaos_that_cannot_be_made_says_why(outcome: dict[str, Any]) -> None:
    outcome["error"] = Unusable("only 3 of 8 clients could log in: nobody answers")
    result = _chaos()
    assert result.exit_code == 1
    assert result.stderr.endswith("trouper: only 3 of 8 clients could log in: nobody answers\n")


@pytest.mark.usefixtures("asked")
def test_chaos_as_json_is_the_result(outcome: dict[str, Any]) -> None:
    outcome["result"] = RESULT
    shown = json.loads(_chaos("--json").stdout)
    assert shown["holds"] is True
    assert shown["balance"]["sent"] == 1_500


@pytest.mark.usefixtures("asked")
def test_chaos_picture_is_written(tmp_path: Path) -> None:
    path = tmp_path / "chaos.svg"
    assert _chaos("--picture", str(path)).exit_code == 0
    assert path.read_text(encoding="utf-8").startswith("<svg ")


@pytest.mark.usefixtures("asked")
def test_chaos_directory_is_kept(tmp_path: Path) -> None:
    result = _chaos("--directory", str(tmp_path / "kept"))
    assert (tmp_path / "kept").is_dir()
    assert f"starting a server in {tmp_path / 'kept'}" in result.stderr


def test_chaos_help_has_examples() -> None:
    result = _chaos("--help")
    assert "trouper chaos --clients 200 --seconds 300 --picture chaos.svg" in result.output
    assert "Exit status" in result.output
