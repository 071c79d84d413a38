"""`trouper chaos`: many clients chat while everything is killed; then a balance, and whether it holds."""

import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

import click
import trio

from ops import faults
from ops.chaos.kinds import KINDS, POINTS, kinds_by_default
from ops.chaos.options import CLIENTS_MAX, PACE_MAX, RATE_MAX, SECONDS_MAX, Options
from ops.chaos.picture import picture
from ops.chaos.result import Result, as_lines, as_object, meetable_points
from ops.chaos.run import run
from ops.chaos.target import Target, Unusable, own_server, running_server
from ops.cli.options import STATUS_FAILED, Failure, json_option, settings, write_json
from ops.harmless import harmless_line

_EXAMPLES: Final = """\b
Examples:
  trouper chaos                                     a minute against a server of its own
  trouper chaos --clients 200 --seconds 300 --picture chaos.svg
  trouper chaos --kinds session,batcher --points "before decide,after decide" --rate 5
  trouper chaos --kinds server,restart --seed 7     the whole server, again and again
  trouper chaos --config trouper.toml               a server that runs, started with --faults

\b
Exit status: 0 the balance holds; 1 something was lost, doubled or out of order, a rule of the protocol was
broken, or a point was never hit with a message in hand; 2 wrong usage.
"""


def _listed(_context: click.Context, _parameter: click.Parameter, value: str | None) -> tuple[str, ...]:
    return () if value is None else tuple(part.strip() for part in value.split(",") if part.strip())


@click.command(epilog=_EXAMPLES, short_help="Kills everything while clients chat, and counts what arrives.")
@click.option(
    "--config",
    type=click.Path(path_type=Path, exists=True),
    metavar="FILE",
    help="Use the server that runs with this configuration and --faults; without it, one of its own.",
)
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="One setting. Repeatable.")
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where a server of its own has its files, kept afterwards; without it, a temporary one.",
)
@click.option("--clients", type=click.IntRange(2, CLIENTS_MAX), default=50, show_default=True, help="Even.")
@click.option(
    "--seconds",
    type=click.FloatRange(2, SECONDS_MAX),
    default=60.0,
    show_default=True,
    help="For how long faults are made.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed makes the same plan.")
@click.option("--kinds", callback=_listed, metavar="KIND,…", help="Kinds of fault; without it, all.")
@click.option(
    "--points", callback=_listed, metavar="POINT,…", help="Where to strike; without it, everywhere."
)
@click.option(
    "--rate",
    type=click.FloatRange(0.01, RATE_MAX),
    default=2.0,
    show_default=True,
    help="Faults a second; the whole server ends every 15 s beside that.",
)
@click.option(
    "--pace",
    type=click.FloatRange(0.01, PACE_MAX),
    default=1.0,
    show_default=True,
    help="Messages a second from each client.",
)
@click.option(
    "--picture",
    "picture_to",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.svg",
    help="Write throughput over time with the faults.",
)
@json_option
def chaos(  # noqa: PLR0913, PLR0917 - one argument an option
    config: Path | None,
    overrides: tuple[str, ...],
    directory: Path | None,
    clients: int,
    seconds: float,
    seed: int,
    kinds: tuple[str, ...],
    points: tuple[str, ...],
    rate: float,
    pace: float,
    picture_to: Path | None,
    as_json: bool,
) -> None:
    """Has many clients chat under stream management while faults are made, and strikes a balance.

    Clients are cut off and stalled, actors killed at rest and with a message in hand, the database is killed
    and slowed, the whole server killed and restarted. In the end every message must have arrived once and in
    order.
    """
    options = _checked(Options(clients, seconds, seed, kinds, points, rate, pace), own=config is None)
    try:
        result = trio.run(_carry_out, options, partial(_target, config, overrides, directory))
    except Unusable as error:
        raise Failure(str(error)) from error
    if picture_to is not None:
        picture_to.write_text(picture(result), encoding="utf-8")
    _show(result, as_json=as_json)
    if not result.holds:
        raise click.exceptions.Exit(STATUS_FAILED)


def _checked(options: Options, *, own: bool) -> Options:
    """The options with their defaults, or the end of the command with what is wrong with them."""
    kinds = options.kinds or kinds_by_default(own=own)
    points = options.points or POINTS
    for what, given, possible in (("kind", kinds, tuple(KINDS)), ("point", points, POINTS)):
        if unknown := [each for each in given if each not in possible]:
            raise click.UsageError(f"no such {what}: {', '.join(unknown)}; there are {', '.join(possible)}")
    if not own and (strange := [kind for kind in kinds if KINDS[kind].needs_own]):
        raise click.UsageError(f"{', '.join(strange)}: only with a server of its own, so without --config")
    if options.clients % 2:
        raise click.UsageError("--clients must be even: they chat in pairs")
    met = meetable_points(kinds, points)
    unmet = [point for point in options.points if point not in (faults.AT_REST, *met)]
    if unmet:
        raise click.UsageError(f"none of these kinds has a message in hand at: {', '.join(unmet)}")
    if not any(point in points for kind in kinds for point in KINDS[kind].at):
        raise click.UsageError("these kinds can be struck at none of these points")
    return options._replace(kinds=kinds, points=points)


@asynccontextmanager
async def _target(
    config: Path | None, overrides: tuple[str, ...], directory: Path | None
) -> AsyncIterator[Target]:
    if config is not None:
        async with running_server(settings(config, overrides)) as target:
            yield target
        return
    with tempfile.TemporaryDirectory(prefix="trouper-chaos-") as temporary:
        folder = directory or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        _say(f"starting a server in {folder}")
        async with own_server(folder, overrides) as target:
            yield target


async def _carry_out(options: Options, target: Callable[[], AbstractAsyncContextManager[Target]]) -> Result:
    async with target() as server:
        return await run(options, server, sys.stderr, _say)


def _say(text: str) -> None:
    click.echo(text, err=True)


def _show(result: Result, *, as_json: bool) -> None:
    if as_json:
        write_json(as_object(result))
        return
    for line in as_lines(result):
        click.echo(harmless_line(line))
