"""The composition root: puts settings, outside world, modules and tree together and runs them until a signal.

Used by `trouper serve`. SIGTERM and SIGINT stop the tree in order, SIGHUP reads the certificate again.
"""

import gc
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from typing import Final

import trio
from structlog.typing import FilteringBoundLogger

from actors.server import Server
from actors.settings import LogLevel, LogSettings
from actors.tree import root_spec
from actors.world import real_world
from ops.config import Configuration
from ops.control_server import Control, control_spec
from ops.faults import Faults
from ops.logs import make_logger
from ops.process import server_secret
from ops.reports import Reporter
from ops.status import Status
from ops.tls import CertificateError, Certificates
from supervision.exit_reason import ExitReason, Shutdown, describe
from supervision.runtime import Runtime
from supervision.supervisor import REACHED_MAX_RESTART_INTENSITY
from supervision.tree import Tree

EXIT_FAILED: Final = 1
"""The status of a process whose tree gave up or did not start."""


def run_server(
    chosen: Configuration, certificates: Certificates, logger: FilteringBoundLogger, *, with_faults: bool
) -> int:
    """Runs the server until it is told to stop, and returns the process's exit status.

    Args:
        chosen: Its configuration.
        certificates: For TLS.
        logger: Where it says what happens.
        with_faults: Whether it kills actors when asked to over the control socket.
    """
    return trio.run(_run, chosen, certificates, logger, with_faults)


async def _run(
    chosen: Configuration,
    certificates: Certificates,
    logger: FilteringBoundLogger,
    with_faults: bool,  # trio.run passes no keywords
) -> int:
    settings = chosen.settings
    reporter = Reporter(logger)
    world = real_world()
    server = Server(
        settings,
        world,
        certificates,
        chosen.modules.modules,
        chosen.modules.options,
        note=reporter.note,
        secret=server_secret(settings.data_dir),
    )
    runtime = Runtime(report=reporter.report)
    faults = Faults(runtime) if with_faults else None
    control = Control(server, Status(server, reporter, version("trouper")), faults)
    ops = [control_spec(control, settings.data_dir)]
    tree = Tree(root_spec(server, logger.info, ops), runtime)
    async with trio.open_nursery() as nursery:
        stop = partial(_stop, tree, settings.limits.shutdown_seconds_max, logger)
        nursery.start_soon(_heed_signals, nursery, stop, certificates, logger)
        nursery.start_soon(_announce, tree, server, _announcer(settings.log))
        reason = await tree.run()
        nursery.cancel_scope.cancel()
    return _exit_status(reason, logger)


def _announcer(settings: LogSettings) -> FilteringBoundLogger:
    """A logger for what is said at any level: whoever starts the server waits for it."""
    return make_logger(replace(settings, level=LogLevel.INFO), sys.stderr)


async def _announce(tree: Tree, server: Server, logger: FilteringBoundLogger) -> None:
    """Says that the server is ready once every listener accepts."""
    await tree.wait_started()
    gc.collect()
    gc.freeze()  # a full collection is a long pause; what is there now stays
    # Each way in by its name in the settings, with the port that the system chose where none was given.
    ways = ", ".join(f"{id_.partition(':')[0]} {address}" for id_, address in server.listening.items())
    logger.info("trouper ready", domain=server.domain.full, listening=ways)


async def _heed_signals(
    nursery: trio.Nursery,
    stop: Callable[[str], Awaitable[None]],
    certificates: Certificates,
    logger: FilteringBoundLogger,
) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
        async for number in signals:
            if number == signal.SIGHUP:
                _reload(certificates, logger)
            else:
                nursery.start_soon(stop, signal.Signals(number).name)


async def _stop(tree: Tree, seconds_max: float, logger: FilteringBoundLogger, why: str) -> None:
    """Stops the tree in order; a second time changes nothing."""
    logger.info("stopping", signal=why)
    tree.root.ref.stop(Shutdown(why))
    await trio.sleep(seconds_max)  # the end of the tree ends this
    logger.error("cut off what did not stop in time", seconds=seconds_max)
    tree.root.kill("it did not stop in time")


def _reload(certificates: Certificates, logger: FilteringBoundLogger) -> None:
    try:
        certificates.reload(datetime.now(UTC))
    except CertificateError as error:
        logger.error("the old certificate stays in use", error=str(error))  # noqa: TRY400  # no stack: the file is at fault
        return
    logger.info("read the certificate again", warnings=list(certificates.warnings))


def _exit_status(reason: ExitReason, logger: FilteringBoundLogger) -> int:
    if isinstance(reason, Shutdown) and reason != REACHED_MAX_RESTART_INTENSITY:
        return 0
    logger.error("the server gave up", reason=describe(reason))
    return EXIT_FAILED
