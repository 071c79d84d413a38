"""The behaviour of an actor: decide, then apply, one message at a time.

`decide` looks at the state and the message, may raise, and changes nothing; it returns effects. `apply`
carries them out: synchronous, small, total. So the last good state is the state as it stands, and a crash
in `decide` costs neither a copy nor a journal. What must be awaited is awaited first, in `prepare`, as
repeatable reads or calls that are idempotent by id; what it returns is decided on in the message's place.

A message leaves the mailbox when it has been applied. A batch is drained with one wake and one `flush`,
with a bound so that one busy actor cannot starve the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final, Generic, TypeVar

import trio

from supervision.exit_reason import ExitReason, Normal
from supervision.runtime import Point
from supervision.slot import ApplyFailedError, Slot, fail_reply

if TYPE_CHECKING:
    from collections.abc import Sequence

    from supervision.ref import Ref

M = TypeVar("M")
E = TypeVar("E")

BATCH_MAX: Final = 64
"""Messages handled before others get a turn; at some 20 µs each, about a millisecond."""


class Actor(Generic[M, E]):
    """One incarnation.

    `M` is the union of its messages, `E` of its effects. Subclasses override what they need.
    """

    awaits: ClassVar[frozenset[type]] = frozenset()
    """Types of messages that go through `prepare` first."""
    prepare_seconds_max: ClassVar[float] = 60.0
    """A `prepare` that takes longer is a crash; drivers and calls have shorter deadlines of their own."""
    starts_in_run: ClassVar[bool] = False
    """Whether this actor itself announces, from `run`, that it has started (supervisors do)."""

    def __init__(self, slot: Slot[M]) -> None:
        self.slot = slot
        self.mailbox = slot.mailbox

    @property
    def ref(self) -> Ref[M]:
        """The address of this actor."""
        return self.slot.ref

    def stop(self, reason: ExitReason = Normal()) -> None:  # noqa: B008  # an immutable value
        """End after the message in hand."""
        self.mailbox.request_stop(reason)

    def retire(self) -> None:
        """Passivation: from this tick on posts are refused and names are gone; end after the message in hand.

        For an actor that has seen its queue empty and has nothing outstanding.
        """
        self.slot.retire(Normal())
        self.stop(Normal())

    # -- what an actor is made of

    async def init(self) -> None:
        """Come to life, from the state in the slot if there is one. Raising is a failed start."""

    async def prepare(self, message: M) -> M:
        """Await what `message` needs, idempotently; returns what is decided on in its place."""
        return message

    def decide(self, message: M) -> Sequence[E]:
        """What to do; may raise, changes nothing."""
        raise NotImplementedError

    def apply(self, effects: Sequence[E]) -> None:
        """Do it; may not raise."""
        raise NotImplementedError

    def set_aside(self, message: M, error: BaseException) -> Sequence[E]:
        """What to do about a message that killed this actor before; a caller is told here."""
        fail_reply(message, error)
        return ()

    def broken(self, _error: BaseException) -> None:
        """`apply` raised, so the state cannot be trusted: by default the next incarnation makes it anew."""
        self.slot.state = None

    def flush(self) -> None:
        """A batch has been handled: write what was collected, if anything was."""

    async def handle_signals(self, bits: int) -> None:
        """React to readiness bits; those of a predecessor that died while reacting come again."""

    async def terminate(self, reason: ExitReason) -> None:
        """Clean up before an orderly end, within the grace of the child spec."""

    # -- the loop

    async def run(self) -> ExitReason:
        """Handle messages until asked to stop; returns the reason given.

        Each round ends in a park or, if there is more to do, in a checkpoint. The first round flushes what an
        incarnation that died in the middle of a batch had collected.
        """
        mailbox, runtime = self.mailbox, self.slot.runtime
        while mailbox.stop is None:
            if mailbox.signals:
                await self.handle_signals(mailbox.take_signals())
                mailbox.signals_done()
            await self._drain()
            if mailbox.has_work():
                await trio.lowlevel.checkpoint()
            else:
                await mailbox.wait()
                if runtime.pause is not None:
                    await runtime.pause()
        return mailbox.stop

    async def _drain(self) -> None:
        mailbox, awaits, handled = self.mailbox, self.awaits, 0
        try:
            while (mailbox.queue or mailbox.control) and mailbox.stop is None and handled < BATCH_MAX:
                message = mailbox.take()
                if type(message) in awaits:
                    with trio.fail_after(self.prepare_seconds_max):
                        message = await self.prepare(message)
                self._handle(message)
                mailbox.done()
                handled += 1
        finally:
            self.slot.handled += handled
        self.flush()

    async def handle_rest(self) -> None:
        """Handle all that still waits: for the `terminate` of actors whose messages nobody sends again."""
        mailbox = self.mailbox
        while mailbox.queue or mailbox.control:
            message = mailbox.take()
            if type(message) in self.awaits:
                with trio.fail_after(self.prepare_seconds_max):
                    message = await self.prepare(message)
            self._handle(message)
            mailbox.done()
            self.slot.handled += 1
        self.flush()

    def _handle(self, message: M) -> None:
        if self.slot.runtime.probe is not None:
            self._handle_probed(message)
            return
        effects = self.decide(message)
        if effects:
            try:
                self.apply(effects)
            except Exception as error:
                raise ApplyFailedError from error

    def _handle_probed(self, message: M) -> None:
        """The same with the named points at which faults are injected."""
        probe = self.slot.probe
        probe(Point.BEFORE_DECIDE, message)
        effects = self.decide(message)
        probe(Point.AFTER_DECIDE, message)
        try:
            probe(Point.IN_APPLY, message)
            if effects:
                self.apply(effects)
        except Exception as error:
            raise ApplyFailedError from error
