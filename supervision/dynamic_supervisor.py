"""A supervisor of thousands of like children that come and go: sessions, users, connections.

Children are started by a plain call, which makes the slot, starts the task and returns: messages may be
posted before the init has ended. Each child has its own restart intensity; the supervisor itself gives up
only when a large share of its living children restarted within the period (see `restart_intensity`). They
are stopped all at once, in no order, each with its own grace.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, final

import trio

from supervision.actor import Actor
from supervision.child_spec import INFINITY, ChildSpec, Intensity, Restart, should_restart
from supervision.exit_reason import ExitReason, Killed, describe, is_abnormal
from supervision.reply import CallError, Reply
from supervision.report import ChildTerminated, IntensityReached, StartFailed
from supervision.restart_intensity import RestartedChildren, RestartWindow, is_storm
from supervision.slot import Slot, Status, announce
from supervision.supervisor import REACHED_MAX_RESTART_INTENSITY, ChildFailedToStartError, stop_child

if TYPE_CHECKING:
    from collections.abc import Sequence


@final
class NotAcceptingError(CallError):
    """The dynamic supervisor is full, stopping, or not running just now."""


@final
class DynamicState:
    """The living children by id, and the memory of restarts."""

    __slots__ = (
        "children",
        "children_max",
        "given_up",
        "leaving",
        "nursery",
        "restarted",
        "restarts",
        "slot",
        "started",
        "windows",
    )

    def __init__(self, slot: Slot[Any], children_max: int) -> None:
        self.slot = slot
        self.children: dict[str, Slot[Any]] = {}
        self.children_max = children_max
        self.leaving: set[str] = set()  # being stopped on purpose, so not to be restarted
        self.windows: dict[str, RestartWindow] = {}
        self.restarted = RestartedChildren()
        self.nursery: trio.Nursery | None = None
        self.started = self.restarts = self.given_up = 0


@final
class DynamicSupervisorStatistics(NamedTuple):
    """A frozen look; all but `children` count since the supervisor's slot was made."""

    children: int = 0
    started: int = 0
    restarts: int = 0
    given_up: int = 0


@final
class DynamicSupervisor(Actor[NoReturn, None]):
    """See the module's docstring; made by `DynamicChildren.spec`."""

    starts_in_run = True  # it has started when it can start children

    def __init__(self, slot: Slot[Any], state: DynamicState, intensity: Intensity) -> None:
        super().__init__(slot)
        self._state = state
        self._intensity = intensity

    async def run(self) -> ExitReason:
        """Keep a nursery for the children until asked to stop."""
        state = self._state
        state.restarted = RestartedChildren()
        state.windows.clear()
        try:
            async with trio.open_nursery() as nursery:
                state.nursery = nursery
                try:
                    announce(self.slot)
                    while self.mailbox.stop is None:
                        await self.mailbox.wait()
                    state.nursery = None
                    await self._stop_all()
                except BaseException:
                    state.nursery = None
                    self._kill_all()
                    raise
        finally:
            self._close_all()
        return self.mailbox.stop

    async def _stop_all(self) -> None:
        async with trio.open_nursery() as stopping:
            for slot in tuple(self._state.children.values()):
                stopping.start_soon(stop_child, slot)

    def _kill_all(self) -> None:
        for slot in self._state.children.values():
            slot.kill("its supervisor was killed")

    def _close_all(self) -> None:
        """Whoever the children were, they are not started again."""
        for slot in tuple(self._state.children.values()):
            self._let_go(slot, Killed("its supervisor was killed"))

    def _let_go(self, slot: Slot[Any], reason: ExitReason) -> None:
        state, id_ = self._state, slot.spec.id
        state.children.pop(id_, None)
        state.windows.pop(id_, None)
        state.leaving.discard(id_)
        slot.close(reason)
        if slot.ready is not None:
            slot.ready.fail(ChildFailedToStartError(f"{slot.path}: {describe(reason)}"))

    def child_ended(self, slot: Slot[Any], reason: ExitReason) -> None:
        """In the child's task: restart it at once, or let it go."""
        state = self._state
        had_started = slot.status is Status.RUNNING
        slot.status = Status.RESTARTING
        abnormal = is_abnormal(reason)
        was_asked = slot.mailbox.stop is not None  # that it failed on the way out is no reason to come back
        stays = state.nursery is not None and slot.mailbox.is_open and slot.spec.id not in state.leaving
        again = stays and should_restart(slot.spec.restart, abnormal=abnormal and not was_asked)
        self._report_end(slot, reason, had_started=had_started, abnormal=abnormal, again=again)
        if again and self._may_restart(slot) and state.nursery is not None:
            slot.begin(state.nursery, self.child_ended)
        else:
            self._let_go(slot, reason)

    def _report_end(
        self, slot: Slot[Any], reason: ExitReason, *, had_started: bool, abnormal: bool, again: bool
    ) -> None:
        if not had_started:
            slot.runtime.report(StartFailed(slot.path, slot.incarnation, reason))
        elif abnormal:
            in_hand = slot.mailbox.in_hand()
            slot.runtime.report(ChildTerminated(slot.path, slot.incarnation, reason, in_hand, again))

    def _may_restart(self, slot: Slot[Any]) -> bool:
        """Count for the child and for all; giving up on one is reported, a storm ends us."""
        now, intensity, state, id_ = trio.current_time(), self._intensity, self._state, slot.spec.id
        slot.restarts += 1
        restarted = state.restarted.add(id_, now, intensity.period_seconds)
        if is_storm(restarted, len(state.children)):
            self.slot.runtime.report(IntensityReached(self.slot.path, restarted, intensity.period_seconds))
            self.stop(REACHED_MAX_RESTART_INTENSITY)
            return False
        if state.windows.setdefault(id_, RestartWindow()).add(now, intensity):
            state.restarts += 1
            return True
        state.given_up += 1
        slot.runtime.report(IntensityReached(slot.path, intensity.restarts, intensity.period_seconds))
        return False


