"""Writes docs/ROWS.md from the rows, the scripts that show them, and what modules declare: `make docs`.

A test holds the file against what this would write, so the page cannot fall behind. That the scripts hold is
what the tests of every script are for.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

from actors.modules import MODULES
from ops.doap import standards
from tests.scenarios.conftest import SCRIPTS
from tests.scenarios.rows import read_rows
from tests.scenarios.script import read_script

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from actors.module import Module, Xep
    from tests.scenarios.rows import Row

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "ROWS.md"

_HEAD: Final = """\
# What the founding documents ask for

<!-- Generated from tests/scenarios/ by `make docs`; change it there. -->

The server was founded on five documents of the Jabber days and after. Each system, namespace, table, error
code and flow that they name is a row here, with the standard that followed it, and with the conversations
that show it on the wire: a script each, in `tests/scenarios/scripts/`, that is played against a real server
in `make test`. `make rows` plays them and says what became of each row.

"Owed to" names the part of the server that a row waits for; scripts beside it show what does not need that
part.

| row | what it is | standard | shown by |
|---|---|---|---|
"""
_STANDARDS_HEAD: Final = """
# Standards

What the modules declare (docs/modules.md), also for programs in [trouper.doap](trouper.doap).

| standard | version | how much of it | by |
|---|---|---|---|
"""


def scripts_by_row(folder: Path = SCRIPTS) -> Mapping[str, Sequence[str]]:
    """The names of the scripts that show each row."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted(folder.rglob("*.txt")):
        for row in read_script(path).rows:
            found[row].append(path.stem)
    return found


def render(rows: Sequence[Row], scripts: Mapping[str, Sequence[str]], modules: Sequence[Module]) -> str:
    """Returns the whole page."""
    lines = (_line(row, scripts.get(row.id, ())) for row in rows)
    declared = (_standard(xep, by) for xep, by in standards(modules))
    return "".join([_HEAD, *lines, _STANDARDS_HEAD, *declared])


def _line(row: Row, scripts: Sequence[str]) -> str:
    words = (
        [", ".join(f"[{name}](../tests/scenarios/scripts/{name}.txt)" for name in scripts)] if scripts else []
    )
    if row.owed:
        words.append(f"owed to {row.owed}")
    elif row.lacks:
        words.append(f"not yet: {row.lacks}")
    elif not scripts:
        words.append("not yet")
    return f"| {row.id} | {row.title} | {row.standard} | {'; '.join(words)} |\n"


def _standard(xep: Xep, by: Sequence[Module]) -> str:
    name = xep.number if xep.number.startswith("RFC") else f"XEP-{xep.number}"
    share = ": ".join(filter(None, ["in part" if xep.is_partial else "whole", xep.note]))
    return f"| {name} | {xep.version} | {share} | {', '.join(module.name for module in by)} |\n"


def main() -> None:
    """Writes the page."""
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(render(read_rows(), scripts_by_row(), MODULES), encoding="utf-8")


if __name__ == "__main__":
    main()
