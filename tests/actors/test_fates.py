"""Tests of `actors.fates`: what is kept of an event, and what is not."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

from actors.fates import SHORT_BYTES_MAX, TEXT_CHARACTERS_MAX, FateEvent, FateLog, MessageFate, as_event
from protocols.conditions import StanzaCondition
from protocols.errors import StanzaError
from protocols.jid import JID, parse_jid
from protocols.stanza import build_error, build_iq, build_message, build_presence

if TYPE_CHECKING:
    from protocols.stanza import Stanza

ROMEO = parse_jid("romeo@localhost/orchard")
JULIET = parse_jid("juliet@localhost")
BALCONY = parse_jid("juliet@localhost/balcony")


class Clock:
    """One millisecond goes by whenever somebody looks."""

    def __init__(self) -> None:
        self.ms = 1_000

    def __call__(self) -> int:
        self.ms += 1
        return self.ms


def new_log(events_max: int = 100) -> FateLog:
    return FateLog(events_max, Clock())


def chat(id: str | None = "m1", *, to: JID | None = JULIET, sender: JID | None = ROMEO) -> Stanza:
    return build_message(to=to, sender=sender, type="chat", id=id, content=b"<body>secret</body>")


def kept(log: FateLog) -> list[FateEvent]:
    return [as_event(raw) for raw in log.snapshot()]


def test_note_keeps_addresses_id_and_all_that_is_said() -> None:
    log = new_log()
    log.note(MessageFate.DELIVERED, chat(), BALCONY, "sm-1", 7, 1042, "detail")
    assert kept(log) == [
        FateEvent(
            at_ms=1_002,
            fate=MessageFate.DELIVERED,
            sender="romeo@localhost/orchard",
            to="juliet@localhost",
            id="m1",
            resource="juliet@localhost/balcony",
            session="sm-1",
            number=7,
            seq=1042,
            detail="detail",
        )
    ]


@pytest.mark.parametrize("fate", MessageFate)
def test_note_every_fate_is_told_again(fate: MessageFate) -> None:
    log = new_log()
    log.note(fate, chat(None))
    (event,) = kept(log)
    assert (event.fate, event.id, event.resource, event.number) == (fate, None, "", None)


@pytest.mark.parametrize("length", [SHORT_BYTES_MAX, 10 * SHORT_BYTES_MAX])
def test_note_keeps_no_body_and_no_stanza(length: int) -> None:
    log, body = new_log(), b"secret" * length
    log.note(MessageFate.ACCEPTED, build_message(to=JULIET, sender=ROMEO, id="m1", content=body))
    assert "secret" not in repr(log.snapshot())
    assert {type(value) for value in log.snapshot()[0]} <= {int, str, type(None)}


def test_note_tuples_are_soon_no_business_of_the_collector() -> None:
    log = new_log()
    log.note(MessageFate.DELIVERED, chat(), BALCONY, "sm-1", 7)
    log.note_acknowledged(BALCONY, "sm-1", 7)
    gc.collect()
    assert not any(map(gc.is_tracked, log.snapshot()))


@pytest.mark.parametrize(
    "stanza",
    [
        build_presence(to=JULIET, sender=ROMEO),
        build_iq(to=JULIET, sender=ROMEO, type="get", id="q"),
        build_iq(to=ROMEO, sender=BALCONY, type="error", id="q"),
    ],
)
def test_note_of_what_is_no_message_is_dropped(stanza: Stanza) -> None:
    log = new_log()
    log.note(MessageFate.DELIVERED, stanza, BALCONY)
    assert kept(log) == []


def test_note_long_texts_are_cut() -> None:
    log = new_log()
    to = parse_jid("juliet@localhost/" + "b" * 1000)
    log.note(MessageFate.ACCEPTED, chat("i" * 100_000, to=to))
    (event,) = kept(log)
    assert event.id == "i" * TEXT_CHARACTERS_MAX
    assert event.to == to.full[:TEXT_CHARACTERS_MAX]


def test_note_texts_of_a_short_message_are_bounded_by_its_length() -> None:
    """Whatever is kept whole was part of the bytes that were counted."""
    log = new_log()
    stanza = chat("i" * 700)
    assert stanza.size <= SHORT_BYTES_MAX
    log.note(MessageFate.ACCEPTED, stanza)
    assert kept(log)[0].id == stanza.id


def test_note_message_of_the_server_s_own_has_no_sender() -> None:
    log = new_log()
    log.note(MessageFate.DELIVERED, chat(sender=None), BALCONY)
    log.note(MessageFate.DELIVERED, chat(to=None), BALCONY)
    assert [(event.sender, event.to) for event in kept(log)] == [("", JULIET.full), (ROMEO.full, "")]


# -- errors


def test_error_delivered_is_how_its_message_bounced() -> None:
    log = new_log()
    error = build_error(chat(), StanzaError(StanzaCondition.SERVICE_UNAVAILABLE, "nobody there"))
    log.note(MessageFate.DELIVERED, error, ROMEO, "sm-2", 3)
    (event,) = kept(log)
    assert (event.fate, event.sender, event.to, event.id) == (
        MessageFate.BOUNCED,
        ROMEO.full,
        JULIET.full,
        "m1",
    )
    assert (event.resource, event.session, event.number) == (ROMEO.full, "sm-2", 3)
    assert event.detail == "service-unavailable"


@pytest.mark.parametrize(
    "fate",
    [MessageFate.ACCEPTED, MessageFate.QUEUED, MessageFate.LOGGED, MessageFate.RETURNED],
)
def test_error_has_no_fate_but_its_making_and_delivery(fate: MessageFate) -> None:
    log = new_log()
    log.note(fate, build_error(chat(), StanzaError(StanzaCondition.GONE)))
    assert kept(log) == []


def test_error_that_the_server_makes_says_that_its_message_was_refused() -> None:
    log = new_log()
    log.note(MessageFate.REFUSED, build_error(chat(), StanzaError(StanzaCondition.GONE)))
    (event,) = kept(log)
    assert (event.fate, event.sender, event.to) == (MessageFate.REFUSED, ROMEO.full, JULIET.full)
    assert (event.id, event.detail) == ("m1", "gone")


STANZAS = "urn:ietf:params:xml:ns:xmpp-stanzas"


@pytest.mark.parametrize(
    ("content", "condition"),
    [
        (f"<error type='cancel'><gone xmlns='{STANZAS}'/></error>", "gone"),
        (f'<body>hi</body><error><gone a="b" xmlns="{STANZAS}">xmpp:x</gone></error>', "gone"),
        (f"<error><text xmlns='{STANZAS}'>no</text><gone xmlns='{STANZAS}'/></error>", "gone"),
        (f"<error><\x1b[2J xmlns='{STANZAS}'/></error>", None),
        ("<error type='cancel'/>", None),
        ("", None),
        ("<" * 100_000, None),
    ],
)
def test_error_of_a_client_s_has_the_condition_that_is_found(content: str, condition: str | None) -> None:
    log = new_log()
    stanza = build_message(to=ROMEO, sender=BALCONY, type="error", id="m1", content=content.encode())
    log.note(MessageFate.DELIVERED, stanza, ROMEO)
    assert [event.detail for event in kept(log)] == [condition]


# -- whole streams


def test_note_about_a_stream_names_no_message() -> None:
    log = new_log()
    log.note_acknowledged(BALCONY, "sm-1", 7)
    log.note_returned(BALCONY, "sm-1")
    acknowledged, returned = kept(log)
    assert acknowledged == FateEvent(
        1_002, MessageFate.ACKNOWLEDGED, "", "", None, BALCONY.full, "sm-1", 7, None, None
    )
    assert returned == FateEvent(
        1_003, MessageFate.RETURNED, "", "", None, BALCONY.full, "sm-1", None, None, None
    )


# -- bounds


def test_log_that_is_full_forgets_the_oldest_and_knows_since_when_it_is_whole() -> None:
    log = new_log(events_max=3)
    assert log.since_ms == 1_001
    for number in range(3):
        log.note(MessageFate.ACCEPTED, chat(f"m{number}"))
    log.note_acknowledged(BALCONY, "sm-1", 1)
    assert [event.id for event in kept(log)] == ["m1", "m2", None]
    assert log.since_ms == 1_003


def test_log_that_is_not_full_knows_everything_since_it_began() -> None:
    log = new_log(events_max=3)
    log.note(MessageFate.ACCEPTED, chat())
    assert (log.since_ms, log.is_on) == (1_001, True)


def test_log_of_none_keeps_none() -> None:
    log = new_log(events_max=0)
    log.note(MessageFate.ACCEPTED, chat())
    log.note_acknowledged(BALCONY, "sm-1", 1)
    assert (kept(log), log.is_on, log.since_ms) == ([], False, 1_001)


def test_snapshot_does_not_change_any_more() -> None:
    log = new_log()
    log.note(MessageFate.ACCEPTED, chat())
    before = log.snapshot()
    log.note(MessageFate.DELIVERED, chat())
    assert len(before) == 1
