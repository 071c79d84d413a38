"""A real server for tests: `trouper serve` in a process of its own, with its embedded database and its log.

Used through the fixture `server`, one for each worker, and directly where a test needs settings of its own
or ends a server.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import select
import signal
import ssl
import subprocess
import sys
import threading
from collections import deque
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, NamedTuple, final

from ops.control import ask
from ops.control_protocol import Command, Request
from tests.support.raw_client import SECONDS_MAX

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

START_SECONDS_MAX: Final = 60.0
STOP_SECONDS_MAX: Final = 30.0

_LINES_MAX: Final = 20_000
_TROUPER: Final = Path(sys.executable).with_name("trouper")

WAYS: Final = ("c2s", "c2s_tls", "http")

CONFIGURATION: Final = """\
domain = "localhost"
data_dir = "data"
[listen]
c2s = ["127.0.0.1:0"]
c2s_tls = ["127.0.0.1:0"]
http = ["127.0.0.1:0"]
[registration]
open = true
[log]
format = "json"
[limits]
failed_logins_max = 1000
"""

_numbers = itertools.count(1)


class Account(NamedTuple):
    """An account that exists, and how to log in to it."""

    jid: str
    password: str

    @property
    def username(self) -> str:
        """What stands before the `@`."""
        return self.jid.partition("@")[0]


@final
class ServerLog:
    """What a server has written, kept by a thread that reads as it comes."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self._news = threading.Condition()
        self._lines: deque[str] = deque(maxlen=_LINES_MAX)
        self._has_ended = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self._source:
            with self._news:
                self._lines.append(line.decode(errors="replace").rstrip())
                self._news.notify_all()
        with self._news:
            self._has_ended = True
            self._news.notify_all()

    def wait_for(self, words: str, seconds: float) -> str:
        """The first line with these words, once it is there."""
        with self._news:
            self._news.wait_for(lambda: self._has_ended or self._find(words) is not None, seconds)
            found = self._find(words)
        assert found is not None, f"the server did not say {words!r}:\n{self.tail()}"
        return found

    def _find(self, words: str) -> str | None:
        return next((line for line in self._lines if words in line), None)

    def tail(self, lines: int = 60) -> str:
        """The last lines."""
        with self._news:
            return "\n".join(list(self._lines)[-lines:])

    def faults(self) -> list[str]:
        """Every line that tells of a fault of the server's own: an actor that died, a module that failed."""
        with self._news:
            return [line for line in self._lines if '"level": "error"' in line or not line.startswith("{")]

    def close(self) -> None:
        """The server has ended: read the rest."""
        self._reader.join(SECONDS_MAX)
        self._source.close()


@final
class RunningServer:
    """A server that is ready.

    Args:
        folder: Where its configuration and its files lie.
        flags: For `trouper serve`, such as `--set=limits.sessions_max=9`.
    """

    def __init__(self, folder: Path, *flags: str) -> None:
        self.domain = "localhost"
        self.folder = folder
        self.data_dir = folder / "data"
        self.config = folder / "trouper.toml"
        self.flags = flags
        self.ports: Mapping[str, int] = {}
        self._start()

    def _start(self) -> None:
        self.config.write_text(_configuration(self.ports), encoding="utf-8")
        self.process = subprocess.Popen(
            [_TROUPER, "serve", "--config", self.config, *self.flags],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**os.environ, "NO_COLOR": "1"},
        )
        assert self.process.stderr is not None
        self.log = ServerLog(self.process.stderr)
        try:
            ready = self.log.wait_for("trouper ready", START_SECONDS_MAX)
        except BaseException:
            self.kill()
            raise
        self.ports = _ports(ready)

    def restart(self, *flags: str) -> None:
        """Start it again on the same directory and ports, with other flags if there are any.

        It has ended, one way or the other: by `stop`, `kill` or `kill_with_database`.
        """
        self.flags = flags or self.flags
        self._start()

    @property
    def pid(self) -> int:
        """Of the server itself; the database is a child of it."""
        return self.process.pid

    @property
    def database_pid(self) -> int:
        """Of the database that the server has started."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text(encoding="ascii")
        (engine,) = children.split()
        return int(engine)

    @cache  # noqa: B019 - one per server, and servers live as long as the run
    def client_context(self, certificate: Path | None = None) -> ssl.SSLContext:
        """For clients that trust this server's self-signed certificate and no other, and show one or none."""
        context = ssl.create_default_context(cafile=self.folder / "server.crt")
        if certificate is not None:
            context.load_cert_chain(certificate)
        return context

    def account(self, name: str | None = None, keep: Sequence[str] = ()) -> Account:
        """A new account; what else is to be kept of its password is said as to `trouper user add`."""
        username = name or f"user-{self.unique()}"
        account = Account(f"{username}@{self.domain}", f"secret of {username}")
        ask(self.data_dir, Request(Command.USER_ADD, {**account._asdict(), "keep": list(keep)}))
        return account

    def unique(self) -> str:
        """A part for names that nobody else uses."""
        return str(next(_numbers))

    def resident_bytes(self) -> int:
        """Memory that belongs to the server's process alone."""
        rollup = Path(f"/proc/{self.pid}/smaps_rollup").read_text(encoding="ascii")
        parts = re.findall(r"^Private_(?:Clean|Dirty): +(\d+) kB$", rollup, re.MULTILINE)
        return sum(map(int, parts)) * 1_024

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Fail in the end for what has died inside the server meanwhile, whatever clients saw of it."""
        before = len(self.log.faults())
        yield
        assert self.process.poll() is None, f"the server has ended:\n{self.log.tail()}"
        assert self.log.faults()[before:] == []

    def stop(self) -> int:
        """End it in order; returns its status."""
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        self.log.close()
        return status

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait()
        self.log.close()

    def kill_with_database(self) -> None:
        """End it and its database at the same moment, as when power fails; returns when both are gone."""
        database = os.pidfd_open(self.database_pid)
        try:
            signal.pidfd_send_signal(database, signal.SIGKILL)
            self.kill()
            ended, _, _ = select.select([database], [], [], STOP_SECONDS_MAX)
        finally:
            os.close(database)
        assert ended, "the database did not die"


def _configuration(ports: Mapping[str, int]) -> str:
    """The same with the ports that are known, for a server that is started again."""
    text = CONFIGURATION
    for way in WAYS:
        text = text.replace(f'\n{way} = ["127.0.0.1:0"]', f'\n{way} = ["127.0.0.1:{ports.get(way, 0)}"]')
    return text


def _ports(ready: str) -> Mapping[str, int]:
    """Which port each way in has, from the line that says so: `c2s 127.0.0.1:5222, http [::1]:5280`."""
    ways = (way.rsplit(" ", 1) for way in str(json.loads(ready)["listening"]).split(", "))
    return {name: int(address.rpartition(":")[2]) for name, address in ways}
