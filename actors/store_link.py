"""The link to the database: opens the driver, brings the schema up to date, and offers it to the server.

With `uri = "embedded"` it owns the engine, a child process: starts it, listens to what it says, and dies
when the engine does, so that its supervisor starts both again. With a `mongodb://` address there is no
process to own; the driver reconnects by itself. A database that does not answer yet is waited for: an
outage is never a crash.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, Generic, NoReturn, TypeVar, final

import trio

from actors.world import READERS_MAX
from store.embedded import LOCKED_RETRY_SECONDS, EmbeddedEngine, EngineNotStarted, stop
from store.embedded_output import EngineEnd, EngineOutput
from store.errors import StoreUnavailable
from store.mongo.driver import MongoStore
from supervision.actor import Actor
from supervision.child_spec import ChildSpec
from supervision.slot import announce

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from actors.blocking import BlockingPool
    from actors.store_access import StoreAccess
    from supervision.exit_reason import ExitReason
    from supervision.slot import Slot

SCHEMA_RETRY_SECONDS: Final = 1.0
"""Between two tries to reach a database that is not there yet."""
READ_BYTES: Final = 65_536
CALL_SECONDS_MAX: Final = 600.0
"""Bringing a large database up to date may take minutes."""


DRIVER_THREADS: Final = READERS_MAX + 1
"""Those that use the driver at a time: the readers and the batcher's. None is to wait for another."""


class EngineDiedError(Exception):
    """The embedded database ended by itself."""


class LinkState:
    """What outlives a link, and its supervisor as well."""

    def __init__(self) -> None:
        self.driver: MongoStore | None = None
        self.is_offered = False  # whether the server has been given that driver
        self.opened_in = 0  # the incarnation that has last opened the database


@final
class EngineState(LinkState):
    """The engine's process as well, and where it listened the last time, so that clients find it again.

    An engine that nobody knew of would hold the directory.
    """

    def __init__(self) -> None:
        super().__init__()
        self.process: subprocess.Popen[bytes] | None = None
        self.port = 0


S = TypeVar("S", bound=LinkState)


class _Database(Actor[NoReturn, None], Generic[S]):
    """The link to any database: opens it, and watches over it, until asked to stop.

    The server's start waits until the database is open. A restart does not: a supervisor that waits for one
    child restarts no other meanwhile.
    """

    starts_in_run = True

    def __init__(
        self,
        slot: Slot[NoReturn],
        state: S,
        access: StoreAccess,
        pool: BlockingPool,
        say: Callable[[str], None],
    ) -> None:
        super().__init__(slot)
        self.state: S = slot.keep(lambda: state)
        self.access, self.pool, self.say = access, pool, say

    async def open(self) -> None:
        """Make the database answer, and offer its driver."""
        raise NotImplementedError

    async def watch(self) -> None:
        """Return while all is well; raise when it ends by itself."""

    async def run(self) -> ExitReason:
        """See the class."""
        if self.slot.incarnation > 1:
            announce(self.slot)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._serve)
            while self.mailbox.stop is None:
                await self.mailbox.wait()
            nursery.cancel_scope.cancel()
        assert self.mailbox.stop is not None
        return self.mailbox.stop

    async def _serve(self) -> None:
        await self.open()
        self.state.opened_in = self.slot.incarnation
        if self.slot.incarnation == 1:
            announce(self.slot)
        await self.watch()

    async def offer(self, driver: MongoStore) -> None:
        """Connect, wait until the database answers, bring its schema up to date, and offer the driver."""
        driver.open()
        while True:
            try:
                await self.pool.submit(driver.ensure_schema).wait(CALL_SECONDS_MAX)
                break
            except StoreUnavailable as error:
                self.say(f"waiting for the database: {error}")
                await trio.sleep(SCHEMA_RETRY_SECONDS)
        self.access.set_driver(driver)
        self.state.is_offered = True

    async def hang_up(self) -> None:
        """Close the driver, which may take a moment where the database does not answer."""
        driver, self.state.driver, self.state.is_offered = self.state.driver, None, False
        if driver is not None:
            await self.pool.submit(driver.close).wait(CALL_SECONDS_MAX)

    async def terminate(self, _reason: ExitReason) -> None:
        """Hang up."""
        await self.hang_up()

    def decide(self, message: NoReturn) -> Sequence[None]:
        """It has no messages."""
        return message


