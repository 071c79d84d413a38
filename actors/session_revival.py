"""A session that comes back from the database: its state, made of its document and of what the log holds.

What it owes its client is known by number: the entries of its document's mark, and the records behind it.
Presence, requests and their answers that nobody has acknowledged are not there any more; `session_resumption`
makes up for them when the client comes.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from actors.ledger import Parcel, logged_parcel
from actors.offline_queue import KEPT_TYPES, Waiting
from actors.outlet import NO_OUTLET
from actors.session_state import Entry, ManagedStream, Request, Revived, SessionState
from protocols.jid import parse_jid
from protocols.stanza import StanzaKind, with_delay
from protocols.stored_stanza import read_stored
from protocols.stream_queue import Incoming, Outgoing, recovered
from protocols.timestamp import timestamp
from store.sessions import QueueEntry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from actors.ledger import Ledger
    from protocols.xml_element import NameBudget
    from store.log import LogRecord
    from store.sessions import SessionRecord


def revive(
    record: SessionRecord,
    pending: Mapping[int, LogRecord],
    logged: Mapping[int, str | None],
    ledger: Ledger,
    names: NameBudget,
    *,
    is_journaled: bool,
) -> SessionState:
    """The state of a session without a connection.

    Args:
        record: Its document.
        pending: What its account's log holds undelivered, by number.
        logged: The numbers under which stanzas of its client stand in logs, from its counter on; with ids.
        ledger: Of its account; it learns what the session owes.
        names: For whoever looks inside stanzas.
        is_journaled: Whether anything is from now on.
    """
    state = SessionState(parse_jid(record.jid), NO_OUTLET, None, record.lang)
    state.directed = {parse_jid(jid) for jid in record.directed}
    state.presence = None if record.presence is None else read_stored(record.presence, names)
    state.roster_version = record.roster_version
    state.notes = dict(record.notes)
    stream = ManagedStream(record.sm_id, ledger, record.resume_seconds, is_journaled=is_journaled)
    dealt = sorted({*logged, *record.dealt})
    received = recovered(record.received, dealt)
    stream.incoming = Incoming(received, is_journaled=is_journaled)
    stream.incoming.counter = record.received  # what lies behind it is in the log, and must stay there
    stream.resent = {number: logged.get(number) for number in dealt if number > received}
    stream.is_saved = stream.is_hibernating = True
    stream.hibernated_ms = record.hibernated_ms
    stream.requests = {(id_, to): Request(0, answered) for id_, to, answered in record.requests}
    stream.handled = [seq for seq in record.handled if seq in pending]  # for as long as they are in the log
    numbered = _with_numbers(record, pending)
    owed = list(_owed(numbered, pending, ledger, names))
    _note_acknowledged(numbered, pending, ledger)
    epochs = [
        place.epoch for each in pending.values() for place in each.outbound if place.session == record.sm_id
    ]
    stream.outgoing = Outgoing(record.base, max((record.epoch, *epochs)))
    for entry, _number in owed:
        stream.outgoing.append(entry)
    stream.outgoing.mark()  # what comes meanwhile is numbered from here
    numbers = tuple(number for _entry, number in owed)
    stream.revived = Revived(record.base, numbers, record.base + len(record.entries), record.is_exact, record)
    state.stream = stream
    return state


def _with_numbers(record: SessionRecord, pending: Mapping[int, LogRecord]) -> SessionRecord:
    """The document with the numbers in the log of what it knows by place only, as far as that is there."""
    if all(entry.place is None for entry in record.entries):
        return record
    numbers = {
        (place.epoch, place.number): each.seq
        for each in pending.values()
        for place in each.outbound
        if place.session == record.sm_id
    }
    entries = (
        QueueEntry(seq=numbers[entry.place]) if entry.place in numbers else entry for entry in record.entries
    )
    return replace(record, entries=tuple(entries))


def _owed(
    record: SessionRecord, pending: Mapping[int, LogRecord], ledger: Ledger, names: NameBudget
) -> Iterator[tuple[Entry, int | None]]:
    """What the client may not have, in order, each with its wire number where it had one."""
    for number, queued in enumerate(record.entries, record.base + 1):
        if queued.data is not None:
            is_elsewhere = number - record.base - 1 in record.elsewhere
            unlogged = _unlogged_entry(queued.data, names, is_elsewhere=is_elsewhere)
            unlogged.is_answered = queued.is_answered
            yield unlogged, number
        elif queued.seq is not None and queued.seq in pending:
            each = pending[queued.seq]
            has_place = any(place.session == record.sm_id for place in each.outbound)
            entry = _logged_entry(each, ledger, names)
            yield entry if has_place else _late(entry, each), number
    origin = record.base + len(record.entries)
    places = [
        (place.epoch, place.number, each)
        for each in pending.values()
        for place in each.outbound
        if place.session == record.sm_id
        and place.epoch >= record.epoch
        and (place.epoch > record.epoch or origin + place.number > record.acked)
    ]
    for epoch, position, each in sorted(places, key=lambda place: place[:2]):
        yield (
            _logged_entry(each, ledger, names),
            origin + position if epoch == record.epoch else None,
        )


def adopt(
    state: SessionState,
    records: Iterable[LogRecord],
    names: NameBudget,
    late: Callable[[Waiting], Waiting | None],
) -> None:
    """Let a session that came back deliver what waits for its account, in the order of the log.

    Each message as `late` makes it; what nobody is to have any more leaves the log.
    It counts as available, so that what comes from now on goes to it and must not overtake that.
    """
    stream = state.stream
    assert stream is not None
    assert stream.revived is not None
    owed = list(zip(stream.outgoing.entries(), stream.revived.numbers, strict=True))
    for record in records:
        stanza = read_stored(record.data, names)
        if stanza.type not in KEPT_TYPES:
            continue
        shown = late(Waiting(record.seq, record.at_ms, stanza, record.inbound))
        if shown is None:
            stream.ledger.take_off(record.seq, record.at_ms, record.inbound)
            continue
        behind = [at for at, (each, _number) in enumerate(owed, 1) if _seq(each) < record.seq]
        at = behind[-1] if behind else 0
        owed.insert(at, (Entry(shown.stanza, _parcel(record, stream.ledger)), None))
    stream.outgoing = Outgoing(stream.outgoing.acked, stream.outgoing.epoch)
    for entry, _number in owed:
        stream.outgoing.append(entry)
    stream.outgoing.mark()
    stream.revived = stream.revived._replace(numbers=tuple(number for _entry, number in owed))


def share(sessions: Iterable[SessionState]) -> None:
    """Tell sessions of one account that came back which messages without a record they have in common.

    Those are known by their bytes; equal ones are paired from the last, since the first leave first.
    """
    parcels: dict[tuple[bytes, int], Parcel] = {}
    for session in sessions:
        found: Counter[bytes] = Counter()
        for entry in reversed(session.owed()):
            if entry.common is None or entry.common.was_acknowledged:
                continue
            data = entry.stanza.data
            found[data] += 1
            parcel = parcels.setdefault((data, found[data]), entry.common)
            if parcel is not entry.common:
                parcel.outstanding += 1
                entry.common = parcel


def _seq(entry: Entry) -> int:
    """The number in the log of what waits; what has none stands before all that has."""
    return 0 if entry.gate is None or entry.gate.seq is None else entry.gate.seq


def _note_acknowledged(record: SessionRecord, pending: Mapping[int, LogRecord], ledger: Ledger) -> None:
    """What the client is known to have and is still in the log is to leave that, and to reach nobody."""
    owed = {queued.seq for queued in record.entries}
    for seq in record.handled:
        if seq in pending and seq not in owed:
            _acknowledged_before(pending[seq], ledger)
    origin = record.base + len(record.entries)
    for each in pending.values():
        for place in each.outbound:
            if place.session != record.sm_id:
                continue
            is_old = place.epoch < record.epoch and each.seq not in owed
            if is_old or (place.epoch == record.epoch and origin + place.number <= record.acked):
                _acknowledged_before(each, ledger)


def _acknowledged_before(record: LogRecord, ledger: Ledger) -> None:
    parcel = ledger.owed.get(record.seq) or logged_parcel(
        ledger, record.seq, record.at_ms, record.inbound, outstanding=0
    )
    parcel.was_acknowledged = True


def _unlogged_entry(data: bytes, names: NameBudget, *, is_elsewhere: bool) -> Entry:
    """A message may have been for others of its user's clients as well."""
    entry = Entry(read_stored(data, names))
    if entry.stanza.kind is StanzaKind.MESSAGE:
        entry.common = Parcel(entry.stanza)
        entry.common.outstanding = 1
        entry.common.was_acknowledged = is_elsewhere
    return entry


def _logged_entry(record: LogRecord, ledger: Ledger, names: NameBudget) -> Entry:
    return Entry(read_stored(record.data, names), _parcel(record, ledger))


def _late(entry: Entry, record: LogRecord) -> Entry:
    """From the offline queue: its client is told when it was said, as it would have been before."""
    domain = parse_jid(record.owner).domainpart
    return Entry(with_delay(entry.stanza, domain, timestamp(record.at_ms)), entry.gate)


def _parcel(record: LogRecord, ledger: Ledger) -> Parcel:
    """One for each record, whichever of the account's sessions owe it."""
    parcel = ledger.owed.get(record.seq)
    if parcel is None:
        return logged_parcel(ledger, record.seq, record.at_ms, record.inbound)
    parcel.outstanding += 1
    return parcel
