"""A short run of the simulation: nothing breaks, it is no empty run, and one seed gives one trace."""

import os
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest

from supervision.runtime import Point
from tests.simulation.simulation import name_of_record, simulate

ROOT = Path(__file__).resolve().parents[2]
SEEDS = range(23, 35)
SHOW = "from tests.simulation.simulation import simulate; print(simulate({seed}).digest)"

HAPPENS = (
    *(
        "messages sent",
        "messages delivered",
        "requests",
        "resumptions",
        "stanzas sent again",
        "sessions ended",
    ),
    *("CRASH", "RESTART", "CUT_ONE", "STORE_AWAY", "STORE_LOSES", "STORE_SLOW", "KILL_AT_REST", "stalls"),
    *(f"killed {point.value}" for point in (Point.BEFORE_DECIDE, Point.AFTER_DECIDE, Point.IN_APPLY)),
)


def regressions() -> list[int]:
    """Seeds that once failed, with what they found."""
    lines = (ROOT / "tests/simulation/regressions.txt").read_text(encoding="utf-8").splitlines()
    return [int(line.split()[0]) for line in lines if line and not line.startswith("#")]


def test_simulation_finds_nothing_wrong_and_much_happens() -> None:
    threads = threading.active_count()
    counts: Counter[str] = Counter()
    for seed in SEEDS:
        outcome = simulate(seed)
        assert outcome.faults == (), f"seed {seed}"
        counts.update(outcome.counts)
    assert [name for name in HAPPENS if not counts[name]] == []
    assert counts["messages delivered"] > 50 * len(SEEDS)
    assert counts["messages refused"] < 0.02 * counts["messages sent"], "most are to arrive"
    assert threading.active_count() <= threads, (
        "it is done without any; idle ones of others may end meanwhile"
    )


@pytest.mark.long
def test_simulation_passes_seeds_that_once_failed() -> None:
    assert {seed: faults for seed in regressions() if (faults := simulate(seed).faults)} == {}


def test_record_that_waits_is_told_from_the_error_for_its_message() -> None:
    assert name_of_record(b"<message type='chat' id='m7'><body>1 id='m8'</body></message>") == "m7"
    assert name_of_record(b"<message to='a@b' type='error' id='m7'><error/></message>") == "the error for m7"
    assert (
        name_of_record(b"<message type='chat'><body>type='error'</body></message>") == "something nobody sent"
    )


def test_one_seed_gives_one_trace_and_another_a_different_one() -> None:
    first, again, other = simulate(7), simulate(7), simulate(8)
    assert first.trace == again.trace
    assert first.digest != other.digest


def test_trace_is_the_same_in_every_process() -> None:
    """Whatever seed the process hashes with: nothing depends on the order of a set."""
    shown = set()
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-c", SHOW.format(seed=4)]
        shown.add(subprocess.run(command, env=environment, cwd=ROOT, check=True, capture_output=True).stdout)
    assert len(shown) == 1
    assert len(shown.pop().strip()) == 16
