"""A slot: the place in a supervisor that a reference names, and what outlives the incarnations in it.

The slot owns the mailbox, the last good state, the timers and the watchers; an incarnation is a task that
comes and goes. `run_incarnation` is the box around one: it turns the task's end, however it came, into an
exit reason, and swallows nothing that belongs to somebody else.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, final

import trio

from supervision.exit_reason import Crashed, ExitReason, Killed, describe
from supervision.mailbox import Mailbox
from supervision.ref import Ref
from supervision.reply import ActorCrashed, Reply
from supervision.report import ChildStarted, MessageSetAside

if TYPE_CHECKING:
    from collections.abc import Callable

    from supervision.actor import Actor
    from supervision.child_spec import ChildSpec
    from supervision.runtime import Runtime
    from supervision.timers import Timer

M = TypeVar("M")
S = TypeVar("S")

ATTEMPTS_MAX: Final = 2
"""A message that was in hand at this many deaths is suspect, even if each death came from outside."""


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
        self.suspect: BaseException | None = None  # set when the message in hand must not be tried again
        self.ready: Reply[None] | None = None  # told when an init has ended, well or not
        self.closing: list[Callable[[Slot[M], ExitReason], None]] | None = None
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
        """Call `told`, which must not raise, in the tick in which this slot ends for good."""
        if self.closing is None:
            self.closing = []
        self.closing.append(told)

    # -- life (supervisors only)

    def begin(self, nursery: trio.Nursery, ended: Callable[[Slot[M], ExitReason], None]) -> None:
        """Start an incarnation in `nursery`; `ended` is called, synchronously, when it is over."""
        assert self._scope is None, f"{self.path} already lives"
        self._scope = trio.CancelScope(shield=True)
        self._kill_reason = None
        self.mailbox.stop = None
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

    def close(self, reason: ExitReason) -> None:
        """End this slot for good: answer what waits in the mailbox, tell the watchers, drop the timers."""
        if self.status is Status.CLOSED:
            return
        self.status = Status.CLOSED
        left = self.mailbox.close()
        for timer in self.timers or ():
            timer.cancel_nowait()
        self.timers = None
        for message in left:
            fail_reply(message, ActorCrashed(f"{self.path} has ended: {describe(reason)}"))
        told, self.closing = self.closing, None
        for tell in told or ():
            tell(self, reason)
        if self.spec.abandoned is not None:
            self.spec.abandoned(left)
        self.state = None

    def _over(self, reason: ExitReason) -> None:
        """Book the end of an incarnation."""
        self._scope = None
        self.died_at = trio.current_time()
        if isinstance(reason, Crashed | Killed):
            self.last_crash = describe(reason)
        if self.status is Status.RUNNING and self.mailbox.in_hand() is not None:
            self._suspect_in_hand(reason)
        if self._gone is not None:
            self._gone.set()
            self._gone = None

    def _suspect_in_hand(self, reason: ExitReason) -> None:
        if isinstance(reason, Crashed) and not isinstance(reason.error, trio.TooSlowError):
            self.suspect = reason.error
        elif self.mailbox.attempts >= ATTEMPTS_MAX:
            self.suspect = ActorCrashed(
                f"{self.path} died {self.mailbox.attempts} times with this message in hand"
            )


async def run_incarnation(
    slot: Slot[Any], scope: trio.CancelScope, ended: Callable[[Slot[Any], ExitReason], None]
) -> None:
    """The box around one incarnation: its end becomes an exit reason, told to `ended`."""
    reason: ExitReason | None = None
    with scope:
        reason = await _live(slot)
    if reason is None:  # the scope caught the cancellation
        reason = slot._kill_reason or Killed()  # the box is part of the slot
    slot._over(reason)
    ended(slot, reason)


async def _live(slot: Slot[Any]) -> ExitReason:
    actor: Actor[Any, Any] | None = None
    try:
        actor = slot.spec.start(slot)
        await actor.init()
        if not actor.starts_in_run:
            announce(slot)
        settle_suspect(slot, actor)
        reason = await actor.run()
        await actor.terminate(reason)
    except ApplyFailedError as error:
        cause = error.__cause__ or error
        if actor is not None:
            actor.broken(cause)
        return Crashed(cause)
    except Exception as error:  # noqa: BLE001  # this is the one place where an actor's crash becomes a value
        return Crashed(error)
    except BaseExceptionGroup as group:
        _cancelled, errors = group.split(trio.Cancelled)
        if errors is None:
            raise
        return Crashed(errors)
    return reason


def announce(slot: Slot[Any]) -> None:
    """The start has ended well: say so to whoever waits for it, and report it."""
    slot.status = Status.RUNNING
    recovery = None if slot.died_at is None else trio.current_time() - slot.died_at
    slot.runtime.report(ChildStarted(slot.path, slot.incarnation, recovery))
    if slot.ready is not None:
        slot.ready.set(None)


def settle_suspect(slot: Slot[Any], actor: Actor[Any, Any]) -> None:
    """Take a suspect message out of the mailbox, whatever its own handling of that does."""
    if slot.suspect is None:
        return
    error, slot.suspect = slot.suspect, None
    message = slot.mailbox.in_hand()
    slot.mailbox.done()
    slot.runtime.report(MessageSetAside(slot.path, message, error))
    actor.apply(actor.set_aside(message, error))


def fail_reply(message: object, error: BaseException) -> None:
    """If the message carries a reply, fail it: a caller never waits for what will not come."""
    reply = getattr(message, "reply", None)
    if isinstance(reply, Reply):
        reply.fail(error)
