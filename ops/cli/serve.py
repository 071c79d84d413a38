"""`trouper serve`: prepares process, certificate and perhaps the demonstration, and runs the server."""

import secrets
import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

import click
from structlog.typing import FilteringBoundLogger

from actors.settings import Settings
from ops.cli.options import Failure, configuration, configuration_options
from ops.control import is_running
from ops.control_protocol import Refusal
from ops.database import open_accounts
from ops.demo import how_to_log_in, prepare_demonstration
from ops.logs import make_logger
from ops.process import prepare_process
from ops.tls import CertificateError, Certificates, ensure_certificate

# 72 bits in 12 characters: nobody guesses it, and it can be typed.
_DEMO_PASSWORD_BYTES: Final = 9

_EXAMPLES: Final = """\b
Examples:
  trouper serve --demo
  trouper serve --config /etc/trouper/trouper.toml
  trouper serve --set limits.sessions_max=100 --set log.format=json
"""


@click.command(epilog=_EXAMPLES, short_help="Runs the server.")
@configuration_options
@click.option("--demo", is_flag=True, help="Prepare two accounts that are contacts, and say how to log in.")
@click.option("--faults", is_flag=True, help="Kill actors when asked to over the control socket; for tests.")
def serve(config: Path | None, overrides: tuple[str, ...], demo: bool, faults: bool) -> None:
    """Runs the server until SIGTERM or Ctrl-C; SIGHUP reads the certificate again.

    The words "trouper ready" appear on standard error once every listener accepts.
    """
    from actors.modules import MODULES
    from ops.server import run_server  # the whole server, which no other command needs

    chosen = configuration(config, overrides, MODULES)
    settings = chosen.settings
    logger = make_logger(settings.log, sys.stderr)
    try:
        _prepare(settings, logger)
        certificates = _certificates(settings, logger)
        if demo:
            _demonstrate(settings)
    except (CertificateError, OSError, Refusal) as error:
        raise Failure(str(error)) from error
    raise click.exceptions.Exit(run_server(chosen, certificates, logger, with_faults=faults))


def _prepare(settings: Settings, logger: FilteringBoundLogger) -> None:
    for warning in prepare_process(settings):
        logger.warning(warning)
    if is_running(settings.data_dir):
        raise Refusal(f"a server is running on {settings.data_dir} already")


def _certificates(settings: Settings, logger: FilteringBoundLogger) -> Certificates:
    tls, now = settings.tls, datetime.now(UTC)
    if ensure_certificate(tls, settings.domain, is_development=settings.is_development, now=now):
        logger.info("made a self-signed certificate", certificate=str(tls.certificate))
    certificates = Certificates(tls, settings.domain, now)
    for warning in certificates.warnings:
        logger.warning(warning)
    return certificates


def _demonstrate(settings: Settings) -> None:
    with open_accounts(settings, partial(click.echo, err=True)) as accounts:
        logins = prepare_demonstration(accounts, partial(secrets.token_urlsafe, _DEMO_PASSWORD_BYTES))
    click.echo(how_to_log_in(settings, logins), err=True)
