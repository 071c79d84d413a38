"""Tests of `actors.store_link`: a script in the place of an engine; at the end, a real one."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest
import trio
import trio.testing

from actors import store_link
from actors.blocking import ThreadPool
from actors.store_access import StoreAccess
from actors.store_link import EngineDiedError, EngineState, LinkState, database_spec
from actors.world import READERS_MAX
from store.errors import StoreUnavailable
from store.writes import COMMITTED, CreateUser
from supervision.child_spec import ChildSpec, Intensity
from supervision.exit_reason import Crashed, Shutdown, sole_cause
from supervision.report import ChildTerminated, ShutdownFailed, StartFailed
from supervision.supervisor import supervisor_spec
from supervision.tree import Tree
from tests.actors.house_world import InlinePool
from tests.store.samples import make_user
from tests.supervision.stage import Stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from actors.blocking import BlockingPool

DATABASE: Final = "/store/database"
OWNER: Final = "juliet@example.com"
SECONDS_MAX: Final = 60.0
"""Bounds failure only."""

LISTENS: Final = "echo secantus listening on 127.0.0.1:{port} >&2; exec sleep 600"
LOCKED: Final = "echo the directory is already being managed by another process >&2"
PORT_TAKEN: Final = "echo OSError: Address already in use >&2"
BROKEN: Final = "echo WT_PANIC >&2"


class ScriptedEngine:
    """Each start plays the next script, the last one again and again."""

    def __init__(self, *scripts: str) -> None:
        self.scripts = list(scripts)
        self.is_new = False
        self.asked_for: list[int] = []
        self.processes: list[subprocess.Popen[bytes]] = []

    def bootstrap_if_needed(self) -> bool:
        return self.is_new

    def start(self, port: int = 0) -> subprocess.Popen[bytes]:
        self.asked_for.append(port)
        script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        script = script.format(port=port or 4_000 + len(self.asked_for))
        process = subprocess.Popen(["/bin/sh", "-c", script], stderr=subprocess.PIPE)
        self.processes.append(process)
        return process

    def uri(self, port: int) -> str:
        return f"mongodb://127.0.0.1:{port}"


class Driver:
    """Notes what becomes of it."""

    def __init__(self, uri: str, failures: list[Exception]) -> None:
        self.uri = uri
        self.is_open = False
        self.schemas = 0
        self._failures = failures

    def open(self) -> None:
        self.is_open = True

    def close(self) -> None:
        self.is_open = False

    def ensure_schema(self) -> None:
        self.schemas += 1
        if self._failures:
            raise self._failures.pop(0)


class Link:
    """A link to a database, with everything around it."""

    def __init__(self, data_dir: Path, uri: str, pool: BlockingPool) -> None:
        self.stage = Stage()
        self.access = StoreAccess(pool)
        self.pool = pool
        self.said: list[str] = []
        self.drivers: list[Driver] = []
        self.failures: list[Exception] = []
        self.saying: Callable[[], None] | None = None
        self._uri = uri
        self._data_dir = data_dir

    def make_driver(self, uri: str, *, journaled: bool, pool_size: int) -> Driver:
        assert journaled
        assert pool_size > READERS_MAX, "the batcher needs one as well"
        self.drivers.append(Driver(uri, self.failures))
        return self.drivers[-1]

    def root(self, restarts_max: int = 1_000) -> ChildSpec:
        """The link under a supervisor of its own, as in the server, under the root."""
        return supervisor_spec(
            "root", [supervisor_spec("store", [self.spec()], intensity=Intensity(restarts_max, 1.0))]
        )

    def spec(self) -> ChildSpec:
        """The link alone."""
        return database_spec(self._uri, self._data_dir, self.access, self.pool, journaled=True, say=self._say)

    @asynccontextmanager
    async def open(self, restarts_max: int = 1_000) -> AsyncIterator[Link]:
        """Run the link; it has started when this is entered."""
        async with self.stage.playing(self.root(restarts_max)):
            yield self

    def _say(self, words: str) -> None:
        self.said.append(words)
        if self.saying is not None:
            self.saying()

    @property
    def driver(self) -> Any:
        return self.access.driver

    @property
    def process(self) -> subprocess.Popen[bytes]:
        state = self.stage.slot(DATABASE).state
        assert isinstance(state, EngineState)
        assert state.process is not None
        return state.process

    @property
    def state(self) -> LinkState:
        state = self.stage.slot(DATABASE).state
        assert isinstance(state, LinkState)
        return state

    async def runs(self, incarnation: int) -> None:
        """Until this incarnation has opened the database."""
        with trio.fail_after(SECONDS_MAX):
            while self.state.opened_in < incarnation:
                await trio.lowlevel.checkpoint()


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> ScriptedEngine:
    """An engine of scripts, which is stopped as soon as it is asked; retries take no time."""
    engine = ScriptedEngine(LISTENS)

    def stop(process: subprocess.Popen[bytes], _port: int | None) -> None:
        process.kill()
        process.wait()

    monkeypatch.setattr(store_link, "EmbeddedEngine", lambda _data_dir: engine)
    monkeypatch.setattr(store_link, "stop", stop)
    monkeypatch.setattr(store_link, "LOCKED_RETRY_SECONDS", (0.0, 0.0))
    monkeypatch.setattr(store_link, "SCHEMA_RETRY_SECONDS", 0.0)
    return engine


@pytest.fixture
def link(engine: ScriptedEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Link:
    """To the embedded database."""
    link = Link(tmp_path, "embedded", InlinePool())
    monkeypatch.setattr(store_link, "MongoStore", link.make_driver)
    return link


# -- starting


async def test_embedded_offers_a_driver_for_the_port_that_the_engine_names(link: Link) -> None:
    async with link.open():
        assert link.driver.uri == "mongodb://127.0.0.1:4001"
        assert link.driver.is_open
        assert link.driver.schemas == 1
        assert link.said == []


async def test_embedded_new_database_is_said(link: Link, engine: ScriptedEngine) -> None:
    engine.is_new = True
    async with link.open():
        assert link.said == ["made a new embedded database"]


async def test_embedded_directory_locked_is_waited_for(link: Link, engine: ScriptedEngine) -> None:
    """A predecessor that is still ending is no crash."""
    engine.scripts = [LOCKED, LOCKED, LISTENS]
    async with link.open():
        assert len(engine.asked_for) == 3
        assert link.stage.slot(DATABASE).incarnation == 1


@pytest.mark.parametrize(
    ("script", "starts", "words"),
    [
        (LOCKED, 3, "another process uses the directory"),
        (BROKEN, 1, "WT_PANIC"),
    ],
)
async def test_embedded_that_cannot_start_fails_and_says_why(
    link: Link, engine: ScriptedEngine, script: str, starts: int, words: str
) -> None:
    engine.scripts = [script]
    with trio.fail_after(SECONDS_MAX):
        await Tree(link.root(), link.stage.runtime).run()
    (report,) = link.stage.reported(StartFailed)[:1]
    assert report.path == DATABASE
    assert isinstance(report.reason, Crashed)
    assert words in str(sole_cause(report.reason.error))
    assert len(engine.asked_for) == starts


async def test_named_database_that_does_not_answer_yet_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = Link(tmp_path, "mongodb://db.example.com", InlinePool())
    monkeypatch.setattr(store_link, "MongoStore", link.make_driver)
    monkeypatch.setattr(store_link, "SCHEMA_RETRY_SECONDS", 0.0)
    link.failures.extend([StoreUnavailable("no route")] * 2)
    async with link.open():
        assert link.said == ["waiting for the database: no route"] * 2
        assert link.driver.uri == "mongodb://db.example.com"
        assert link.stage.slot(DATABASE).incarnation == 1
        driver = link.driver
    assert not driver.is_open


async def test_database_stop_while_it_is_waited_for_stops_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has to wait out a grace because the database is away."""
    link = Link(tmp_path, "mongodb://db.example.com", InlinePool())
    monkeypatch.setattr(store_link, "MongoStore", link.make_driver)
    link.failures.extend([StoreUnavailable("no route")] * 1_000)
    tree = Tree(link.root(), link.stage.runtime)
    link.saying = lambda: tree.root.ref.stop(Shutdown())
    with trio.fail_after(SECONDS_MAX):
        assert await tree.run() == Shutdown()
    assert link.stage.reported(ShutdownFailed) == []
    assert not link.drivers[0].is_open


