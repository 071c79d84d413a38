"""The write batcher: collects what everybody wants written and commits it together (group commit).

It never waits: one batch is with the driver at a time, its answer comes back as a message, and what arrives
meanwhile is the next batch. Both outlive the actor, and its supervisor as well, so that whoever comes next
waits for the driver thread that a predecessor started. A batch of unknown outcome is committed again,
identical, until its outcome is known; nobody who waits for it is told anything before.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple, final

import trio

from actors.store_messages import BatchDone, BatcherMessage, Commit, TryAgain
from store.errors import StoreError, StoreUnavailable
from store.writes import BATCH_US_MAX, batch_length, check_write, size_of
from supervision.actor import Actor
from supervision.child_spec import ChildSpec
from supervision.runtime import Point

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from actors.blocking import BlockingPool
    from actors.store_access import StoreAccess
    from store.writes import Outcome, Write
    from supervision.exit_reason import ExitReason
    from supervision.reply import Reply
    from supervision.slot import Slot
    from supervision.timers import Timer

RETRY_SECONDS: Final = 0.25
"""Between two tries of a batch that the database did not answer for."""
GRACE_SECONDS: Final = 5.0
"""How long an orderly stop waits for the driver: longer than its time-outs, shorter than the whole stop."""
BATCH_US_MIN: Final = 5_000
"""A batch is made no smaller for a database that is too slow for larger ones."""
WAITING_MAX: Final = 20_000
"""Writes that may wait while the database is slow; some ten seconds of the embedded one's work."""
WAITING_BYTES_MAX: Final = 64 * 1024 * 1024
"""What they may weigh, unless the settings say otherwise."""


@final
class DatabaseAway(NamedTuple):
    """Noted when the database stops answering, or refuses us."""

    why: str


@final
class DatabaseBack(NamedTuple):
    """Noted when it answers again, so many seconds later."""

    seconds: float


class _Waiting(NamedTuple):
    """One caller's writes, and how many of them have no outcome yet."""

    commit: Commit
    outcomes: list[Outcome | None]


class _Entry(NamedTuple):
    """One write of one caller."""

    write: Write
    waiting: _Waiting
    position: int
    size: int


@final
class BatcherState:
    """What waits, and what is with the driver.

    Attributes:
        waiting: Writes in the order they came.
        waiting_bytes: What they weigh.
        batch: Those that are with the driver, or will be again; empty if none are.
        answer: The driver's answer to come; None while the batch waits for its next try.
        unknown: Whether some try of this batch may have taken effect.
        away_since: When the database stopped answering, in seconds of Trio's clock.
        retry: The timer of the next try.
        us_max: What the next batch may cost, by our estimate, in microseconds: half as much whenever the
            database did not answer in time, else twice as much up to `BATCH_US_MAX`.
    """

    __slots__ = (
        "answer",
        "away_since",
        "batch",
        "committed",
        "retry",
        "unknown",
        "us_max",
        "waiting",
        "waiting_bytes",
    )

    def __init__(self) -> None:
        self.waiting: deque[_Entry] = deque()
        self.waiting_bytes = 0
        self.batch: tuple[_Entry, ...] = ()
        self.answer: Reply[list[Outcome]] | None = None
        self.unknown = False
        self.away_since: float | None = None
        self.retry: Timer | None = None
        self.committed = 0
        self.us_max = BATCH_US_MAX


class Bounds(NamedTuple):
    """How long callers are kept waiting for a database that is away, and how many bytes of theirs."""

    away_seconds_max: float
    waiting_bytes_max: int


