"""Tests of `ops.logs`: the two formats, and what never reaches a line."""

import io
import json
import logging
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest

from actors.settings import LogFormat, LogLevel, LogSettings
from ops.logs import HIDDEN, VALUE_CHARACTERS_MAX, StandardLibraryHandler, make_logger


class Keys(NamedTuple):
    mechanism: str
    stored_key: bytes


@dataclass
class Login:
    user: str
    password: str


def _logged(settings: LogSettings, event: str, **values: Any) -> str:
    file = io.StringIO()
    make_logger(settings, file).info(event, **values)
    return file.getvalue()


def _json(event: str, **values: Any) -> dict[str, Any]:
    line = _logged(LogSettings(format=LogFormat.JSON), event, **values)
    read: dict[str, Any] = json.loads(line)
    return read


def test_json_event_is_one_object_with_its_level_and_time() -> None:
    event = _json("trouper ready", ports=[5222])
    assert event.pop("timestamp").endswith("Z")
    assert event == {"event": "trouper ready", "level": "info", "ports": [5222]}


def test_console_event_is_readable() -> None:
    line = _logged(LogSettings(), "trouper ready", c2s="127.0.0.1:5222")
    assert line.rstrip().endswith("[info     ] trouper ready c2s=127.0.0.1:5222")


def test_event_below_the_level_is_not_written() -> None:
    assert _logged(LogSettings(level=LogLevel.WARNING), "x") == ""


@pytest.mark.parametrize(
    "value",
    [
        {"password": "geheim"},
        {"Password": "geheim"},
        {"request": {"user": "juliet", "credentials": ["geheim"]}},
        {"keys": Keys("SCRAM-SHA-256", b"geheim")},
        {"found": [Keys("SCRAM-SHA-256", b"geheim")]},
        {"found": Keys("SCRAM-SHA-256", b"geheim")},
        {"login": Login("juliet", "geheim")},
        {"uri": "mongodb://trouper:geheim@127.0.0.1:27017/?w=1"},
        {"error": OSError("mongodb://trouper:geheim@127.0.0.1 refused")},
    ],
)
@pytest.mark.parametrize("log_format", list(LogFormat))
def test_secret_is_hidden(value: dict[str, Any], log_format: LogFormat) -> None:
    line = _logged(LogSettings(format=log_format), "log-in failed", **value)
    assert "geheim" not in line
    assert HIDDEN in line


@pytest.mark.parametrize("value", ["a\nb", "\x1b[31mred", "a\rb", "\u202eevil", "\x00"])
@pytest.mark.parametrize("log_format", list(LogFormat))
def test_control_characters_are_escaped(value: str, log_format: LogFormat) -> None:
    line = _logged(LogSettings(format=log_format), value, text=value, inside=[value])
    assert line.count("\n") == 1
    assert value not in line


def test_long_value_is_cut_and_says_so() -> None:
    text = _json("x", text="y" * 5_000)["text"]
    assert text.startswith("y" * VALUE_CHARACTERS_MAX)
    assert text.endswith("… (5000 characters)")


def test_value_that_contains_itself_is_cut() -> None:
    endless: list[Any] = []
    endless.append(endless)
    assert "list" in json.dumps(_json("x", value=endless))


def test_exception_comes_with_its_traceback_and_without_locals() -> None:
    file = io.StringIO()
    password = "geheim"
    try:
        raise ValueError(str(len(password)))
    except ValueError:
        make_logger(LogSettings(format=LogFormat.JSON), file).exception("actor crashed")
    event = json.loads(file.getvalue())
    assert event["exception"].startswith("Traceback")
    assert event["exception"].endswith("ValueError: 6")
    assert "geheim" not in file.getvalue()


def test_library_that_logs_a_warning_is_heard() -> None:
    file = io.StringIO()
    library = logging.Logger("pymongo.pool")  # noqa: LOG001 - leaves the global loggers alone
    library.addHandler(StandardLibraryHandler(make_logger(LogSettings(format=LogFormat.JSON), file)))
    library.warning("pool %s cleared", "mongodb://a:geheim@h")
    library.info("not this")
    event = json.loads(file.getvalue())
    assert (event["event"], event["level"]) == (f"pool mongodb://a:{HIDDEN}@h cleared", "warning")
    assert event["source"] == "pymongo.pool"
