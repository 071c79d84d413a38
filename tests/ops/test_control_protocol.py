"""Tests of `ops.control_protocol`: what is said, and what is made of nonsense."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.control_protocol import (
    Command,
    Refusal,
    Request,
    decode_answer,
    decode_request,
    encode_refusal,
    encode_request,
    encode_result,
)

_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(Command), st.dictionaries(st.text(), _values, max_size=3))
def test_request_survives_the_line(command: Command, arguments: dict[str, object]) -> None:
    line = encode_request(Request(command, arguments))
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert decode_request(line) == Request(command, arguments)


@given(_values)
def test_result_survives_the_line(result: object) -> None:
    line = encode_result(result)
    assert line.count(b"\n") == 1
    assert decode_answer(line) == result


def test_refusal_survives_the_line() -> None:
    with pytest.raises(Refusal, match=r"^no\nsuch account$"):
        decode_answer(encode_refusal(Refusal("no\nsuch account")))


@given(st.binary(max_size=60))
def test_decode_request_nonsense_is_refused(line: bytes) -> None:
    with pytest.raises(Refusal):
        decode_request(line)


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        ({}, "no such command; there are user.add, user.delete"),
        ({"command": "user.fly"}, "no such command"),
        ({"command": ["status"]}, "no such command"),
        ({"command": "status", "arguments": []}, "arguments must be an object"),
    ],
)
def test_decode_request_that_is_none_says_why(request_: dict[str, object], reason: str) -> None:
    with pytest.raises(Refusal, match=reason):
        decode_request(json.dumps(request_).encode())


def test_decode_request_without_arguments_has_none() -> None:
    assert decode_request(b'{"command": "tree"}\n') == Request(Command.TREE, {})


@pytest.mark.parametrize("arguments", [{}, {"jid": None}, {"jid": 5}])
def test_request_text_that_is_missing_is_refused(arguments: dict[str, object]) -> None:
    with pytest.raises(Refusal, match=r"user\.add needs jid, a text"):
        Request(Command.USER_ADD, arguments).text("jid")


def test_decode_request_nested_beyond_reason_is_refused() -> None:
    with pytest.raises(Refusal, match="this is no JSON"):
        decode_request(b"[" * 60_000)
