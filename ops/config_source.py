"""Where settings come from: a TOML file and `KEY=VALUE` overrides, merged, and the place of each key.

Used by `ops/config.py`, which checks what was read here; both report what is wrong as `ConfigFault` values.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from ops.toml_lines import KeyPath, key_lines, line_of

# Nobody writes a configuration of this size; somebody may name the wrong file.
FILE_BYTES_MAX: Final = 1_048_576

COMMAND_LINE: Final = "command line"

_DECODE_ERROR: Final = re.compile(
    r"(?P<what>.*) \(at (?:line (?P<line>\d+), column \d+|end of document)\)", re.DOTALL
)


class ConfigFault(NamedTuple):
    """One thing that is wrong with the configuration.

    Attributes:
        path: The file, or `command line`.
        line: The line in the file, or None where it has none.
        key: The dotted name of the setting, empty where the fault concerns the whole file.
        message: What is wrong and what would be right.
    """

    path: str
    line: int | None
    key: str
    message: str

    def __str__(self) -> str:
        place = self.path if self.line is None else f"{self.path}:{self.line}"
        return ": ".join(part for part in (place, self.key, self.message) if part)


class ConfigError(Exception):
    """The configuration cannot be used; `faults` says all that is wrong with it."""

    def __init__(self, faults: Sequence[ConfigFault]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults: Final = tuple(faults)


class Source(NamedTuple):
    """What was read, where each key of it stands, and what could not be read."""

    path: Path | None
    table: dict[str, Any]
    lines: dict[KeyPath, int]
    overridden: frozenset[KeyPath]
    faults: tuple[ConfigFault, ...]

    def fault(self, key_path: KeyPath, message: str) -> ConfigFault:
        """Returns a fault of one key, with its place."""
        key = ".".join(key_path)
        line = line_of(self.lines, key_path)
        if self.path is None or self.is_overridden(key_path):
            return ConfigFault(COMMAND_LINE, None, key, message)
        return ConfigFault(str(self.path), line, key, message)

    def is_overridden(self, key_path: KeyPath) -> bool:
        """Whether the key, what it lies in or all that lies in it came from the command line."""
        within = any(key_path[:length] in self.overridden for length in range(1, len(key_path) + 1))
        around = key_path not in self.lines and any(o[: len(key_path)] == key_path for o in self.overridden)
        return within or around


def read_source(path: Path | None, overrides: Sequence[str]) -> Source:
    """Reads the file, where one is given, and lays the overrides over it.

    Args:
        path: The TOML file.
        overrides: Texts of the form `limits.sessions_max=100`.
    """
    faults: list[ConfigFault] = []
    table: dict[str, Any] = {}
    lines: dict[KeyPath, int] = {}
    if path is not None:
        try:
            text = _read(path)
            table = tomllib.loads(text)
            lines = key_lines(text)
        except tomllib.TOMLDecodeError as error:
            faults.append(_syntax_fault(str(path), text, str(error)))
        except OSError as error:
            faults.append(ConfigFault(str(path), None, "", f"cannot be read: {error.strerror}"))
        except ValueError as error:
            faults.append(ConfigFault(str(path), None, "", str(error)))
    overridden = set()
    for override in overrides:
        try:
            overridden.add(_override(table, override))
        except ValueError as error:
            faults.append(ConfigFault(COMMAND_LINE, None, override, str(error)))
    return Source(path, table, lines, frozenset(overridden), tuple(faults))


def _read(path: Path) -> str:
    with path.open("rb") as file:
        content = file.read(FILE_BYTES_MAX + 1)
    if len(content) > FILE_BYTES_MAX:
        raise ValueError(f"is larger than {FILE_BYTES_MAX} bytes; is it the right file?")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(f"is not UTF-8, as TOML must be: see line {line}") from error


def _syntax_fault(path: str, text: str, error: str) -> ConfigFault:
    parts = _DECODE_ERROR.fullmatch(error)
    what, line = (parts["what"], parts["line"]) if parts else (error, None)
    number = int(line) if line else text.count("\n") + (not text.endswith("\n"))
    shown = text.splitlines()[number - 1].strip() if number <= len(text.splitlines()) else ""
    return ConfigFault(path, number, "", f"is no TOML: {what[:1].lower()}{what[1:]}: {shown}".rstrip(": "))


def _override(table: dict[str, Any], override: str) -> KeyPath:
    """Lays one `KEY=VALUE` over the table; the value is TOML, or a text where that is no TOML."""
    key, equals, value = override.partition("=")
    path = tuple(key.strip().split("."))
    if not equals or not all(path):
        raise ValueError("is no assignment: write KEY=VALUE, for example limits.sessions_max=100")
    for name in path[:-1]:
        inner = table.setdefault(name, {})
        if not isinstance(inner, dict):
            raise ValueError(f"{name} is a setting, not a table")
        table = inner
    table[path[-1]] = _toml_value(value.strip())
    return path


def _toml_value(text: str) -> object:
    try:
        read: Mapping[str, object] = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return read["value"] if len(read) == 1 else text
