"""A session's state as its document and the log have it: all that it owes, in order, each by its number."""

from dataclasses import replace

from actors.ledger import Parcel
from actors.outlet import NO_OUTLET
from actors.session_record import session_record
from actors.session_revival import share
from actors.session_state import Entry, Request, Revived, SessionState
from protocols.jid import parse_jid
from protocols.stanza import with_delay
from protocols.timestamp import timestamp
from store.log import OutboundNumber
from store.sessions import OpenRequest, QueueEntry, SessionRecord
from supervision.mailbox import Mailbox
from tests.actors.presence_support import presence
from tests.actors.session_support import BALCONY, Account, chat, result, write
from tests.store.samples import make_record


def make_session(**fields: object) -> SessionRecord:
    return SessionRecord(**{"sm_id": "sm", "jid": BALCONY.full, "resume_seconds": 300.0, **fields})  # type: ignore[arg-type]  # as the test has it


def owed(state: SessionState) -> list[bytes]:
    return [entry.stanza.data for entry in state.owed()]


def revived(state: SessionState) -> Revived:
    assert state.stream is not None
    assert state.stream.revived is not None
    return state.stream.revived


# -- round trips


def test_round_trip_of_what_the_client_has_said() -> None:
    account = Account()
    state = account.session()
    assert state.stream is not None
    state.presence = presence(f"<presence from='{BALCONY}'><priority>3</priority></presence>")
    state.directed = {parse_jid("nurse@localhost/hall")}
    state.roster_version = 7
    state.stream.hibernated_ms = 1_000
    state.stream.requests = {("a", "localhost"): Request(1), ("b", "localhost"): Request(2, 5)}
    for _ in range(3):
        state.stream.incoming.receive()
    again = account.restarted().revive(session_record(state, state.stream, 3))
    assert (again.jid, again.lang, again.outlet, again.connection) == (BALCONY, "it", NO_OUTLET, None)
    assert (again.directed, again.roster_version) == (state.directed, 7)
    assert again.presence is not None
    assert again.presence.data == state.presence.data
    assert again.presence.sender == BALCONY
    stream = again.stream
    assert stream is not None
    assert (stream.sm_id, stream.resume_seconds, stream.hibernated_ms) == ("sm", 300.0, 1_000)
    assert (stream.is_hibernating, stream.is_saved, stream.h) == (True, True, 3)
    assert stream.requests == {("a", "localhost"): Request(0), ("b", "localhost"): Request(0, 5)}


def test_round_trip_of_what_was_owed_without_a_mark_is_what_was_logged() -> None:
    account = Account()
    state = account.session()
    assert state.stream is not None
    account.owe_logged(chat("had"), state)
    account.owe(state, result("lost"))
    account.owe_logged(chat("1"), state)
    account.owe_logged(chat("2"), state)
    write(state, 3, acked=1)
    later, record = account.restarted(), session_record(state, state.stream, 0)
    again = later.revive(record)
    assert owed(again) == [chat("1").data, chat("2").data]
    assert revived(again) == Revived(base=0, numbers=(3, 4), last=0, is_exact=False, record=record)
    later.ledger.revived()
    assert [parcel.seq for parcel in later.ledger.done] == [1], "the client is known to have it"
    assert [seq for seq in later.pending if later.ledger.is_owed(seq)] == [1, 2, 3]


def test_round_trip_of_what_was_owed_with_a_mark() -> None:
    account = Account()
    state = account.session()
    assert state.stream is not None
    account.owe_logged(chat("had"), state)
    account.owe_logged(chat("marked"), state)
    account.owe(state, result("marked"))
    write(state, 3, acked=1)
    state.stream.outgoing.mark()
    account.owe(state, result("lost"))
    account.owe_logged(chat("behind"), state)
    later, record = account.restarted(), session_record(state, state.stream, 0)
    again = later.revive(record)
    assert owed(again) == [chat("marked").data, result("marked").data, chat("behind").data]
    assert revived(again) == Revived(base=1, numbers=(2, 3, 5), last=3, is_exact=False, record=record)
    later.ledger.revived()
    assert [parcel.seq for parcel in later.ledger.done] == [1]


