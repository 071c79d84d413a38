"""What all subcommands share: the options that name a configuration, and how a failure is shown.

Exit status: 0 done, 1 refused or failed, 2 wrong usage or configuration, 3 no server is running.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any, Final, TypeVar

import click

from actors.module import Module
from actors.settings import Settings
from ops.config import Configuration, read_configuration
from ops.config_source import ConfigError
from ops.harmless import harmless

STATUS_FAILED: Final[int] = 1
STATUS_USAGE: Final[int] = 2
STATUS_NOT_RUNNING: Final[int] = 3

_Function = TypeVar("_Function", bound=Callable[..., Any])


class Failure(click.ClickException):
    """Ends the command with a sentence on standard error and a status."""

    exit_code = STATUS_FAILED

    def show(self, file: IO[Any] | None = None) -> None:
        """Writes the sentence; it may quote a stranger."""
        click.echo(f"trouper: {harmless(self.message)}", file=file, err=True)


class Misconfigured(Failure):
    """Ends the command because of its configuration."""

    exit_code = STATUS_USAGE


class NotRunning(Failure):
    """Ends the command because no server answers."""

    exit_code = STATUS_NOT_RUNNING


def configuration_options(function: _Function) -> _Function:
    """Adds `--config` and `--set`, which arrive as `config` and `overrides`."""
    file = click.option(
        "--config",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="The TOML file; without it, all defaults.",
    )
    override = click.option(
        "--set",
        "overrides",
        multiple=True,
        metavar="KEY=VALUE",
        help="One setting; wins over the file. Repeatable.",
    )
    return file(override(function))


def json_option(function: _Function) -> _Function:
    """Adds `--json`, which arrives as `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Write JSON, for programs.")(function)


def configuration(
    config: Path | None, overrides: tuple[str, ...], available: Sequence[Module] | None = None
) -> Configuration:
    """Reads the configuration, or ends the command with everything that is wrong with it."""
    try:
        return read_configuration(config, overrides, available)
    except ConfigError as error:
        raise Misconfigured(str(error)) from error


def settings(config: Path | None, overrides: tuple[str, ...]) -> Settings:
    """Reads the settings, or ends the command with everything that is wrong with them."""
    return configuration(config, overrides).settings


def write_json(value: object) -> None:
    """Writes one JSON object to standard output."""
    click.echo(json.dumps(value, ensure_ascii=True, indent=2))
