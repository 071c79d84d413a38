"""What became of each row of the founding documents: `python -m tests.scenarios`, `make rows`."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from typing import TYPE_CHECKING, Final

from tests.scenarios.rows import Verdict, judge, read_rows, run_scripts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

    from tests.scenarios.rows import Finding

EPILOG: Final = """\
examples:
  python -m tests.scenarios            play every script, then print each row
  python -m tests.scenarios --json     the same for a program
exit status: 0 if no row fails, 1 if one does
"""


def main(arguments: Sequence[str], out: TextIO) -> int:
    """Play the scripts and print the rows; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.scenarios",
        description="Play every script of a conversation, and say which rows of the founding documents hold.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object for each row")
    given = parser.parse_args(arguments)
    listener = run_scripts()
    findings = judge(read_rows(), listener.passed, listener.failed)
    out.writelines(_as_json(finding) if given.json else _as_text(finding) for finding in findings)
    if not given.json:
        counts = Counter(finding.verdict for finding in findings)
        out.write(", ".join(f"{counts[verdict]} {verdict.value}" for verdict in Verdict) + "\n")
    fails = any(finding.verdict is Verdict.FAIL for finding in findings)
    return int(fails or listener.is_broken)


def _as_text(finding: Finding) -> str:
    return f"{finding.row.id} {finding.verdict.value}  {finding.row.title}: {finding.words}\n"


def _as_json(finding: Finding) -> str:
    row, verdict, words = finding
    return json.dumps({**row._asdict(), "verdict": verdict.value, "words": words}, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], sys.stdout))