def test_round_trip_of_a_message_that_had_no_number_at_the_mark_is_still_before_later_ones() -> None:
    """Another session had not given it a place yet when this one was written down."""
    account = Account()
    state = account.session()
    assert state.stream is not None
    stanza, outgoing = chat("shared"), state.stream.outgoing
    parcel = Parcel(stanza, 3)
    place = OutboundNumber("sm", outgoing.epoch, outgoing.append(Entry(stanza, parcel)))
    parcel.place(account.ledger, place, Mailbox())
    account.owe_logged(chat("later"), state)
    outgoing.mark()
    record = session_record(state, state.stream, 0)
    assert owed(account.restarted().revive(record)) == [chat("later").data], "it was not safe yet"
    parcel.seq = 2
    parcel.place(account.ledger, OutboundNumber("other", 0, 1), Mailbox())
    account.pending[2] = parcel.record()
    again = account.restarted().revive(record)
    assert owed(again) == [stanza.data, chat("later").data]
    assert revived(again).numbers == (1, 2)


def test_round_trip_at_an_orderly_stop_is_exact() -> None:
    account = Account()
    state = account.session()
    assert state.stream is not None
    account.owe_logged(chat("logged"), state)
    account.owe(state, result("not logged"))
    write(state, 1)
    state.stream.outgoing.mark()
    record = session_record(state, state.stream, 0, is_exact=True)
    again = account.restarted().revive(record)
    assert owed(again) == [chat("logged").data, result("not logged").data]
    assert revived(again) == Revived(base=0, numbers=(1, 2), last=2, is_exact=True, record=record)


def test_round_trip_twice_changes_nothing() -> None:
    """The second crash comes before the client does."""
    account = Account()
    state = account.session()
    assert state.stream is not None
    for number in range(3):
        account.owe_logged(chat(str(number)), state)
    record = session_record(state, state.stream, 0)
    once = account.restarted().revive(record)
    twice = account.restarted().revive(record)
    assert owed(once) == owed(twice)
    assert revived(once) == revived(twice)


def test_round_trip_what_came_while_nobody_had_resumed_is_behind_all_else() -> None:
    """It has no number that the client knows of, and its epoch is one that no document ever named."""
    account = Account()
    state = account.session()
    assert state.stream is not None
    account.owe_logged(chat("before"), state)
    record = session_record(state, state.stream, 0)
    later = account.restarted()
    waiting = later.revive(record)
    later.owe_logged(chat("meanwhile 1"), waiting)
    later.owe_logged(chat("meanwhile 2"), waiting)
    again = later.restarted().revive(record)
    assert owed(again) == [chat(text).data for text in ("before", "meanwhile 1", "meanwhile 2")]
    assert revived(again).numbers == (1, None, None)
    third = later.restarted()
    last = third.revive(record)
    third.owe_logged(chat("meanwhile 3"), last)
    final = third.restarted().revive(record)
    assert owed(final) == [chat(f"meanwhile {n}" if n else "before").data for n in range(4)]


# -- what several sessions have in common


def test_revive_two_sessions_share_one_parcel() -> None:
    account = Account()
    balcony, window = account.session("balcony"), account.session("window")
    account.owe_logged(chat("for both"), balcony, window)
    later = account.restarted()
    records = [session_record(each, each.stream, 0) for each in (balcony, window) if each.stream is not None]
    again = [later.revive(record) for record in records]
    later.ledger.revived()
    parcels = {entry.gate for state in again for entry in state.owed()}
    (parcel,) = parcels
    assert parcel is not None
    assert (parcel.outstanding, parcel.was_acknowledged) == (2, False)
    assert later.ledger.done == []


def test_revive_what_one_session_has_acknowledged_and_the_other_owes() -> None:
    """The other gets it; where that one ends nobody else is to."""
    account = Account()
    balcony, window = account.session("balcony"), account.session("window")
    account.owe_logged(chat("for both"), balcony, window)
    write(balcony, 1, acked=1)
    for order in (1, -1):
        later = account.restarted()
        again = [
            later.revive(session_record(each, each.stream, 0))
            for each in (balcony, window)[::order]
            if each.stream is not None
        ][::order]
        later.ledger.revived()
        assert [len(list(state.owed())) for state in again] == [0, 1]
        (entry,) = again[1].owed()
        assert entry.gate is not None
        assert (entry.gate.outstanding, entry.gate.was_acknowledged) == (1, True)
        assert later.ledger.done == []


def test_revive_message_without_a_record_that_another_client_has() -> None:
    entries = tuple(QueueEntry(data=each.data) for each in (result("r"), chat("1"), chat("2")))
    state = Account().revive(make_session(epoch=1, entries=entries, elsewhere=(1,)))
    parcels = [entry.common for entry in state.owed()]
    assert parcels[0] is None
    assert [parcel.was_acknowledged for parcel in parcels if parcel is not None] == [True, False]
    assert session_record(state, state.stream, 0).elsewhere == (1,) if state.stream is not None else False


