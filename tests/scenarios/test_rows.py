"""That no row is missing, and what is said of each."""

import re

from tests.scenarios.conftest import SCRIPTS
from tests.scenarios.rows import Row, Verdict, judge, read_rows
from tests.scenarios.script import read_script


def test_every_script_shows_rows_that_exist() -> None:
    known = {row.id for row in read_rows()}
    for path in sorted(SCRIPTS.rglob("*.txt")):
        assert set(read_script(path).rows) <= known, path


def test_every_row_says_what_it_is() -> None:
    for row in read_rows():
        assert re.fullmatch(r"S-\d{3}", row.id)
        assert row.title
        assert row.standard


def test_judge() -> None:
    rows = [Row(f"S-00{number}", "a title", "RFC 6120") for number in range(1, 5)]
    rows.append(Row("S-005", "a title", "RFC 6120", owed="rooms"))
    findings = judge(
        rows, {"S-001": ["a", "b"], "S-002": ["a"], "S-005": ["a"]}, {"S-002": ["c"], "S-004": ["d"]}
    )
    assert [(each.verdict, each.words) for each in findings] == [
        (Verdict.PASS, "a, b"),
        (Verdict.FAIL, "c"),
        (Verdict.FAIL, "no script shows it"),
        (Verdict.FAIL, "d"),
        (Verdict.OWED, "rooms"),
    ]
