"""What is sent until it is acknowledged, and what was received until it is safe (XEP-0198 §4, §5)."""

from typing import NamedTuple

import pytest

from protocols.stream_queue import (
    H_MODULUS,
    LOOKS_MAX,
    AcknowledgedTooMuchError,
    Fate,
    Gate,
    Incoming,
    Outgoing,
    recovered,
)


class Entry(NamedTuple):
    """Something to send."""

    name: str
    size: int = 10
    gate: Gate | None = None


class Door(NamedTuple):
    """Open or not."""

    is_open: bool


def filled(*names: str, acked: int = 0, written: int = 0) -> Outgoing[Entry]:
    """A queue with these, of which so many have been written."""
    outgoing: Outgoing[Entry] = Outgoing(acked)
    for name in names:
        outgoing.append(Entry(name))
    for _ in range(written):
        assert outgoing.next() is not None
    return outgoing


def names(entries: list[Entry]) -> str:
    return "".join(entry.name for entry in entries)


# -- outgoing


def test_outgoing_is_written_in_order_and_kept_until_acknowledged() -> None:
    outgoing = filled("a", "b", "c")
    assert [outgoing.next(), outgoing.next()] == [Entry("a"), Entry("b")]
    assert (names(outgoing.entries()), len(outgoing), outgoing.bytes) == ("abc", 3, 30)
    assert names(outgoing.acknowledge(1)) == "a"
    assert (names(outgoing.entries()), len(outgoing), outgoing.bytes, outgoing.acked) == ("bc", 2, 20, 1)
    assert outgoing.next() == Entry("c")
    assert outgoing.next() is None
    assert names(outgoing.acknowledge(3)) == "bc"
    assert (len(outgoing), outgoing.bytes) == (0, 0)


def test_outgoing_what_is_held_holds_back_all_behind_it() -> None:
    outgoing = filled("a")
    outgoing.append(Entry("held", gate=Door(False)))
    outgoing.append(Entry("behind"))
    assert outgoing.next() == Entry("a")
    assert outgoing.next() is None
    outgoing.waiting[0] = Entry("free")
    assert [outgoing.next(), outgoing.next(), outgoing.next()] == [Entry("free"), Entry("behind"), None]


