"""A house for tests: the real tree with everything outside it in memory, from one seed.

No socket, no thread, no database: what the server calls its world is made from the seed, the store is the
memory driver, and clients speak to it over wires in memory. Time is Trio's, so a test may let it jump
(`autojump_clock`). With `delays` actors, database and hashing take their time, as the seed will have it;
the simulation plays on that.

    async with House().open() as house:
        romeo = await house.log_in("romeo@localhost/orchard")
        romeo.send("<presence/>")
        assert await romeo.hears() == said("<presence from='romeo@localhost/orchard' to='romeo@localhost'/>")

What dies in a house fails the test, unless the test says that it expected that (`forgive`).
"""

from __future__ import annotations

from contextlib import asynccontextmanager, nullcontext
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any, final

import trio
from trio.testing import wait_all_tasks_blocked

from actors.module_host import HandlerFailed
from actors.modules import MODULES
from actors.port_driver import port_driver_spec
from actors.server import Server
from actors.settings import Settings
from actors.tree import core_specs
from protocols.jid import parse_jid
from protocols.sasl.keys import derive_keys
from store.memory.driver import MemoryStore
from store.users import RosterItem, User
from store.writes import CreateUser, ReplaceUser
from supervision.child_spec import Strategy
from supervision.exit_reason import Shutdown
from supervision.report import ChildStarted
from supervision.runtime import Runtime
from supervision.supervisor import supervisor_spec
from supervision.tree import Tree, find, walk
from tests.actors.house_client import PASSWORD, Client
from tests.actors.house_wire import lay_wire
from tests.actors.house_world import (
    BEGINNING_MS,
    InlinePool,
    StoreLine,
    memory_database_spec,
    only_in_memory,
    seeded_world,
)
from tests.simulation.scheduling import delays

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from actors.module import Module
    from actors.server import CertificateSource
    from protocols.jid import JID
    from store.memory.faults import FaultHook
    from supervision.report import Report
    from supervision.slot import Slot

USUAL = tuple(module for module in MODULES if module.on_by_default)
"""The modules that run where the configuration does not say."""
ACCOUNTS = ("romeo@localhost", "juliet@localhost")
ADDRESS = "192.0.2.1"
"""Where clients come from unless they say otherwise."""
DELAY_SECONDS_MAX = 0.05
COMMITTED_AT_CRASH = 0.5
"""How many of the batches that are with the database when the server dies take effect nevertheless."""

_KEYS = derive_keys(PASSWORD, b"salt of everybody", iterations=1)


class _NoCertificates:
    @property
    def end_point(self) -> None:
        """Nothing to bind to."""

    def addresses_in(self, _certificate: bytes) -> tuple[str, ...]:
        """Nobody shows any."""
        return ()

    @property
    def context(self) -> ssl.SSLContext:
        raise AssertionError("there is no TLS in a house")


