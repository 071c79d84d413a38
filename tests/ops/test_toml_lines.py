"""Tests of `ops.toml_lines`."""

import tomllib

import pytest

from ops.toml_lines import key_lines, line_of

TEXT = '''# a comment [not.a.table]
domain = "a = b"   # trailing = comment

[listen]
c2s = [
    "127.0.0.1:5222", # ] in a comment
    "[::1]:5222",
]
c2s_tls = []
[ modules . "a.b" ]
text = """
[fake]
key = 1
"""
after.it = 1979-05-27T07:32:00Z
\'quoted key\' = {x = 1, y = [1, 2]}
[[many]]
first = \'\'\'it\'s\'\'\'
[[many]]
first = 2
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("domain",), 2),
        (("listen",), 4),
        (("listen", "c2s"), 5),
        (("listen", "c2s_tls"), 9),
        (("modules",), 10),
        (("modules", "a.b"), 10),
        (("modules", "a.b", "text"), 11),
        (("modules", "a.b", "after"), 15),
        (("modules", "a.b", "after", "it"), 15),
        (("modules", "a.b", "quoted key"), 16),
        (("many",), 17),
        (("many", "first"), 18),
    ],
)
def test_key_lines_key_has_its_line(path: tuple[str, ...], line: int) -> None:
    assert key_lines(TEXT)[path] == line


def test_key_lines_text_inside_strings_is_no_key() -> None:
    tomllib.loads(TEXT)
    assert {path[0] for path in key_lines(TEXT)} == {"domain", "listen", "modules", "many"}


def test_key_lines_empty_text_has_none() -> None:
    assert key_lines("") == {}


def test_key_lines_carriage_returns_do_not_matter() -> None:
    assert key_lines("a = 1\r\nb = 2\r\n") == {("a",): 1, ("b",): 2}


def test_line_of_key_in_an_inline_table_is_that_of_the_table() -> None:
    assert line_of(key_lines(TEXT), ("modules", "a.b", "quoted key", "x")) == 16


def test_line_of_unknown_key_is_none() -> None:
    assert line_of(key_lines(TEXT), ("nowhere",)) is None
