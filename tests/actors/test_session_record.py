"""What a session's document says, so that it can go on after everything else is gone."""

from dataclasses import replace

import pytest

from actors import session_record as session_record_module
from actors.ledger import Parcel
from actors.session_record import session_record, with_elsewhere, with_late
from actors.session_state import Request
from protocols.jid import parse_jid
from protocols.stanza import Stanza, build_iq
from protocols.stream_queue import Fate
from store.log import OutboundNumber
from store.sessions import OpenRequest, QueueEntry, SessionRecord
from supervision.mailbox import Mailbox
from tests.actors.presence_support import presence
from tests.actors.session_support import BALCONY, ORCHARD, Account, chat, result, write


def ping(id_: str) -> Stanza:
    """A request for her client."""
    return build_iq(to=BALCONY, sender=ORCHARD, type="get", id=id_)


def test_record_of_a_session_that_has_only_begun() -> None:
    state = Account().session()
    assert state.stream is not None
    assert session_record(state, state.stream, 0) == SessionRecord(
        sm_id="sm", jid=BALCONY.full, lang="it", resume_seconds=300.0
    )


def test_record_holds_what_the_client_has_said_of_itself() -> None:
    state = Account().session()
    assert state.stream is not None
    state.presence = presence(f"<presence from='{BALCONY}'><show>away</show></presence>")
    state.directed = {parse_jid("nurse@localhost/hall"), parse_jid("friar@localhost")}
    state.roster_version = 7
    state.stream.hibernated_ms = 1_000
    record = session_record(state, state.stream, 12)
    assert (record.received, record.roster_version, record.hibernated_ms) == (12, 7, 1_000)
    assert record.presence == state.presence.data
    assert record.directed == ("friar@localhost", "nurse@localhost/hall")


def test_record_names_requests_that_its_counter_covers() -> None:
    """Those behind it the client sends again."""
    state = Account().session()
    assert state.stream is not None
    state.stream.requests = {
        ("a", "romeo@localhost/orchard"): Request(1),
        ("b", "localhost"): Request(2, answered=5),
        ("c", "localhost"): Request(3),
    }
    record = session_record(state, state.stream, 2)
    assert record.requests == (OpenRequest("a", "romeo@localhost/orchard"), OpenRequest("b", "localhost", 5))


def test_record_of_an_orderly_stop_names_what_was_dealt_with_behind_something_in_hand() -> None:
    """The client sends it again, since it cannot be told of it."""
    state = Account().session()
    stream = state.stream
    assert stream is not None
    for _ in range(4):
        stream.incoming.receive()
    for number in (1, 3, 4):
        stream.incoming.settle(number, Fate.DONE)
    stream.requests = {("a", "localhost"): Request(2), ("b", "localhost"): Request(3, answered=1)}
    stream.resent = {1: None, 9: "m"}
    record = session_record(state, stream, 1, is_exact=True)
    assert (record.received, record.dealt) == (1, (3, 4, 9))
    assert record.requests == (OpenRequest("b", "localhost", 1),)
    assert session_record(state, stream, 1).dealt == ()


def test_record_names_a_bounded_number_of_those(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_record_module, "DEALT_MAX", 2)
    state = Account().session()
    assert state.stream is not None
    state.stream.resent = dict.fromkeys((7, 5, 6))
    assert session_record(state, state.stream, 1, is_exact=True).dealt == (5, 6)


def test_with_late_is_owed_behind_everything() -> None:
    record = SessionRecord(
        sm_id="sm", jid=BALCONY.full, resume_seconds=300.0, entries=(QueueEntry(seq=1),), is_exact=True
    )
    later = with_late(record, [b"<iq/>"])
    assert later == replace(record, entries=(QueueEntry(seq=1), QueueEntry(data=b"<iq/>")))


def test_with_elsewhere_says_what_another_client_has_got_since() -> None:
    account = Account()
    entries = tuple(QueueEntry(data=each.data) for each in (result("r"), chat("1"), chat("2"), chat("3")))
    record = SessionRecord(
        sm_id="sm",
        jid=BALCONY.full,
        resume_seconds=300.0,
        base=4,
        entries=entries,
        elsewhere=(1,),
        is_exact=True,
    )
    state = account.revive(record)
    assert state.stream is not None
    assert state.stream.revived is not None
    owed = list(zip(state.owed(), state.stream.revived.numbers, strict=True))
    assert with_elsewhere(record, owed) == record
    common = owed[3][0].common
    assert common is not None
    common.was_acknowledged = True
    assert with_elsewhere(record, owed) == replace(record, elsewhere=(1, 3))
    unnumbered = [(entry, None) for entry, _number in owed]
    assert with_elsewhere(record, unnumbered) == record, "it was adopted, and is in the log"


