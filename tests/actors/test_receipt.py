"""Who has a stanza in hand, and what its session learns when nobody has."""

from actors.receipt import PartReceipt, Receipt
from protocols.stream_queue import Incoming


def received() -> tuple[Incoming, Receipt, list[int]]:
    """A stanza that was just received, and how much was safe each time its session was told."""
    incoming = Incoming(is_journaled=True)
    told: list[int] = []
    receipt = Receipt("sm", incoming.receive(), incoming, lambda: told.append(incoming.done))
    return incoming, receipt, told


def test_receipt_is_settled_when_the_last_lets_go() -> None:
    incoming, receipt, told = received()
    receipt.hold()
    receipt.release()
    assert (incoming.done, told) == (0, [])
    receipt.release()
    assert (incoming.done, incoming.safe, told) == (1, 0, [1])


def test_receipt_of_what_was_logged_is_safe_without_a_counter() -> None:
    incoming, receipt, told = received()
    receipt.is_logged = True
    receipt.release()
    assert (incoming.safe, told) == (1, [1])


def test_receipt_of_what_came_later_does_not_speak_for_what_came_before() -> None:
    incoming, first, told = received()
    second = Receipt("sm", incoming.receive(), incoming, lambda: told.append(incoming.done))
    second.is_logged = True
    second.release()
    assert (incoming.safe, told) == (0, [0])
    first.is_logged = True
    first.release()
    assert (incoming.safe, told) == (2, [0, 2])


def test_receipt_of_many_is_settled_when_all_of_them_are_and_none_of_them_proves_it() -> None:
    incoming, receipt, told = received()
    one, other = PartReceipt(receipt, 0), PartReceipt(receipt, 1)
    assert [(each.sm_id, each.number) for each in (one, other)] == [("sm#0", 1), ("sm#1", 1)]
    one.hold()
    other.hold()
    receipt.release()
    one.is_logged = True
    one.release()
    assert told == []
    other.release()
    assert (incoming.done, incoming.safe, told) == (1, 0, [1])
