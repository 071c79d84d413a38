"""A supervisor of fixed children: one_for_one, one_for_all, rest_for_one, as in OTP.

Start is in order and each start waits for the init; stop is in reverse order, one child at a time, each
with its own grace. A supervisor is itself an actor: its children run in a nursery of its own, and their
ends come to its mailbox as messages. When restarts exceed the intensity it ends, and its own supervisor
decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, final

import trio

from supervision.actor import Actor
from supervision.child_spec import (
    INFINITY,
    AutoShutdown,
    ChildSpec,
    Intensity,
    Restart,
    Strategy,
    should_restart,
)
from supervision.exit_reason import ExitReason, Shutdown, describe, is_abnormal
from supervision.reply import Reply
from supervision.report import ChildTerminated, IntensityReached, ShutdownFailed, StartFailed
from supervision.restart_intensity import RestartWindow
from supervision.restart_plan import plan_restart
from supervision.slot import Slot, Status, announce

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

REACHED_MAX_RESTART_INTENSITY: Final = Shutdown("reached_max_restart_intensity")
"""How a supervisor ends that gives up."""
STOPPED: Final = Shutdown()
"""How a child's slot ends that was stopped on purpose."""
KILL_SECONDS_MAX: Final = 5.0
"""How long a cancelled child may take to go before it is reported as still living."""


class ChildFailedToStartError(Exception):
    """A child's init failed while its supervisor was starting, so the supervisor's own start fails."""


@final
class ChildEnded(NamedTuple):
    """An incarnation of a child is over."""

    slot: Slot[Any]
    incarnation: int
    reason: ExitReason
    had_started: bool


@final
class StartChild(NamedTuple):
    """Add a child at the end of the order and start it; the reply comes after its init."""

    spec: ChildSpec
    reply: Reply[Slot[Any]]


@final
class TerminateChild(NamedTuple):
    """Stop the child with this id and end its slot for good; the answer is whether there was one."""

    id: str
    reply: Reply[bool]


SupervisorMessage = ChildEnded | StartChild | TerminateChild


async def stop_child(slot: Slot[Any]) -> None:
    """The ladder: ask, wait the grace, cancel, and report a child that still lives."""
    if not slot.is_live:
        return
    grace = slot.spec.grace_seconds
    if grace > 0:
        slot.mailbox.request_stop(Shutdown())
        with trio.move_on_after(grace):
            await slot.wait_gone()
            return
    slot.kill("its grace is over" if grace > 0 else "brutal kill")
    with trio.move_on_after(KILL_SECONDS_MAX):
        await slot.wait_gone()
    if grace > 0 or slot.is_live:
        slot.runtime.report(ShutdownFailed(slot.path, grace, slot.is_live))


async def start_child(
    slot: Slot[Any], nursery: trio.Nursery, ended: Callable[[Slot[Any], ExitReason], None]
) -> None:
    """Start an incarnation and wait for its init.

    Raises:
        ChildFailedToStartError: the init failed.
    """
    slot.ready = Reply()
    slot.begin(nursery, ended)
    await slot.ready.wait(INFINITY)
    slot.ready = None


@final
class SupervisorState:
    """The children in order of start, and the memory of restarts."""

    __slots__ = ("slots", "window")

    def __init__(self) -> None:
        self.slots: dict[str, Slot[Any]] = {}
        self.window = RestartWindow()


