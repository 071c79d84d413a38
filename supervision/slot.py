"""A slot: the place in a supervisor that a reference names, and what outlives the incarnations in it.

The slot owns the mailbox, the last good state, the timers and the watchers; an incarnation is a task that
comes and goes. `run_incarnation` is the box around one: it turns the task's end, however it came, into an
exit reason, and swallows nothing that belongs to somebody else.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, final

import trio

from supervision.exit_reason import Crashed, ExitReason, Killed, describe, sole_cause
from supervision.mailbox import Mailbox
from supervision.ref import ENDED_BEFORE, Ref
from supervision.reply import ActorCrashed, CallError, Reply
from supervision.report import ChildStarted, MessageSetAside
from supervision.runtime import KillHere

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from supervision.actor import Actor
    from supervision.child_spec import ChildSpec
    from supervision.runtime import Point, Runtime
    from supervision.timers import Timer

M = TypeVar("M")
S = TypeVar("S")

ATTEMPTS_MAX: Final = 2
"""A message that was in hand at this many deaths is suspect, even if each death came from outside."""

PERHAPS_NOT_GUILTY: Final = (trio.TooSlowError, CallError)
"""Errors of which the message in hand need not be guilty: what it waited for was slow, or had ended."""


class Status(enum.Enum):
    """Where a slot is in its life."""

    IDLE = "idle"  # has no incarnation: not started yet, or stopped together with a sibling
    STARTING = "starting"
    RUNNING = "running"
    RESTARTING = "restarting"
    CLOSED = "closed"


class ApplyFailedError(Exception):
    """An exception inside apply: an invariant is broken and the state in the slot cannot be trusted."""


@final
class Slot(Generic[M]):
    """See the module's docstring."""

    __slots__ = (
        "_gone",
        "_kill_reason",
        "_scope",
        "closing",
        "died_at",
        "end",
        "handled",
        "incarnation",
        "last_crash",
        "mailbox",
        "parent",
        "ready",
        "ref",
        "restarts",
        "runtime",
        "spec",
        "state",
        "status",
        "suspect",
        "timers",
    )

    def __init__(self, spec: ChildSpec, parent: Slot[Any] | None, runtime: Runtime) -> None:
        self.spec = spec
        self.parent = parent
        self.runtime = runtime
        self.mailbox: Mailbox[M] = Mailbox(spec.messages_max, spec.bytes_max)
        self.ref: Ref[M] = Ref(self)
        self.state: object | None = None
        self.status = Status.IDLE
        self.incarnation = 0
        self.restarts = 0
        self.handled = 0
        self.last_crash: str | None = None
        self.died_at: float | None = None
        self.end: ExitReason | None = None  # of the latest incarnation that is over
        self.suspect: BaseException | None = None  # set when the message in hand must not be tried again
        self.ready: Reply[None] | None = None  # told when an init has ended, well or not
        self.closing: dict[Callable[[Slot[M], ExitReason], None], None] | None = None  # in order, each once
        self.timers: set[Timer] | None = None
        self._scope: trio.CancelScope | None = None
        self._kill_reason: ExitReason | None = None
        self._gone: trio.Event | None = None

    @property
    def path(self) -> str:
        """Where this slot is in the tree: `/` for the root, then ids."""
        if self.parent is None:
            return "/"
        above = self.parent.path
        return f"{above}{self.spec.id}" if above == "/" else f"{above}/{self.spec.id}"

    @property
    def is_live(self) -> bool:
        """Whether there is an incarnation, starting or running."""
        return self._scope is not None

    def keep(self, make: Callable[[], S]) -> S:
        """The state kept in this slot: made once, the same object for every incarnation until forgotten."""
        if self.state is None:
            self.state = make()
        return self.state  # type: ignore[return-value]  # one slot has one kind of state, made by `make`

    def send_after(self, seconds: float, message: M) -> Timer:
        """Post `message` to this slot's control lane in `seconds`; the timer ends with the slot."""
        assert self.runtime.timers is not None, "this tree has no timers"
        timer = self.runtime.timers.add(trio.current_time() + seconds, self, message)
        if self.timers is None:
            self.timers = set()
        self.timers.add(timer)
        return timer

    def on_close(self, told: Callable[[Slot[M], ExitReason], None]) -> None:
        """Call `told`, which must not raise, in the tick in which this slot ends for good; now if it has."""
        if not self.mailbox.is_open:
            told(self, ENDED_BEFORE)
            return
        if self.closing is None:
            self.closing = {}
        self.closing[told] = None

    def forget_on_close(self, told: Callable[[Slot[M], ExitReason], None]) -> None:
        """Do not call `told` after all."""
        if self.closing is not None:
            self.closing.pop(told, None)

    def probe(self, point: Point, message: object) -> None:
        """Give the runtime's probe its chance to make a fault happen here."""
        if self.runtime.probe is not None:
            self.runtime.probe(point, self, message)

    # -- life (supervisors only)

    def begin(self, nursery: trio.Nursery, ended: Callable[[Slot[M], ExitReason], None]) -> None:
        """Start an incarnation in `nursery`; `ended` is called, synchronously, when it is over."""
        assert self._scope is None, f"{self.path} already lives"
        self._scope = trio.CancelScope(shield=True)
        self._kill_reason = None
        self.mailbox.begin()
        self.incarnation += 1
        self.status = Status.STARTING
        nursery.start_soon(run_incarnation, self, self._scope, ended, name=self.spec.id)

    def kill(self, why: str = "killed") -> None:
        """Cancel the incarnation, if there is one, without asking it."""
        if self._scope is not None:
            self._kill_reason = Killed(why)
            self._scope.cancel()

    async def wait_gone(self) -> None:
        """Wait until there is no incarnation."""
        while self._scope is not None:
            if self._gone is None:
                self._gone = trio.Event()
            await self._gone.wait()

    def retire(self, reason: ExitReason) -> None:
        """Take no more messages and tell the watchers, in this tick.

        The incarnation may still be on its way out; there will be no other.
        """
        self.mailbox.is_open = False
        told, self.closing = self.closing, None
        errors: list[Exception] = []
        for tell in told or ():
            try:
                tell(self, reason)
            except Exception as error:  # noqa: BLE001  # the others must be told all the same
                errors.append(error)
        if errors:
            raise ExceptionGroup(f"watchers of {self.path} failed", errors)

    def close(self, reason: ExitReason) -> None:
        """End this slot for good: answer what waits in the mailbox, tell the watchers, drop the timers."""
        if self.status is Status.CLOSED:
            return
        self.status = Status.CLOSED
        try:
            self.retire(reason)
        finally:
            self._clear_out(reason)

    def _clear_out(self, reason: ExitReason) -> None:
        left = self.mailbox.close()
        for timer in self.timers or ():
            timer.cancel_nowait()
        self.timers = None
        for message in left:
            fail_reply(message, ActorCrashed(f"{self.path} has ended: {describe(reason)}"))
        if self.spec.abandoned is not None:
            self.spec.abandoned(left)
        self.state = None

    def _over(self, reason: ExitReason) -> None:
        """Book the end of an incarnation."""
        self._scope = None
        self.died_at = trio.current_time()
        self.end = reason
        if isinstance(reason, Crashed | Killed):
            self.last_crash = describe(reason)
        if self.status is Status.RUNNING and self.mailbox.in_hand() is not None:
            self._suspect_in_hand(reason)
        if self._gone is not None:
            self._gone.set()
            self._gone = None

    def _suspect_in_hand(self, reason: ExitReason) -> None:
        """At once if the actor raised; the second time if somebody else may be to blame."""
        if isinstance(reason, Crashed) and not isinstance(sole_cause(reason.error), PERHAPS_NOT_GUILTY):
            self.suspect = reason.error
        elif self.mailbox.attempts >= ATTEMPTS_MAX:
            self.suspect = ActorCrashed(
                f"{self.path} died {self.mailbox.attempts} times with this message in hand"
            )


