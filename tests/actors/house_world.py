"""The outside world of a house: clock, randomness, blocking work and database, all from one seed.

And the proof that nothing else was used: a watch that lets no socket, thread or process begin.
"""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, cast, final
from unittest.mock import patch

import trio

from actors.world import World
from store.errors import StoreUnavailable
from supervision.actor import Actor
from supervision.child_spec import ChildSpec
from supervision.reply import Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from random import Random

    from actors.store_access import StoreAccess
    from store.memory.driver import MemoryStore
    from store.store import Store
    from supervision.slot import Slot

R = TypeVar("R")

RETRY_SECONDS = 0.25
"""Between two tries to reach the database at the start."""
BEGINNING_MS = 1_600_000_000_000
"""What the clock on the wall says when Trio's says zero: 2020-09-13T12:26:40Z."""


@final
class InlinePool:
    """Blocking work done on the spot or, where there are delays, a little later in a task."""

    def __init__(self) -> None:
        self.nursery: trio.Nursery | None = None
        self.delay: Callable[[], float] | None = None
        self.jobs = 0
        self._waiting: dict[int, Callable[[], Any]] | None = {}

    def submit(self, job: Callable[[], R]) -> Reply[R]:
        reply: Reply[R] = Reply()
        self.jobs += 1
        if self._waiting is None:
            return reply
        if self.delay is None or self.nursery is None:
            _run(job, reply)
        else:
            self._waiting[self.jobs] = job
            self.nursery.start_soon(self._run_later, self.jobs, reply, self.delay())
        return reply

    async def _run_later(self, number: int, reply: Reply[Any], seconds: float) -> None:
        """What is read is some time old when it arrives."""
        await trio.sleep(seconds / 2)
        if self._waiting is None:
            return
        answer: Reply[Any] = Reply()
        _run(self._waiting.pop(number), answer)
        await trio.sleep(seconds / 2)
        if self._waiting is not None:
            _run(answer.result, reply)

    def abandon(self, takes_effect: Callable[[], bool]) -> None:
        """Nobody waits for this pool any more; what it has in hand happens unseen, or does not."""
        waiting, self._waiting = self._waiting, None
        for job in (waiting or {}).values():
            if takes_effect():
                _run(job, Reply())


def _run(job: Callable[[], R], reply: Reply[R]) -> None:
    try:
        value = job()
    except Exception as error:  # noqa: BLE001  # whatever it was is the caller's to see
        reply.fail(error)
    else:
        reply.set(value)


def seeded_world(random: Random, pool: InlinePool) -> World:
    """A world whose tokens and salts come from `random`, and whose clock on the wall follows Trio's."""

    def now_ms() -> int:
        return BEGINNING_MS + round(trio.current_time() * 1000)

    def new_token() -> str:
        return f"token-{random.getrandbits(64):016x}"

    def new_salt() -> bytes:
        return random.randbytes(16)

    return World(now_ms, new_token, new_salt, writer=pool, readers=pool, hashing=pool)


@final
class StoreLine:
    """One server's way to a store: when that server is no more, nothing of it comes through."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._is_cut = False

    def __getattr__(self, name: str) -> Any:
        if self._is_cut:
            raise StoreUnavailable("whoever asks is no more")
        return getattr(self._store, name)

    @property
    def store(self) -> Store:
        """The store at the other end."""
        return cast("Store", self)

    def cut(self) -> None:
        """Let nothing through from now on."""
        self._is_cut = True


@final
class DatabaseInMemory(Actor[NoReturn, None]):
    """Offers a store to the server, as the link to a real database does."""

    def __init__(self, slot: Slot[NoReturn], store: Store, access: StoreAccess) -> None:
        super().__init__(slot)
        self._store = store
        self._access = access

    async def init(self) -> None:
        self._store.open()
        while not self._is_there():  # noqa: ASYNC110 - nobody tells that it is there
            await trio.sleep(RETRY_SECONDS)
        self._access.set_driver(self._store)

    def _is_there(self) -> bool:
        try:
            self._store.ensure_schema()
        except StoreUnavailable:
            return False
        return True

    def decide(self, message: NoReturn) -> Sequence[None]:
        return message


def memory_database_spec(store: Store, access: StoreAccess) -> ChildSpec:
    """The child spec."""
    return ChildSpec("database", lambda slot: DatabaseInMemory(slot, store, access))


# -- nothing else

_FORBIDDEN = frozenset({"socket.__new__", "socket.connect", "socket.bind", "subprocess.Popen", "os.fork"})
_watching: set[int] = set()
_hooks: list[object] = []
_start_thread = threading.Thread.start


@contextmanager
def only_in_memory() -> Iterator[None]:
    """Within this, the thread that entered it cannot make a socket, a thread or a process."""
    if not _hooks:
        _hooks.append(_audit)
        sys.addaudithook(_audit)
    me = threading.get_ident()
    _watching.add(me)
    try:
        with patch.object(threading.Thread, "start", _start):
            yield
    finally:
        _watching.discard(me)


def _audit(event: str, _arguments: object) -> None:
    if event in _FORBIDDEN and threading.get_ident() in _watching:
        raise AssertionError(f"{event}: a house has neither sockets nor threads nor processes")


def _start(thread: threading.Thread) -> None:
    """Threads have no audit event in every Python."""
    if threading.get_ident() in _watching:
        raise AssertionError("a thread: a house has neither sockets nor threads nor processes")
    _start_thread(thread)
