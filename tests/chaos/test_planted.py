"""Tests of the tests: a real server with a bug planted in it, and the chaos harness catches it.

Each has its own faults, those by which it is soonest found; the same without a bug holds. A bug shows only
where a fault meets a message at the right moment, so there are rounds, each from a seed of its own, until one
has caught it; most need one.
"""

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from ops.chaos import run as runs
from ops.chaos.kinds import POINTS
from ops.chaos.options import Options
from ops.chaos.result import Result, as_lines
from ops.chaos.target import own_server
from tests.chaos import planted_server

_SCRIPT: Final = Path(planted_server.__file__)
_SECONDS: Final = 8.0
_ROUNDS_MAX: Final = 10
"""Nine rounds of ten catch their bug, on a machine that is busy with much else as well."""
pytestmark = pytest.mark.long


class Case(NamedTuple):
    """A bug, the faults by which it shows, and what the result then names."""

    bug: str
    kinds: tuple[str, ...]
    shown_by: frozenset[str]
    pace: float = 10.0


CASES: Final = (
    Case("drop_one_in_a_thousand", ("stall",), frozenset({"lost"}), 20.0),
    Case(
        "acknowledge_before_the_commit",
        ("slow database", "server process"),
        frozenset({"lost", "violations"}),
    ),
    Case(
        "deliver_before_the_commit",
        ("slow database", "server process"),
        frozenset(
            {"doubled", "disordered", "lost"}
        ),  # whichever of what was shown too soon a crash takes back
    ),
    Case("give_resent_stanzas_a_fresh_id", ("cut", "slow database"), frozenset({"doubled"})),
    Case("recover_one_too_few", ("server process",), frozenset({"doubled", "violations"})),
)


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Says at once how things stand, to those who wait for a test that takes a minute."""

    def tell(text: str) -> None:
        with capsys.disabled():
            sys.stderr.write(f"{text}\n")

    return tell


def options(case: Case, seed: int) -> Options:
    points = ("rest", "batch built") if "server process" in case.kinds else POINTS
    return Options(20, _SECONDS, seed, case.kinds, points, 3.0, case.pace)


async def chaos(folder: Path, case: Case, program: tuple[str, ...], seed: int = 1) -> Result:
    async with own_server(folder, program=program) as target:
        return await runs.run(options(case, seed), target, io.StringIO(), lambda _text: None)


def found(result: Result) -> set[str]:
    """What the result names as wrong."""
    shown = result.balance._asdict() | {"violations": result.violations}
    return {name for name, value in shown.items() if isinstance(value, tuple) and value}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.bug)
async def test_harness_catches_the_planted_bug(
    tmp_path_factory: pytest.TempPathFactory,
    case: Case,
    monkeypatch: pytest.MonkeyPatch,
    tell: Callable[[str], None],
) -> None:
    monkeypatch.setattr(runs, "QUIET_SECONDS_MAX", 10.0)  # what is lost is waited for in vain
    program = (sys.executable, str(_SCRIPT), case.bug)
    results: list[str] = []
    for seed in range(1, _ROUNDS_MAX + 1):
        result = await chaos(tmp_path_factory.mktemp("round"), case, program, seed)
        results += [f"round {seed}", *as_lines(result)]
        caught = found(result) & case.shown_by
        tell(f"{case.bug}, round {seed}: {', '.join(sorted(caught)) or 'not caught yet'}")
        if caught:
            assert not result.holds
            return
    pytest.fail("\n".join(results))


@pytest.mark.parametrize("case", [CASES[1], CASES[3]], ids=lambda case: " and ".join(case.kinds))
async def test_harness_finds_nothing_without_a_bug(tmp_path: Path, case: Case) -> None:
    result = await chaos(tmp_path, case, (sys.executable, "-m", "ops"))
    assert not found(result), "\n".join(as_lines(result))