@final
class Supervisor(Actor[SupervisorMessage, None]):
    """See the module's docstring; made by `supervisor_spec`."""

    starts_in_run = True  # it has started when its children have

    def __init__(
        self,
        slot: Slot[SupervisorMessage],
        children: Sequence[ChildSpec],
        strategy: Strategy,
        intensity: Intensity,
        auto_shutdown: AutoShutdown,
    ) -> None:
        super().__init__(slot)
        self._specs = children
        self._strategy = strategy
        self._intensity = intensity
        self._auto_shutdown = auto_shutdown
        self._nursery: trio.Nursery | None = None
        self._state: SupervisorState = slot.keep(SupervisorState)
        self._state.window = RestartWindow()  # a supervisor that was restarted has a clean record

    # -- life

    async def init(self) -> None:
        """Make the slots; children start in `run`, which has the nursery, before this counts as started."""
        slots = self._state.slots
        for slot in slots.values():
            slot.state = None  # the supervisor died of these children: they begin anew
        for spec in self._specs:
            if spec.id not in slots:
                slots[spec.id] = Slot(spec, self.slot, self.slot.runtime)

    async def run(self) -> ExitReason:
        """Start the children in order, watch them, stop them in reverse order."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            try:
                await self._start_all()
                await self._watch()
            except BaseException:
                self._kill_all()
                raise
            await self._stop_all()
        assert self.mailbox.stop is not None
        return self.mailbox.stop

    async def _start_all(self) -> None:
        try:
            for slot in self._state.slots.values():
                await self._start(slot)
        except ChildFailedToStartError:
            await self._stop_all()
            raise
        announce(self.slot)

    async def _start(self, slot: Slot[Any]) -> None:
        assert self._nursery is not None
        await start_child(slot, self._nursery, self._ended)

    def _ended(self, slot: Slot[Any], reason: ExitReason) -> None:
        """In the child's task: book its end, tell whoever waits for its start, and post to ourselves."""
        had_started = slot.status is Status.RUNNING
        slot.status = Status.IDLE
        if not had_started and slot.ready is not None:
            slot.runtime.report(StartFailed(slot.path, slot.incarnation, reason))
            slot.ready.fail(ChildFailedToStartError(f"{slot.path}: {describe(reason)}"))
            return
        self.slot.mailbox.post_control(ChildEnded(slot, slot.incarnation, reason, had_started))

    async def _watch(self) -> None:
        mailbox = self.mailbox
        while mailbox.stop is None:
            if not mailbox.has_work():
                await mailbox.wait()
            while (mailbox.control or mailbox.queue) and mailbox.stop is None:
                await self._react(mailbox.take())
                mailbox.done()
                self.slot.handled += 1

    async def _react(self, message: SupervisorMessage) -> None:
        match message:
            case ChildEnded():
                await self._child_ended(message)
            case StartChild(spec, reply):
                await self._add(spec, reply)
            case TerminateChild(id_, reply):
                reply.set(await self._remove(id_))

    # -- a child has ended

    async def _child_ended(self, end: ChildEnded) -> None:
        slot = end.slot
        if slot.incarnation != end.incarnation or slot.status is not Status.IDLE:
            return  # it was stopped or started again in the meantime, by a restart of its siblings
        abnormal = is_abnormal(end.reason)
        again = should_restart(slot.spec.restart, abnormal=abnormal)
        if abnormal or again:
            in_hand = slot.mailbox.in_hand()
            slot.runtime.report(ChildTerminated(slot.path, end.incarnation, end.reason, in_hand, again))
        if again:
            await self._restart(slot)
        else:
            self._forget(slot, end.reason)

    async def _restart(self, slot: Slot[Any]) -> None:
        """Restart by the strategy; a start that fails counts again, with a look at the mailbox in between."""
        while self._count_restart(slot):
            plan = plan_restart(self._strategy, list(self._state.slots), slot.spec.id)
            await self._stop_some(plan.stop)
            slot.status = Status.RESTARTING
            failed = await self._start_some(plan.start)
            if failed is None or self.mailbox.stop is not None:
                return
            slot = failed
            await trio.lowlevel.checkpoint()

    def _count_restart(self, slot: Slot[Any]) -> bool:
        slot.restarts += 1
        if self._state.window.add(trio.current_time(), self._intensity):
            return True
        restarts, period = self._intensity.restarts, self._intensity.period_seconds
        self.slot.runtime.report(IntensityReached(self.slot.path, restarts, period))
        self.stop(REACHED_MAX_RESTART_INTENSITY)
        return False

    async def _start_some(self, ids: Iterable[str]) -> Slot[Any] | None:
        """Start these in order; returns the first that failed."""
        for id_ in ids:
            slot = self._state.slots.get(id_)
            if slot is None:
                continue
            try:
                await self._start(slot)
            except ChildFailedToStartError:
                return slot
        return None

    async def _stop_some(self, ids: Iterable[str]) -> None:
        for id_ in ids:
            slot = self._state.slots[id_]
            await stop_child(slot)
            if slot.spec.restart is Restart.TEMPORARY:
                self._drop(slot)

    def _forget(self, slot: Slot[Any], reason: ExitReason) -> None:
        """The child stays down. A temporary or finished one leaves the order; perhaps it takes us along."""
        self._drop(slot, reason)
        if not slot.spec.significant or self._auto_shutdown is AutoShutdown.NEVER:
            return
        others = any(other.spec.significant for other in self._state.slots.values())
        if self._auto_shutdown is AutoShutdown.ANY_SIGNIFICANT or not others:
            self.stop(Shutdown("its significant children have ended"))

    def _drop(self, slot: Slot[Any], reason: ExitReason = STOPPED) -> None:
        self._state.slots.pop(slot.spec.id, None)
        slot.close(reason)

    # -- children by request

    async def _add(self, spec: ChildSpec, reply: Reply[Slot[Any]]) -> None:
        if spec.id in self._state.slots:
            reply.fail(ValueError(f"{self.slot.path} already has a child {spec.id}"))
            return
        slot: Slot[Any] = Slot(spec, self.slot, self.slot.runtime)
        self._state.slots[spec.id] = slot
        try:
            await self._start(slot)
        except ChildFailedToStartError as error:
            self._drop(slot)
            reply.fail(error)
            return
        reply.set(slot)

    async def _remove(self, id_: str) -> bool:
        slot = self._state.slots.get(id_)
        if slot is None:
            return False
        await stop_child(slot)
        self._drop(slot)
        return True

    # -- the end

    async def _stop_all(self) -> None:
        for slot in reversed(tuple(self._state.slots.values())):
            await stop_child(slot)

    def _kill_all(self) -> None:
        for slot in self._state.slots.values():
            slot.kill("its supervisor was killed")


def close_children(slot: Slot[Any], reason: ExitReason) -> None:
    """When a supervisor's slot ends for good, so do its children's."""
    if isinstance(slot.state, SupervisorState):
        for child in tuple(slot.state.slots.values()):
            child.close(reason)


def supervisor_spec(
    id_: str,
    children: Sequence[ChildSpec],
    *,
    strategy: Strategy = Strategy.ONE_FOR_ONE,
    intensity: Intensity = Intensity(),  # noqa: B008  # an immutable value
    auto_shutdown: AutoShutdown = AutoShutdown.NEVER,
    restart: Restart = Restart.PERMANENT,
    significant: bool = False,
) -> ChildSpec:
    """The child spec of a supervisor of these children.

    Raises:
        ValueError: two children have one id.
    """
    ids = [spec.id for spec in children]
    if len(set(ids)) != len(ids):
        raise ValueError(f"supervisor {id_}: two children have one id: {ids}")

    def start(slot: Slot[Any]) -> Supervisor:
        if slot.closing is None:
            slot.on_close(close_children)
        return Supervisor(slot, children, strategy, intensity, auto_shutdown)

    return ChildSpec(id_, start, restart, grace_seconds=INFINITY, significant=significant)
