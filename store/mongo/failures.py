"""What pymongo raises, in the store's words: the one place where its exceptions are told apart.

An exception that is in none of these tables means that we asked for something wrong, and passes unchanged.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum, unique
from typing import Final

from pymongo.errors import (
    BulkWriteError,
    ConnectionFailure,
    ExecutionTimeout,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WriteConcernError,
)

from store.errors import StoreUnavailable, StoreUnusable

DUPLICATE_KEY: Final = 11000

# MongoDB's codes for "not me, not now": host unreachable, time limits, write concern not met, shutting down,
# stepping down, interrupted, in conflict with another writer, disk full (which an operator can mend while
# we wait).
_PASSING: Final = frozenset({6, 7, 50, 64, 89, 91, 112, 189, 262, 10107, 11600, 11602, 13435, 13436, 14031})
# Unauthorized and AuthenticationFailed: a wrong password, or too few rights.
_FORBIDDEN: Final = frozenset({13, 18})


@unique
class Stage(Enum):
    """What a failure leaves in doubt, depending on what has been sent by then."""

    READ = "read"  # nothing is ever in doubt
    FIRST_WRITE = "first write"  # nothing, if no server could be found to send it to
    LATER_WRITE = "later write"  # something before it may have taken effect, or has


@contextmanager
def translated(stage: Stage) -> Iterator[None]:
    """Raise `StoreUnavailable` or `StoreUnusable` for what pymongo raises inside."""
    try:
        yield
    except PyMongoError as error:
        translation = _translate(error, stage)
        if translation is None:
            raise
        raise translation from error


def is_forbidden(error: Exception | None) -> bool:
    """Tell whether the database does not want to deal with us."""
    return isinstance(error, OperationFailure) and error.code in _FORBIDDEN


def _translate(error: PyMongoError, stage: Stage) -> StoreUnavailable | StoreUnusable | None:
    match error:
        case ServerSelectionTimeoutError():
            # Raised before anything is sent. pymongo's own retries, which would blur that, are off.
            return StoreUnavailable(str(error), outcome_unknown=stage is Stage.LATER_WRITE)
        case ConnectionFailure() | ExecutionTimeout() | WriteConcernError():
            return StoreUnavailable(str(error), outcome_unknown=stage is not Stage.READ)
        case BulkWriteError() if (codes := _bulk_codes(error)) and codes <= _PASSING | {DUPLICATE_KEY}:
            return StoreUnavailable(f"bulk write failed, codes {sorted(codes)}", outcome_unknown=True)
        case OperationFailure() if error.code in _PASSING:
            return StoreUnavailable(str(error), outcome_unknown=stage is not Stage.READ)
        case OperationFailure() if is_forbidden(error):
            return StoreUnusable(f"the database refuses us: {error}")
        case _:
            return None


def _bulk_codes(error: BulkWriteError) -> set[int]:
    details = error.details
    return {entry["code"] for kind in ("writeErrors", "writeConcernErrors") for entry in details[kind]}
