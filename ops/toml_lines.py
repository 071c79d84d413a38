"""On which line of a TOML text each key stands.

`tomllib` returns values without their places, but a fault in a configuration is only helpful with its line.
The text has been parsed by `tomllib` before, so this scanner may take it for granted that it is valid.
Used by `ops/config_source.py`.
"""

import re
import tomllib
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

KeyPath = tuple[str, ...]

_TOKEN: Final = re.compile(
    r"""
      (?P<comment> \#[^\n]* )
    | (?P<string> \"{3} (?: \\. | [^\\] )*? \"{3} (?!\") | '{3} .*? '{3} (?!')
                | \" (?: \\. | [^\"\\\n] )* \" | ' [^'\n]* ' )
    | (?P<opening> [\[{] )
    | (?P<closing> [\]}] )
    | (?P<newline> \n )
    | (?P<other> [^\s\[\]{}\"'\#=]+ | = | [^\S\n]+ )
    """,
    re.VERBOSE | re.DOTALL,
)


class _Statement(NamedTuple):
    """A table header or a `key = value`, without its comments."""

    line: int
    tokens: list[str]


def key_lines(text: str) -> dict[KeyPath, int]:
    """Returns the line on which each table and key first stands; keys of inline tables are left out."""
    lines: dict[KeyPath, int] = {}
    table: KeyPath = ()
    for statement in _statements(text):
        if statement.tokens[0] == "[":
            table = path = _key_path("".join(statement.tokens).strip().strip("[]"))
        else:
            path = table + _key_path("".join(statement.tokens[: statement.tokens.index("=")]))
        for length in range(1, len(path) + 1):
            lines.setdefault(path[:length], statement.line)
    return lines


def line_of(lines: dict[KeyPath, int], path: KeyPath) -> int | None:
    """Returns the line of a key, or of what it lies in where it has none of its own."""
    for length in range(len(path), 0, -1):
        if path[:length] in lines:
            return lines[path[:length]]
    return None


def _statements(text: str) -> Iterator[_Statement]:
    line, depth = 1, 0
    statement = _Statement(line, [])
    for token in _TOKEN.finditer(text + "\n"):
        kind = token.lastgroup
        depth += (kind == "opening") - (kind == "closing")
        line += token[0].count("\n")
        if kind == "newline" and depth == 0:
            if statement.tokens:
                yield statement
            statement = _Statement(line, [])
        elif kind not in ("comment", "newline") and (statement.tokens or not token[0].isspace()):
            statement.tokens.append(token[0])


def _key_path(key: str) -> KeyPath:
    """Takes a dotted key apart; its parts may be quoted, which is best left to `tomllib`."""
    path: list[str] = []
    value: Any = tomllib.loads(f"{key} = 0")
    while isinstance(value, dict):
        name, value = next(iter(value.items()))
        path.append(name)
    return tuple(path)
