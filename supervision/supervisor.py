"""A supervisor of fixed children: one_for_one, one_for_all, rest_for_one, as in OTP.

Start is in order and each start waits for the init; stop is in reverse order, one child at a time, each
with its own grace. A supervisor is itself an actor: its children run in a nursery of its own, and their
ends come to its mailbox as messages. When restarts exceed the intensity it ends, and its own supervisor
decides.

Where this differs from OTP it is because references outlive restarts. A child that has ended for good leaves
the order and its slot is closed; it does not come back when its siblings restart. A child added later stays
when the supervisor itself is restarted, unless it is temporary.
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
from supervision.exit_reason import Crashed, ExitReason, Shutdown, describe, is_abnormal
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


def check_significance(spec: ChildSpec, auto_shutdown: AutoShutdown) -> None:
    """A significant child means something only to a supervisor that ends with it.

    Raises:
        ValueError: the supervisor does not.
    """
    if spec.significant and auto_shutdown is AutoShutdown.NEVER:
        raise ValueError(f"child {spec.id} cannot be significant: its supervisor never shuts down by itself")


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
        self._failed: dict[Slot[Any], None] = {}  # children whose restart failed, to be tried again in order
        self._state: SupervisorState = slot.keep(SupervisorState)
        self._state.window = RestartWindow()  # a supervisor that was restarted has a clean record

    # -- life

    async def init(self) -> None:
        """Make the slots; children start in `run`, which has the nursery, before this counts as started."""
        slots = self._state.slots
        kept = {id_: slot for id_, slot in slots.items() if slot.spec.restart is not Restart.TEMPORARY}
        for slot in slots.values():
            if slot.spec.restart is Restart.TEMPORARY:
                slot.close(Shutdown("its supervisor was restarted"))
            elif not isinstance(slot.state, SupervisorState):  # that one has slots, whose references live on
                slot.state = None  # we died of these children: they begin anew
        slots.clear()
        for spec in self._specs:
            slots[spec.id] = kept.pop(spec.id) if spec.id in kept else self._make_slot(spec)
        slots.update(kept)

    def _make_slot(self, spec: ChildSpec) -> Slot[Any]:
        return Slot(spec, self.slot, self.slot.runtime)

    async def run(self) -> ExitReason:
        """Start the children in order, watch them, stop them in reverse order."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            try:
                failure = await self._start_all()
                if failure is None:
                    await self._watch()
                await self._stop_all()
            except BaseException:
                self._kill_all()
                raise
        if failure is not None:
            raise failure
        assert self.mailbox.stop is not None
        return self.mailbox.stop

    async def _start_all(self) -> ChildFailedToStartError | None:
        for slot in tuple(self._state.slots.values()):
            try:
                has_started = await self._start(slot)
            except ChildFailedToStartError as error:
                return error
            if not has_started:
                return None
        announce(self.slot)
        return None

    async def _start(self, slot: Slot[Any]) -> bool:
        """Start an incarnation and wait for its init; false if we are asked to stop meanwhile.

        Raises:
            ChildFailedToStartError: the init failed.
        """
        assert self._nursery is not None
        if self.mailbox.stop is not None or not await self._wait_while(lambda: slot.is_live):
            return False  # the second: it was killed, and has been reported as still living
        ready: Reply[None] = Reply()
        ready.on_filled = self.mailbox.wake
        slot.ready = ready
        slot.begin(self._nursery, self._ended)
        if not await self._wait_while(lambda: not ready.is_filled):
            return False
        slot.ready = None
        ready.result()
        return True

    async def _wait_while(self, condition: Callable[[], bool]) -> bool:
        """Park while this holds, which a child's start or end changes; false if asked to stop first."""
        while condition():
            if self.mailbox.stop is not None:
                return False
            await self.mailbox.wait()
        return True

    def _ended(self, slot: Slot[Any], reason: ExitReason) -> None:
        """In the child's task: book its end, tell whoever waits for its start, and post to ourselves."""
        if slot.status is Status.CLOSED:
            return  # it outlived its slot, having refused to go
        slot.status = Status.IDLE
        if slot.ready is None or slot.ready.is_filled:
            self.mailbox.post_control(ChildEnded(slot, slot.incarnation, reason))
            return
        slot.runtime.report(StartFailed(slot.path, slot.incarnation, reason))
        slot.ready.fail(ChildFailedToStartError(f"{slot.path}: {describe(reason)}"))

    async def _watch(self) -> None:
        mailbox, runtime = self.mailbox, self.slot.runtime
        while mailbox.stop is None:
            if not (mailbox.control or mailbox.queue or self._failed):
                await mailbox.wait()
                if runtime.pause is not None:
                    await runtime.pause()
            while (mailbox.control or mailbox.queue) and mailbox.stop is None:
                await self._react(mailbox.take())
                mailbox.done()
                self.slot.handled += 1
            await self._try_again()

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
        again = slot.mailbox.is_open and should_restart(slot.spec.restart, abnormal=abnormal)
        if abnormal or again:
            in_hand = slot.mailbox.in_hand()
            slot.runtime.report(ChildTerminated(slot.path, end.incarnation, end.reason, in_hand, again))
        if again:
            await self._restart(slot)
        else:
            self._forget(slot, end.reason)

    async def _restart(self, slot: Slot[Any]) -> None:
        """Restart by the strategy."""
        if not self._count_restart(slot):
            return
        plan = plan_restart(self._strategy, list(self._state.slots), slot.spec.id)
        await self._stop_some(plan.stop)
        for id_ in plan.start:
            if id_ in self._state.slots:
                self._state.slots[id_].status = Status.RESTARTING
        await self._start_some(plan.start)

    async def _try_again(self) -> None:
        """A start that failed during a restart counts again, after whatever came in between."""
        if not self._failed or self.mailbox.stop is not None:
            return
        slot = next(iter(self._failed))
        del self._failed[slot]
        if slot.status is Status.RESTARTING:
            await self._restart(slot)
        await trio.lowlevel.checkpoint()

    def _count_restart(self, slot: Slot[Any]) -> bool:
        slot.restarts += 1
        if self._state.window.add(trio.current_time(), self._intensity):
            return True
        restarts, period = self._intensity.restarts, self._intensity.period_seconds
        self.slot.runtime.report(IntensityReached(self.slot.path, restarts, period))
        self.stop(REACHED_MAX_RESTART_INTENSITY)
        return False

    async def _start_some(self, ids: Iterable[str]) -> None:
        """Start these in order, until one fails or we are asked to stop."""
        for slot in [self._state.slots[id_] for id_ in ids if id_ in self._state.slots]:
            if slot.status is not Status.RESTARTING:
                continue
            try:
                if not await self._start(slot):
                    return
            except ChildFailedToStartError:
                slot.status = Status.RESTARTING
                self._failed[slot] = None
                return

    async def _stop_some(self, ids: Iterable[str]) -> None:
        for id_ in ids:
            slot = self._state.slots[id_]
            await self._stop(slot)
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
        there = self._state.slots.get(spec.id)
        if there is not None and there.spec is spec and self.mailbox.attempts > 1:
            reply.set(there)  # our predecessor died of something else while it waited for this child's init
            return
        try:
            check_significance(spec, self._auto_shutdown)
            if there is not None:
                raise ValueError(f"{self.slot.path} already has a child {spec.id}")
        except ValueError as error:
            reply.fail(error)
            return
        slot = self._state.slots[spec.id] = self._make_slot(spec)
        await self._start_added(slot, reply)

    async def _start_added(self, slot: Slot[Any], reply: Reply[Slot[Any]]) -> None:
        try:
            if await self._start(slot):
                reply.set(slot)
                return
            error = ChildFailedToStartError(f"{slot.path}: its supervisor is stopping")
        except ChildFailedToStartError as failed:
            error = failed
        await self._stop(slot)
        self._drop(slot)
        reply.fail(error)

    async def _remove(self, id_: str) -> bool:
        slot = self._state.slots.get(id_)
        if slot is None:
            return False
        plan = plan_restart(self._strategy, list(self._state.slots), id_)
        await self._stop(slot)
        self._drop(slot)
        if slot in self._failed:
            del self._failed[slot]
            await self._start_some(plan.start)  # its siblings were waiting for it
        return True

    # -- the end

    async def _stop_all(self) -> None:
        for slot in reversed(tuple(self._state.slots.values())):
            await self._stop(slot)

    async def _stop(self, slot: Slot[Any]) -> None:
        """Stop a child on purpose; that it crashed on the way out is worth a report all the same."""
        was_live = slot.is_live
        await stop_child(slot)
        if was_live and not slot.is_live and isinstance(slot.end, Crashed):
            in_hand = slot.mailbox.in_hand()
            slot.runtime.report(ChildTerminated(slot.path, slot.incarnation, slot.end, in_hand, False))

    def _kill_all(self) -> None:
        for slot in self._state.slots.values():
            slot.kill("its supervisor was killed")


def close_children(slot: Slot[Any], reason: ExitReason) -> None:
    """When a supervisor's slot ends for good, so do its children's."""
    assert isinstance(slot.state, SupervisorState)
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
        ValueError: two children have one id, or a significant child has no effect.
    """
    ids = [spec.id for spec in children]
    if len(set(ids)) != len(ids):
        raise ValueError(f"supervisor {id_}: two children have one id: {ids}")
    for spec in children:
        check_significance(spec, auto_shutdown)

    def start(slot: Slot[Any]) -> Supervisor:
        supervisor = Supervisor(slot, children, strategy, intensity, auto_shutdown)
        slot.on_close(close_children)
        return supervisor

    return ChildSpec(id_, start, restart, grace_seconds=INFINITY, significant=significant)