@final
class DynamicChildren:
    """The handle through which children are started; hold one of these instead of the supervisor."""

    def __init__(
        self,
        id_: str,
        *,
        children_max: int,
        intensity: Intensity = Intensity(),  # noqa: B008  # an immutable value
    ) -> None:
        self.id = id_
        self._children_max = children_max
        self._intensity = intensity
        self._supervisor: DynamicSupervisor | None = None
        self._state: DynamicState | None = None

    def spec(self) -> ChildSpec:
        """The child spec of the supervisor itself."""
        return ChildSpec(self.id, self._start, Restart.PERMANENT, grace_seconds=INFINITY)

    def _start(self, slot: Slot[Any]) -> DynamicSupervisor:
        self._state = slot.keep(lambda: DynamicState(slot, self._children_max))
        self._supervisor = DynamicSupervisor(slot, self._state, self._intensity)
        return self._supervisor

    def start_child(self, spec: ChildSpec) -> Slot[Any]:
        """Make a slot and start its first incarnation; returns before its init.

        Raises:
            NotAcceptingError: full, stopping or not running.
            ValueError: there is a child with this id.
        """
        state, supervisor = self._state, self._supervisor
        if state is None or supervisor is None or state.nursery is None:
            raise NotAcceptingError(f"{self.id} is not running")
        if len(state.children) >= state.children_max:
            raise NotAcceptingError(f"{self.id} has its maximum of {state.children_max} children")
        if spec.id in state.children:
            raise ValueError(f"{self.id} already has a child {spec.id}")
        slot: Slot[Any] = Slot(spec, state.slot, state.slot.runtime)
        state.children[spec.id] = slot
        state.started += 1
        slot.begin(state.nursery, supervisor.child_ended)
        return slot

    async def start_child_and_wait(self, spec: ChildSpec) -> Slot[Any]:
        """The same, and wait for the init.

        Raises:
            NotAcceptingError: full, stopping or not running.
            ChildFailedToStartError: the init failed and the child was given up.
        """
        slot = self.start_child(spec)
        slot.ready = Reply()
        await slot.ready.wait(INFINITY)
        slot.ready = None
        return slot

    async def terminate_child(self, id_: str) -> bool:
        """Stop the child with this id and end its slot for good; false if there is none."""
        state = self._state
        if state is None or id_ not in state.children:
            return False
        state.leaving.add(id_)
        await stop_child(state.children[id_])
        return True

    def children(self) -> Sequence[Slot[Any]]:
        """The living children."""
        return () if self._state is None else tuple(self._state.children.values())

    def get(self, id_: str) -> Slot[Any] | None:
        """The living child with this id."""
        return None if self._state is None else self._state.children.get(id_)

    def statistics(self) -> DynamicSupervisorStatistics:
        """A frozen look, which does not stop anything."""
        state = self._state
        if state is None:
            return DynamicSupervisorStatistics()
        return DynamicSupervisorStatistics(len(state.children), state.started, state.restarts, state.given_up)
