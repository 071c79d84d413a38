"""Timers owned by actors: one queue for a whole tree, kept by one actor that sleeps until the next is due.

A timer posts its message to the control lane of the slot that set it, and ends with that slot.
"""

from __future__ import annotations

import heapq
import itertools
import math
from typing import TYPE_CHECKING, Any, Final, NoReturn, final

import trio

from supervision.actor import Actor
from supervision.child_spec import ChildSpec

if TYPE_CHECKING:
    from supervision.exit_reason import ExitReason
    from supervision.slot import Slot

EARLIER: Final = 1
"""Signal: a timer was added that is due before all others."""
CANCELLED_MIN: Final = 100
"""Fewer cancelled timers than this may lie about until they would have been due."""


@final
class Timer:
    """One pending message. Cancel it as often as you like."""

    __slots__ = ("_is_pending", "_queue", "deadline", "message", "slot")

    def __init__(self, queue: TimerQueue, deadline: float, slot: Slot[Any], message: object) -> None:
        self._queue = queue
        self.deadline = deadline
        self.slot = slot
        self.message = message
        self._is_pending = True

    @property
    def is_pending(self) -> bool:
        """Whether it may still fire."""
        return self._is_pending

    def cancel(self) -> None:
        """Never fire."""
        if self._is_pending:
            self.cancel_nowait()
            if self.slot.timers is not None:
                self.slot.timers.discard(self)

    def cancel_nowait(self) -> None:
        """Never fire; for the slot, which drops all its timers itself."""
        if self._is_pending:
            self._is_pending = False
            self.message = None
            self._queue.count_cancelled()

    def fire(self) -> None:
        """Post the message; the queue has let go of this timer."""
        self._is_pending = False
        if self.slot.timers is not None:
            self.slot.timers.discard(self)
        self.slot.mailbox.post_control(self.message)
        self.message = None


@final
class TimerQueue:
    """All timers of a tree, by deadline.

    A cancelled one leaves when it would have been due, or when most of them are cancelled: who sets a timer
    anew with every message does not fill memory.
    """

    __slots__ = ("_cancelled", "_heap", "_order", "keeper")

    def __init__(self, keeper: Slot[Any]) -> None:
        self._heap: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._cancelled = 0
        self.keeper = keeper  # the slot of the actor that sleeps until the next is due

    def add(self, deadline: float, slot: Slot[Any], message: object) -> Timer:
        """A timer that is due at `deadline`, in seconds of trio's clock."""
        timer = Timer(self, deadline, slot, message)
        is_earliest = not self._heap or deadline < self._heap[0][0]
        heapq.heappush(self._heap, (deadline, next(self._order), timer))
        if is_earliest:
            self.keeper.mailbox.signal(EARLIER)
        return timer

    def fire_due(self, now: float) -> float:
        """Fire what is due; returns the next deadline, or infinity."""
        heap = self._heap
        while heap and (heap[0][0] <= now or not heap[0][2].is_pending):
            timer = heapq.heappop(heap)[2]
            if timer.is_pending:
                timer.fire()
            else:
                self._cancelled -= 1
        return heap[0][0] if heap else math.inf

    def count_cancelled(self) -> None:
        """A timer was cancelled and lies in the heap; if there are too many of them, they go."""
        self._cancelled += 1
        if self._cancelled > CANCELLED_MIN and self._cancelled > len(self._heap) // 2:
            self._heap = [entry for entry in self._heap if entry[2].is_pending]
            heapq.heapify(self._heap)
            self._cancelled = 0

    def __len__(self) -> int:
        """How many wait, cancelled ones included."""
        return len(self._heap)


@final
class TimerActor(Actor[NoReturn, None]):
    """Sleeps until the next timer is due. The queue belongs to the tree, so its death costs no timer."""

    async def init(self) -> None:
        """Offer a queue to the tree, or keep the one that is there."""
        runtime = self.slot.runtime
        if runtime.timers is None:
            runtime.timers = TimerQueue(self.slot)
        runtime.timers.keeper = self.slot
        self._queue = runtime.timers

    async def run(self) -> ExitReason:
        """Fire timers until asked to stop."""
        mailbox = self.mailbox
        while mailbox.stop is None:
            mailbox.signals = 0
            with trio.move_on_at(self._queue.fire_due(trio.current_time())):
                await mailbox.wait()
        return mailbox.stop


def timers_spec() -> ChildSpec:
    """The child spec; start it before whatever sets timers."""
    return ChildSpec("timers", TimerActor)
