"""Running a whole tree, and looking at it while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, final, runtime_checkable

import trio

from supervision.child_spec import INFINITY
from supervision.dynamic_supervisor import DynamicState
from supervision.exit_reason import Killed, describe, is_abnormal
from supervision.reply import Reply
from supervision.report import ChildTerminated, StartFailed
from supervision.slot import Slot, Status
from supervision.supervisor import ChildFailedToStartError, SupervisorState, stop_child

if TYPE_CHECKING:
    from collections.abc import Iterator

    from supervision.child_spec import ChildSpec
    from supervision.exit_reason import ExitReason
    from supervision.runtime import Runtime

CHILDREN_SHOWN_MAX: Final = 100
"""Default bound of children listed per supervisor; the rest is counted."""


@runtime_checkable
class Phased(Protocol):
    """A state of an actor that has a name for where it stands, to be shown in the tree."""

    @property
    def phase_name(self) -> str:
        """The name."""


@final
class NodeSnapshot(NamedTuple):
    """One actor as it was at one moment. `hidden` children were counted and not listed.

    `phase` is where it stands, for those whose state has a name for that.
    """

    path: str
    id: str
    status: str
    incarnation: int
    restarts: int
    handled: int
    mailbox_depth: int
    mailbox_bytes: int
    refused: int
    last_crash: str | None
    phase: str | None
    children: tuple[NodeSnapshot, ...]
    hidden: int


def children_of(slot: Slot[Any]) -> tuple[Slot[Any], ...]:
    """The slots under this one, in order of start; empty for an actor that is no supervisor."""
    match slot.state:
        case SupervisorState(slots=slots):
            return tuple(slots.values())
        case DynamicState(children=children):
            return tuple(children.values())
        case _:
            return ()


def snapshot(slot: Slot[Any], children_max: int = CHILDREN_SHOWN_MAX) -> NodeSnapshot:
    """Read the tree from here down without stopping it."""
    children = children_of(slot)
    mailbox = slot.mailbox.statistics()
    return NodeSnapshot(
        path=slot.path,
        id=slot.spec.id,
        status=slot.status.value,
        incarnation=slot.incarnation,
        restarts=slot.restarts,
        handled=slot.handled,
        mailbox_depth=mailbox.depth + mailbox.control_depth,
        mailbox_bytes=mailbox.depth_bytes,
        refused=mailbox.refused,
        last_crash=slot.last_crash,
        phase=slot.state.phase_name if isinstance(slot.state, Phased) else None,
        children=tuple(snapshot(child, children_max) for child in children[:children_max]),
        hidden=max(0, len(children) - children_max),
    )


def walk(slot: Slot[Any]) -> Iterator[Slot[Any]]:
    """This slot and all under it."""
    yield slot
    for child in children_of(slot):
        yield from walk(child)


def find(slot: Slot[Any], path: str) -> Slot[Any] | None:
    """The slot at or under this one with this path, as `Slot.path` gives it."""
    here = slot.path
    if path == here:
        return slot
    prefix = here if here == "/" else f"{here}/"
    if not path.startswith(prefix):
        return None
    below = path[len(prefix) :]  # ids may hold slashes themselves, so it is not split but compared
    for child in children_of(slot):
        id_ = child.spec.id
        if below == id_ or below.startswith(f"{id_}/"):
            found = find(child, path)
            if found is not None:
                return found
    return None


@final
class Tree:
    """A root supervisor and its runtime."""

    def __init__(self, spec: ChildSpec, runtime: Runtime) -> None:
        self.runtime = runtime
        self.root: Slot[Any] = Slot(spec, None, runtime)
        self._reason: ExitReason | None = None
        self._started = trio.Event()

    async def wait_started(self) -> None:
        """Wait until every actor of the tree has started; for ever if one does not."""
        await self._started.wait()

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> ExitReason:
        """Run until the root ends; returns why. Use with `nursery.start` to know when all have started.

        Cancelling stops the tree in its order, with each child's grace.
        """
        try:
            async with trio.open_nursery() as nursery:
                self.root.ready = Reply()
                self.root.begin(nursery, self._ended)
                try:
                    await self._serve(task_status)
                finally:
                    with trio.CancelScope(shield=True):
                        await stop_child(self.root)
        finally:
            self.root.close(self._reason or Killed("interrupted"))
        assert self._reason is not None
        return self._reason

    async def _serve(self, task_status: trio.TaskStatus[None]) -> None:
        assert self.root.ready is not None
        try:
            await self.root.ready.wait(INFINITY)
        except ChildFailedToStartError:
            return  # the reason is told by `run`
        task_status.started()
        self._started.set()
        await self.root.wait_gone()

    def _ended(self, slot: Slot[Any], reason: ExitReason) -> None:
        self._reason = reason
        if slot.status is Status.STARTING and slot.ready is not None:
            slot.runtime.report(StartFailed(slot.path, slot.incarnation, reason))
            slot.ready.fail(ChildFailedToStartError(describe(reason)))
        elif is_abnormal(reason):
            in_hand = slot.mailbox.in_hand()
            slot.runtime.report(ChildTerminated(slot.path, slot.incarnation, reason, in_hand, False))
