"""The tree: what it consists of, in which order it starts and stops, and how far a death reaches."""

from __future__ import annotations

import socket
from contextlib import asynccontextmanager
from random import Random
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from actors import tree
from actors.modules import MODULES
from actors.server import Server
from actors.settings import Address, DatabaseSettings, Durability, LimitSettings, ListenSettings, Settings
from actors.tree import root_spec
from store.memory.driver import MemoryStore
from supervision.actor import Actor
from supervision.child_spec import ChildSpec
from supervision.exit_reason import Crashed, Normal, describe
from supervision.report import ChildStarted, ChildTerminated, IntensityReached, Report
from supervision.runtime import Runtime
from supervision.supervisor import REACHED_MAX_RESTART_INTENSITY
from supervision.tree import Tree, children_of, find, walk
from tests.actors.house_world import InlinePool, memory_database_spec, seeded_world

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from actors.store_access import StoreAccess
    from supervision.exit_reason import ExitReason
    from supervision.slot import Slot

R = TypeVar("R", bound=Report)

ANY, OTHER = Address("127.0.0.1", 0), Address("127.0.0.2", 0)


class NoCertificates:
    def addresses_in(self, _certificate: bytes) -> tuple[str, ...]:
        raise AssertionError("nobody shows one")

    @property
    def end_point(self) -> None:
        """Nothing to bind to."""

    @property
    def context(self) -> NoReturn:
        raise AssertionError("nobody connects here")


def make_server(settings: Settings) -> Server:
    return Server(
        settings,
        seeded_world(Random(0), InlinePool()),
        NoCertificates(),
        MODULES,
        {},
        note=lambda event: None,
        secret=b"of the tree",
    )


class Clerk(Actor[NoReturn, None]):
    """A child of `ops` that notes what still lives when it is told to go."""

    def __init__(self, slot: Slot[NoReturn], lived: dict[str, bool]) -> None:
        super().__init__(slot)
        self._lived = lived

    def decide(self, message: NoReturn) -> Sequence[None]:
        return message

    async def terminate(self, _reason: ExitReason) -> None:
        assert self.slot.parent is not None
        root = self.slot.parent.parent
        assert root is not None
        self._lived.update({child.path: child.is_live for child in children_of(root)})


