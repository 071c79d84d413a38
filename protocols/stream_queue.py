"""What a managed stream counts: stanzas sent and not acknowledged yet, and how far those received are safe.

Used by sessions whose stream is managed (XEP-0198 §4, §5). No I/O; numbers grow without end here and are cut
to 32 bits where they are written.
"""

from collections import deque
from enum import Enum
from typing import Final, Generic, Protocol, TypeVar, final

H_MODULUS: Final = 2**32
"""Where `h` begins again at zero (XEP-0198 §4)."""
LOOKS_MAX: Final = 1_000
"""Stanzas not yet safe of which it is kept what they look like; a peer has no more unacknowledged, mostly."""


class AcknowledgedTooMuchError(Exception):
    """The peer acknowledges what it was never sent.

    Attributes:
        h: What it acknowledged.
        sent: What it was sent.
    """

    def __init__(self, h: int, sent: int) -> None:
        super().__init__(f"you acknowledged {h} stanzas, and were sent {sent}")
        self.h = h
        self.sent = sent


class Gate(Protocol):
    """What may keep a stanza, and so all behind it, from being written yet."""

    @property
    def is_open(self) -> bool:
        """Whether it may be written."""


class Sendable(Protocol):
    """What an outgoing queue needs to know of what is in it."""

    @property
    def size(self) -> int:
        """Its bytes."""

    @property
    def gate(self) -> Gate | None:
        """What it waits for, if there is anything."""


E = TypeVar("E", bound=Sendable)


@final
class Outgoing(Generic[E]):
    """Stanzas on their way to the peer, in order, from their acceptance until they are acknowledged.

    What the peer counts is the wire number. A position is the same counted from the latest mark: what has
    been written down of positions holds whatever happened to wire numbers before the mark.

    Attributes:
        acked: The wire number of the last stanza acknowledged.
        sent: The highest wire number ever written, over whichever connection.
        written: Those that were written to the peer's present connection, oldest first.
        waiting: Those that were not.
        bytes: What both weigh.
        epoch: How many marks there have been.
        origin: The wire number at the latest mark: what position zero would have.
    """

    __slots__ = ("acked", "bytes", "epoch", "origin", "sent", "waiting", "written")

    def __init__(self, acked: int = 0, epoch: int = 0) -> None:
        self.acked = acked
        self.sent = acked
        self.written: deque[E] = deque()
        self.waiting: deque[E] = deque()
        self.bytes = 0
        self.epoch = epoch
        self.origin = acked

    def __len__(self) -> int:
        """How many are not acknowledged."""
        return len(self.written) + len(self.waiting)

    def append(self, entry: E) -> int:
        """Take one more; returns its position."""
        self.waiting.append(entry)
        self.bytes += entry.size
        return self.acked + len(self.written) + len(self.waiting) - self.origin

    def next(self) -> E | None:
        """The next to be written, which counts as written from now on; None if there is none to be."""
        waiting = self.waiting
        if not waiting:
            return None
        gate = waiting[0].gate
        if gate is not None and not gate.is_open:
            return None
        entry = waiting.popleft()
        self.written.append(entry)
        number = self.acked + len(self.written)
        self.sent = max(self.sent, number)
        return entry

    def acknowledge(self, h: int) -> list[E]:
        """Let go of what the peer has handled, given as 32 bits; returns that, oldest first.

        An `h` lower than an earlier one says nothing new, and returns nothing.

        Raises:
            AcknowledgedTooMuchError: that many were never written.
        """
        count = self.count_handled(h)
        if count < 0:
            return []
        written, handled = self.written, []
        for _ in range(count):
            entry = (written or self.waiting).popleft()
            self.bytes -= entry.size
            handled.append(entry)
        self.acked += count
        return handled

    def count_handled(self, h: int) -> int:
        """How many more than before are acknowledged by `h`; negative if it runs backwards.

        Raises:
            AcknowledgedTooMuchError: that many were never written.
        """
        count = (h - self.acked) % H_MODULUS
        if count >= H_MODULUS // 2:
            return count - H_MODULUS
        if self.acked + count > self.sent:
            raise AcknowledgedTooMuchError(h, self.sent % H_MODULUS)
        return count

    def rewind(self) -> None:
        """The connection is another: whatever is not acknowledged is to be written again."""
        self.written.extend(self.waiting)
        self.waiting, self.written = self.written, deque()

    def entries(self) -> list[E]:
        """All that is not acknowledged, oldest first."""
        return [*self.written, *self.waiting]

    def mark(self) -> None:
        """Count positions from behind all that is here: it has been written down one by one."""
        self.epoch += 1
        self.origin = self.acked + len(self)


