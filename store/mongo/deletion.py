"""How an account goes: its sessions first, what it keeps, its log piece by piece, its document last.

Nobody may resume a session of an account that is half gone. The document is what a second try starts from,
and what keeps the name from being given to somebody else while messages to the former owner are still there.
"""

from typing import Final

from pymongo.database import Database

from store.mongo.collections import items_in, log_in, sessions_in, users_in
from store.mongo.connection import Document

# A window of this many sequence numbers takes a quarter of a second on the embedded engine if all of them
# are used, and one millisecond if none is.
WINDOW_SEQS_MIN: Final = 1_000
# Where few are used windows get wider, up to what still is answered in time should all of them be used.
WINDOW_SEQS_MAX: Final = 8_000
_FEW: Final = WINDOW_SEQS_MIN // 4


def delete_account(database: Database[Document], bare_jid: str) -> None:
    """Delete an account with sessions, items and log; do nothing for what is gone already."""
    users, log = users_in(database), log_in(database)
    document = users.find_one({"_id": bare_jid}, {"log_reserved": 1})
    sessions_in(database).delete_many({"bare_jid": bare_jid})
    items_in(database).delete_many({"owner": bare_jid})
    start = 0
    end = 0 if document is None else document["log_reserved"]
    width = WINDOW_SEQS_MIN
    while start < end:
        window = {"owner": bare_jid, "seq": {"$gt": start, "$lte": start + width}}
        deleted = log.delete_many(window).deleted_count
        start += width
        width = min(width * 2, WINDOW_SEQS_MAX) if deleted < _FEW else WINDOW_SEQS_MIN
    # Whatever was written past the reservation, or after an account that was deleted by other means.
    log.delete_many({"owner": bare_jid})
    users.delete_one({"_id": bare_jid})
