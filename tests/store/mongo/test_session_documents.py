"""Sessions as other programs see them, and what is stored is what is read, through BSON."""

from typing import Any, cast

import bson
import pytest
from hypothesis import given

from store.errors import StoreUnusable
from store.mongo.documents import SCHEMA_VERSION
from store.mongo.session_documents import (
    SUMMARY_FIELDS,
    SessionDocument,
    document_from_session,
    session_from_document,
    summary_from_document,
)
from store.sessions import SessionRecord, SessionSummary
from store.writes import SESSION_BYTES_MAX, SaveSession, size_of
from tests.store.samples import make_full_session, make_session
from tests.store.strategies import SESSIONS


def through_bson(document: Any) -> SessionDocument:
    return cast("SessionDocument", bson.decode(bson.encode(document)))


@given(SESSIONS)
def test_session_survives_its_document(record: SessionRecord) -> None:
    assert session_from_document(through_bson(document_from_session(record))) == record


def test_session_document_says_its_layout_and_one_of_newer_layout_is_refused() -> None:
    document = document_from_session(make_session("the id"))
    assert document["v"] == SCHEMA_VERSION
    document["v"] += 1
    with pytest.raises(StoreUnusable, match="the id"):
        session_from_document(document)


def test_session_document_holds_the_entries_as_they_are() -> None:
    """A long queue of records is a list of numbers."""
    document = document_from_session(make_full_session("s"))
    stanzas = [b"<iq id='\xc3\xb1'/>", b"<iq id='2'/>"]
    places = [[2, 2**32 + 1], [2, 3, b"<message/>"]]
    assert document["entries"] == [7, *stanzas, 2**32 + 2, *places]
    assert document["answered"] == [2]


@pytest.mark.parametrize("make", [make_session, make_full_session])
def test_summary_needs_only_its_fields(make: Any) -> None:
    record = make("s")
    document = document_from_session(record)
    part = {field: value for field, value in document.items() if field in {"_id", *SUMMARY_FIELDS}}
    summary = SessionSummary("s", record.jid, record.hibernated_ms, record.resume_seconds, record.is_exact)
    assert summary_from_document(cast("SessionDocument", part)) == summary


def test_size_of_session_is_no_less_than_its_document_where_that_matters() -> None:
    """Else the bound on it would not keep the document within what the database takes."""
    entries = make_full_session("s").entries * 10_000
    record = make_full_session("s", entries=entries)
    document_bytes = len(bson.encode(document_from_session(record)))
    assert document_bytes < size_of(SaveSession(record)) < SESSION_BYTES_MAX
