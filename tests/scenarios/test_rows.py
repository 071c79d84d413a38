"""That no row is missing, and what is said of each."""

import re

from tests.scenarios.conftest import SCRIPTS
from tests.scenarios.rows import DATA, Row, Verdict, judge, read_rows
from tests.scenarios.script import read_script

ROWS_COUNT = 168


def test_every_script_shows_rows_that_exist() -> None:
    known = {row.id for row in read_rows()}
    for path in sorted(SCRIPTS.rglob("*.txt")):
        assert set(read_script(path).rows) <= known, path


def test_no_row_is_missing() -> None:
    assert [row.id for row in read_rows()] == [f"S-{number:03}" for number in range(1, ROWS_COUNT + 1)]


def test_rows_stand_in_their_order() -> None:
    ids = re.findall(r"^\[(S-\d{3})\]$", DATA.read_text(encoding="utf-8"), re.MULTILINE)
    assert ids == sorted(ids)


def test_row_that_lacks_something_has_a_script() -> None:
    shown = {row for path in SCRIPTS.rglob("*.txt") for row in read_script(path).rows}
    assert {row.id for row in read_rows() if row.lacks} <= shown


def test_every_row_says_what_it_is() -> None:
    for row in read_rows():
        assert row.title
        assert row.standard


def test_judge() -> None:
    rows = [Row(f"S-00{number}", "a title", "RFC 6120") for number in range(1, 5)]
    rows.append(Row("S-005", "a title", "RFC 6120", owed="rooms"))
    rows.append(Row("S-006", "a title", "RFC 6120", lacks="half of it"))
    findings = judge(
        rows,
        {"S-001": ["a", "b"], "S-002": ["a"], "S-005": ["a"], "S-006": ["a"]},
        {"S-002": ["c"], "S-004": ["d"]},
    )
    assert [(each.verdict, each.words) for each in findings] == [
        (Verdict.PASS, "a, b"),
        (Verdict.FAIL, "c"),
        (Verdict.FAIL, "no script shows it"),
        (Verdict.FAIL, "d"),
        (Verdict.OWED, "rooms"),
        (Verdict.FAIL, "a; not yet: half of it"),
    ]
