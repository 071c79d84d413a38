"""Tests of the page of rows: it is current, and says of each row what shows it."""

from pathlib import Path

import pytest

from actors.module import Module, Xep
from actors.modules import MODULES
from tests.scenarios import rows_docs
from tests.scenarios.rows import Row, read_rows


def test_page_of_rows_is_current() -> None:
    """If this fails, run `make docs` and commit what it wrote."""
    current = rows_docs.render(read_rows(), rows_docs.scripts_by_row(), MODULES)
    assert rows_docs.PAGE.read_text(encoding="utf-8") == current


@pytest.mark.parametrize(
    ("row", "scripts", "cell"),
    [
        (Row("S-001", "it", "RFC"), ["a"], "[a](../tests/scenarios/scripts/a.txt)"),
        (Row("S-001", "it", "RFC"), [], "not yet"),
        (Row("S-001", "it", "RFC", owed="rooms"), [], "owed to rooms"),
        (
            Row("S-001", "it", "RFC", owed="rooms"),
            ["a"],
            "[a](../tests/scenarios/scripts/a.txt); owed to rooms",
        ),
        (
            Row("S-001", "it", "RFC", lacks="the rest"),
            ["a"],
            "[a](../tests/scenarios/scripts/a.txt); not yet: the rest",
        ),
    ],
)
def test_render_says_what_shows_a_row(row: Row, scripts: list[str], cell: str) -> None:
    page = rows_docs.render([row], {"S-001": scripts}, [])
    assert f"\n| S-001 | it | RFC | {cell} |\n" in page


def test_render_says_how_much_of_a_standard_there_is() -> None:
    standards = (Xep("0001", "1.0", "this of it", is_partial=True), Xep("RFC 1", "1969"))
    page = rows_docs.render([], {}, [Module(name="it", summary="", xeps=standards)])
    assert page.endswith("| RFC 1 | 1969 | whole | it |\n| XEP-0001 | 1.0 | in part: this of it | it |\n")


def test_main_writes_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_docs, "PAGE", tmp_path / "docs" / "ROWS.md")
    rows_docs.main()
    assert "| S-001 |" in rows_docs.PAGE.read_text(encoding="utf-8")


def test_every_row_is_shown_by_a_script_or_owed_to_what_is_not_built() -> None:
    scripts = rows_docs.scripts_by_row()
    assert [row.id for row in read_rows() if row.lacks or not (row.owed or scripts.get(row.id))] == []
