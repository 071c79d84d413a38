"""The server that chaos is made in: one of the harness's own, in a directory of its own, or one that runs.

An own one can be killed and started again on the same files and ports, and its database made to stand still.
"""

import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple, final

import trio

from actors.settings import Settings
from ops.chaos.cast import Way
from ops.chaos.wire import Place
from ops.control import ServerNotRunning, ask
from ops.control_protocol import Command, Refusal, Request
from store import tied_child

# A database of its own included, which may have to recover first on a busy machine.
START_SECONDS_MAX: Final = 120.0
# Longer than the server's own bound for an orderly stop.
STOP_SECONDS_MAX: Final = 30.0
_POLL_SECONDS: Final = 0.02
LOG_LINES_SHOWN: Final = 20
READY: Final = b"trouper ready"
PROGRAM: Final = (sys.executable, "-m", "ops")

_CONFIGURATION: Final = """\
domain = "localhost"
data_dir = "data"
[listen]
c2s = ["127.0.0.1:{c2s}"]
c2s_tls = ["127.0.0.1:{c2s_tls}"]
http = ["127.0.0.1:{http}"]
[log]
format = "json"
[limits]
# It is killed many times a minute, and that is no reason to give up; nor is a client that comes back often.
restarts_max = 100000
failed_logins_max = 100000
# What is delivered while the database is away may come twice after a crash; here nothing may.
store_away_seconds = 120
"""


class Unusable(Exception):
    """There is no server to do this with; the message says why, and what to do."""


@final
class Target:
    """A server and how to reach it.

    Attributes:
        place: For clients.
        data_dir: Where its control socket is.
        own: Its process, if it is our own.
    """

    def __init__(self, place: Place, data_dir: Path, own: "OwnProcess | None" = None) -> None:
        self.place = place
        self.data_dir = data_dir
        self.own = own

    async def ask(self, command: Command, **arguments: object) -> Any:  # noqa: ANN401 - JSON
        """Asks over the control socket.

        Raises:
            ServerNotRunning: Nobody is there.
            Refusal: It says no, or nothing.
        """
        return await trio.to_thread.run_sync(partial(ask, self.data_dir, Request(command, arguments)))


@final
class OwnProcess:
    """The process of an own server, in the folder of its configuration.

    Attributes:
        starts: How often it has been started.
    """

    def __init__(self, folder: Path, overrides: Sequence[str] = (), program: Sequence[str] = PROGRAM) -> None:
        self._folder = folder
        self._program = program
        self._overrides = [f"--set={each}" for each in overrides]
        self._process: subprocess.Popen[bytes] | None = None
        self.starts = 0

    @property
    def log(self) -> Path:
        """What it has written since its first start."""
        return self._folder / "log"

    @property
    def has_ended(self) -> bool:
        """Whether it has ended, by itself or not."""
        return self._process is None or self._process.poll() is not None

    async def start(self) -> None:
        """Starts it and waits until it is ready.

        Raises:
            Unusable: It does not get ready.
        """
        begins_at = self.log.stat().st_size if self.log.exists() else 0
        config = str(self._folder / "trouper.toml")
        # However the harness ends, its server does not outlive it.
        tie = [sys.executable, "-I", "-S", tied_child.__file__, str(os.getpid())]
        command = [*tie, *self._program, "serve", "--config", config, "--faults", *self._overrides]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: ASYNC220 - Trio's would be waited for by its nursery
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self.starts += 1
        with trio.move_on_after(START_SECONDS_MAX):
            while READY not in self._written(begins_at):
                if self.has_ended:
                    raise Unusable(
                        f"the server ended with status {self._process.returncode}:\n{self.last_words()}"
                    )
                await trio.sleep(_POLL_SECONDS)
            return
        raise Unusable(f"the server was not ready within {START_SECONDS_MAX:.0f} s:\n{self.last_words()}")

    async def kill(self) -> None:
        """SIGKILL; the database goes with it."""
        if self._process is not None:
            self._process.kill()
            await self.wait_ended()

    async def stop(self) -> int:
        """SIGTERM; returns the status with which it has ended, killed if it took too long."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        with trio.move_on_after(STOP_SECONDS_MAX):
            return await self.wait_ended()
        await self.kill()
        return -signal.SIGKILL

    async def wait_ended(self) -> int:
        """Waits until it has ended; returns its status."""
        assert self._process is not None
        while (status := self._process.poll()) is None:  # noqa: ASYNC110 - nobody tells
            await trio.sleep(_POLL_SECONDS)
        return status

    async def slow_database(self, seconds: float) -> bool:
        """Has the database stand still for a while; false if there is none just now."""
        engines = self._children()
        for engine in engines:
            os.kill(engine, signal.SIGSTOP)
        try:
            await trio.sleep(seconds)
        finally:
            for engine in engines:
                _go_on(engine)
        return bool(engines)

    def end_now(self) -> None:
        """Ends it whatever happens, without waiting long."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def last_words(self) -> str:
        """The last lines of its log."""
        return "\n".join(
            self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES_SHOWN:]
        )

    def _written(self, begins_at: int) -> bytes:
        with self.log.open("rb") as log:
            log.seek(begins_at)
            return log.read()

    def _children(self) -> list[int]:
        if self._process is None or self.has_ended:
            return []
        pid = self._process.pid
        try:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
        except OSError:  # it has ended in this moment
            return []
        return [int(child) for child in children.split()]