@pytest.mark.parametrize(("h", "sent"), [(3, 2), (4, 2), (H_MODULUS // 2 - 1, 2)])
def test_outgoing_acknowledged_too_much_is_refused_and_changes_nothing(h: int, sent: int) -> None:
    outgoing = filled("a", "b", "c", written=2)
    with pytest.raises(AcknowledgedTooMuchError) as caught:
        outgoing.acknowledge(h)
    assert (caught.value.h, caught.value.sent) == (h, sent)
    assert (outgoing.acked, names(outgoing.entries())) == (0, "abc")


def test_outgoing_acknowledged_again_or_less_says_nothing_new() -> None:
    outgoing = filled("a", "b", acked=5, written=2)
    assert names(outgoing.acknowledge(6)) == "a"
    assert outgoing.acknowledge(6) == outgoing.acknowledge(5) == []
    assert outgoing.count_handled(5) == -1
    assert outgoing.acked == 6


def test_outgoing_acknowledged_across_32_bits_counts_on() -> None:
    outgoing = filled("a", "b", "c", acked=H_MODULUS - 2, written=3)
    assert names(outgoing.acknowledge(H_MODULUS - 1)) == "a"
    assert names(outgoing.acknowledge(1)) == "bc"
    assert outgoing.acked == H_MODULUS + 1
    with pytest.raises(AcknowledgedTooMuchError, match="you acknowledged 2 stanzas, and were sent 1"):
        outgoing.acknowledge(2)


def test_outgoing_rewound_is_written_again_in_order() -> None:
    outgoing = filled("a", "b", "c", "d", written=3)
    outgoing.acknowledge(1)
    outgoing.rewind()
    written = [outgoing.next() for _ in range(3)]
    assert written == [Entry("b"), Entry("c"), Entry("d")]
    assert names(outgoing.acknowledge(4)) == "bcd"
    assert outgoing.bytes == 0


def test_outgoing_rewound_may_have_reached_the_peer_as_far_as_it_was_written() -> None:
    """Over the connection before; and no further."""
    outgoing = filled("a", "b", "c", "d", written=3)
    outgoing.rewind()
    with pytest.raises(AcknowledgedTooMuchError) as caught:
        outgoing.acknowledge(4)
    assert caught.value.sent == 3
    assert outgoing.next() == Entry("a")
    assert names(outgoing.acknowledge(3)) == "abc"
    assert (names(outgoing.entries()), outgoing.bytes, outgoing.next()) == ("d", 10, Entry("d"))


def test_outgoing_positions_count_from_the_latest_mark() -> None:
    outgoing: Outgoing[Entry] = Outgoing(100, epoch=3)
    assert [outgoing.append(Entry("a")), outgoing.append(Entry("b"))] == [1, 2]
    outgoing.next()
    outgoing.acknowledge(101)
    assert outgoing.append(Entry("c")) == 3
    outgoing.mark()
    assert (outgoing.epoch, outgoing.origin) == (4, 103)
    assert outgoing.append(Entry("d")) == 1
    for _ in range(3):
        outgoing.next()
    outgoing.acknowledge(104)
    assert outgoing.append(Entry("e")) == 2


# -- incoming


def test_incoming_that_was_logged_is_safe_as_far_as_all_before_it_is() -> None:
    incoming = Incoming(is_journaled=True)
    assert [incoming.receive() for _ in range(4)] == [1, 2, 3, 4]
    assert (incoming.received, incoming.safe, incoming.done) == (4, 0, 0)
    incoming.settle(2, Fate.LOGGED)
    assert (incoming.safe, incoming.done) == (0, 0)
    incoming.settle(1, Fate.LOGGED)
    assert (incoming.safe, incoming.done) == (2, 2)
    incoming.settle(4, Fate.LOGGED)
    assert (incoming.safe, incoming.done) == (2, 2)


def test_incoming_that_left_nothing_is_safe_with_a_counter_only() -> None:
    incoming = Incoming(is_journaled=True)
    for _ in range(4):
        incoming.receive()
    incoming.settle(1, Fate.DONE)
    incoming.settle(2, Fate.LOGGED)
    incoming.settle(4, Fate.LOGGED)
    assert (incoming.safe, incoming.done) == (0, 2)
    incoming.journaled(2)
    assert (incoming.safe, incoming.done, incoming.counter) == (2, 2, 2)
    incoming.settle(3, Fate.LOGGED)
    assert (incoming.safe, incoming.counter) == (4, 2)


def test_incoming_a_counter_makes_the_logged_behind_it_safe() -> None:
    incoming = Incoming(is_journaled=True)
    for number, fate in [(1, Fate.DONE), (2, Fate.LOGGED), (3, Fate.LOGGED)]:
        incoming.receive()
        incoming.settle(number, fate)
    incoming.journaled(1)
    assert incoming.safe == 3


def test_incoming_a_counter_that_comes_late_takes_nothing_back() -> None:
    incoming = Incoming(is_journaled=True)
    for number in (1, 2, 3):
        incoming.receive()
        incoming.settle(number, Fate.DONE)
    incoming.journaled(3)
    incoming.journaled(2)
    assert (incoming.safe, incoming.counter) == (3, 3)
    incoming.settle(1, Fate.LOGGED)
    assert incoming.safe == 3


def test_incoming_done_behind_one_that_is_still_in_hand() -> None:
    incoming = Incoming(3, is_journaled=True)
    for _ in range(5):
        incoming.receive()
    for number, fate in ((4, Fate.DONE), (6, Fate.DONE), (7, Fate.LOGGED), (8, Fate.DONE)):
        incoming.settle(number, fate)
    assert incoming.done == 4
    assert incoming.done_behind(incoming.done) == [6, 8]
    assert incoming.done_behind(0) == [4, 6, 8]


def test_incoming_where_nothing_is_journaled_is_safe_at_once() -> None:
    incoming = Incoming(7, is_journaled=False)
    assert incoming.receive() == 8
    incoming.settle(8, Fate.DONE)
    assert (incoming.safe, incoming.done) == (8, 8)


def received(*looks: int, safe: int = 0) -> Incoming:
    """Stanzas that look like this, of which the first so many are safe."""
    incoming = Incoming(is_journaled=True)
    for look in looks:
        incoming.receive(look)
    for number in range(1, safe + 1):
        incoming.settle(number, Fate.LOGGED)
    return incoming


def test_incoming_resumed_expects_what_was_received_beyond_what_the_peer_is_told() -> None:
    incoming = received(10, 20, 30, 40, safe=2)
    incoming.resumed()
    assert (incoming.h, list(incoming.expected)) == (2, [30, 40])
    assert incoming.is_repeat(30)
    incoming.repeated()
    assert not incoming.is_repeat(30)
    assert incoming.is_repeat(40)
    incoming.repeated()
    assert not incoming.is_repeat(40)
    assert incoming.receive(50) == 5


def test_incoming_nothing_is_acknowledged_that_the_peer_has_not_sent_again() -> None:
    incoming = received(10, 20, 30, safe=1)
    incoming.resumed()
    incoming.journaled(3)
    assert (incoming.safe, incoming.h) == (3, 1)
    incoming.repeated()
    assert incoming.h == 2
    incoming.repeated()
    assert incoming.h == 3


def test_incoming_resumed_in_the_middle_of_that_expects_the_rest() -> None:
    incoming = received(10, 20, 30, safe=1)
    incoming.resumed()
    incoming.repeated()
    incoming.resumed()
    assert (incoming.h, list(incoming.expected)) == (1, [20, 30]), "it is told as little as before"
    incoming.repeated()
    incoming.journaled(3)
    incoming.resumed()
    assert (incoming.h, list(incoming.expected)) == (2, [30])


def test_incoming_resumed_when_all_is_safe_expects_nothing() -> None:
    incoming = received(10, 20, safe=2)
    incoming.resumed()
    assert (incoming.h, list(incoming.expected)) == (2, [])


def test_incoming_of_too_many_nobody_knows_what_they_look_like() -> None:
    incoming = received(*range(LOOKS_MAX + 1))
    incoming.resumed()
    assert len(incoming.expected) == LOOKS_MAX + 1
    assert (incoming.expected[-2], incoming.expected[-1]) == (LOOKS_MAX - 1, None)


@pytest.mark.parametrize(
    ("counter", "logged", "safe"),
    [
        (0, [], 0),
        (3, [], 3),
        (3, [4, 5], 5),
        (3, [5, 6], 3),
        (3, [4, 6], 4),
        (0, [1, 2, 3, 5], 3),
    ],
)
def test_recovered_is_the_counter_and_the_run_behind_it(counter: int, logged: list[int], safe: int) -> None:
    assert recovered(counter, logged) == safe
