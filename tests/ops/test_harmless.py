"""Tests of `ops.harmless`."""

from hypothesis import given
from hypothesis import strategies as st

from ops.harmless import harmless, harmless_line


def test_harmless_ordinary_text_is_left_alone() -> None:
    text = "Größe\t日本語 🎭 ' \" \\ <&>\nnext line"
    assert harmless(text) == text


def test_harmless_escape_sequence_is_shown() -> None:
    assert harmless("\x1b[2J\x9b31m\x07") == r"\x1b[2J\x9b31m\x07"


def test_harmless_text_that_would_read_backwards_is_shown() -> None:
    assert harmless("a\u202eb") == r"a\u202eb"


@given(st.text())
def test_harmless_line_is_one_line_without_control_characters(text: str) -> None:
    shown = harmless_line(text)
    assert len(shown.splitlines()) <= 1
    assert all(character.isprintable() or character == "\t" or ord(character) > 0x9F for character in shown)