def _go_on(engine: int) -> None:
    try:
        os.kill(engine, signal.SIGCONT)
    except ProcessLookupError:
        return  # it was killed meanwhile


@asynccontextmanager
async def own_server(
    folder: Path, overrides: Sequence[str] = (), program: Sequence[str] = PROGRAM
) -> AsyncIterator[Target]:
    """A server of our own, with its files in a folder; ended in the end.

    Args:
        folder: Where its files lie.
        overrides: Settings of its own.
        program: The command line's program; tests have others.

    Raises:
        Unusable: It does not start.
    """
    with _free_ports(len(Way)) as ports:
        listen = dict(zip((way.value for way in Way), ports, strict=True))
    (folder / "trouper.toml").write_text(_CONFIGURATION.format(**listen), encoding="utf-8")
    process = OwnProcess(folder, overrides, program)
    try:
        await process.start()
        context = _trusting(folder / "server.crt")
        addresses = {way: ("127.0.0.1", listen[way.value]) for way in Way}
        yield Target(Place("localhost", addresses, context), folder / "data", process)
    finally:
        process.end_now()


@asynccontextmanager
async def running_server(settings: Settings) -> AsyncIterator[Target]:
    """The server that runs with these settings.

    Raises:
        Unusable: None does, or it makes no faults, or clients cannot reach it.
    """
    addresses = {
        way: (listed[0].host.strip("[]"), listed[0].port)
        for way in Way
        if (listed := getattr(settings.listen, way.value))
    }
    if not addresses:
        raise Unusable("the server listens nowhere for clients: give listen.c2s an address")
    try:
        context = _trusting(settings.tls.certificate)
    except OSError as error:
        raise Unusable(f"the certificate {settings.tls.certificate} cannot be read: {error}") from error
    target = Target(Place(settings.domain, addresses, context), settings.data_dir)
    try:
        await target.ask(Command.FAULT_COUNT)
    except ServerNotRunning as error:
        raise Unusable(f"{error}; start it with: trouper serve --faults --config FILE") from error
    except Refusal as error:
        raise Unusable(str(error)) from error
    yield target


def _trusting(certificate: Path) -> ssl.SSLContext:
    """For clients that trust this very certificate, signed by whomever, and those of known authorities."""
    context = ssl.create_default_context()
    context.load_verify_locations(certificate)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


class _Port(NamedTuple):
    number: int
    socket: socket.socket


@contextmanager
def _free_ports(count: int) -> Iterator[list[int]]:
    """Ports that nobody uses, different ones; held until the context ends."""
    found = [_port() for _ in range(count)]
    try:
        yield [port.number for port in found]
    finally:
        for port in found:
            port.socket.close()


def _port() -> _Port:
    held = socket.create_server(("127.0.0.1", 0))
    return _Port(held.getsockname()[1], held)