def test_share_pairs_equal_messages_from_the_last() -> None:
    account = Account()
    texts = {"balcony": ["ok", "ok", "alone"], "window": ["ok"], "hall": ["ok", "ok"]}
    states = {
        name: account.revive(
            make_session(sm_id=name, epoch=1, entries=tuple(QueueEntry(data=chat(text).data) for text in of))
        )
        for name, of in texts.items()
    }
    share(states.values())
    parcels = {name: [entry.common for entry in state.owed()] for name, state in states.items()}
    assert parcels["window"] == parcels["balcony"][1:2] == parcels["hall"][1:]
    assert parcels["balcony"][0] is parcels["hall"][0]
    counts = [0 if parcel is None else parcel.outstanding for parcel in parcels["balcony"]]
    assert counts == [2, 3, 1]


def test_share_leaves_out_what_another_client_has() -> None:
    account, entries = Account(), (QueueEntry(data=chat("ok").data),)
    states = [
        account.revive(make_session(sm_id=name, epoch=1, entries=entries, elsewhere=elsewhere))
        for name, elsewhere in [("balcony", (0,)), ("window", ())]
    ]
    share(states)
    parcels = [entry.common for state in states for entry in state.owed()]
    assert [(each.outstanding, each.was_acknowledged) for each in parcels if each is not None] == [
        (1, True),
        (1, False),
    ]


def test_revive_what_is_for_nobody_of_these_is_left_to_the_offline_queue() -> None:
    account = Account()
    account.pending[1] = make_record(
        "juliet@localhost", 1, outbound=(OutboundNumber("another", 0, 1),), pending=True
    )
    state = account.revive(make_session())
    account.ledger.revived()
    assert owed(state) == []
    assert not account.ledger.is_owed(1)


# -- numbers


def test_revive_counts_what_is_logged_behind_the_counter() -> None:
    state = Account().revive(make_session(received=5), {6: "a", 7: None, 9: "m"})
    stream = state.stream
    assert stream is not None
    assert (stream.h, stream.incoming.received) == (7, 7)
    assert stream.incoming.counter == 5, "the records are what says that 6 and 7 are safe: they must stay"
    assert stream.resent == {9: "m"}


def test_revive_marked_message_that_has_left_the_log_was_acknowledged() -> None:
    record = make_session(epoch=1, base=4, entries=(QueueEntry(seq=7), QueueEntry(data=result("r").data)))
    state = Account().revive(record)
    assert owed(state) == [result("r").data]
    assert revived(state).numbers == (6,)


def test_revive_what_the_client_has_from_the_offline_queue_is_remembered_while_it_is_in_the_log() -> None:
    account = Account()
    account.pending[1] = make_record("juliet@localhost", 1, data=chat("had").data, pending=True)
    record = make_session(epoch=1, acked=2, base=2, handled=(1, 7))
    for _ in range(2):  # as often as the sender's session has not come back and everything dies again
        later = account.restarted()
        state = later.revive(record)
        later.ledger.revived()
        assert owed(state) == []
        assert [parcel.seq for parcel in later.ledger.done] == [1]
        assert state.stream is not None
        record = session_record(state, state.stream, 0)
        assert record.handled == (1,)


def test_revive_marked_message_from_the_offline_queue_still_says_when_it_was_said() -> None:
    account = Account()
    for seq, session in [(1, "another"), (2, "sm")]:
        account.pending[seq] = make_record(
            "juliet@localhost",
            seq,
            data=chat(str(seq)).data,
            outbound=(OutboundNumber(session, 0, 1),),
            pending=True,
        )
    state = account.revive(make_session(epoch=1, entries=(QueueEntry(seq=1), QueueEntry(seq=2))))
    late = with_delay(chat("1"), "localhost", timestamp(account.pending[1].at_ms))
    assert owed(state) == [late.data, chat("2").data]
    assert [account.ledger.owed[seq].outstanding for seq in (1, 2)] == [1, 1]


def test_revive_place_before_the_mark_that_the_mark_does_not_name_was_acknowledged() -> None:
    account = Account()
    for seq, epoch in [(1, 0), (2, 1), (3, 2)]:
        account.pending[seq] = make_record(
            "juliet@localhost",
            seq,
            data=chat(str(seq)).data,
            outbound=(OutboundNumber("sm", epoch, 1),),
            pending=True,
        )
    state = account.revive(make_session(epoch=2, base=8, entries=(QueueEntry(seq=2),), acked=8))
    account.ledger.revived()
    assert owed(state) == [chat("2").data, chat("3").data]
    assert revived(state).numbers == (9, 10)
    assert [parcel.seq for parcel in account.ledger.done] == [1]


