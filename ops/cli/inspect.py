"""`trouper status`, `trouper tree` and `trouper check-config`: what can be seen without a change."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from actors.settings import Settings
from ops.cli.options import (
    STATUS_USAGE,
    Failure,
    Misconfigured,
    NotRunning,
    configuration_options,
    json_option,
    settings,
    write_json,
)
from ops.cli.rendering import render_status, render_tree
from ops.config import declared_settings, read_configuration
from ops.config_source import ConfigError
from ops.config_values import as_toml
from ops.control import ServerNotRunning, ask
from ops.control_protocol import Command, Refusal, Request
from ops.tls import CertificateError, Certificates


@click.command()
@configuration_options
@json_option
def status(config: Path | None, overrides: tuple[str, ...], as_json: bool) -> None:
    """Says how the running server is doing."""
    answer = _answer(Command.STATUS, settings(config, overrides))
    if as_json:
        write_json(answer)
    else:
        click.echo("\n".join(render_status(answer)))


@click.command()
@configuration_options
@json_option
def tree(config: Path | None, overrides: tuple[str, ...], as_json: bool) -> None:
    """Draws the running server's actors."""
    answer = _answer(Command.TREE, settings(config, overrides))
    if as_json:
        write_json(answer)
    else:
        click.echo("\n".join(render_tree(answer)))


@click.command("check-config", short_help="Says what is wrong with a configuration.")
@configuration_options
@json_option
def check_config(config: Path | None, overrides: tuple[str, ...], as_json: bool) -> None:
    """Says everything that is wrong with a configuration, or shows the settings in force."""
    try:
        chosen = read_configuration(config, overrides).settings
    except ConfigError as error:
        if not as_json:
            raise Misconfigured(str(error)) from error
        write_json({"faults": [fault._asdict() for fault in error.faults]})
        raise click.exceptions.Exit(STATUS_USAGE) from error
    warnings = list(_certificate_warnings(chosen))
    if as_json:
        write_json({"faults": [], "warnings": warnings, "settings": dict(_in_force(chosen))})
        return
    for name, value in _in_force(chosen):
        click.echo(f"{name} = {value}")
    for warning in warnings:
        click.echo(f"# {warning}", err=True)


def _answer(command: Command, chosen: Settings) -> Any:  # noqa: ANN401 - JSON
    try:
        return ask(chosen.data_dir, Request(command, {}))
    except ServerNotRunning as error:
        raise NotRunning(str(error)) from error
    except Refusal as error:
        raise Failure(str(error)) from error


def _in_force(chosen: Settings) -> Iterator[tuple[str, str]]:
    """Yields each setting with its value as TOML."""
    for declared in declared_settings():
        value: object = chosen
        for name in declared.path:
            value = getattr(value, name)
        yield ".".join(declared.path), as_toml(value)


def _certificate_warnings(chosen: Settings) -> Iterator[str]:
    tls = chosen.tls
    if chosen.is_development and not (tls.certificate.exists() or tls.key.exists()):
        return  # one is made at the first start
    try:
        yield from Certificates(tls, chosen.domain, datetime.now(UTC)).warnings
    except CertificateError as error:
        yield str(error)
