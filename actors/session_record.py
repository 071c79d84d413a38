"""A session as a document: what its client needs to go on after everything else is gone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from store.sessions import OpenRequest, QueueEntry, SessionRecord

if TYPE_CHECKING:
    from collections.abc import Iterable

    from actors.ledger import Parcel
    from actors.session_state import Entry, ManagedStream, SessionState

DEALT_MAX: Final = 1_000
"""Numbers behind the counter that a document names; so many stanzas wait only for a database that is away."""


def session_record(
    state: SessionState, stream: ManagedStream, counter: int, *, is_exact: bool = False
) -> SessionRecord:
    """The document of a session that may be resumed, or is to be known as ended.

    Args:
        state: The session.
        stream: Its managed part.
        counter: How many of the client's stanzas are dealt with.
        is_exact: Whether nothing will happen to the session after this.
    """
    outgoing = stream.outgoing
    count = max(0, outgoing.origin - outgoing.acked)
    entries = outgoing.entries()[:count]
    dealt = _dealt_behind(stream, counter) if is_exact else ()
    return SessionRecord(
        sm_id=stream.sm_id,
        jid=state.jid.full,
        lang=state.lang,
        received=counter,
        acked=outgoing.acked,
        epoch=outgoing.epoch,
        base=outgoing.acked if count else outgoing.origin,
        entries=tuple(_queue_entry(entry, stream.sm_id) for entry in entries),
        elsewhere=tuple(at for at, entry in enumerate(entries) if _is_elsewhere(entry)),
        handled=tuple(seq for seq in stream.handled if stream.ledger.is_owed(seq)),
        is_exact=is_exact,
        dealt=dealt,
        presence=None if state.presence is None else state.presence.data,
        directed=tuple(sorted(jid.full for jid in state.directed)),
        roster_version=state.roster_version,
        notes=tuple(state.notes.items()),
        requests=tuple(
            OpenRequest(id_, to, request.answered)
            for (id_, to), request in stream.requests.items()
            if request.number <= counter or request.number in dealt
        ),
        resume_seconds=stream.resume_seconds,
        hibernated_ms=stream.hibernated_ms,
    )


def _is_elsewhere(entry: Entry) -> bool:
    """Of what has a record the log says so."""
    common = entry.common
    return common is not None and common.ledger is None and common.was_acknowledged


def with_late(record: SessionRecord, stanzas: Iterable[bytes]) -> SessionRecord:
    """The document of a session that an orderly stop keeps, with what has come behind all that it names."""
    return replace(record, entries=(*record.entries, *(QueueEntry(data=data) for data in stanzas)))


def with_elsewhere(record: SessionRecord, owed: Iterable[tuple[Entry, int | None]]) -> SessionRecord:
    """The document of a session that nobody has resumed, with what its user's other clients have got since.

    Args:
        record: The one that it came back from.
        owed: What came of it, each with its wire number where it had one.
    """
    at = (number - record.base - 1 for entry, number in owed if number is not None and _is_elsewhere(entry))
    elsewhere = {each for each in at if each < len(record.entries)}
    return replace(record, elsewhere=tuple(sorted({*record.elsewhere, *elsewhere})))


def _dealt_behind(stream: ManagedStream, counter: int) -> tuple[int, ...]:
    """What the client will send again, and must not have done twice.

    Only where everything else is kept as well: after a crash the answer to a request is asked for anew.
    """
    numbers = {*stream.incoming.done_behind(counter), *(each for each in stream.resent if each > counter)}
    return tuple(sorted(numbers)[:DEALT_MAX])


def _queue_entry(entry: Entry, sm_id: str) -> QueueEntry:
    """By its number in the log, if it is there or on its way there, or is to be; else as it is.

    What may be written there behind the document is known by its place, and stands here as well unless it
    counts as owed only then.
    """
    gate, common = entry.gate, entry.common
    if gate is not None:
        return QueueEntry(place=_place(gate, sm_id)) if gate.seq is None else QueueEntry(seq=gate.seq)
    if common is not None and common.is_committed:
        return QueueEntry(seq=common.seq)
    place = None if common is None else _place(common, sm_id)
    return QueueEntry(data=entry.stanza.data, is_answered=entry.is_answered, place=place)


def _place(parcel: Parcel, sm_id: str) -> tuple[int, int] | None:
    """The one that a session has given it, if it has: what came back without a record has none."""
    places = ((place.epoch, place.number) for place in parcel.outbound if place.session == sm_id)
    return next(places, None)
