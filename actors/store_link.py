"""The link to the database: opens the driver, brings the schema up to date, and offers it to the server.

With `uri = "embedded"` it owns the engine, a child process: starts it, listens to what it says, and dies
when the engine does, so that its supervisor starts both again. With a `mongodb://` address there is no
process to own; the driver reconnects by itself. A database that does not answer yet is waited for: an
outage is never a crash.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, NoReturn, final

import trio

from store.embedded import LOCKED_RETRY_SECONDS, EmbeddedEngine, EngineNotStarted, stop
from store.embedded_output import EngineEnd, EngineOutput
from store.errors import StoreUnavailable
from store.mongo.driver import MongoStore
from supervision.actor import Actor
from supervision.child_spec import ChildSpec

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


class EngineDiedError(Exception):
    """The embedded database ended by itself."""


async def open_driver(
    driver: MongoStore, access: StoreAccess, pool: BlockingPool, say: Callable[[str], None]
) -> None:
    """Connect, wait until the database answers, bring its schema up to date, and offer the driver."""
    driver.open()
    while True:
        try:
            await pool.submit(driver.ensure_schema).wait(CALL_SECONDS_MAX)
            break
        except StoreUnavailable as error:
            say(f"waiting for the database: {error}")
            await trio.sleep(SCHEMA_RETRY_SECONDS)
    access.set_driver(driver)


@final
class NamedDatabase(Actor[NoReturn, None]):
    """The link to a database that somebody else runs."""

    def __init__(
        self,
        slot: Slot[NoReturn],
        driver: MongoStore,
        access: StoreAccess,
        pool: BlockingPool,
        say: Callable[[str], None],
    ) -> None:
        super().__init__(slot)
        self._driver, self._access, self._pool, self._say = driver, access, pool, say

    async def init(self) -> None:
        """See `open_driver`."""
        await open_driver(self._driver, self._access, self._pool, self._say)

    def decide(self, message: NoReturn) -> Sequence[None]:
        """It has no messages."""
        return message

    async def terminate(self, _reason: ExitReason) -> None:
        """Hang up."""
        self._driver.close()


@final
class EngineState:
    """The engine's process, and where it listened the last time, so that clients find it again.

    It outlives the link and its supervisor: an engine that nobody knew of would hold the directory.
    """

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self.port = 0
        self.driver: MongoStore | None = None
        self.is_offered = False  # whether the server has been given that driver


@final
class EmbeddedDatabase(Actor[NoReturn, None]):
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
        super().__init__(slot)
        self._engine, self._make_driver, self._access = engine, make_driver, access
        self._pool, self._say = pool, say
        self._state = slot.keep(lambda: state)
        self._output = EngineOutput()

    async def init(self) -> None:
        """Start the engine, wait until it listens, connect to it."""
        state = self._state
        await self._end_process()
        if await self._pool.submit(self._engine.bootstrap_if_needed).wait(CALL_SECONDS_MAX):
            self._say("made a new embedded database")
        port = await self._start_patiently()
        if state.driver is None or port != state.port:
            self._hang_up()
            state.port = port
            state.driver = self._make_driver(self._engine.uri(port))
        if not state.is_offered:
            await open_driver(state.driver, self._access, self._pool, self._say)
            state.is_offered = True

    async def _start_patiently(self) -> int:
        """A predecessor may still hold the directory or the port: that is waited for, and no crash."""
        for seconds in (*LOCKED_RETRY_SECONDS, None):
            try:
                return await self._start()
            except EngineNotStarted as error:
                if error.end is EngineEnd.PORT_TAKEN:
                    self._state.port = 0
                elif error.end is not EngineEnd.DIRECTORY_LOCKED or seconds is None:
                    raise
            await trio.sleep(seconds or 0)
        raise AssertionError("the last try returns or raises")

    async def _start(self) -> int:
        process = self._state.process = self._engine.start(self._state.port)
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

    async def run(self) -> ExitReason:
        """Keep the engine's pipe empty until it ends, or we are to."""
        process = self._state.process
        assert process is not None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch, process)
            while self.mailbox.stop is None:
                await self.mailbox.wait()
            nursery.cancel_scope.cancel()
        assert self.mailbox.stop is not None
        return self.mailbox.stop

    async def _watch(self, process: subprocess.Popen[bytes]) -> None:
        while await self._listen(process):
            pass
        raise EngineDiedError(self._output.tail or "the embedded database ended without a word")

    async def terminate(self, _reason: ExitReason) -> None:
        """Hang up, and end the engine in good order."""
        self._hang_up()
        await self._end_process()

    def _hang_up(self) -> None:
        state = self._state
        if state.driver is not None:
            state.driver.close()
        state.driver, state.is_offered = None, False

    async def _end_process(self) -> None:
        process, self._state.process = self._state.process, None
        if process is not None:
            port = self._state.port or None
            await self._pool.submit(lambda: stop(process, port)).wait(CALL_SECONDS_MAX)
            if process.stderr is not None:
                process.stderr.close()

    def decide(self, message: NoReturn) -> Sequence[None]:
        """It has no messages."""
        return message


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
    state = EngineState()

    def make_driver(address: str) -> MongoStore:
        return MongoStore(address, journaled=journaled)

    def start(slot: Slot[NoReturn]) -> Actor[NoReturn, None]:
        if uri == "embedded":
            engine = EmbeddedEngine(data_dir)
            return EmbeddedDatabase(slot, state, engine, make_driver, access, pool, say)
        return NamedDatabase(slot, make_driver(uri), access, pool, say)

    return ChildSpec("database", start, grace_seconds=15.0)
