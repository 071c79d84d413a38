"""`trouper status`, `trouper tree` and `trouper check-config`: what can be seen without a change."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from actors.module import Module
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
from ops.config import read_configuration
from ops.config_check import MODULES, declared_settings
from ops.config_modules import ENABLED, ChosenModules
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
    from actors import modules as shipped  # half of the server, which the other commands do not need

    try:
        chosen, modules, _ = read_configuration(config, overrides, shipped.MODULES)
    except ConfigError as error:
        if not as_json:
            raise Misconfigured(str(error)) from error
        write_json({"faults": [fault._asdict() for fault in error.faults]})
        raise click.exceptions.Exit(STATUS_USAGE) from error
    in_force = {**dict(_settings_in_force(chosen)), **dict(_modules_in_force(modules, shipped.MODULES))}
    warnings = list(_certificate_warnings(chosen))
    if as_json:
        write_json({"faults": [], "warnings": warnings, "settings": in_force})
        return
    for name, value in in_force.items():
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


def _settings_in_force(chosen: Settings) -> Iterator[tuple[str, str]]:
    """Yields each setting with its value as TOML."""
    for declared in declared_settings():
        value: object = chosen
        for name in declared.path:
            value = getattr(value, name)
        yield ".".join(declared.path), as_toml(value)


def _modules_in_force(chosen: ChosenModules, available: Sequence[Module]) -> Iterator[tuple[str, str]]:
    """Yields for each module whether it runs, and its options."""
    for module in available:
        yield f"{MODULES}.{module.name}.{ENABLED}", as_toml(module in chosen.modules)
        if module.options is not None:
            for declared in declared_settings(module.options, (MODULES, module.name)):
                yield ".".join(declared.path), as_toml(getattr(chosen.options[module.name], declared.name))


def _certificate_warnings(chosen: Settings) -> Iterator[str]:
    tls = chosen.tls
    if chosen.is_development and not (tls.certificate.exists() or tls.key.exists()):
        return  # one is made at the first start
    try:
        yield from Certificates(tls, chosen.domain, datetime.now(UTC)).warnings
    except CertificateError as error:
        yield str(error)
