"""What accounts keep as documents and back: one document a thing, keyed by owner, kind and key.

`of` and `owner` are there for an index each: what an account has of one kind, and all that goes with it. What
is found by a text has `found` as well: kind, text and owner in one, so that a window of one field finds it.
"""

from typing import Final, NotRequired, TypedDict

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
    found: NotRequired[str]


_END: Final = "\x01"
"""Behind the text by which a thing is found; below every character of one, so that texts keep their order."""
_LAST: Final = "\U0010ffff"


def item_key(owner: str, kind: str, key: str) -> str:
    """Return the `_id` of a thing; neither a bare JID nor a kind holds a slash, so no two share one."""
    return f"{kind_key(owner, kind)}/{key}"


def kind_key(owner: str, kind: str) -> str:
    """Return the text that everything of a kind has in common in an account."""
    return f"{owner}/{kind}"


def document_from_item(item: AccountItem) -> ItemDocument:
    """Return the document to store for a thing."""
    document = ItemDocument(
        _id=item_key(item.owner, item.kind, item.key),
        v=SCHEMA_VERSION,
        owner=item.owner,
        of=kind_key(item.owner, item.kind),
        key=item.key,
        data=item.data,
    )
    if item.found_by:
        document["found"] = f"{item.kind}/{item.found_by}{_END}{item.owner}"
    return document


def found_window(kind: str, first: str, last: str) -> dict[str, str]:
    """Return the window of `found` for what is found by a text from `first` to `last`, both included."""
    return {"$gte": f"{kind}/{first}", "$lte": f"{kind}/{last}{_END}{_LAST}"}


def item_from_document(document: ItemDocument) -> AccountItem:
    """Return the thing in a document.

    Raises:
        StoreUnusable: If a newer program wrote it.
    """
    check_version(document["_id"], document["v"])
    owner = document["owner"]
    kind = document["of"].removeprefix(f"{owner}/")
    found_by = document.get("found", "").removeprefix(f"{kind}/").removesuffix(f"{_END}{owner}")
    return AccountItem(owner, kind, document["key"], document["data"], found_by)