@final
class Batcher(Actor[BatcherMessage, BatcherMessage]):
    """See the module's docstring; made by `batcher_spec`."""

    def __init__(
        self,
        slot: Slot[BatcherMessage],
        access: StoreAccess,
        pool: BlockingPool,
        bounds: Bounds,
        note: Callable[[object], None],
    ) -> None:
        super().__init__(slot)
        self._access = access
        self._pool = pool
        self._bounds = bounds
        self._note = note
        self._state = access.batches
        access.set_batcher(slot.ref)

    async def init(self) -> None:
        """Go on where the predecessor stopped, whose supervisor may have ended with it."""
        state = self._state
        if state.answer is not None:
            self._expect(state.answer)
        elif state.batch or state.away_since is not None:
            self._retry_later()

    def decide(self, message: BatcherMessage) -> Sequence[BatcherMessage]:
        """Everything it is told it does."""
        return (message,)

    def apply(self, effects: Sequence[BatcherMessage]) -> None:
        """Collect, hand out outcomes, or try again."""
        for message in effects:
            match message:
                case Commit():
                    self._collect(message)
                case BatchDone(answer):
                    self._finish(answer)
                case TryAgain():
                    self._try_again()

    def flush(self) -> None:
        """Start the next batch with everything that has come, if the driver is free.

        Not before the next try is due, if the database is away: what waits that out is there all the time.
        """
        state = self._state
        is_pausing = state.away_since is not None and state.retry is not None and state.retry.is_pending
        if state.waiting and not state.batch and not is_pausing:
            length = batch_length((entry.write for entry in state.waiting), state.us_max)
            state.batch = tuple(state.waiting.popleft() for _ in range(length))
            state.waiting_bytes -= sum(entry.size for entry in state.batch)
            self._submit()

    def _collect(self, commit: Commit) -> None:
        """Put a caller's writes behind the others, unless they cannot be carried out or there is no room."""
        if not commit.writes:
            commit.reply.set([])
            return
        try:
            for write in commit.writes:
                check_write(write)  # its author's fault must not become everybody's in the batch
        except ValueError as error:
            commit.reply.fail(error)
            return
        waiting = _Waiting(commit, [None] * len(commit.writes))
        entries = [_Entry(write, waiting, at, size_of(write)) for at, write in enumerate(commit.writes)]
        size = sum(entry.size for entry in entries)
        if not commit.waits_out and (self._is_away_too_long() or self._is_full(len(entries), size)):
            commit.reply.fail(StoreUnavailable("the database is away", outcome_unknown=False))
            return
        self._state.waiting.extend(entries)
        self._state.waiting_bytes += size

    def _is_full(self, count: int, size: int) -> bool:
        state = self._state
        is_too_many = len(state.waiting) + count > WAITING_MAX
        return is_too_many or state.waiting_bytes + size > self._bounds.waiting_bytes_max

    def _is_away_too_long(self) -> bool:
        since = self._state.away_since
        return since is not None and trio.current_time() - since > self._bounds.away_seconds_max

    def _submit(self) -> None:
        state = self._state
        self.slot.probe(Point.BATCH_BUILT, state.batch)
        access, writes = self._access, [entry.write for entry in state.batch]
        self._expect(self._pool.submit(lambda: access.driver.commit(writes)))

    def _expect(self, answer: Reply[list[Outcome]]) -> None:
        """Have the driver's answer posted to whatever incarnation there is when it comes."""
        self._state.answer = answer
        ref = self.ref

        def told() -> None:
            ref.tell(BatchDone(answer))

        if answer.is_filled:
            told()
        else:
            answer.on_filled = told

    def _finish(self, answer: Reply[list[Outcome]]) -> None:
        state = self._state
        if answer is not state.answer:
            return
        state.answer = None
        try:
            outcomes = answer.result()
        except StoreError as error:
            self._unavailable(error)
            return
        except Exception as error:  # noqa: BLE001  # no later try can mend it: it is for those who asked
            for entry in self._batch_is_over():
                entry.waiting.commit.reply.fail(error)
            return
        state.unknown = True  # to whoever commits it again, should this incarnation end before all are told
        self.slot.probe(Point.COMMITTED, state.batch)
        batch = self._batch_is_over()
        state.committed += len(batch)
        state.us_max = min(2 * state.us_max, BATCH_US_MAX)
        for entry, outcome in zip(batch, outcomes, strict=True):
            _settle(entry, outcome)

    def _batch_is_over(self) -> tuple[_Entry, ...]:
        """The database has answered, one way or the other: the next batch begins with a clean slate."""
        state = self._state
        if state.away_since is not None:
            self._note(DatabaseBack(trio.current_time() - state.away_since))
        batch, state.batch, state.unknown, state.away_since = state.batch, (), False, None
        return batch

    def _unavailable(self, error: StoreError) -> None:
        """Hold on for a while; then give up what certainly had no effect, and only that.

        A database that refuses us is away as well, until somebody has put that right.
        """
        state = self._state
        if state.batch and isinstance(error, StoreUnavailable) and error.outcome_unknown:
            state.unknown = True
            state.us_max = max(state.us_max // 2, BATCH_US_MIN)
        if state.away_since is None:
            state.away_since = trio.current_time()
            self._note(DatabaseAway(str(error)))
        if self._is_away_too_long():
            self._give_up(StoreUnavailable(str(error), outcome_unknown=False))
        self._retry_later()

    def _give_up(self, error: StoreUnavailable) -> None:
        """Tell callers so, except those of whose writes some may have taken effect, or who wait it out."""
        state = self._state
        tried = {id(entry.waiting) for entry in state.batch} if state.unknown else set()
        entries = state.waiting if state.unknown else (*state.batch, *state.waiting)
        if not state.unknown:
            state.batch = ()
        stays: deque[_Entry] = deque()
        for entry in entries:
            waiting = entry.waiting
            has_begun = id(waiting) in tried or any(each is not None for each in waiting.outcomes)
            if waiting.commit.waits_out or has_begun:
                stays.append(entry)
            else:
                waiting.commit.reply.fail(error)
        state.waiting = stays
        state.waiting_bytes = sum(entry.size for entry in stays)

    def _retry_later(self) -> None:
        state = self._state
        if state.retry is None or not state.retry.is_pending:
            state.retry = self.slot.send_after(RETRY_SECONDS, TryAgain())

    def _try_again(self) -> None:
        state = self._state
        if state.answer is not None:
            return
        if state.batch:
            self._submit()
        elif state.away_since is not None and not state.waiting:
            self._ask_whether_back()

    def _ask_whether_back(self) -> None:
        """With nothing to commit, an empty batch tells whether the database is there again."""
        access = self._access

        def ping() -> list[Outcome]:
            access.driver.ping()
            return []

        self._expect(self._pool.submit(ping))

    async def terminate(self, _reason: ExitReason) -> None:
        """Commit what has been accepted, within the grace: the database stops after us, unless it is away."""
        mailbox, state = self.mailbox, self._state
        has_tried_again = False
        while mailbox.queue or mailbox.control or state.waiting or state.batch:
            if state.away_since is not None and state.answer is None:
                if has_tried_again:
                    return
                has_tried_again = True
                self._try_again()
            while mailbox.queue or mailbox.control:
                self.apply(self.decide(mailbox.take()))
                mailbox.done()
            self.flush()
            if state.batch and not (mailbox.queue or mailbox.control):
                await mailbox.wait()

    def set_aside(self, message: BatcherMessage, error: BaseException) -> Sequence[BatcherMessage]:
        """It is heeded all the same: what a caller gives is checked where it is taken; it is not at fault."""
        return (message,)


def _settle(entry: _Entry, outcome: Outcome) -> None:
    """Note one outcome; the caller is answered with the last of its writes."""
    waiting = entry.waiting
    waiting.outcomes[entry.position] = outcome
    done = [each for each in waiting.outcomes if each is not None]
    if len(done) == len(waiting.outcomes):
        waiting.commit.reply.set(done)


def batcher_spec(
    access: StoreAccess,
    pool: BlockingPool,
    away_seconds_max: float,
    waiting_bytes_max: int = WAITING_BYTES_MAX,
    note: Callable[[object], None] = lambda _event: None,
) -> ChildSpec:
    """The child spec; when the database has been away for `away_seconds_max`, writes fail at once."""
    bounds = Bounds(away_seconds_max, waiting_bytes_max)
    return ChildSpec(
        "batcher",
        lambda slot: Batcher(slot, access, pool, bounds, note),
        grace_seconds=GRACE_SECONDS,
        messages_max=WAITING_MAX,
    )
