"""Stream-managed sessions as documents and back: one document a session, keyed by its id.

An entry of the queue is the number of its record, the stanza's bytes, or a list of the two numbers that its
place is, with the bytes behind them if there are any: its type says which. Those that are requests which the
client has answered are told apart in `answered`, by their place, from zero. `bare_jid` is there for an index.
What is absent from a session is absent from its document.
"""

from typing import Final, NotRequired, TypedDict

from store.mongo.documents import SCHEMA_VERSION, check_version
from store.sessions import OpenRequest, QueueEntry, SessionRecord, SessionSummary

SUMMARY_FIELDS: Final = ("jid", "resume_seconds", "hibernated_ms", "is_exact")


EntryValue = int | bytes | list[int | bytes]


class OpenRequestDocument(TypedDict):
    """`OpenRequest`, an element of `requests`."""

    id: str
    to: str
    answered: NotRequired[int]


class SessionDocument(TypedDict):
    """`SessionRecord`."""

    _id: str
    v: int
    jid: str
    bare_jid: str
    lang: NotRequired[str]
    received: int
    acked: int
    epoch: int
    base: int
    entries: NotRequired[list[EntryValue]]
    elsewhere: NotRequired[list[int]]
    answered: NotRequired[list[int]]
    handled: NotRequired[list[int]]
    is_exact: NotRequired[bool]
    dealt: NotRequired[list[int]]
    presence: NotRequired[bytes]
    directed: NotRequired[list[str]]
    roster_version: NotRequired[int]
    notes: NotRequired[list[list[str]]]
    requests: NotRequired[list[OpenRequestDocument]]
    resume_seconds: float
    hibernated_ms: NotRequired[int]


def document_from_session(record: SessionRecord) -> SessionDocument:
    """Return the document to store for a session."""
    document = SessionDocument(
        _id=record.sm_id,
        v=SCHEMA_VERSION,
        jid=record.jid,
        bare_jid=record.bare_jid,
        received=record.received,
        acked=record.acked,
        epoch=record.epoch,
        base=record.base,
        resume_seconds=record.resume_seconds,
    )
    if record.lang is not None:
        document["lang"] = record.lang
    if record.entries:
        document["entries"] = [_value_from_entry(entry) for entry in record.entries]
        answered = [at for at, entry in enumerate(record.entries) if entry.is_answered]
        if answered:
            document["answered"] = answered
    if record.is_exact:
        document["is_exact"] = True
    if record.presence is not None:
        document["presence"] = record.presence
    if record.directed:
        document["directed"] = list(record.directed)
    if record.roster_version is not None:
        document["roster_version"] = record.roster_version
    if record.notes:
        document["notes"] = [[*note] for note in record.notes]
    if record.requests:
        document["requests"] = [_document_from_request(request) for request in record.requests]
    if record.hibernated_ms is not None:
        document["hibernated_ms"] = record.hibernated_ms
    _add_numbers(document, record)
    return document


def _add_numbers(document: SessionDocument, record: SessionRecord) -> None:
    if record.handled:
        document["handled"] = list(record.handled)
    if record.dealt:
        document["dealt"] = list(record.dealt)
    if record.elsewhere:
        document["elsewhere"] = list(record.elsewhere)


def session_from_document(document: SessionDocument) -> SessionRecord:
    """Return the session in a document.

    Raises:
        StoreUnusable: If a newer program wrote it.
    """
    check_version(document["_id"], document["v"])
    return SessionRecord(
        sm_id=document["_id"],
        jid=document["jid"],
        lang=document.get("lang"),
        received=document["received"],
        acked=document["acked"],
        epoch=document["epoch"],
        base=document["base"],
        entries=_entries(document),
        elsewhere=tuple(document.get("elsewhere", ())),
        handled=tuple(document.get("handled", ())),
        is_exact=document.get("is_exact", False),
        dealt=tuple(document.get("dealt", ())),
        presence=document.get("presence"),
        directed=tuple(document.get("directed", ())),
        roster_version=document.get("roster_version"),
        notes=tuple((key, value) for key, value in document.get("notes", ())),
        requests=tuple(
            OpenRequest(item["id"], item["to"], item.get("answered")) for item in document.get("requests", ())
        ),
        resume_seconds=document["resume_seconds"],
        hibernated_ms=document.get("hibernated_ms"),
    )


def summary_from_document(document: SessionDocument) -> SessionSummary:
    """Return the summary in a document of which only `SUMMARY_FIELDS` were read."""
    return SessionSummary(
        document["_id"],
        document["jid"],
        document.get("hibernated_ms"),
        document["resume_seconds"],
        document.get("is_exact", False),
    )


def _value_from_entry(entry: QueueEntry) -> EntryValue:
    if entry.seq is not None:
        return entry.seq
    if entry.place is not None:
        return [*entry.place] if entry.data is None else [*entry.place, entry.data]
    assert entry.data is not None  # as `store.writes` has checked
    return entry.data


def _entries(document: SessionDocument) -> tuple[QueueEntry, ...]:
    answered = frozenset(document.get("answered", ()))
    entries = enumerate(document.get("entries", ()))
    return tuple(_entry_from_value(value, is_answered=at in answered) for at, value in entries)


def _entry_from_value(value: EntryValue, *, is_answered: bool) -> QueueEntry:
    match value:
        case int():
            return QueueEntry(seq=value)
        case bytes():
            return QueueEntry(data=value, is_answered=is_answered)
        case [int(epoch), int(position)]:
            return QueueEntry(place=(epoch, position))
        case [int(epoch), int(position), bytes(data)]:
            return QueueEntry(data=data, is_answered=is_answered, place=(epoch, position))
        case _:
            raise AssertionError(f"no entry: {value}")


def _document_from_request(request: OpenRequest) -> OpenRequestDocument:
    document = OpenRequestDocument(id=request.id, to=request.to)
    if request.answered is not None:
        document["answered"] = request.answered
    return document


def _request_from_document(document: OpenRequestDocument) -> OpenRequest:
    return OpenRequest(document["id"], document["to"], document.get("answered"))
