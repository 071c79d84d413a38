"""Tests of `ops.control`: the client's end, against a stand-in for the server's."""

import socket
from pathlib import Path

import pytest

from ops import control
from ops.control import ServerNotRunning, ask, control_address, is_running
from ops.control_protocol import SOCKET_NAME, Command, Refusal, Request
from tests.ops.fake_server import fake_server, listening, raw_server

STATUS = Request(Command.STATUS, {})


def test_ask_gets_the_result(tmp_path: Path) -> None:
    with fake_server(tmp_path, lambda _: {"sessions": 3}) as requests:
        assert ask(tmp_path, STATUS) == {"sessions": 3}
    assert requests == [STATUS]


def test_ask_arguments_arrive_unchanged(tmp_path: Path) -> None:
    request = Request(Command.USER_ADD, {"jid": "jülïet@localhost", "password": 'pass"\\\nwörd'})
    with fake_server(tmp_path, lambda _: None) as requests:
        ask(tmp_path, request)
    assert requests == [request]


def test_ask_refusal_has_the_server_s_reason(tmp_path: Path) -> None:
    def refuse(_request: Request) -> object:
        raise Refusal("there is no account romeo@localhost")

    with fake_server(tmp_path, refuse), pytest.raises(Refusal, match="no account romeo@localhost"):
        ask(tmp_path, STATUS)


def test_ask_large_answer_arrives_whole(tmp_path: Path) -> None:
    names = [f"user{number}@localhost" for number in range(50_000)]
    with fake_server(tmp_path, lambda _: names):
        assert ask(tmp_path, STATUS) == names


def test_ask_directory_with_a_long_name_is_reached(tmp_path: Path) -> None:
    """A socket's address holds 108 bytes; the directory's name may be longer."""
    deep = tmp_path / ("x" * 120)
    with fake_server(deep, lambda _: "here"):
        assert ask(deep, STATUS) == "here"
        assert (deep / SOCKET_NAME).is_socket()


@pytest.mark.parametrize("data_dir", ["nowhere", "file"])
def test_ask_without_a_data_directory_no_server_is_running(tmp_path: Path, data_dir: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ServerNotRunning, match="no server is running on"):
        ask(tmp_path / data_dir, STATUS)


def test_ask_socket_left_behind_no_server_is_running(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as killed, control_address(tmp_path) as address:
        killed.bind(address)
    assert not is_running(tmp_path)
    with pytest.raises(ServerNotRunning):
        ask(tmp_path, STATUS)


def test_is_running_while_somebody_listens(tmp_path: Path) -> None:
    assert not is_running(tmp_path)
    with fake_server(tmp_path, lambda _: None):
        assert is_running(tmp_path)
    assert not is_running(tmp_path)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "ended before it had answered"),
        (b'{"ok": true, "result"', "ended before it had answered"),
        (b"hello\n", "this is no JSON"),
        (b"[1]\n", "this is no JSON object"),
        (b"{}\n", "the server gave no reason"),
    ],
)
def test_ask_answer_that_is_none_is_explained(tmp_path: Path, answer: bytes, reason: str) -> None:
    with raw_server(tmp_path, lambda _: answer), pytest.raises(Refusal, match=reason):
        ask(tmp_path, STATUS)


def test_ask_endless_answer_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "ANSWER_BYTES_MAX", 1_000)
    with raw_server(tmp_path, lambda _: b"x" * 2_000), pytest.raises(Refusal, match="longer than 1000 bytes"):
        ask(tmp_path, STATUS)


def test_ask_server_that_says_nothing_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "ANSWER_SECONDS_MAX", 0.01)
    with listening(tmp_path), pytest.raises(Refusal, match="gave no answer to status: timed out"):
        ask(tmp_path, STATUS)


def test_ask_something_else_in_the_socket_s_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / SOCKET_NAME).touch()
    with pytest.raises(ServerNotRunning):
        ask(tmp_path, STATUS)
