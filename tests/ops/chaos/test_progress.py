"""Tests of `ops.chaos.progress`: one line, redrawn on a terminal only."""

import io

from ops.chaos.progress import Progress, Standing, line

STANDING = Standing(12.4, 60.0, 198, 200, 8_312, 8_300, 37, 21, 12, 1)


class Terminal(io.StringIO):
    """A file that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_line_says_how_things_stand() -> None:
    assert line(STANDING) == (
        "  12 of 60 s   online 198/200   sent 8,312   owed 12   faults 37 (21 in hand)   "
        "resumed 12   not resumed 1"
    )


def test_progress_on_a_terminal_is_redrawn_and_wiped() -> None:
    file = Terminal()
    progress = Progress(file, lambda: STANDING)
    progress.show()
    progress.show()
    progress.end()
    assert "\n" not in file.getvalue()
    assert file.getvalue().count(line(STANDING)) == 2
    assert file.getvalue().endswith("\r\x1b[2K")


def test_progress_elsewhere_is_plain_lines_and_fewer() -> None:
    file = io.StringIO()
    progress = Progress(file, lambda: STANDING)
    progress.show()
    progress.end()
    assert file.getvalue() == f"{line(STANDING)}\n"
    assert progress.every_seconds > Progress(Terminal(), lambda: STANDING).every_seconds
