"""What is stored is what is read, through BSON."""

from typing import Any, cast

import bson
from hypothesis import given
from hypothesis import strategies as st

from store.log import SEQ_MAX, LogRecord, StanzaNumber
from store.mongo.documents import (
    RecordDocument,
    UserDocument,
    document_from_record,
    document_from_user,
    inbound_from_key,
    inbound_key,
    inbound_window,
    record_from_document,
    record_key,
    user_from_document,
)
from store.users import User
from tests.store.strategies import BARE_JIDS, NUMBERS, RECORDS, SEQS, TEXTS, USERS


def through_bson(document: Any) -> Any:
    return bson.decode(bson.encode(document))


@given(USERS)
def test_user_survives_its_document(user: User) -> None:
    assert user_from_document(cast("UserDocument", through_bson(document_from_user(user)))) == user


@given(RECORDS)
def test_record_survives_its_document(record: LogRecord) -> None:
    assert record_from_document(cast("RecordDocument", through_bson(document_from_record(record)))) == record


@given(BARE_JIDS, BARE_JIDS, SEQS, SEQS)
def test_record_keys_of_one_owner_sort_by_seq_and_of_two_differ(a: str, b: str, m: int, n: int) -> None:
    assert (record_key(a, m).encode() < record_key(a, n).encode()) == (m < n)
    assert (record_key(a, m) == record_key(b, n)) == ((a, m) == (b, n))


@given(st.tuples(TEXTS, NUMBERS, BARE_JIDS), st.tuples(TEXTS, NUMBERS, BARE_JIDS))
def test_inbound_keys_of_two_stanzas_or_owners_differ(
    one: tuple[str, int, str], other: tuple[str, int, str]
) -> None:
    keys = {inbound_key(StanzaNumber(session, number), owner) for session, number, owner in (one, other)}
    assert len(keys) == len({one, other})


@given(TEXTS, BARE_JIDS, st.integers(0, 30), st.integers(0, 30), st.integers(1, 30))
def test_inbound_window_holds_the_numbers_between_its_ends(
    session: str, owner: str, number: int, after: int, width: int
) -> None:
    stanza = StanzaNumber(session, number)
    key = inbound_key(stanza, owner)
    window = inbound_window(session, after, after + width)
    assert (window["$gt"] < key < window["$lt"]) == (after < number <= after + width)
    assert inbound_from_key(key) == stanza


@given(BARE_JIDS)
def test_inbound_window_may_reach_past_the_last_number(owner: str) -> None:
    window = inbound_window("session", SEQ_MAX - 1, SEQ_MAX + 1000)
    assert window["$gt"] < inbound_key(StanzaNumber("session", SEQ_MAX), owner) < window["$lt"]
