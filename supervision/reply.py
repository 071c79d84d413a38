"""The answer to one call: one value that may be filled once, by a server that cannot fail in doing so.

Filling it never blocks and never raises; a second answer is dropped and counted. A caller that dies may have
a successor that waits for the same answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar, final

import trio

if TYPE_CHECKING:
    from collections.abc import Callable

R = TypeVar("R")


class CallError(Exception):
    """A call that got no answer; the subclasses say why."""


@final
class ActorCrashed(CallError):
    """The actor died of this very request, or its slot ended with the request unanswered."""


@final
class MailboxFull(CallError):
    """The actor's mailbox refused the request."""


@final
class DeadlineExceeded(CallError):
    """No answer came within the deadline; a late one does no harm."""


@final
class Reply(Generic[R]):
    """A one-shot answer.

    The server calls `set` or `fail`; the caller waits, or gives a function to be told.
    """

    __slots__ = ("_error", "_is_filled", "_sleeper", "_value", "late", "on_filled")

    def __init__(self) -> None:
        self._is_filled = False
        self._value: R | None = None
        self._error: BaseException | None = None
        self._sleeper: trio.lowlevel.Task | None = None
        self.on_filled: Callable[[], None] | None = None  # must not raise: it runs in the server's task
        self.late = 0

    def set(self, value: R) -> None:
        """Answer with a value; the first answer stands."""
        self._fill(value, None)

    def fail(self, error: BaseException) -> None:
        """Answer with an error, which the caller will see raised; the first answer stands."""
        self._fill(None, error)

    def _fill(self, value: R | None, error: BaseException | None) -> None:
        if self._is_filled:
            self.late += 1
            return
        self._is_filled, self._value, self._error = True, value, error
        if self._sleeper is not None:
            task, self._sleeper = self._sleeper, None
            trio.lowlevel.reschedule(task)
        if self.on_filled is not None:
            self.on_filled()

    @property
    def is_filled(self) -> bool:
        """Whether the answer is there."""
        return self._is_filled

    @property
    def succeeded(self) -> bool:
        """Whether the answer is there and is a value."""
        return self._is_filled and self._error is None

    def result(self) -> R:
        """The answer.

        Raises:
            BaseException: what the server answered with `fail`.
        """
        assert self._is_filled, "no answer yet"
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value]  # it was filled by `set`, with an R

    async def wait(self, deadline_seconds: float) -> R:
        """Wait for the answer; one task at a time.

        Raises:
            DeadlineExceeded: nothing came in time.
            BaseException: what the server answered with `fail`.
        """
        if not self._is_filled:
            with trio.move_on_after(deadline_seconds):
                await self._park()
        if not self._is_filled:
            raise DeadlineExceeded(f"no answer within {deadline_seconds} s")
        return self.result()

    async def _park(self) -> None:
        self._sleeper = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(self._abort)

    def _abort(self, _raise_cancel: object) -> trio.lowlevel.Abort:
        self._sleeper = None
        return trio.lowlevel.Abort.SUCCEEDED
