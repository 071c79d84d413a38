"""The rows of the founding documents: what each asks for, and which scripts show it.

`rows.toml` has them all, by id. A row passes if every script that names it does; one that no script names
fails, unless it is owed to a part of the server that does not exist yet; so does one that lacks something.
"""

from __future__ import annotations

import sys
import tomllib
from collections import defaultdict
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, final

import pytest

from tests.scenarios.conftest import ROWS, SCRIPTS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DATA: Final = Path(__file__).with_name("rows.toml")


class Row(NamedTuple):
    """One thing that the founding documents ask for.

    Attributes:
        id: Its handle, such as S-001.
        title: What it is, in a few words.
        standard: Where the standard that followed it says how.
        owed: The part of the server that it waits for; empty if it can be shown now.
        lacks: What of it no script shows yet, though there are some; empty if they show all.
    """

    id: str
    title: str
    standard: str
    owed: str = ""
    lacks: str = ""


class Verdict(Enum):
    """What became of a row."""

    PASS = "pass"
    FAIL = "fail"
    OWED = "owed"


class Finding(NamedTuple):
    """A row, what became of it, and why or by what.

    Attributes:
        row: Which.
        verdict: What became of it.
        words: The scripts that show it, those that fail, or what it waits for.
    """

    row: Row
    verdict: Verdict
    words: str


def read_rows(path: Path = DATA) -> tuple[Row, ...]:
    """All rows, in the order of their ids."""
    data: dict[str, dict[str, str]] = tomllib.loads(path.read_text(encoding="utf-8"))
    return tuple(Row(id=id, **fields) for id, fields in sorted(data.items()))


@final
@dataclass(eq=False)
class Listener:
    """A plugin for one run of pytest that notes what became of each script.

    Attributes:
        passed, failed: The names of scripts, by row.
        is_broken: Whether something could not even be collected.
    """

    passed: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    failed: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    is_broken: bool = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """One part of one test is over."""
        if report.when != "call" and not report.failed:
            return
        name = Path(report.location[0]).stem
        into = self.failed if report.failed else self.passed
        for row in str(dict(report.user_properties).get(ROWS, "")).split():
            into[row].append(name)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A file has been read."""
        self.is_broken |= report.failed


def judge(
    rows: Sequence[Row], passed: Mapping[str, Sequence[str]], failed: Mapping[str, Sequence[str]]
) -> tuple[Finding, ...]:
    """What became of each row."""
    return tuple(_judge(row, passed.get(row.id, ()), failed.get(row.id, ())) for row in rows)


def _judge(row: Row, passed: Sequence[str], failed: Sequence[str]) -> Finding:
    if failed:
        return Finding(row, Verdict.FAIL, ", ".join(failed))
    if row.owed:
        return Finding(row, Verdict.OWED, row.owed)
    if not passed:
        return Finding(row, Verdict.FAIL, "no script shows it")
    if row.lacks:
        return Finding(row, Verdict.FAIL, f"{', '.join(passed)}; not yet: {row.lacks}")
    return Finding(row, Verdict.PASS, ", ".join(passed))


def run_scripts(arguments: Sequence[str] = ()) -> Listener:
    """Play every script, or those that pytest's arguments choose; how it goes stands on standard error."""
    listener = Listener()
    with redirect_stdout(sys.stderr):
        status = pytest.main(["-q", "--no-header", str(SCRIPTS), *arguments], plugins=[listener])
    listener.is_broken |= status not in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}
    return listener