class Stage:
    """The whole tree with listeners on ports that the system chooses, and a database in memory."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, listen: ListenSettings, restarts_max: int = 10
    ) -> None:
        self.reports: list[Report] = []
        self.lived: dict[str, bool] = {}
        self.ended: ExitReason | None = None
        self.database: dict[str, object] = {}
        self.settings = Settings(
            listen=listen,
            limits=LimitSettings(restarts_max=restarts_max),
            durability=Durability.MEMORY,
            database=DatabaseSettings(uri="mongodb://stage"),
        )
        self.server = make_server(self.settings)
        monkeypatch.setattr(tree, "database_spec", self._database_spec)
        clerk = ChildSpec("clerk", lambda slot: Clerk(slot, self.lived))
        self.tree = Tree(root_spec(self.server, print, [clerk]), Runtime(self.reports.append))

    def _database_spec(
        self, uri: str, _dir: Path, access: StoreAccess, _pool: object, **rest: object
    ) -> ChildSpec:
        self.database = {"uri": uri, **rest}
        return memory_database_spec(MemoryStore(), access)

    @asynccontextmanager
    async def playing(self) -> AsyncIterator[None]:
        async def run(task_status: trio.TaskStatus[None]) -> None:
            self.ended = await self.tree.run(task_status)

        with trio.fail_after(30):
            async with trio.open_nursery() as nursery:
                await nursery.start(run)
                yield
                self.tree.root.ref.stop(Normal())

    def slot(self, path: str) -> Slot[Any]:
        slot = find(self.tree.root, path)
        assert slot is not None, f"there is no {path}"
        return slot

    async def kill(self, path: str) -> None:
        self.slot(path).kill()
        await wait_all_tasks_blocked()

    def incarnations(self) -> dict[str, int]:
        return {slot.path: slot.incarnation for slot in walk(self.tree.root)}

    def reported(self, kind: type[R]) -> list[R]:
        return [report for report in self.reports if isinstance(report, kind)]


EVERY_WAY = ListenSettings(c2s=(ANY, OTHER), c2s_tls=(ANY,), http=(ANY,), https=(ANY,))
ONE_WAY = ListenSettings(c2s=(ANY,), c2s_tls=(), http=())
ORDER = [
    *("timers", "store", "ledger_keeper", "registry", "users", "sessions", "jobs"),
    *("port_driver", "connections", "ops", "listeners"),
]


async def test_tree_starts_from_top_to_bottom(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch, ONE_WAY)
    async with stage.playing():
        started = [report.path for report in stage.reported(ChildStarted)]
        assert [path.strip("/") for path in started if path.count("/") == 1] == [*ORDER, ""]
        assert started[1:4] == ["/store/database", "/store/batcher", "/store"]
        assert started[-3:] == ["/listeners/c2s:127.0.0.1:0", "/listeners", "/"]


async def test_tree_stops_from_bottom_to_top(monkeypatch: pytest.MonkeyPatch) -> None:
    """When those who look into it go, nobody new comes in and everybody inside is still there."""
    stage = Stage(monkeypatch, ONE_WAY)
    async with stage.playing():
        pass
    assert stage.lived == {f"/{id_}": id_ != "listeners" for id_ in ORDER}
    assert stage.ended == Normal()
    assert [report for report in stage.reports if not isinstance(report, ChildStarted)] == []


async def test_tree_listens_on_every_address_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch, EVERY_WAY)
    async with stage.playing():
        listening = stage.server.listening
        assert list(listening) == [
            *(
                "c2s:127.0.0.1:0",
                "c2s:127.0.0.2:0",
                "c2s_tls:127.0.0.1:0",
                "http:127.0.0.1:0",
                "https:127.0.0.1:0",
            )
        ]
        assert len({address.port for address in listening.values()} - {0}) == len(listening)
        for address in listening.values():
            (await trio.open_tcp_stream(address.host, address.port)).socket.close()
    for address in listening.values():
        with pytest.raises(OSError, match="all attempts to connect"):
            await trio.open_tcp_stream(address.host, address.port)


async def test_tree_links_to_the_database_that_the_settings_name(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch, ONE_WAY)
    assert stage.database == {"uri": "mongodb://stage", "journaled": False, "say": print}


@pytest.mark.parametrize(
    "path",
    [
        *("/timers", "/store/batcher", "/store/database", "/ledger_keeper", "/registry", "/users"),
        *("/sessions", "/jobs", "/port_driver", "/connections", "/ops/clerk", "/listeners/c2s:127.0.0.1:0"),
    ],
)
async def test_death_reaches_nobody_else(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    stage = Stage(monkeypatch, ONE_WAY)
    async with stage.playing():
        before = stage.incarnations()
        await stage.kill(path)
        assert stage.incarnations() == {**before, path: 2}
        assert [report.path for report in stage.reported(ChildTerminated)] == [path]


async def test_deaths_beyond_a_part_s_intensity_take_that_part_along(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch, ONE_WAY, restarts_max=2)
    async with stage.playing():
        before = stage.incarnations()
        for _ in range(3):
            await stage.kill("/store/batcher")
        assert [report.path for report in stage.reported(IntensityReached)] == ["/store"]
        assert stage.incarnations() == {**before, "/store": 2, "/store/batcher": 4, "/store/database": 2}
        assert not stage.server.store.is_away


async def test_deaths_beyond_the_root_s_intensity_end_it(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch, ONE_WAY, restarts_max=2)
    async with stage.playing():
        for _ in range(3):
            await stage.kill("/registry")
    assert stage.ended == REACHED_MAX_RESTART_INTENSITY
    assert [report.path for report in stage.reported(IntensityReached)] == ["/"]
    assert stage.lived["/connections"]  # in order even then


async def test_address_that_is_taken_fails_the_start_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = Address(*taken.getsockname())
        stage = Stage(monkeypatch, ListenSettings(c2s=(address,), c2s_tls=(), http=()))
        reason = await stage.tree.run()
    assert isinstance(reason, Crashed)
    assert f"cannot listen on {address}: Address already in use" in describe(reason)
    assert not any(slot.is_live for slot in walk(stage.tree.root))