async def run_incarnation(
    slot: Slot[Any], scope: trio.CancelScope, ended: Callable[[Slot[Any], ExitReason], None]
) -> None:
    """The box around one incarnation: its end becomes an exit reason, told to `ended`.

    All in one coroutine, since each frame of a parked actor costs 200 bytes and a little of every hop.
    """
    actor: Actor[Any, Any] | None = None
    reason: ExitReason | None = None
    try:
        with scope:
            try:
                actor = slot.spec.start(slot)
                await actor.init()
                _enter(slot, actor)
                asked = await actor.run()
                await actor.terminate(asked)
                reason = asked
            except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001  # a crash becomes a value here
                reason = _reason_of(slot, actor, error)
    except BaseException:  # an interrupt from the keyboard, say: it belongs to whoever runs the tree
        slot._over(Killed("interrupted"))  # the box is part of the slot
        raise
    if reason is None:  # the scope caught the cancellation
        reason = slot._kill_reason or Killed()
    slot._over(reason)
    ended(slot, reason)


def _enter(slot: Slot[Any], actor: Actor[Any, Any]) -> None:
    """Init has ended well."""
    if not actor.starts_in_run:
        announce(slot)
    settle_suspect(slot, actor)


def _reason_of(slot: Slot[Any], actor: Actor[Any, Any] | None, error: BaseException) -> ExitReason:
    """What the actor raised, as one reason; of a group, what is not cancellation.

    Raises:
        BaseException: it is not the actor's own: cancellation alone, or something like an interrupt.
    """
    if not isinstance(error, Exception):
        assert isinstance(error, BaseExceptionGroup)
        _cancelled, errors = error.split(trio.Cancelled)
        if not isinstance(errors, ExceptionGroup):
            raise error
        error = errors
    cause = sole_cause(error)
    if isinstance(cause, KillHere):
        return Killed(str(cause) or "killed")
    if isinstance(cause, ApplyFailedError) and actor is not None:
        return _broken(slot, actor, cause.__cause__ or cause)
    return Crashed(error)


