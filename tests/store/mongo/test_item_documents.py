"""What accounts keep, as other programs see it, and what is stored is what is read, through BSON."""

from typing import Any, cast

import bson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.account_items import AccountItem
from store.errors import StoreUnusable
from store.mongo.documents import SCHEMA_VERSION
from store.mongo.item_documents import ItemDocument, document_from_item, item_from_document, item_key

NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/"))
KEYS = st.text(st.characters(exclude_categories=["Cs"]))
ITEMS = st.builds(AccountItem, NAMES, NAMES, KEYS, st.binary(), KEYS)


def through_bson(document: Any) -> ItemDocument:
    return cast("ItemDocument", bson.decode(bson.encode(document)))


@given(ITEMS)
def test_item_survives_its_document(item: AccountItem) -> None:
    assert item_from_document(through_bson(document_from_item(item))) == item


@given(ITEMS, ITEMS)
def test_item_key_is_shared_by_none(one: AccountItem, other: AccountItem) -> None:
    assert (item_key(*one[:3]) == item_key(*other[:3])) == (one[:3] == other[:3])


def test_item_document_says_its_layout_and_one_of_newer_layout_is_refused() -> None:
    document = document_from_item(AccountItem("a@x", "private", "{urn:x}y", b""))
    assert document["v"] == SCHEMA_VERSION
    document["v"] += 1
    with pytest.raises(StoreUnusable, match="a@x/private"):
        item_from_document(document)
