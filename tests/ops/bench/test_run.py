"""Tests of `ops.bench.run`: the table, from results as the generator writes them."""

from pathlib import Path

import pytest

from ops.bench import run
from ops.bench.server import BenchError

CHAT = {
    "per_second": 20123.4,
    "server_cpu_us_per_delivery": 48.6,
    "latency_us": {"p50": 1234.0, "p99": 5678.0},
}
LOGIN = {"per_second": 512.3, "server_cpu_us_per_delivery": 1850.2}
IDLE = {"steps": [{"sessions": 200, "pss_kb": 60_000}, {"sessions": 2_000, "pss_kb": 78_000}]}
RESULTS: dict[str, run.Result] = {"chat": CHAT, "login": LOGIN, "idle": IDLE}


def _measured(scenario: run.Scenario, seconds: int) -> run.Result:
    assert seconds == 3
    return RESULTS[scenario.arguments[0]]


def test_main_prints_one_line_per_scenario(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "measure", _measured)
    assert run.main(["--seconds", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    assert len(lines) == len(run.SCENARIOS)
    assert "48.6 µs CPU per delivered message   (20123/s, p50 1.23 ms, p99 5.68 ms)" in lines[0]
    assert "512 logins/s   (1850 µs CPU each, database included)" in lines[2]
    assert "10.0 KB per idle session" in lines[3]


def test_main_figures_of_a_busy_machine_are_marked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A busy machine flatters: a generator that has to wait sends in batches."""
    monkeypatch.setattr(run, "measure", lambda *_: {**CHAT, "foreign_cores": 1.25})
    run.main(["--only", "1000 users"])
    assert "** other processes used 1.2 cores: repeat **" in capsys.readouterr().out


def test_main_keeps_what_was_measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(run, "measure", _measured)
    run.main(["--seconds", "3", "--only", "idle", "--json", str(tmp_path / "all.json")])
    assert '"pss_kb": 78000' in (tmp_path / "all.json").read_text()


def test_main_measurement_that_fails_is_explained(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(_scenario: run.Scenario, _seconds: int) -> run.Result:
        raise BenchError("the server ended with status 1")

    monkeypatch.setattr(run, "measure", fails)
    assert run.main([]) == 1
    assert capsys.readouterr().err == "the server ended with status 1\n"
