"""The mailbox of one actor: a bounded queue, a lane that overtakes, readiness bits, and one parked reader.

A mailbox belongs to the slot and outlives a crash: a message stays at the head of its lane until it has been
applied. It is a deque and a parked task, not a memory channel, because a hop then costs a quarter. Posting
never waits and never raises: it answers whether the message was accepted. Three ways in, in the order they
are served:

- `stop`, a single reason, so that a request to end is never behind anything;
- the control lane (timers, `Down` notices, answers to own requests), kept for what an actor must hear even
  when its queue is full;
- the ordinary queue, bounded in number and in bytes.

Readiness bits (`signal`) are for what may be repeated but never lost, such as "your socket is readable": bits
whose handling was cut short are there again for the next incarnation.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, TypeVar, final

import trio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from supervision.exit_reason import ExitReason

M = TypeVar("M")

MESSAGES_MAX: Final = 1_000
"""Default bound in number: some seconds of a busy actor's work."""
BYTES_MAX: Final = 4 * 1024 * 1024
"""Default bound in bytes of what messages say they weigh."""
CONTROL_MAX: Final = 10_000
"""Bound of the control lane; past it something is broken and posts are refused and counted."""

_NOTHING: Final[deque[tuple[Any, int]]] = deque(maxlen=0)
"""The queue of every mailbox that is empty and whose reader is parked: a deque of its own takes 600 bytes."""


class MailboxStatistics(NamedTuple):
    """A frozen look at a mailbox."""

    depth: int
    depth_bytes: int
    control_depth: int
    refused: int
    is_open: bool


@final
class Mailbox(Generic[M]):
    """See the module's docstring. One reader, any number of writers, all in one thread."""

    __slots__ = (
        "_again",
        "_hand",
        "_signals_in_hand",
        "_sleeper",
        "attempts",
        "bytes_max",
        "control",
        "depth_bytes",
        "is_accepting",
        "is_open",
        "messages_max",
        "on_room",
        "queue",
        "refused",
        "signals",
        "stop",
    )

    def __init__(self, messages_max: int = MESSAGES_MAX, bytes_max: int = BYTES_MAX) -> None:
        self.queue: deque[tuple[M, int]] = _NOTHING
        self.control: deque[tuple[M, int]] | None = None  # most actors never need one
        self.signals = 0
        self.stop: ExitReason | None = None
        self.messages_max = messages_max
        self.bytes_max = bytes_max
        self.depth_bytes = 0
        self.refused = 0
        self.is_open = True
        self.is_accepting = True  # the reader may refuse ordinary messages for a while, whatever the bounds
        self.attempts = 0  # how often the message in hand has been started
        self.on_room: Callable[[], None] | None = None  # called once: a full queue has half emptied, or ended
        self._hand: deque[tuple[M, int]] | None = None  # the lane whose head is being handled
        self._again: deque[tuple[M, int]] | None = None  # the lane whose head was in hand when a reader died
        self._signals_in_hand = 0
        self._sleeper: trio.lowlevel.Task | None = None

    # -- writing

    def post(self, message: M, size: int = 0) -> bool:
        """Append an ordinary message that weighs `size` bytes; false if the mailbox is full or closed."""
        queue = self.queue
        if (
            not (self.is_open and self.is_accepting)
            or len(queue) >= self.messages_max
            or self.depth_bytes + size > self.bytes_max
        ):
            self.refused += 1
            return False
        if queue is _NOTHING:
            queue = self.queue = deque()
        queue.append((message, size))
        self.depth_bytes += size
        if self._sleeper is not None:
            self.wake()
        return True

    def post_control(self, message: M) -> bool:
        """Append to the lane that overtakes.

        False only if the mailbox is closed or something has run away.
        """
        if self.control is None:
            self.control = deque()
        if not self.is_open or len(self.control) >= CONTROL_MAX:
            self.refused += 1
            return False
        self.control.append((message, 0))
        if self._sleeper is not None:
            self.wake()
        return True

    def signal(self, bits: int) -> None:
        """Set readiness bits and wake the reader; repeating it is harmless."""
        self.signals |= bits
        self.wake()

    def request_stop(self, reason: ExitReason) -> None:
        """Ask the reader to end; the first reason given stands."""
        if self.stop is None:
            self.stop = reason
        self.wake()

    def wake(self) -> None:
        """Let a parked reader look around; one that finds nothing parks again."""
        task, self._sleeper = self._sleeper, None
        if task is not None:
            trio.lowlevel.reschedule(task)

    # -- reading (the actor's loop only)

    def begin(self) -> None:
        """A new incarnation reads: nobody has asked it to stop, and what is unfinished comes first."""
        self.stop = None
        self.signals |= self._signals_in_hand
        self._signals_in_hand = 0
        if self._hand is not None:
            self._again, self._hand = self._hand, None

    def wait(self) -> Awaitable[None]:
        """Park until something arrives; await it at once. The caller has seen that there is nothing."""
        if not self.queue:
            self.queue = _NOTHING
        if not self.control:
            self.control = None
        self._sleeper = trio.lowlevel.current_task()
        return trio.lowlevel.wait_task_rescheduled(self._abort_wait)  # noqa: ASYNC105  # one frame less

    def _abort_wait(self, _raise_cancel: object) -> trio.lowlevel.Abort:
        self._sleeper = None
        return trio.lowlevel.Abort.SUCCEEDED

    def has_work(self) -> bool:
        """Whether the reader need not park."""
        return bool(self.queue or self.control or self.signals or self.stop is not None)

    def take_signals(self) -> int:
        """The readiness bits set since last asked; in hand until `signals_done`, or until asked again."""
        self._signals_in_hand, self.signals = self.signals, 0
        return self._signals_in_hand

    def signals_done(self) -> None:
        """The bits in hand have been dealt with."""
        self._signals_in_hand = 0

    def take(self) -> M:
        """Start on the next message, which stays in its lane until `done`.

        The same one again after a crash.
        """
        hand = self._hand = self._again or self.control or self.queue
        self.attempts += 1
        return hand[0][0]

    def done(self) -> None:
        """Remove the message in hand: it has been applied or set aside."""
        hand = self._hand
        assert hand is not None, "done without take"
        self.depth_bytes -= hand.popleft()[1]
        self._hand = self._again = None
        self.attempts = 0
        if self.on_room is not None and self._has_room():
            self._tell_room()

    def acquit(self) -> None:
        """The message in hand is not to blame for the deaths so far: all that is left of it is waiting."""
        self.attempts = 0

    def in_hand(self) -> M | None:
        """The message that is being handled, or was when the reader died."""
        return None if self._hand is None else self._hand[0][0]

    def _has_room(self) -> bool:
        return len(self.queue) <= self.messages_max // 2 and self.depth_bytes <= self.bytes_max // 2

    def _tell_room(self) -> None:
        told, self.on_room = self.on_room, None
        if told is not None:
            told()

    # -- ending

    def close(self) -> list[M]:
        """Refuse everything from now on; returns what was never handled, for its senders to be answered."""
        self.is_open = False
        left = [message for message, _size in (*(self.control or ()), *self.queue)]
        self.queue = _NOTHING
        self.control = self._hand = self._again = None
        self.depth_bytes = self.attempts = 0
        self._tell_room()
        return left

    def statistics(self) -> MailboxStatistics:
        """A frozen look, for the tree's snapshot."""
        return MailboxStatistics(
            len(self.queue), self.depth_bytes, len(self.control or ()), self.refused, self.is_open
        )
