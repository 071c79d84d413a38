"""Tests of `ops.reports`: every kind of report is one line of its level and one count."""

import io
import json
from typing import Any, NamedTuple, final

import pytest

from actors.module_host import HandlerFailed
from actors.settings import LogFormat, LogLevel, LogSettings
from actors.store_batcher import DatabaseAway, DatabaseBack
from ops.logs import make_logger
from ops.reports import Reporter
from protocols.conditions import SaslCondition
from protocols.jid import parse_jid
from protocols.negotiation_values import LoginFailed
from supervision.exit_reason import Crashed, Killed, Shutdown
from supervision.report import (
    ChildStarted,
    ChildTerminated,
    IntensityReached,
    MessageSetAside,
    Report,
    ShutdownFailed,
    StartFailed,
)
from supervision.supervisor import REACHED_MAX_RESTART_INTENSITY


class Letter(NamedTuple):
    """A message that no line may quote."""

    text: str


LETTER = Letter("my dearest")


@final
class Desk:
    """A reporter and what it wrote."""

    def __init__(self, level: LogLevel = LogLevel.DEBUG) -> None:
        self.file = io.StringIO()
        self.reporter = Reporter(make_logger(LogSettings(level=level, format=LogFormat.JSON), self.file))

    def line(self) -> dict[str, Any]:
        (text,) = self.file.getvalue().splitlines()
        read: dict[str, Any] = json.loads(text)
        return read


@pytest.mark.parametrize(
    ("report", "level", "values"),
    [
        (ChildStarted("/registry", 1, None), "debug", {"event": "started", "actor": "/registry"}),
        (
            ChildStarted("/registry", 2, 0.5),
            "info",
            {"event": "restarted", "incarnation": 2, "recovery_seconds": 0.5},
        ),
        (
            ChildTerminated("/registry", 3, Killed("a fault"), LETTER, True),
            "error",
            {
                "event": "an actor died",
                "incarnation": 3,
                "reason": "killed: a fault",
                "in_hand": "Letter",
                "will_restart": True,
            },
        ),
        (
            ChildTerminated("/registry", 3, Killed("a fault"), None, False),
            "error",
            {"in_hand": None, "will_restart": False},
        ),
        (
            StartFailed("/store/database", 1, Crashed(OSError("no room"))),
            "error",
            {"event": "an actor did not start", "reason": "crashed: OSError: no room"},
        ),
        (
            StartFailed("/store/database", 1, Shutdown("asked to stop")),
            "debug",
            {"event": "stopped before it had started", "why": "asked to stop"},
        ),
        (
            StartFailed("/store", 1, REACHED_MAX_RESTART_INTENSITY),
            "error",
            {"event": "an actor did not start"},
        ),
        (
            ShutdownFailed("/registry", 5.0, True),
            "warning",
            {"event": "an actor did not stop in time", "grace": 5.0, "still_lives": True},
        ),
        (
            IntensityReached("/store", 10, 60.0),
            "error",
            {"event": "given up after too many restarts", "restarts": 10, "period": 60.0, "actor": "/store"},
        ),
        (
            MessageSetAside("/registry", LETTER, ValueError("illegible")),
            "error",
            {
                "event": "a message was set aside",
                "message": "Letter",
                "error": "ValueError('illegible')",
            },
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, tuple) else "",
)
def test_report_is_one_line_and_one_count(report: Report, level: str, values: dict[str, object]) -> None:
    desk = Desk()
    desk.reporter.report(report)
    line = desk.line()
    assert line["level"] == level
    assert line.items() >= values.items()
    assert LETTER.text not in desk.file.getvalue()
    assert desk.reporter.counts == {type(report).__name__: 1}


def test_report_of_a_crash_shows_where_it_happened() -> None:
    def fall() -> None:
        raise ValueError("off the stage")

    desk = Desk()
    with pytest.raises(ValueError, match="stage") as raised:
        fall()
    desk.reporter.report(ChildTerminated("/registry", 1, Crashed(raised.value), None, True))
    assert "in fall" in desk.line()["exception"]
    assert "off the stage" in desk.line()["exception"]


def test_report_of_an_end_without_error_shows_no_stack() -> None:
    desk = Desk()
    desk.reporter.report(ChildTerminated("/registry", 1, Shutdown(), None, True))
    assert "exception" not in desk.line()


def test_report_below_the_level_is_counted_all_the_same() -> None:
    desk = Desk(LogLevel.ERROR)
    for _ in range(3):
        desk.reporter.report(ChildStarted("/registry", 2, 0.1))
    assert desk.file.getvalue() == ""
    assert desk.reporter.counts["ChildStarted"] == 3


@pytest.mark.parametrize(
    ("account", "shown"), [(None, None), (parse_jid("romeo@localhost"), "romeo@localhost")]
)
def test_note_failed_login_names_the_account_if_there_was_one(account: Any, shown: str | None) -> None:
    desk = Desk()
    desk.reporter.note(LoginFailed(account, SaslCondition.NOT_AUTHORIZED))
    line = desk.line()
    assert (line["level"], line["account"], line["why"]) == ("info", shown, "not-authorized")
    assert desk.reporter.counts == {"LoginFailed": 1}


def test_note_failed_handler_is_an_error_with_its_stack() -> None:
    desk = Desk()
    desk.reporter.note(HandlerFailed("ping", "answer", KeyError("lost")))
    line = desk.line()
    assert (line["level"], line["module"], line["handler"]) == ("error", "ping", "answer")
    assert "KeyError: 'lost'" in line["exception"]


def test_note_of_an_outage_is_a_warning_at_both_ends() -> None:
    desk = Desk()
    desk.reporter.note(DatabaseAway("no route"))
    line = desk.line()
    assert (line["level"], line["why"]) == ("warning", "no route")
    desk = Desk()
    desk.reporter.note(DatabaseBack(12.34))
    line = desk.line()
    assert (line["level"], line["away_seconds"]) == ("warning", 12.3)


def test_note_of_anything_else_is_cut() -> None:
    desk = Desk()
    desk.reporter.note(Letter("x" * 1_000))
    assert len(desk.line()["event"]) == 200
    assert desk.reporter.counts == {"Letter": 1}
