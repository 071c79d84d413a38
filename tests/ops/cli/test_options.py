"""Tests of `ops.cli.options`: how every subcommand takes its configuration and fails."""

import pytest
from click.testing import CliRunner

from ops.cli.main import main


@pytest.mark.parametrize("command", ["serve", "status", "tree", "check-config", "user list"])
def test_configuration_that_is_missing_ends_with_its_status(command: str) -> None:
    result = CliRunner().invoke(main, [*command.split(), "--config", "/nowhere/trouper.toml"])
    assert result.exit_code == 2
    assert "/nowhere/trouper.toml: cannot be read: No such file or directory" in result.stderr


def test_usage_that_is_wrong_ends_with_its_status() -> None:
    assert CliRunner().invoke(main, ["user", "add"]).exit_code == 2
