"""A server to measure: started on loopback with its own configuration and data, stopped at the end.

Used by `ops/bench/run.py`.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from actors.settings import Durability

# A database of its own included, which may have to wait for a slow disk.
START_SECONDS_MAX: Final = 60.0
STOP_SECONDS_MAX: Final = 20.0
_POLL_SECONDS: Final = 0.05
# What is shown of the server's log when it does not start.
_LOG_LINES_SHOWN: Final = 20

_CONFIGURATION: Final = """\
domain = "localhost"
data_dir = "data"
durability = "{durability}"
[listen]
c2s = ["127.0.0.1:{port}"]
c2s_tls = []
http = []
[auth]
require_tls = false
[registration]
open = true
[archive]
enabled = false
"""


class BenchError(Exception):
    """The measurement cannot be made; the message says why."""


class RunningServer(NamedTuple):
    """A server that is ready."""

    port: int
    pid: int


@contextmanager
def running_server(folder: Path, core: int | None, durability: Durability) -> Iterator[RunningServer]:
    """Starts a server whose files lie in the folder, pinned to one core where one is given.

    Raises:
        BenchError: It does not get ready.
    """
    port = _free_port()
    configuration = folder / "trouper.toml"
    configuration.write_text(_CONFIGURATION.format(port=port, durability=durability.value), encoding="utf-8")
    log = folder / "log"
    command = [*pinned(core), sys.executable, "-m", "ops", "serve", "--config", str(configuration)]
    with log.open("wb") as file, subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=file) as process:
        try:
            _wait_until_ready(process, log)
            yield RunningServer(port, process.pid)
        finally:
            _stop(process)


def pinned(core: int | None) -> list[str]:
    """Returns what to put before a command so that it runs on one core only; nothing without `taskset`."""
    return [] if core is None or shutil.which("taskset") is None else ["taskset", "-c", str(core)]


def cores() -> tuple[int | None, int | None]:
    """Returns a core for the server and one for the generator, or nothing where there is but one."""
    available = sorted(os.sched_getaffinity(0))
    return (available[0], available[1]) if len(available) > 1 else (None, None)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
    return port


def _wait_until_ready(process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while b"trouper ready" not in (written := log.read_bytes()):
        last = "\n".join(written.decode(errors="replace").splitlines()[-_LOG_LINES_SHOWN:])
        if process.poll() is not None:
            raise BenchError(f"the server ended with status {process.returncode}:\n{last}")
        if time.monotonic() > deadline:
            raise BenchError(f"the server was not ready within {START_SECONDS_MAX:.0f} s:\n{last}")
        time.sleep(_POLL_SECONDS)


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
