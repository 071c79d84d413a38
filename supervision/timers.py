"""Timers owned by actors: one queue for a whole tree, kept by one actor that sleeps until the next is due.

A timer posts its message to the control lane of the slot that set it, and ends with that slot.
"""

from __future__ import annotations

import heapq
import itertools
from typing import TYPE_CHECKING, Any, Final, final

import trio

from supervision.actor import Actor
from supervision.child_spec import ChildSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from supervision.exit_reason import ExitReason
    from supervision.slot import Slot

EARLIER: Final = 1
"""Signal: a timer was added that is due before all others."""


@final
class Timer:
    """One pending message. Cancel it as often as you like."""

    __slots__ = ("_is_pending", "deadline", "message", "slot")

    def __init__(self, deadline: float, slot: Slot[Any], message: object) -> None:
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
        self._is_pending = False
        self.message = None

    def fire(self) -> None:
        """Post the message, once."""
        if self._is_pending:
            message = self.message
            self.cancel()
            self.slot.mailbox.post_control(message)


@final
class TimerQueue:
    """All timers of a tree, by deadline. A cancelled one leaves when it would have been due."""

    __slots__ = ("_heap", "_order", "_slot")

    def __init__(self, slot: Slot[Any]) -> None:
        self._heap: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._slot = slot

    def add(self, deadline: float, slot: Slot[Any], message: object) -> Timer:
        """A timer that is due at `deadline`, in seconds of trio's clock."""
        timer = Timer(deadline, slot, message)
        is_earliest = not self._heap or deadline < self._heap[0][0]
        heapq.heappush(self._heap, (deadline, next(self._order), timer))
        if is_earliest:
            self._slot.mailbox.signal(EARLIER)
        return timer

    def fire_due(self, now: float) -> float:
        """Fire what is due; returns the next deadline, or infinity."""
        heap = self._heap
        while heap and (heap[0][0] <= now or not heap[0][2].is_pending):
            heapq.heappop(heap)[2].fire()
        return heap[0][0] if heap else float("inf")

    def __len__(self) -> int:
        """How many wait, cancelled ones included."""
        return len(self._heap)


@final
class TimerActor(Actor[None, None]):
    """Sleeps until the next timer is due. The queue lives in the slot, so its death costs no timer."""

    async def init(self) -> None:
        """Offer the queue to the tree."""
        self._queue = self.slot.keep(lambda: TimerQueue(self.slot))
        self.slot.runtime.timers = self._queue

    async def run(self) -> ExitReason:
        """Fire timers until asked to stop."""
        mailbox = self.mailbox
        while mailbox.stop is None:
            mailbox.take_signals()
            deadline = self._queue.fire_due(trio.current_time())
            with trio.move_on_at(deadline):
                if not mailbox.has_work():
                    await mailbox.wait()
        return mailbox.stop

    def decide(self, _message: None) -> Sequence[None]:
        """It has no messages, only signals."""
        return ()


def timers_spec() -> ChildSpec:
    """The child spec; start it before whatever sets timers."""
    return ChildSpec("timers", TimerActor)
