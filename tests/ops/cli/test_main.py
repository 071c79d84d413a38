"""Tests of `ops.cli.main`: the command as it is installed."""

import subprocess
import sys
from importlib.metadata import version

import pytest
from click.testing import CliRunner

from ops.cli.main import main


@pytest.mark.parametrize("command", ["serve", "user", "status", "tree", "why", "check-config"])
def test_help_names_every_command_and_each_has_its_own(command: str) -> None:
    assert f"\n  {command} " in CliRunner().invoke(main, ["--help"]).stdout
    own = CliRunner().invoke(main, [command, "--help"])
    assert own.exit_code == 0
    assert own.stdout.startswith(f"Usage: main {command} ")


@pytest.mark.parametrize("command", [[], ["user"], ["serve"], ["why"]])
def test_help_has_examples(command: list[str]) -> None:
    help_text = CliRunner().invoke(main, [*command, "--help"]).stdout
    assert "Examples:\n    trouper " in help_text


def test_python_dash_m_is_the_same_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ops", "--version"], check=True, capture_output=True, encoding="utf-8"
    )
    assert done.stdout == f"trouper, version {version('trouper')}\n"
