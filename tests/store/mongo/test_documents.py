"""Documents as other programs see them; that they read back equal is a property."""

import pytest

from store.errors import StoreUnusable
from store.mongo.documents import (
    SCHEMA_VERSION,
    SHELVES,
    document_from_record,
    document_from_user,
    record_from_document,
    shelf_of,
    user_from_document,
)
from tests.store.samples import make_full_record, make_full_user, make_record, make_user


def test_documents_say_their_layout() -> None:
    assert document_from_user(make_user("a@x"))["v"] == SCHEMA_VERSION
    assert document_from_record(make_record("a@x", 1))["v"] == SCHEMA_VERSION


def test_user_document_of_newer_layout_is_refused() -> None:
    document = document_from_user(make_user("a@x"))
    document["v"] = SCHEMA_VERSION + 1
    with pytest.raises(StoreUnusable, match="a@x"):
        user_from_document(document)


def test_documents_of_the_first_layout_are_read() -> None:
    """What both hold has not changed since, so no migration rewrites them."""
    user, record = document_from_user(make_full_user("a@x")), document_from_record(make_record("a@x", 1))
    user["v"] = record["v"] = 1
    assert user_from_document(user) == make_full_user("a@x")
    assert record_from_document(record) == make_record("a@x", 1)


def test_record_document_of_newer_layout_is_refused() -> None:
    document = document_from_record(make_record("a@x", 1))
    document["v"] = SCHEMA_VERSION + 1
    with pytest.raises(StoreUnusable, match="a@x"):
        record_from_document(document)


def test_user_document_has_no_address_for_a_field_name() -> None:
    """JIDs hold dots, which a server takes for paths."""

    def field_names(value: object) -> set[str]:
        if isinstance(value, dict):
            return set(value).union(*map(field_names, value.values()))
        return set().union(*map(field_names, value)) if isinstance(value, list) else set()

    assert not any("@" in field for field in field_names(document_from_user(make_full_user("a@x"))))


def test_record_document_has_indexed_fields_only_where_they_count() -> None:
    """Else the sparse indexes would hold every record."""
    plain = document_from_record(make_record("a@x", 1))
    assert not {"queued", "inbound"} & set(plain)
    full = document_from_record(make_full_record("a@x", 1))
    assert {"queued", "inbound"} <= set(full)
    assert full["queued"] == full["_id"]


def test_shelf_of_an_account_never_changes() -> None:
    """It is stored: another way to compute it would need a migration."""
    assert [shelf_of(name) for name in ("juliet@example.com", "ü@example.com")] == [861, 3433]


def test_shelves_are_filled_evenly() -> None:
    used = {shelf_of(f"user{number}@localhost") for number in range(4 * SHELVES)}
    assert len(used) > 0.9 * SHELVES
