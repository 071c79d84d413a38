"""Tests of `ops.chaos.stream_management`: a client's counters (XEP-0198 §4)."""

import pytest

from ops.chaos.ledger import MessageId
from ops.chaos.stream_management import Managed, Outgoing, Violation

STANZAS = [Outgoing(f"<message id='{number}'/>", MessageId(0, 1, number)) for number in range(1, 6)]


def managed(sent: int = 5) -> Managed:
    made = Managed("id")
    for stanza in STANZAS[:sent]:
        made.sent(stanza)
    return made


def test_acknowledge_gives_what_is_covered_and_keeps_the_rest() -> None:
    session = managed()
    assert session.acknowledge(2) == STANZAS[:2]
    assert session.acknowledge(2) == []
    assert list(session.unacknowledged) == STANZAS[2:]
    assert session.acknowledge(5) == STANZAS[2:]


def test_acknowledge_what_was_never_sent_is_a_violation() -> None:
    session = managed()
    session.acknowledge(3)
    with pytest.raises(Violation, match="h is 6, it was 3, and 2 have been sent since"):
        session.acknowledge(6)


def test_acknowledge_that_runs_backwards_is_a_violation() -> None:
    session = managed()
    session.acknowledge(3)
    with pytest.raises(Violation):
        session.acknowledge(2)
    assert len(session.unacknowledged) == 2


def test_counters_begin_again_behind_the_largest_number() -> None:
    session = managed(0)
    session._acknowledged = session.handled = 2**32 - 1
    session.sent(STANZAS[0])
    assert session.acknowledge(0) == STANZAS[:1]
    session.received()
    assert session.handled == 0


def test_received_counts() -> None:
    session = managed()
    session.received()
    session.received()
    assert session.handled == 2
