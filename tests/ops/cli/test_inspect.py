"""Tests of `ops.cli.inspect`."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ops.cli.main import main
from ops.control_protocol import Command, Refusal, Request
from tests.ops.fake_server import fake_server

TREE = {
    "id": "root",
    "status": "running",
    "handled": 1,
    "mailbox_depth": 0,
    "refused": 0,
    "restarts": 0,
    "last_crash": None,
    "children": [],
    "hidden": 0,
}
ANSWERS: dict[Command, object] = {Command.TREE: TREE, Command.STATUS: {"sessions": 3}}


def _trouper(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


@pytest.mark.parametrize(("command", "shown"), [("tree", "root  handled 1\n"), ("status", "sessions  3\n")])
def test_running_server_is_shown(tmp_path: Path, command: str, shown: str) -> None:
    with fake_server(tmp_path, lambda request: ANSWERS[request.command]) as requests:
        result = _trouper(command, "--set", f"data_dir={tmp_path}")
    assert (result.exit_code, result.stdout) == (0, shown)
    assert requests == [Request(Command(command), {})]


@pytest.mark.parametrize("command", ["tree", "status"])
def test_running_server_as_json_is_what_it_said(tmp_path: Path, command: str) -> None:
    with fake_server(tmp_path, lambda request: ANSWERS[request.command]):
        result = _trouper(command, "--json", "--set", f"data_dir={tmp_path}")
    assert json.loads(result.stdout) == ANSWERS[Command(command)]


@pytest.mark.parametrize("command", ["tree", "status"])
def test_stopped_server_has_a_status_of_its_own(tmp_path: Path, command: str) -> None:
    result = _trouper(command, "--set", f"data_dir={tmp_path}")
    assert result.exit_code == 3
    assert result.stderr == f"trouper: no server is running on {tmp_path}\n"


def test_status_refusal_is_shown(tmp_path: Path) -> None:
    def refuse(_request: Request) -> object:
        raise Refusal("not now")

    with fake_server(tmp_path, refuse):
        result = _trouper("status", "--set", f"data_dir={tmp_path}")
    assert (result.exit_code, result.stderr) == (1, "trouper: not now\n")


def _file(folder: Path, text: str) -> str:
    path = folder / "trouper.toml"
    path.write_text(text)
    return str(path)


def test_check_config_without_faults_shows_what_is_in_force(tmp_path: Path) -> None:
    result = _trouper("check-config", "--config", _file(tmp_path, "[limits]\nsessions_max = 7"))
    assert result.exit_code == 0
    assert "limits.sessions_max = 7\n" in result.stdout
    assert "modules.ping.enabled = true\n" in result.stdout
    assert f'data_dir = "{tmp_path}/data"\n' in result.stdout
    assert result.stderr == ""


def test_check_config_shows_every_fault_with_its_line(tmp_path: Path) -> None:
    path = _file(tmp_path, "domian = 1\n[limits]\nsessions_max = 'x'\n[modules.pin]")
    result = _trouper("check-config", "--config", path)
    assert result.exit_code == 2
    assert f"{path}:1: domian: " in result.stderr
    assert f"{path}:3: limits.sessions_max: " in result.stderr
    assert f"{path}:4: modules.pin: there is no such module; did you mean ping?" in result.stderr


def test_check_config_as_json_has_faults_as_objects(tmp_path: Path) -> None:
    path = _file(tmp_path, "domian = 1")
    result = _trouper("check-config", "--json", "--config", path)
    assert result.exit_code == 2
    (fault,) = json.loads(result.stdout)["faults"]
    assert (fault["path"], fault["line"], fault["key"]) == (path, 1, "domian")


def test_check_config_certificate_that_is_missing_is_said(tmp_path: Path) -> None:
    path = _file(tmp_path, '[listen]\nc2s = ["0.0.0.0:5222"]')
    result = _trouper("check-config", "--config", path)
    assert result.exit_code == 0
    assert "server.crt cannot be read: No such file" in result.stderr


def test_check_config_as_json_has_settings_and_warnings(tmp_path: Path) -> None:
    (tmp_path / "server.key").touch()
    result = _trouper("check-config", "--json", "--config", _file(tmp_path, ""))
    answer = json.loads(result.stdout)
    assert answer["faults"] == []
    assert answer["settings"]["domain"] == '"localhost"'
    assert "server.crt cannot be read" in answer["warnings"][0]