@final
class House:
    """See the module's docstring.

    Args:
        accounts: Those that exist from the beginning; all have the same password.
        limits: Settings under `[limits]` that differ from the defaults.
        settings: All settings, where limits are not enough.
        modules: The modules that run.
        options: Their options.
        seed: Decides everything that is not said.
        with_delays: Whether actors and blocking work take their time.
        store: A store that outlives the house, if the test has one.
        certificates: For TLS, where there are sockets.
    """

    def __init__(
        self,
        accounts: Sequence[str] = ACCOUNTS,
        *,
        limits: Mapping[str, Any] | None = None,
        settings: Settings | None = None,
        modules: Sequence[Module] = USUAL,
        options: Mapping[str, object] | None = None,
        seed: int = 0,
        with_delays: bool = False,
        store: MemoryStore | None = None,
        certificates: CertificateSource | None = None,
    ) -> None:
        settings = settings or Settings()
        self.settings = replace(settings, limits=replace(settings.limits, **(limits or {})))
        self.random = Random(seed)
        self.pool = InlinePool()
        self.delay: Callable[[], float] = lambda: self.random.uniform(0, DELAY_SECONDS_MAX)
        self.store = MemoryStore(self._next_fault) if store is None else store
        self.faults: FaultHook | None = None
        self.reports: list[Report] = []
        self.notes: list[object] = []
        self.clients: list[Client] = []
        self.runtime = Runtime(self.reports.append, random=self.random)
        self.tree: Tree | None = None
        self._with_delays = with_delays
        self._modules = modules
        self._options = options or {}
        self._certificates = certificates or _NoCertificates()
        self._server: Server | None = None
        self._nursery: trio.Nursery | None = None
        self._line = StoreLine(self.store)
        self._is_crashed = False
        for jid in accounts:
            self.make_account(jid)

    def _next_fault(self, operation: str) -> Any:
        return None if self.faults is None else self.faults(operation)

    # -- life

    @asynccontextmanager
    async def open(self, *, with_sockets: bool = False) -> AsyncIterator[House]:
        """Run the tree; in the end everything must have stayed alive, and nothing may be left behind.

        Args:
            with_sockets: Whether there is a port driver as well, for tests of what sockets do.
        """
        with nullcontext() if with_sockets else only_in_memory():
            async with trio.open_nursery() as nursery:
                self._nursery = self.pool.nursery = nursery
                await self._start(with_sockets=with_sockets)
                yield self
                if self._with_delays:
                    await self.stop()
                nursery.cancel_scope.cancel()
        assert not self.faults_reported(), self.faults_reported()

    async def _start(self, *, with_sockets: bool) -> None:
        """A server on the store, as a new process would be one."""
        assert self._nursery is not None
        self._server = Server(
            self.settings,
            seeded_world(self.random, self.pool),
            self._certificates,
            self._modules,
            self._options,
            note=self._take_note,
            secret=b"of the house",
        )
        self._line = StoreLine(self.store)
        children = [*core_specs(self.server, memory_database_spec(self._line.store, self.server.store))]
        if with_sockets:
            children.append(port_driver_spec(self.server.ports))
        root = supervisor_spec(
            "root",
            [*children, self.server.connections.spec()],
            strategy=Strategy.ONE_FOR_ONE,
            intensity=self.server.intensity,
        )
        self.tree = Tree(root, self.runtime)
        await self._nursery.start(self.tree.run)
        if self._with_delays:
            self.pool.delay = self._delay
            self.runtime.pause = delays(self.random, DELAY_SECONDS_MAX)

    def _delay(self) -> float:
        return self.delay()

    def _take_note(self, event: object) -> None:
        if not self._is_crashed:
            self.notes.append(event)

    async def stop(self) -> bool:
        """End the server in good order, as SIGTERM does; false if that took too long and it was killed."""
        assert self.tree is not None
        self.tree.root.ref.stop(Shutdown("the server is asked to stop"))
        with trio.move_on_after(self.settings.limits.shutdown_seconds_max):
            await self.tree.root.wait_gone()
            return True
        await self.crash()
        return False

    async def crash(self) -> None:
        """The server is no more, from this moment on, as if its process had been killed.

        What is with the database takes effect or not, as the seed will have it; nothing else does. Whoever
        calls cuts the wires first: what dying actors say must reach nobody.
        """
        assert self.tree is not None
        self.runtime.report = _ignore
        self._is_crashed = True
        self.pool.abandon(lambda: self.random.random() < COMMITTED_AT_CRASH)
        self._line.cut()
        self.tree.root.kill("the process is no more")
        await self.tree.root.wait_gone()

    async def start_again(self) -> None:
        """Another server on the same store, after `stop` or `crash`."""
        probe = self.runtime.probe
        self.runtime = Runtime(self.reports.append, random=self.random, probe=probe)
        self._is_crashed = False
        nursery, self.pool = self.pool.nursery, InlinePool()
        self.pool.nursery = nursery
        await self._start(with_sockets=False)

    @property
    def server(self) -> Server:
        """What the actors share."""
        assert self._server is not None, "the house has not been opened"
        return self._server

    async def settle(self) -> None:
        """Until nothing more happens by itself; where there are delays, after as much time as that takes."""
        if self._with_delays:
            await trio.sleep(60 * DELAY_SECONDS_MAX)
        else:
            await wait_all_tasks_blocked()

    def faults_reported(self) -> list[object]:
        """Deaths, messages set aside, handlers that failed."""
        return [
            *(report for report in self.reports if not isinstance(report, ChildStarted)),
            *(note for note in self.notes if isinstance(note, HandlerFailed)),
        ]

    def forgive(self) -> list[object]:
        """What has been reported so far was expected; returns it."""
        forgiven = self.faults_reported()
        self.reports.clear()
        self.notes.clear()
        return forgiven

    # -- accounts

    def make_account(self, jid: str, **fields: Any) -> None:
        """Make an account in the store, with these fields of its document."""
        self.store.open()
        user = User(bare_jid=jid, rev=1, created_ms=BEGINNING_MS, credentials=_KEYS, **fields)
        self.store.commit([CreateUser(user)])

    def account(self, jid: str) -> User:
        """An account's document as it is stored."""
        user = self.store.user(jid)
        assert user is not None
        return user

    def befriend(self, one: str, other: str) -> None:
        """Subscribe two accounts to each other, before either of them has logged in."""
        for jid, contact in ((one, other), (other, one)):
            user = self.account(jid)
            version = user.roster_version + 1
            item = RosterItem(contact, subscription="both", version=version)
            changed = replace(user, rev=user.rev + 1, roster=(*user.roster, item), roster_version=version)
            self.store.commit([ReplaceUser(changed, user.rev)])

    # -- clients

    def connect(self, jid: str, address: str = ADDRESS) -> Client:
        """A client that has connected and said nothing."""
        client = Client(parse_jid(jid), lay_wire(self.server, address), self.settle)
        self.clients.append(client)
        return client

    async def log_in(self, jid: str) -> Client:
        """A client that has logged in and bound its resource."""
        client = self.connect(jid)
        await client.log_in()
        return client

    async def appear(self, jid: str, content: str = "") -> Client:
        """A client that is available as well."""
        client = await self.log_in(jid)
        await client.appear(content)
        return client

    # -- looking at actors, and killing them

    def slots(self, folder: str) -> list[Slot[Any]]:
        """The actors in one folder of the tree."""
        assert self.tree is not None
        parent = find(self.tree.root, f"/{folder}")
        assert parent is not None
        return [slot for slot in walk(parent) if slot.parent is parent]

    def presence_of(self, jid: str) -> Slot[Any] | None:
        """The presence actor of an account, if there is one."""
        bare = parse_jid(jid).bare
        return next((slot for slot in self.slots("users") if slot.spec.id.startswith(f"{bare}#")), None)

    def session_of(self, jid: JID) -> Slot[Any]:
        """The session of a full address."""
        session = self.server.directory.session(jid)
        assert session is not None
        return session.slot


def _ignore(_event: object) -> None:
    """What is said by a process that is no more."""
