"""Both queues against plain lists, whatever happens in whatever order."""

from typing import NamedTuple, Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.stream_queue import H_MODULUS, AcknowledgedTooMuchError, Fate, Incoming, Outgoing, recovered


class Entry:
    """Something to send, which may be held for a while."""

    def __init__(self, size: int, *, is_held: bool) -> None:
        self.size = size
        self.is_held = is_held

    @property
    def gate(self) -> Self | None:
        """Itself, while it is held."""
        return self if self.is_held else None

    @property
    def is_open(self) -> bool:
        return not self.is_held


class Append(NamedTuple):
    """One more."""

    size: int
    is_held: bool


class Open(NamedTuple):
    """The so-manieth of those held may be written."""

    which: int


class Acknowledge(NamedTuple):
    """So many more than before, or fewer."""

    by: int


_OUTGOING = st.one_of(
    st.builds(Append, st.integers(1, 100), st.booleans()),
    st.builds(Open, st.integers(0, 5)),
    st.builds(Acknowledge, st.integers(-3, 6)),
    st.sampled_from(["write", "write all", "rewind", "mark"]),
)


class PlainOutput:
    """The same as one list of everything there ever was, each by its wire number."""

    def __init__(self, acked: int) -> None:
        self.first = acked
        self.all: list[Entry] = []
        self.acked = acked
        self.written = acked  # the wire number of the last that was written to this connection
        self.sent = acked  # to any connection
        self.origin = acked

    @property
    def last(self) -> int:
        return self.first + len(self.all)

    def owed(self) -> list[Entry]:
        return self.all[self.acked - self.first :]

    def write(self) -> Entry | None:
        if self.written == self.last or self.all[self.written - self.first].is_held:
            return None
        self.written += 1
        self.sent = max(self.sent, self.written)
        return self.all[self.written - self.first - 1]

    def append(self, entry: Entry) -> int:
        self.all.append(entry)
        return self.last - self.origin

    def acknowledge(self, number: int) -> list[Entry] | None:
        """None if that many were never written."""
        if number > self.sent:
            return None
        handled = self.all[self.acked - self.first : max(number, self.acked) - self.first]
        self.acked = max(number, self.acked)
        self.written = max(self.written, self.acked)
        return handled


def _step(plain: PlainOutput, outgoing: Outgoing[Entry], step: Append | Open | Acknowledge | str) -> None:
    match step:
        case Append(size, is_held):
            entry = Entry(size, is_held=is_held)
            assert outgoing.append(entry) == plain.append(entry)
        case Open(which):
            held = [entry for entry in plain.owed() if entry.is_held]
            if held:
                held[which % len(held)].is_held = False
        case Acknowledge(by):
            _acknowledge(plain, outgoing, plain.acked + by)
        case "write":
            assert outgoing.next() is plain.write()
        case "write all":
            while (written := plain.write()) is not None:
                assert outgoing.next() is written
            assert outgoing.next() is None
        case "rewind":
            outgoing.rewind()
            plain.written = plain.acked
        case _:
            outgoing.mark()
            plain.origin = plain.last


def _acknowledge(plain: PlainOutput, outgoing: Outgoing[Entry], number: int) -> None:
    expected = plain.acknowledge(number)
    if expected is None:
        with pytest.raises(AcknowledgedTooMuchError) as caught:
            outgoing.acknowledge(number % H_MODULUS)
        assert caught.value.sent == plain.sent % H_MODULUS
    else:
        assert outgoing.acknowledge(number % H_MODULUS) == expected


@given(
    st.one_of(st.integers(0, 10), st.integers(H_MODULUS - 5, H_MODULUS + 5)),
    st.lists(_OUTGOING, max_size=40),
)
def test_outgoing_is_a_window_of_a_list(acked: int, steps: list[Append | Open | Acknowledge | str]) -> None:
    plain, outgoing = PlainOutput(acked), Outgoing[Entry](acked)
    for step in steps:
        _step(plain, outgoing, step)
        assert outgoing.entries() == plain.owed()
        assert (outgoing.acked, outgoing.origin) == (plain.acked, plain.origin)
        assert (len(outgoing.written), outgoing.bytes) == (
            plain.written - plain.acked,
            sum(entry.size for entry in plain.owed()),
        )


# -- incoming


class Settle(NamedTuple):
    """The so-manieth of those in hand is dealt with."""

    which: int
    fate: Fate


_INCOMING = st.one_of(
    st.builds(Settle, st.integers(0, 5), st.sampled_from([Fate.LOGGED, Fate.DONE])),
    st.sampled_from(["receive", "save", "journaled"]),
)


@given(st.integers(0, 3), st.lists(_INCOMING, max_size=60))
def test_incoming_safe_is_what_a_crash_would_not_forget(received: int, steps: list[Settle | str]) -> None:
    """What is acknowledged never exceeds what recovery finds, and never falls."""
    incoming = Incoming(received, is_journaled=True)
    fates: dict[int, Fate] = {}
    counter, submitted, told = received, received, received
    for step in steps:
        match step:
            case Settle(which, fate):
                in_hand = [number for number, each in fates.items() if each is Fate.OPEN]
                if in_hand:
                    number = in_hand[which % len(in_hand)]
                    fates[number] = fate
                    incoming.settle(number, fate)
            case "receive":
                fates[incoming.receive()] = Fate.OPEN
            case "save":
                submitted = incoming.done
                assert all(fates[number] is not Fate.OPEN for number in fates if number <= submitted)
            case _:
                counter = max(counter, submitted)
                incoming.journaled(submitted)
        logged = [number for number, each in fates.items() if each is Fate.LOGGED and number > counter]
        assert incoming.safe == recovered(counter, logged)
        assert told <= incoming.safe <= incoming.done <= incoming.received
        assert incoming.counter == counter
        told = incoming.safe
