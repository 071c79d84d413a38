"""What accounts keep as documents and back: one document a thing, keyed by owner, kind and key.

`of` and `owner` are there for an index each: what an account has of one kind, and all that goes with it.
"""

from typing import TypedDict

from store.account_items import AccountItem
from store.mongo.documents import SCHEMA_VERSION, check_version


class ItemDocument(TypedDict):
    """`AccountItem`."""

    _id: str
    v: int
    owner: str
    of: str
    key: str
    data: bytes


def item_key(owner: str, kind: str, key: str) -> str:
    """Return the `_id` of a thing; neither a bare JID nor a kind holds a slash, so no two share one."""
    return f"{kind_key(owner, kind)}/{key}"


def kind_key(owner: str, kind: str) -> str:
    """Return the text that everything of a kind has in common in an account."""
    return f"{owner}/{kind}"


def document_from_item(item: AccountItem) -> ItemDocument:
    """Return the document to store for a thing."""
    return ItemDocument(
        _id=item_key(item.owner, item.kind, item.key),
        v=SCHEMA_VERSION,
        owner=item.owner,
        of=kind_key(item.owner, item.kind),
        key=item.key,
        data=item.data,
    )


def item_from_document(document: ItemDocument) -> AccountItem:
    """Return the thing in a document.

    Raises:
        StoreUnusable: If a newer program wrote it.
    """
    check_version(document["_id"], document["v"])
    kind = document["of"].removeprefix(f"{document['owner']}/")
    return AccountItem(document["owner"], kind, document["key"], document["data"])