async def test_embedded_stop_while_it_starts_leaves_no_engine_behind(
    link: Link, engine: ScriptedEngine
) -> None:
    engine.scripts = ["exec sleep 600"]
    tree = Tree(link.root(), link.stage.runtime)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(tree.run)
        await trio.testing.wait_all_tasks_blocked()
        tree.root.ref.stop(Shutdown())
    (process,) = engine.processes
    assert process.returncode is not None
    assert link.stage.reported(ShutdownFailed) == []


# -- the engine's death, and the link's


async def test_named_link_killed_goes_on_with_its_driver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = Link(tmp_path, "mongodb://db.example.com", InlinePool())
    monkeypatch.setattr(store_link, "MongoStore", link.make_driver)
    async with link.open():
        await link.stage.kill(DATABASE)
        await link.runs(incarnation=2)
        (driver,) = link.drivers
        assert link.driver is driver
        assert driver.is_open
        assert driver.schemas == 1


async def test_restart_of_the_link_holds_up_no_sibling(link: Link, engine: ScriptedEngine) -> None:
    """An engine may take minutes to come back; whoever else dies meanwhile is restarted at once."""
    stage = link.stage
    async with stage.supervising(link.spec(), stage.spec("sibling")):
        engine.scripts = ["exec sleep 600"]
        await stage.kill("/database")
        assert len(engine.processes) == 2
        await stage.kill("/sibling")
        assert stage.slot("/sibling").incarnation == 2


