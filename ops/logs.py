"""What the server writes about itself: one line per event on standard error, for people or as JSON.

The composition root makes one logger and hands it on; what libraries log through the standard library is led
into it by a handler. Secrets never reach a line: values of known names are hidden wherever they stand, and
passwords are cut out of addresses. Nor does a stranger's text forge one: it is cut and escaped.
"""

import logging
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Final, TextIO

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from actors.settings import LogFormat, LogSettings
from ops.harmless import harmless, harmless_line

HIDDEN: Final = "[hidden]"

# Names whose values are secrets, or let one be computed.
SECRET_NAMES: Final = frozenset(
    {
        "authorization",
        "credentials",
        "initial_response",
        "keys",
        "password",
        "passwd",
        "private_key",
        "salt",
        "secret",
        "server_key",
        "stored_key",
        "token",
    }
)

# A single value is cut here: a line is for reading, and some values come from strangers.
VALUE_CHARACTERS_MAX: Final = 2_000
# Deeper parts of a value are named by their type only; also ends what contains itself.
_DEPTH_MAX: Final = 6
# A traceback is longer than a value and wholly ours, but its last line may quote a stranger.
TRACEBACK_CHARACTERS_MAX: Final = 20_000

_URI_PASSWORD: Final = re.compile(r"(?<=://)([^\s:/@]*):[^\s/]*@")


def make_logger(settings: LogSettings, file: TextIO) -> FilteringBoundLogger:
    """Returns the logger whose events go to the file, in the format and from the level that are set."""
    level: int = logging.getLevelNamesMapping()[settings.level.value.upper()]
    logger: FilteringBoundLogger = structlog.wrap_logger(
        structlog.WriteLogger(file),
        processors=[*_COMMON, _write_json if settings.format is LogFormat.JSON else _console(file.isatty())],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=False,
    )
    return logger


class StandardLibraryHandler(logging.Handler):
    """Leads what libraries log through `logging` into our logger: one format, one place, secrets hidden."""

    def __init__(self, logger: FilteringBoundLogger) -> None:
        super().__init__(logging.WARNING)
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        """Logs one record under its level, with the library's logger as its source."""
        self._logger.log(record.levelno, record.getMessage(), source=record.name, exc_info=record.exc_info)


def clean(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Hides secrets at any depth, cuts long texts and escapes what could forge lines or drive a terminal."""
    return {name: _cleaned(name, value, _DEPTH_MAX) for name, value in event.items()}


def _cleaned(name: object, value: object, depth: int) -> object:
    if str(name).lower() in SECRET_NAMES:
        return HIDDEN
    if isinstance(value, str):
        return _cleaned_text(value, is_traceback=name == "exception")
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if depth == 0:
        return _cleaned_text(type(value).__name__)
    if (named := _named_parts(value)) is not None:
        return {inner: _cleaned(inner, item, depth - 1) for inner, item in named.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_cleaned("", item, depth - 1) for item in value]
    return _cleaned_text(str(value))


def _named_parts(value: object) -> Mapping[Any, object] | None:
    """Returns what has a name inside a value: mappings, named tuples and dataclasses."""
    if isinstance(value, Mapping):
        return value
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        named: Mapping[str, object] = value._asdict()
        return named
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    return None


def _cleaned_text(text: str, *, is_traceback: bool = False) -> str:
    characters_max = TRACEBACK_CHARACTERS_MAX if is_traceback else VALUE_CHARACTERS_MAX
    if len(text) > characters_max:
        text = f"{text[:characters_max]}… ({len(text)} characters)"
    text = _URI_PASSWORD.sub(rf"\1:{HIDDEN}@", text)
    return harmless(text) if is_traceback else harmless_line(text)


_COMMON: Final[tuple[Processor, ...]] = (
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
    clean,
)

_write_json: Final = structlog.processors.JSONRenderer(ensure_ascii=False, default=str)


def _console(colors: bool) -> Processor:
    return structlog.dev.ConsoleRenderer(colors=colors, pad_event_to=0)