def _broken(slot: Slot[Any], actor: Actor[Any, Any], error: BaseException) -> Crashed:
    """Let the actor deal with its state; if it cannot do even that, the state is forgotten."""
    try:
        actor.broken(error)
    except Exception as worse:  # noqa: BLE001  # it is part of the same crash
        slot.state = None
        return Crashed(BaseExceptionGroup("apply failed, and so did what should mend it", [error, worse]))
    return Crashed(error)


def announce(slot: Slot[Any]) -> None:
    """The start has ended well: say so to whoever waits for it, and report it."""
    slot.status = Status.RUNNING
    recovery = None if slot.died_at is None else trio.current_time() - slot.died_at
    slot.runtime.report(ChildStarted(slot.path, slot.incarnation, recovery))
    if slot.ready is not None:
        slot.ready.set(None)


def settle_suspect(slot: Slot[Any], actor: Actor[Any, Any]) -> None:
    """Take a suspect message out of the mailbox, whatever its own handling of that does.

    Raises:
        ApplyFailedError: the effects of setting it aside could not be applied.
        Exception: `set_aside` raised. Either way a caller has been answered.
    """
    if slot.suspect is None:
        return
    error, slot.suspect = slot.suspect, None
    message = slot.mailbox.take()
    slot.mailbox.done()
    slot.runtime.report(MessageSetAside(slot.path, message, error))
    try:
        effects = actor.set_aside(message, error)
        if effects:
            _apply(actor, effects)
    except Exception:
        fail_reply(message, error)
        raise


def _apply(actor: Actor[Any, Any], effects: Sequence[Any]) -> None:
    try:
        actor.apply(effects)
    except Exception as error:
        raise ApplyFailedError from error


def fail_reply(message: object, error: BaseException) -> None:
    """If the message carries a reply, fail it: a caller never waits for what will not come."""
    reply = getattr(message, "reply", None)
    if not isinstance(reply, Reply):
        return
    if not isinstance(error, CallError):  # the caller asked, and did not make this fault
        cause, error = error, ActorCrashed(f"the actor died of this request: {describe(Crashed(error))}")
        error.__cause__ = cause
    reply.fail(error)