class Fate(Enum):
    """What has become of a stanza that was received."""

    OPEN = 0  # somebody still has it in hand
    LOGGED = 1  # it stands in the log under its number
    DONE = 2  # dealt with; that it was, only a counter can say


@final
class Incoming:
    """Stanzas of the peer's by number, and how far they are safe.

    Safe is what a crash of everything would not forget: a counter that was journaled, and the run of logged
    stanzas right behind it. No more than that is ever acknowledged, so `h` never runs backwards. Where
    nothing is journaled, what was received is safe.

    A peer that has been told less than was received (§5) sends the rest again. What that looks like is kept,
    so that a stanza is passed over for having been received before only if it was.

    Attributes:
        received: How many have been received.
        safe: How many a crash of everything would not forget.
        counter: The counter that is known to be journaled.
        is_journaled: Whether anything is.
        expected: What the next stanzas look like, which were received before; None where nobody knows.
    """

    __slots__ = ("_fates", "_looks", "counter", "expected", "is_journaled", "received", "safe")

    def __init__(self, received: int = 0, *, is_journaled: bool) -> None:
        self.received = received
        self.safe = received
        self.counter = received
        self.is_journaled = is_journaled
        self.expected: deque[int | None] = deque()
        self._fates: deque[Fate] = deque()  # of those behind `safe`
        self._looks: deque[int | None] = deque()  # of the same

    def receive(self, look: int | None = None) -> int:
        """Count one more; returns its number. It is open until `settle` says otherwise.

        Args:
            look: A number that a repetition of it has as well, and nothing else.
        """
        self.received += 1
        if self.is_journaled:
            self._fates.append(Fate.OPEN)
            self._looks.append(look if len(self._looks) < LOOKS_MAX else None)
        else:
            self.safe = self.received
        return self.received

    @property
    def h(self) -> int:
        """How many may be acknowledged: none that the peer has not sent, as it counts since it resumed."""
        return min(self.safe, self.received - len(self.expected))

    def resumed(self) -> None:
        """The peer has been told `h` anew, and will send again whatever is behind that."""
        if self.h == self.safe:
            self.expected = self._looks.copy()

    def is_repeat(self, look: int) -> bool:
        """Whether the next that is expected looks like this."""
        return bool(self.expected) and self.expected[0] == look

    def repeated(self) -> None:
        """The next that is expected has come."""
        self.expected.popleft()

    def settle(self, number: int, fate: Fate) -> None:
        """Nobody has it in hand any more."""
        if number > self.safe:
            self._fates[number - self.safe - 1] = fate
            self._advance()

    @property
    def done(self) -> int:
        """The number up to which nobody has anything in hand: what a counter may say."""
        done = self.safe
        for fate in self._fates:
            if fate is Fate.OPEN:
                break
            done += 1
        return done

    def done_behind(self, counter: int) -> list[int]:
        """The numbers behind this one of what is dealt with without a record in the log, in order."""
        fates = enumerate(self._fates, self.safe + 1)
        return [number for number, fate in fates if fate is Fate.DONE and number > counter]

    def journaled(self, counter: int) -> None:
        """A counter has been journaled."""
        self.counter = max(self.counter, counter)
        while self.safe < counter:
            self._step()
        self._advance()

    def _advance(self) -> None:
        fates = self._fates
        while fates and fates[0] is Fate.LOGGED:
            self._step()

    def _step(self) -> None:
        self._fates.popleft()
        self._looks.popleft()
        self.safe += 1


def recovered(counter: int, logged: list[int]) -> int:
    """How many stanzas are safe after a crash: the counter, and the run of logged numbers behind it."""
    for number in logged:
        if number == counter + 1:
            counter = number
    return counter
