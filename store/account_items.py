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
    """

    owner: str
    kind: str
    key: str
    data: bytes
