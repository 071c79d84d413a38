"""Tests of `ops.cli.why`: what is asked, and how the answer is shown."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from ops.cli.main import main
from ops.control_protocol import MESSAGES_DEFAULT, MESSAGES_MAX, Command, Refusal, Request
from tests.ops.fake_server import fake_server

JULIET = "juliet@localhost"
ANSWER: dict[str, Any] = {
    "jid": JULIET,
    "since_ms": 0,
    "database_away": None,
    "omitted": 0,
    "messages": [
        {
            "from": "romeo@localhost/orchard",
            "to": JULIET,
            "id": "m1",
            "stanza_id": None,
            "waits": None,
            "events": [{"at_ms": 1, "fate": "delivered", "resource": f"{JULIET}/balcony"}],
        }
    ],
}


def _why(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["why", *arguments, "--set", f"data_dir={folder}"])


def test_why_shows_a_block_for_each_message(tmp_path: Path) -> None:
    with fake_server(tmp_path, lambda _request: ANSWER) as requests:
        result = _why(tmp_path, JULIET)
    assert result.exit_code == 0
    assert result.stdout == (
        "Message m1 from romeo@localhost/orchard to juliet@localhost was delivered to "
        "juliet@localhost/balcony, which acknowledges nothing.\n"
        "  1970-01-01 00:00:00.001  delivered to juliet@localhost/balcony\n"
        "\n"
        "What happened is known since 1970-01-01 00:00:00.000.\n"
    )
    assert requests == [Request(Command.WHY, {"jid": JULIET, "message": None, "count": MESSAGES_DEFAULT})]


def test_why_asks_for_what_it_is_told_to(tmp_path: Path) -> None:
    with fake_server(tmp_path, lambda _request: ANSWER) as requests:
        _why(tmp_path, JULIET, "--message", "m1", "--count", "5")
    assert requests == [Request(Command.WHY, {"jid": JULIET, "message": "m1", "count": 5})]


def test_why_as_json_is_what_the_server_said(tmp_path: Path) -> None:
    with fake_server(tmp_path, lambda _request: ANSWER):
        result = _why(tmp_path, JULIET, "--json")
    assert json.loads(result.stdout) == ANSWER


def test_why_stopped_server_has_a_status_of_its_own(tmp_path: Path) -> None:
    result = _why(tmp_path, JULIET)
    assert result.exit_code == 3
    assert result.stderr == f"trouper: no server is running on {tmp_path}, and only a running server knows\n"


def test_why_refusal_is_shown(tmp_path: Path) -> None:
    def refuse(_request: Request) -> object:
        raise Refusal("there is no account nurse@localhost")

    with fake_server(tmp_path, refuse):
        result = _why(tmp_path, "nurse@localhost")
    assert (result.exit_code, result.stderr) == (1, "trouper: there is no account nurse@localhost\n")


@pytest.mark.parametrize("count", ["0", str(MESSAGES_MAX + 1), "many"])
def test_why_count_out_of_bounds_is_wrong_usage(tmp_path: Path, count: str) -> None:
    assert _why(tmp_path, JULIET, "--count", count).exit_code == 2
