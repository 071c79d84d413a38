"""Named points on a message's way to the database and on, at which a fault can be made to happen."""

from enum import Enum


class StorePoint(Enum):
    """Each is passed with a message in hand."""

    BATCH_BUILT = "batch built"
    COMMITTED = "committed but not answered"
    ANSWERED = "answered but not written"