def test_revive_message_named_by_place_is_where_the_mark_says_if_it_is_in_the_log() -> None:
    account = Account()
    for seq, place in [(1, (2, 1)), (2, (0, 3))]:
        account.pending[seq] = make_record(
            "juliet@localhost",
            seq,
            data=chat(str(seq)).data,
            outbound=(OutboundNumber("other", 0, 1), OutboundNumber("sm", *place)),
            pending=True,
        )
    account.pending[3] = make_record("juliet@localhost", 3, outbound=(OutboundNumber("other", 0, 2),))
    entries = (QueueEntry(place=(0, 2)), QueueEntry(place=(0, 3)))
    record = make_session(epoch=2, base=8, entries=entries, acked=8)
    state = account.revive(record)
    account.ledger.revived()
    assert owed(state) == [chat("2").data, chat("1").data]
    assert revived(state).numbers == (10, 11)
    assert revived(state).record == record, "it may be kept again, as it is"
    assert account.ledger.done == []


def test_revive_message_that_came_into_the_log_behind_the_mark_is_shared_with_whom_it_was_for() -> None:
    """One session had it at once, another needed it safe; whoever ends leaves it to the other."""
    account = Account()
    places = (OutboundNumber("other", 0, 4), OutboundNumber("sm", 0, 2))
    stanza = chat("both")
    account.pending[1] = make_record("juliet@localhost", 1, data=stanza.data, outbound=places, pending=True)
    entries = (QueueEntry(data=stanza.data, place=(0, 2)), QueueEntry(data=chat("one").data, place=(0, 3)))
    state = account.revive(make_session(epoch=1, entries=entries))
    account.revive(make_session(sm_id="other"))
    account.ledger.revived()
    assert owed(state) == [stanza.data, chat("one").data], "the other was never logged"
    parcel = account.ledger.owed[1]
    assert (parcel.outstanding, parcel.was_acknowledged) == (2, False)
    assert state.owed()[0].gate is parcel


def test_revive_positions_from_now_on_collide_with_none_in_the_log() -> None:
    account = Account()
    state = account.session()
    assert state.stream is not None
    account.owe_logged(chat("1"), state)
    again = account.restarted()
    waiting = again.revive(session_record(state, state.stream, 0))
    assert waiting.stream is not None
    outgoing = waiting.stream.outgoing
    taken = {(place.epoch, place.number) for record in again.pending.values() for place in record.outbound}
    assert (outgoing.epoch, outgoing.append(account.owe(waiting, chat("2")))) not in taken
    assert outgoing.epoch == 1


def test_revive_positions_from_now_on_are_not_those_of_the_document_s_mark() -> None:
    """The client may have counted stanzas behind that mark of which the log knows nothing."""
    account = Account()
    account.pending[1] = make_record(
        "juliet@localhost", 1, data=chat("1").data, outbound=(OutboundNumber("sm", 2, 1),), pending=True
    )
    record = make_session(epoch=3, base=8, entries=(QueueEntry(seq=1),))
    waiting = account.revive(record)
    account.owe_logged(chat("meanwhile"), waiting)
    again = account.restarted().revive(record)
    assert owed(again) == [chat("1").data, chat("meanwhile").data]
    assert revived(again).numbers == (9, None)


def test_revive_requests_and_directed_presence() -> None:
    record = make_session(requests=(OpenRequest("a", "localhost", 3),), directed=("nurse@localhost",))
    state = Account().revive(record)
    assert state.stream is not None
    assert state.stream.requests == {("a", "localhost"): Request(0, 3)}
    assert state.directed == {parse_jid("nurse@localhost")}
    assert (state.presence, state.roster_version) == (None, None)


def test_revive_what_was_dealt_with_at_an_orderly_stop_is_not_done_again() -> None:
    """The client sends it again behind what was still in hand then, which has a record by now."""
    account = Account()
    state = account.session()
    assert state.stream is not None
    record = replace(session_record(state, state.stream, 1, is_exact=True), dealt=(3, 5))
    stream = account.revive(record, logged={2: None}).stream
    assert stream is not None
    assert (stream.incoming.received, stream.incoming.counter, stream.resent) == (3, 1, {5: None})
