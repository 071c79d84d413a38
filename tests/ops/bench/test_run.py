"""Tests of `ops.bench.run`: the table, from results as the generator writes them."""

from pathlib import Path

import pytest

from ops.bench import run
from ops.bench.server import BenchError

CHAT = {
    "per_second": 20123.4,
    "server_cpu_us_per_delivery": 49.1,
    "server_alone_cpu_us_per_delivery": 48.6,
    "latency_us": {"p50": 1234.0, "p99": 5678.0},
}
LOGIN = {"per_second": 512.3, "server_cpu_us_per_delivery": 1850.2}
IDLE = {"steps": [{"sessions": 200, "pss_kb": 60_000}, {"sessions": 2_000, "pss_kb": 78_000}]}
MANAGED = {**CHAT, "server_cpu_us_per_delivery": 98.2, "server_alone_cpu_us_per_delivery": 58.32}
RESULTS: dict[str, run.Result] = {"chat": CHAT, "login": LOGIN, "idle": IDLE}


def _measured(scenario: run.Scenario, seconds: int) -> run.Result:
    assert seconds == 3
    return MANAGED if "--sm" in scenario.arguments else RESULTS[scenario.arguments[0]]


def test_main_prints_one_line_per_scenario(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "measure", _measured)
    assert run.main(["--seconds", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    assert len(lines) == len(run.SCENARIOS)
    assert "48.6 µs CPU per delivered message   (20123/s, p50 1.23 ms, p99 5.68 ms)" in lines[0]
    assert "512 logins/s   (1850 µs CPU each, database included)" in lines[6]
    assert "10.0 KB per idle session" in lines[7]


def test_main_compares_a_managed_chat_with_the_same_chat_without(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "measure", _measured)
    run.main(["--seconds", "3", "--only", "200 users"])
    _, _, in_memory, journaled = capsys.readouterr().out.splitlines()
    assert in_memory.startswith("chat, 200 users, 1 in flight, managed, memory ")
    assert "58.3 µs CPU per delivered message (1.20 times)   (20123/s" in in_memory
    assert "(1.20 times), 98.2 with database (2.00 times)   (20123/s" in journaled


def test_main_managed_chat_alone_is_compared_with_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "measure", _measured)
    run.main(["--seconds", "3", "--only", "200 users, 1 in flight, managed"])
    assert "times" not in capsys.readouterr().out


def test_scenarios_are_compared_with_what_was_measured_before_them() -> None:
    """And differ from it in stream management, and in nothing but that and durability."""
    before: dict[str, run.Scenario] = {}
    for scenario in run.SCENARIOS:
        if scenario.beside:
            plain = before[scenario.beside]
            assert scenario.arguments == (*plain.arguments, "--sm")
            assert scenario.users == plain.users
        before[scenario.name] = scenario


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