async def test_embedded_engine_killed_comes_back_on_its_port(link: Link, engine: ScriptedEngine) -> None:
    """The driver stays: it finds the engine where it was."""
    async with link.open():
        driver = link.driver
        link.process.kill()
        await link.runs(incarnation=2)
        assert engine.asked_for == [0, 4_001]
        assert link.driver is driver
        assert driver.is_open
        assert driver.schemas == 1
        (death,) = link.stage.reported(ChildTerminated)
        assert isinstance(death.reason, Crashed)
        assert isinstance(sole_cause(death.reason.error), EngineDiedError)


async def test_embedded_port_that_was_taken_meanwhile_is_given_up(link: Link, engine: ScriptedEngine) -> None:
    async with link.open():
        before = link.driver
        engine.scripts = [PORT_TAKEN, LISTENS]
        link.process.kill()
        await link.runs(incarnation=2)
        assert engine.asked_for == [0, 4_001, 0]
        assert link.driver.uri == "mongodb://127.0.0.1:4003"
        assert link.driver.is_open
        assert not before.is_open


async def test_embedded_link_killed_ends_the_engine_it_had(link: Link, engine: ScriptedEngine) -> None:
    async with link.open():
        await link.stage.kill(DATABASE)
        await link.runs(incarnation=2)
        first, second = engine.processes
        assert first.returncode is not None
        assert second.poll() is None
        assert engine.asked_for == [0, 4_001]


async def test_embedded_link_killed_before_its_driver_was_offered_offers_it_all_the_same(
    link: Link, engine: ScriptedEngine
) -> None:
    """The engine is on its port and the driver there: the server knows nothing of it yet."""
    async with link.open():
        engine.scripts = [PORT_TAKEN, LISTENS]
        link.failures.append(StoreUnavailable("still recovering"))
        link.saying = link.stage.ref(DATABASE).kill
        link.process.kill()
        await link.runs(incarnation=3)
        assert link.said == ["waiting for the database: still recovering"]
        assert link.driver is link.drivers[1]
        assert link.driver.is_open
        assert link.driver.schemas == 2


async def test_embedded_supervisor_given_up_leaves_no_engine_behind(
    link: Link, engine: ScriptedEngine
) -> None:
    """An engine that nobody knew of would hold the directory against its successor."""
    async with link.open(restarts_max=0):
        await link.stage.kill(DATABASE)
        await link.runs(incarnation=2)
        assert link.stage.slot("/store").incarnation == 2
        assert [process.poll() is None for process in engine.processes] == [False, True]
        assert link.driver.is_open


async def test_embedded_stop_ends_the_engine_and_hangs_up(link: Link, engine: ScriptedEngine) -> None:
    async with link.open():
        driver = link.driver
    (process,) = engine.processes
    assert process.returncode is not None
    assert process.stderr is not None
    assert process.stderr.closed
    assert not driver.is_open


# -- a real engine


async def test_embedded_real_engine_killed_keeps_what_was_committed(tmp_path: Path) -> None:
    pool = ThreadPool("pool", 2)
    link = Link(tmp_path / "data", "embedded", pool)
    async with link.open():
        write = CreateUser(make_user(OWNER))
        commit = pool.submit(lambda: link.access.driver.commit([write]))
        assert await commit.wait(SECONDS_MAX) == [COMMITTED]
        os.kill(link.process.pid, signal.SIGKILL)
        await link.runs(incarnation=2)
        user = await link.access.read_user(OWNER)
        assert user is not None
        process = link.process
    assert process.returncode is not None