def test_record_without_a_mark_names_nothing_since_the_log_does() -> None:
    account = Account()
    state = account.session()
    assert state.stream is not None
    account.owe_logged(chat("1"), state)
    account.owe(state, result("r"))
    account.owe_logged(chat("2"), state)
    write(state, 3, acked=1)
    record = session_record(state, state.stream, 0)
    assert (record.epoch, record.base, record.entries, record.acked) == (0, 0, (), 1)


def test_record_with_a_mark_lists_what_is_still_owed_of_it() -> None:
    account = Account()
    state = account.session()
    assert state.stream is not None
    for number in range(3):
        account.owe_logged(chat(str(number)), state)
    account.owe(state, result("r"))
    write(state, 4, acked=1)
    state.stream.outgoing.mark()
    account.owe_logged(chat("behind the mark"), state)
    record = session_record(state, state.stream, 0)
    assert (record.epoch, record.base, record.acked) == (1, 1, 1)
    answer = QueueEntry(data=result("r").data)
    assert record.entries == (QueueEntry(seq=2), QueueEntry(seq=3), answer)
    state.stream.outgoing.acknowledge(3)
    later = session_record(state, state.stream, 0)
    assert (later.epoch, later.base, later.acked) == (1, 3, 3)
    assert later.entries == (answer,)


def test_record_tells_which_requests_the_client_has_answered() -> None:
    account = Account()
    state = account.session()
    assert state.stream is not None
    for id_ in ("a", "b"):
        account.owe(state, ping(id_))
    state.stream.outgoing.entries()[1].is_answered = True
    state.stream.outgoing.mark()
    record = session_record(state, state.stream, 0)
    assert [entry.is_answered for entry in record.entries] == [False, True]
    again = Account().revive(record)
    assert [entry.is_answered for entry in again.owed()] == [False, True]


def test_record_whose_mark_is_all_acknowledged_keeps_its_origin() -> None:
    """Places in the log count from there."""
    account = Account()
    state = account.session()
    assert state.stream is not None
    account.owe_logged(chat("1"), state)
    state.stream.outgoing.mark()
    account.owe_logged(chat("2"), state)
    account.owe_logged(chat("3"), state)
    write(state, 3, acked=2)
    record = session_record(state, state.stream, 0)
    assert (record.epoch, record.base, record.entries, record.acked) == (1, 1, (), 2)


def test_record_names_a_message_that_has_no_number_yet_by_its_place() -> None:
    account = Account()
    state = account.session()
    assert state.stream is not None
    stanza = chat("waits for a number")
    entry = account.owe(state, stanza)
    entry.gate = Parcel(stanza, 2)
    entry.gate.place(account.ledger, OutboundNumber("other", 3, 4), Mailbox())
    entry.gate.place(account.ledger, OutboundNumber("sm", 1, 2), Mailbox())
    state.stream.outgoing.mark()
    record = session_record(state, state.stream, 0, is_exact=True)
    assert record.entries == (QueueEntry(place=(1, 2)),)
    assert record.is_exact


def test_record_says_which_messages_another_client_has() -> None:
    account = Account()
    state = account.session()
    assert state.stream is not None
    for number in range(3):
        entry = account.owe(state, chat(str(number)))
        entry.common = Parcel(entry.stanza, 2)
        entry.common.join(OutboundNumber("sm", 0, number + 1))
        if number != 1:
            entry.common.taken()
    write(state, 1, acked=1)
    state.stream.outgoing.mark()
    account.owe_logged(chat("behind the mark"), state)
    record = session_record(state, state.stream, 0)
    places = [(0, int(text)) for text in "23"]
    data = [chat(text).data for text in "12"]
    assert record.entries == tuple(map(QueueEntry, [None, None], data, [False, False], places))
    assert record.elsewhere == (1,)
