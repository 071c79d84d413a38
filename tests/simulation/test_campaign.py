"""Many seeds: what is run, what is remembered, what is said, and the status with which it ends."""

import io
from pathlib import Path

import pytest

from tests.simulation import __main__ as command
from tests.simulation import campaign
from tests.simulation.campaign import FAULTS_SHOWN_MAX, Order, Progress, Result, State, describe, run


@pytest.fixture(autouse=True)
def made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every seventh seed fails, and nothing is simulated."""
    monkeypatch.setattr(campaign, "run_seed", lambda seed, _planted=None: made_up_result(seed))


def made_up_result(seed: int) -> Result:
    return Result(seed, ("it is the seventh",) if seed % 7 == 6 else (), f"{seed:016x}")


def test_run_takes_each_seed_once_and_in_order() -> None:
    assert [result.seed for result in run(Order(first=5, seeds=10))] == list(range(5, 15))


def test_run_stops_when_its_time_is_over() -> None:
    assert list(run(Order(seconds=0.0))) == []


def test_state_goes_on_behind_the_last_seed_below_which_all_are_done(tmp_path: Path) -> None:
    path = tmp_path / "state"
    state = State(path, first=3)
    for seed in (4, 3, 6):
        state.done(seed)
    state.save()
    assert State(path, first=0).next_seed == 5


def test_command_continues_where_it_stopped_and_says_what_failed(tmp_path: Path) -> None:
    arguments = ["--seeds", "5", "--processes", "1", "--state", str(tmp_path / "state")]
    statuses, texts = [], []
    for _ in range(2):
        out = io.StringIO()
        statuses.append(command.main(arguments, out))
        texts.append(out.getvalue())
    assert statuses == [0, 1]
    assert "seed 6 failed:\n  it is the seventh\n" in texts[1]
    assert "5 of 5 seeds from 5 on, 1 failed" in texts[1]


def test_command_replays_one_seed_with_its_trace() -> None:
    out = io.StringIO()
    assert command.main(["--seed", "3"], out) == 0
    text = out.getvalue()
    assert "<stream:stream" in text
    assert "seed 3, revision " in text
    assert text.endswith("nothing is wrong\n")


@pytest.mark.parametrize(
    "arguments", [[], ["--seeds", "-1"], ["--seeds", "1", "--processes", "0"], ["--plant", "oak"]]
)
def test_command_refuses_what_makes_no_sense(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(arguments, io.StringIO())
    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_progress_redraws_one_line_on_a_terminal() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    out = Terminal()
    progress = Progress(out, Order(seeds=2), clock=lambda: 0.0)
    progress.note(made_up_result(5))
    progress.note(made_up_result(6))
    assert out.getvalue().count("\r") == 3
    assert "2 of 2 seeds from 0 on, 1 failed" in out.getvalue()


def test_describe_cuts_a_long_list() -> None:
    text = describe(Result(4, tuple(f"fault {number}" for number in range(FAULTS_SHOWN_MAX + 3)), ""))
    assert "fault 9" in text
    assert "fault 10" not in text
    assert "and 3 more" in text


def test_run_seed_reports_a_simulation_that_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()

    def broken(_seed: int, _planted: object = None) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(campaign, "simulate", broken)
    (fault,) = campaign.run_seed(1).faults
    assert "ZeroDivisionError: oh" in fault
