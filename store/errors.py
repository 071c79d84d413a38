"""What can go wrong between the server and its database, in three kinds.

`StoreUnavailable` passes by itself: wait and try again. `StoreUnusable` does not: somebody has to act.
`Conflict` and `NotFound` concern one write of a batch and arrive inside its outcome (`store.writes`).
"""

from enum import Enum, unique
from typing import final


class StoreError(Exception):
    """Something the store could not do."""


@final
class StoreUnavailable(StoreError):
    """The database is away or did not answer in time.

    Attributes:
        outcome_unknown: Whether some of what was asked for in this very call may have taken effect. If so,
            the identical batch must be committed again until its outcome is known. Reads are never unknown.
    """

    def __init__(self, text: str, *, outcome_unknown: bool = False) -> None:
        super().__init__(text)
        self.outcome_unknown = outcome_unknown


class StoreUnusable(StoreError):
    """The database answers, but nothing can be done with it: wrong password, no permission, newer schema."""


class WriteRefused(StoreError):
    """Base of the reasons for which one write of a batch was not carried out; equal by value."""

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.args == self.args

    def __hash__(self) -> int:
        return hash((type(self), self.args))


@unique
class ConflictKind(Enum):
    """What a write ran into."""

    TAKEN = "taken"  # the name, or the sequence number, holds something else
    STALE = "stale"  # the user's document is at another revision than expected
    REPEATED = "repeated"  # this stanza of this session is already in this owner's log


@final
class Conflict(WriteRefused):
    """What is stored contradicts the write.

    Attributes:
        kind: What the write ran into.
        key: The bare JID concerned.
        seq: For `REPEATED`, the sequence number of the record that is already there.
    """

    def __init__(self, kind: ConflictKind, key: str, seq: int | None = None) -> None:
        super().__init__(kind, key, seq)
        self.kind = kind
        self.key = key
        self.seq = seq

    def __str__(self) -> str:
        at = "" if self.seq is None else f" (sequence number {self.seq})"
        return f"{self.kind.value}: {self.key}{at}"


@final
class NotFound(WriteRefused):
    """There is no document to change.

    Attributes:
        key: The bare JID concerned.
    """

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key

    def __str__(self) -> str:
        return f"no such account: {self.key}"
