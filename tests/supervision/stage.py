"""A stage for small casts: workers whose behaviour a test sets by id, a tree around them, and all reports."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import trio
from trio.testing import wait_all_tasks_blocked

from supervision.actor import Actor
from supervision.child_spec import ChildSpec, Intensity, Restart, Strategy
from supervision.exit_reason import ExitReason, Normal
from supervision.report import Report
from supervision.runtime import Runtime
from supervision.supervisor import StartChild, TerminateChild, supervisor_spec
from supervision.timers import timers_spec
from supervision.tree import Tree, find

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from supervision.ref import Ref
    from supervision.reply import Reply
    from supervision.slot import Slot

R = TypeVar("R", bound=Report)

PATIENT = Intensity(restarts=1_000, period_seconds=1.0)
"""For tests that are not about intensity."""


class Note(NamedTuple):
    """Appended to the worker's state."""

    text: str


class Ask(NamedTuple):
    """Answered with the incarnation that handles it."""

    reply: Reply[int]


class Raise(NamedTuple):
    """`decide` raises this."""

    error: BaseException
    reply: Reply[int] | None = None


class RaiseInApply(NamedTuple):
    """`apply` raises this."""

    error: BaseException


class Finish(NamedTuple):
    """The worker ends by itself, for this reason."""

    reason: ExitReason


class Sleep(NamedTuple):
    """`prepare` takes this long; what it returns is a `Note`."""

    seconds: float
    reply: Reply[int] | None = None


Message = Note | Ask | Raise | RaiseInApply | Finish | Sleep


@dataclass
class Notes:
    """The state of a worker, kept in its slot."""

    texts: list[str] = field(default_factory=list)


@dataclass
class Behaviour:
    """What a worker does at the ends of its life; change it while the test runs."""

    init: Callable[[Slot[Any]], Awaitable[None]] | None = None
    terminate: Callable[[Slot[Any]], Awaitable[None]] | None = None


class Worker(Actor[Message, Message]):
    """Does what its messages say."""

    awaits = frozenset({Sleep})
    prepare_seconds_max = 30.0

    def __init__(self, slot: Slot[Message], stage: Stage) -> None:
        super().__init__(slot)
        self.stage = stage
        self.notes: Notes = slot.keep(Notes)

    async def init(self) -> None:
        behaviour = self.stage.behaviour(self.slot.spec.id)
        if behaviour.init is not None:
            await behaviour.init(self.slot)
        self.stage.log.append(f"+{self.slot.spec.id}")

    async def prepare(self, message: Message) -> Message:
        assert isinstance(message, Sleep)
        await trio.sleep(message.seconds)
        return Note(f"slept {message.seconds}")

    def decide(self, message: Message) -> Sequence[Message]:
        if isinstance(message, Raise):
            raise message.error
        return (message,)

    def apply(self, effects: Sequence[Message]) -> None:
        for effect in effects:
            match effect:
                case Note(text):
                    self.notes.texts.append(text)
                case Ask(reply):
                    reply.set(self.slot.incarnation)
                case Finish(reason):
                    self.stop(reason)
                case RaiseInApply(error):
                    raise error

    async def terminate(self, reason: ExitReason) -> None:
        behaviour = self.stage.behaviour(self.slot.spec.id)
        if behaviour.terminate is not None:
            await behaviour.terminate(self.slot)
        self.stage.log.append(f"-{self.slot.spec.id}")


class Stage:
    """What the workers of one test share; `log` has `+id` for each start, `-id` for each orderly end."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.reports: list[Report] = []
        self.behaviours: dict[str, Behaviour] = {}
        self.runtime = Runtime(self.reports.append)
        self.tree: Tree | None = None
        self.ended: ExitReason | None = None

    def behaviour(self, id_: str) -> Behaviour:
        return self.behaviours.setdefault(id_, Behaviour())

    def start(self, slot: Slot[Any]) -> Worker:
        return Worker(slot, self)

    def spec(self, id_: str, restart: Restart = Restart.PERMANENT, **more: Any) -> ChildSpec:
        return ChildSpec(id_, self.start, restart, **more)

    def reported(self, kind: type[R]) -> list[R]:
        return [report for report in self.reports if isinstance(report, kind)]

    def slot(self, path: str) -> Slot[Any]:
        assert self.tree is not None
        slot = find(self.tree.root, path)
        assert slot is not None, f"there is no {path}"
        return slot

    def ref(self, path: str) -> Ref[Any]:
        return self.slot(path).ref

    def is_there(self, path: str) -> bool:
        assert self.tree is not None
        return find(self.tree.root, path) is not None

    def notes(self, path: str) -> list[str]:
        state = self.slot(path).state
        assert isinstance(state, Notes)
        return state.texts

    def incarnations(self, *ids: str) -> list[int]:
        return [self.slot(f"/{id_}").incarnation for id_ in ids]

    async def end(self, path: str, message: Message) -> None:
        """Let a worker handle the message it is going to end of, and the tree what follows from that."""
        assert self.ref(path).cast(message)
        await wait_all_tasks_blocked()

    async def kill(self, path: str) -> None:
        self.ref(path).kill()
        await wait_all_tasks_blocked()

    @asynccontextmanager
    async def playing(self, root: ChildSpec) -> AsyncIterator[Tree]:
        """Run the tree; it has started when this is entered and is stopped, if need be, when it is left."""
        self.tree = tree = Tree(root, self.runtime)

        async def run(task_status: trio.TaskStatus[None]) -> None:
            self.ended = await tree.run(task_status)

        async with trio.open_nursery() as nursery:
            await nursery.start(run)
            await wait_all_tasks_blocked()
            yield tree
            tree.root.ref.stop(Normal())

    def supervising(
        self,
        *children: ChildSpec,
        strategy: Strategy = Strategy.ONE_FOR_ONE,
        intensity: Intensity = PATIENT,
        **more: Any,
    ) -> Any:
        """A tree whose root supervises these."""
        return self.playing(supervisor_spec("root", children, strategy=strategy, intensity=intensity, **more))

    def with_timers(self, *children: ChildSpec) -> Any:
        return self.supervising(timers_spec(), *children)

    async def add(self, spec: ChildSpec, to: str = "/") -> Slot[Any]:
        slot: Slot[Any] = await self.ref(to).call(lambda reply: StartChild(spec, reply))
        return slot

    async def remove(self, id_: str, of: str = "/") -> bool:
        was_there: bool = await self.ref(of).call(
            lambda reply: TerminateChild(id_, reply), deadline_seconds=60
        )
        return was_there


async def fail_init(_slot: Slot[Any]) -> None:
    """For `Behaviour.init`."""
    raise OSError("cannot start")


async def hang(_slot: Slot[Any]) -> None:
    """For `Behaviour.init` and `terminate`."""
    await trio.sleep_forever()


def lasting(seconds: float) -> Callable[[Slot[Any]], Awaitable[None]]:
    """For `Behaviour.init` and `terminate`."""

    async def last(_slot: Slot[Any]) -> None:
        await trio.sleep(seconds)

    return last


async def refuse_to_die(seconds: float) -> None:
    """What a bad clean-up does."""
    with trio.CancelScope(shield=True):
        await trio.sleep(seconds)
