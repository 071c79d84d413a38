"""What a record derives."""

import pytest

from store.log import SEQ_DIGITS, SEQ_MAX, StanzaNumber, part_of
from tests.store.samples import make_record


@pytest.mark.parametrize(
    ("peer", "bare"),
    [
        ("romeo@example.net/orchard", "romeo@example.net"),
        ("romeo@example.net/a/b", "romeo@example.net"),
        ("romeo@example.net", "romeo@example.net"),
        ("example.net/r@x", "example.net"),
    ],
)
def test_record_with_jid_is_the_peer_without_resource(peer: str, bare: str) -> None:
    assert make_record("juliet@example.com", 1, peer=peer).with_jid == bare


def test_seq_max_fits_its_digits() -> None:
    assert len(str(SEQ_MAX)) == SEQ_DIGITS


def test_part_of_a_stanza_is_another_number_counted_by_the_same_session() -> None:
    part = StanzaNumber(part_of("sm-1_x", 12), 3)
    assert part != StanzaNumber("sm-1_x", 3)
    assert part.whole == StanzaNumber("sm-1_x", 3).whole == "sm-1_x"
    assert part_of("s", 1) != part_of("s", 2)