@final
class NamedDatabase(_Database[LinkState]):
    """The link to a database that somebody else runs."""

    def __init__(
        self,
        slot: Slot[NoReturn],
        state: LinkState,
        make_driver: Callable[[], MongoStore],
        access: StoreAccess,
        pool: BlockingPool,
        say: Callable[[str], None],
    ) -> None:
        super().__init__(slot, state, access, pool, say)
        self._make_driver = make_driver

    async def open(self) -> None:
        """Wait until it answers; the driver that a predecessor offered still holds."""
        state = self.state
        if state.driver is None:
            state.driver = self._make_driver()
        if not state.is_offered:
            await self.offer(state.driver)


@final
class EmbeddedDatabase(_Database[EngineState]):
    """The link to the embedded engine."""

    def __init__(
        self,
        slot: Slot[NoReturn],
        state: EngineState,
        engine: EmbeddedEngine,
        make_driver: Callable[[str], MongoStore],
        access: StoreAccess,
        pool: BlockingPool,
        say: Callable[[str], None],
    ) -> None:
        super().__init__(slot, state, access, pool, say)
        self._engine, self._make_driver = engine, make_driver
        self._output = EngineOutput()

    async def open(self) -> None:
        """Start the engine, wait until it listens, connect to it."""
        state = self.state
        await self._end_process()
        if await self.pool.submit(self._engine.bootstrap_if_needed).wait(CALL_SECONDS_MAX):
            self.say("made a new embedded database")
        port = await self._start_patiently()
        if state.driver is None or port != state.port:
            await self.hang_up()
            state.port = port
            state.driver = self._make_driver(self._engine.uri(port))
        if not state.is_offered:
            await self.offer(state.driver)

    async def _start_patiently(self) -> int:
        """A predecessor may still hold the directory or the port: that is waited for, and no crash."""
        patience = iter(LOCKED_RETRY_SECONDS)
        while True:
            try:
                return await self._start()
            except EngineNotStarted as error:
                if error.end is EngineEnd.PORT_TAKEN and self.state.port:
                    self.state.port = 0
                    continue
                seconds = next(patience, None)
                if error.end is not EngineEnd.DIRECTORY_LOCKED or seconds is None:
                    raise
            await trio.sleep(seconds)

    async def _start(self) -> int:
        process = self.state.process = self._engine.start(self.state.port)
        self._output = EngineOutput()
        while self._output.port is None:
            if not await self._listen(process):
                await self._end_process()
                raise EngineNotStarted(self._output.end, self._output.tail)
        return self._output.port

    async def _listen(self, process: subprocess.Popen[bytes]) -> bool:
        """Read what the engine says next; false at the end of its life."""
        assert process.stderr is not None
        await trio.lowlevel.wait_readable(process.stderr.fileno())
        data = os.read(process.stderr.fileno(), READ_BYTES)
        self._output.feed(data)
        return bool(data)

    async def watch(self) -> None:
        """Keep the engine's pipe empty until it ends.

        Raises:
            EngineDiedError: it has ended.
        """
        assert self.state.process is not None
        while await self._listen(self.state.process):
            pass
        raise EngineDiedError(self._output.tail or "the embedded database ended without a word")

    async def terminate(self, reason: ExitReason) -> None:
        """Hang up, and end the engine in good order."""
        await super().terminate(reason)
        await self._end_process()

    async def _end_process(self) -> None:
        process = self.state.process
        if process is not None:
            port = self.state.port or None
            await self.pool.submit(lambda: stop(process, port)).wait(CALL_SECONDS_MAX)
            if process.stderr is not None:
                process.stderr.close()
            self.state.process = None


def database_spec(
    uri: str,
    data_dir: Path,
    access: StoreAccess,
    pool: BlockingPool,
    *,
    journaled: bool,
    say: Callable[[str], None],
) -> ChildSpec:
    """The child spec of the link to the database at `uri`; `say` tells people what is being waited for."""
    named, embedded = LinkState(), EngineState()

    def make_driver(address: str) -> MongoStore:
        return MongoStore(address, journaled=journaled, pool_size=DRIVER_THREADS)

    def start(slot: Slot[NoReturn]) -> Actor[NoReturn, None]:
        if uri == "embedded":
            engine = EmbeddedEngine(data_dir)
            return EmbeddedDatabase(slot, embedded, engine, make_driver, access, pool, say)
        return NamedDatabase(slot, named, lambda: make_driver(uri), access, pool, say)

    return ChildSpec("database", start, grace_seconds=15.0)
