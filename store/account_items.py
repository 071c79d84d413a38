"""What else an account keeps, beside its document and its log: one value for each thing, by kind and key.

Whoever keeps things names the kind and decides what a key is and what a value holds: the private storage of
clients keeps an element for each namespace, the business card is one thing alone.
"""

from typing import NamedTuple


class AccountItem(NamedTuple):
    """One thing that an account keeps.

    Attributes:
        owner: The account's bare JID.
        kind: Which sort of thing; no slash in it.
        key: Its name, the only one of its kind in the account.
        data: What it is.
        found_by: A text by which it is found among all accounts' things of its kind (`Store.found_items`);
            empty if it is not to be found. No control characters in it.
    """

    owner: str
    kind: str
    key: str
    data: bytes
    found_by: str = ""


def order_found(item: AccountItem) -> tuple[str, str, str]:
    """Return by what things that were found are ordered."""
    return item.found_by, item.owner, item.key
