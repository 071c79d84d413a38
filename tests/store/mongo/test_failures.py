"""Every way in which pymongo says no, and what the store makes of it."""

from typing import Any

import pytest
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    ExecutionTimeout,
    NetworkTimeout,
    NotPrimaryError,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
    WriteConcernError,
    WTimeoutError,
)

from store.errors import StoreUnavailable, StoreUnusable
from store.mongo.failures import Stage, translated

STAGES = tuple(Stage)


def bulk_error(write_codes: list[int], concern_codes: list[int]) -> BulkWriteError:
    details: dict[str, Any] = {
        "writeErrors": [{"index": place, "code": code} for place, code in enumerate(write_codes)],
        "writeConcernErrors": [{"code": code} for code in concern_codes],
    }
    return BulkWriteError(details)


def translation_of(error: PyMongoError, stage: Stage) -> Exception:
    with pytest.raises(Exception) as failure, translated(stage):  # noqa: PT011 - whatever it is
        raise error
    return failure.value


@pytest.mark.parametrize(
    "error",
    [
        AutoReconnect("connection closed"),
        NetworkTimeout("timed out"),
        NotPrimaryError("stepped down"),
        WaitQueueTimeoutError("no connection free"),
        ExecutionTimeout("too slow", 50),
        WriteConcernError("not written far enough", 64),
        WTimeoutError("not replicated in time", 64),
        OperationFailure("shutting down", 91),
        OperationFailure("interrupted", 11600),
        OperationFailure("disk full", 14031),
    ],
    ids=lambda error: type(error).__name__,
)
def test_trouble_that_passes_is_unavailable(error: PyMongoError) -> None:
    """In doubt as soon as something was to be written."""
    doubts = {}
    for stage in STAGES:
        translation = translation_of(error, stage)
        assert isinstance(translation, StoreUnavailable)
        doubts[stage] = translation.outcome_unknown
    assert doubts == {Stage.READ: False, Stage.FIRST_WRITE: True, Stage.LATER_WRITE: True}


def test_no_server_found_leaves_a_first_write_out_of_doubt() -> None:
    doubts = {}
    for stage in STAGES:
        translation = translation_of(ServerSelectionTimeoutError("refused"), stage)
        assert isinstance(translation, StoreUnavailable)
        doubts[stage] = translation.outcome_unknown
    assert doubts == {Stage.READ: False, Stage.FIRST_WRITE: False, Stage.LATER_WRITE: True}


@pytest.mark.parametrize(
    "error",
    [bulk_error([], [64]), bulk_error([11000, 91], []), bulk_error([112], []), bulk_error([11000], [91])],
)
def test_bulk_that_failed_in_passing_is_in_doubt(error: BulkWriteError) -> None:
    translation = translation_of(error, Stage.FIRST_WRITE)
    assert isinstance(translation, StoreUnavailable)
    assert translation.outcome_unknown


@pytest.mark.parametrize("code", [13, 18])
def test_refusal_of_us_is_unusable(code: int) -> None:
    assert isinstance(translation_of(OperationFailure("go away", code), Stage.READ), StoreUnusable)


@pytest.mark.parametrize(
    "error", [OperationFailure("bad query", 2), bulk_error([91, 121], []), bulk_error([], [])]
)
def test_our_own_fault_passes_unchanged(error: PyMongoError) -> None:
    assert translation_of(error, Stage.FIRST_WRITE) is error
