"""A reference: the only address of an actor that is handed around.

It names the slot, not the incarnation, so who holds one never notices a restart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, TypeVar, final

from supervision.exit_reason import ExitReason, Shutdown
from supervision.monitor import Monitor
from supervision.reply import ActorCrashed, MailboxFull, Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from supervision.mailbox import Mailbox
    from supervision.slot import Slot

M = TypeVar("M")
N = TypeVar("N")
R = TypeVar("R")

CALL_SECONDS_MAX: Final = 5.0
"""The default deadline of a call, as in OTP."""

ENDED_BEFORE: Final = Shutdown("had ended before")
"""What a monitor is told of a slot that had already ended."""


@final
class Ref(Generic[M]):
    """Compares by identity: there is one reference for one slot."""

    __slots__ = ("_mailbox", "_slot")

    def __init__(self, slot: Slot[M]) -> None:
        self._slot = slot
        self._mailbox: Mailbox[M] = slot.mailbox

    def cast(self, message: M, size: int = 0) -> bool:
        """Post without waiting for anything; false if the mailbox refused (full, or the slot has ended)."""
        return self._mailbox.post(message, size)

    def tell(self, message: M) -> bool:
        """Post to the lane that overtakes; for notices and answers that an actor must hear even when full."""
        return self._mailbox.post_control(message)

    async def call(self, build: Callable[[Reply[R]], M], *, deadline_seconds: float = CALL_SECONDS_MAX) -> R:
        """Post the message that `build` makes around a reply, and wait for the answer.

        Raises:
            MailboxFull: the mailbox is full.
            ActorCrashed: the slot has ended, or the actor died of this message.
            DeadlineExceeded: no answer came in time.
            BaseException: what the actor answered with `fail`.
        """
        reply: Reply[R] = Reply()
        if not self._mailbox.post(build(reply)):
            raise (
                MailboxFull(f"{self.path} is full")
                if self.is_alive
                else ActorCrashed(f"{self.path} has ended")
            )
        return await reply.wait(deadline_seconds)

    def monitor(self, watcher: Ref[N], build: Callable[[ExitReason], N]) -> Monitor:
        """Tell `watcher` what `build` makes of the reason when this slot ends for good; at once if it has."""
        return Monitor(self._slot, watcher._slot, build)  # another reference, but the same class

    def signal(self, bits: int) -> None:
        """Set readiness bits of the actor; see `Mailbox.signal`."""
        self._mailbox.signal(bits)

    def stop(self, reason: ExitReason) -> None:
        """Ask the actor to end; it finishes the message in hand first."""
        self._mailbox.request_stop(reason)

    def kill(self, why: str = "killed") -> None:
        """Cancel the present incarnation without asking; its supervisor decides what follows."""
        self._slot.kill(why)

    @property
    def is_alive(self) -> bool:
        """Whether the slot takes messages; true also between two incarnations."""
        return self._mailbox.is_open

    @property
    def path(self) -> str:
        """Where the slot is in the tree."""
        return self._slot.path

    @property
    def slot(self) -> Slot[M]:
        """The slot, for supervisors and for looking inside; actors send messages instead."""
        return self._slot

    def __repr__(self) -> str:
        """For people."""
        return f"<Ref {self.path}>"
