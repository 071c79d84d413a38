"""Tests of `actors.fate_stories`: what belongs together, told from what only looks like it."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Final

import pytest

from actors.fate_stories import Story, bare_of, of_account
from actors.fates import FateLog, MessageFate
from protocols.conditions import StanzaCondition
from protocols.errors import StanzaError
from protocols.jid import parse_jid
from protocols.stanza import build_error, build_message

if TYPE_CHECKING:
    from protocols.jid import JID
    from protocols.stanza import Stanza

ROMEO: Final = parse_jid("romeo@localhost/orchard")
BALCONY: Final = parse_jid("juliet@localhost/balcony")
GARDEN: Final = parse_jid("juliet@localhost/garden")
JULIET: Final = BALCONY.bare_jid
SM_ROMEO, SM_BALCONY, SM_GARDEN = "sm-romeo", "sm-balcony", "sm-garden"


def new_log(events_max: int = 1_000) -> FateLog:
    times = count(1)
    return FateLog(events_max, lambda: next(times))


def chat(id: str | None = "m1", to: JID = JULIET, sender: JID = ROMEO) -> Stanza:
    return build_message(to=to, sender=sender, type="chat", id=id)


def stories(log: FateLog, bare: str = "juliet@localhost", message: str | None = None) -> list[Story]:
    return of_account(log.snapshot(), bare, message)


def told(story: Story) -> list[str]:
    """What happened and where."""
    return [f"{event.fate.value} {event.resource}".strip() for event in story.events]


def send(log: FateLog, stanza: Stanza, number: int) -> None:
    """The whole life of a message between two managed sessions, up to the writing."""
    log.note(MessageFate.ACCEPTED, stanza, ROMEO, SM_ROMEO, number)
    log.note(MessageFate.QUEUED, stanza)
    log.note(MessageFate.LOGGED, stanza, seq=1000 + number, detail=f"token-{number}")
    log.note(MessageFate.DELIVERED, stanza, BALCONY, SM_BALCONY, number, 1000 + number)


def test_story_has_everything_in_order() -> None:
    log = new_log()
    send(log, chat(), 1)
    log.note_acknowledged(BALCONY, SM_BALCONY, 1)
    (story,) = stories(log)
    assert (story.sender, story.to, story.id) == (ROMEO.full, JULIET.full, "m1")
    assert story.stanza_ids == ["token-1"]
    assert told(story) == [
        "accepted romeo@localhost/orchard",
        "queued",
        "logged",
        "delivered juliet@localhost/balcony",
        "acknowledged juliet@localhost/balcony",
    ]
    assert [event.at_ms for event in story.events] == sorted(event.at_ms for event in story.events)


@pytest.mark.parametrize("bare", ["juliet@localhost", "romeo@localhost"])
def test_story_is_told_to_sender_and_recipient_alike(bare: str) -> None:
    log = new_log()
    send(log, chat(), 1)
    log.note_acknowledged(BALCONY, SM_BALCONY, 1)
    assert stories(log, bare) == stories(log)


@pytest.mark.parametrize("bare", ["julie@localhost", "juliet@localhost.example", "juliet", "nurse@localhost"])
def test_story_is_not_told_to_those_whose_name_is_alike(bare: str) -> None:
    log = new_log()
    send(log, chat(), 1)
    send(log, chat(to=BALCONY), 2)
    assert stories(log, bare) == []


def test_story_of_an_account_whose_name_is_cut_is_found() -> None:
    log = new_log()
    long = parse_jid("j" * 1000 + "@localhost/balcony")
    log.note(MessageFate.ACCEPTED, build_message(to=long, sender=ROMEO, id="m1"))
    assert len(stories(log, long.bare)) == 1


# -- acknowledgements, which are about whole streams


def test_acknowledgement_is_of_all_up_to_it_once() -> None:
    log = new_log()
    for number in (1, 2, 3):
        send(log, chat(f"m{number}"), number)
    log.note_acknowledged(BALCONY, SM_BALCONY, 2)
    log.note_acknowledged(BALCONY, SM_BALCONY, 2)
    log.note_returned(BALCONY, SM_BALCONY)
    assert [told(story)[4:] for story in stories(log)] == [
        ["acknowledged juliet@localhost/balcony"],
        ["acknowledged juliet@localhost/balcony"],
        ["returned juliet@localhost/balcony"],
    ]


def test_acknowledgement_of_one_stream_is_none_of_another() -> None:
    log = new_log()
    log.note(MessageFate.ACCEPTED, chat(), ROMEO)
    log.note(MessageFate.DELIVERED, chat(), BALCONY, SM_BALCONY, 1)
    log.note(MessageFate.DELIVERED, chat(), GARDEN, SM_GARDEN, 1)
    log.note_acknowledged(GARDEN, SM_GARDEN, 1)
    log.note_acknowledged(ROMEO, SM_ROMEO, 9)
    (story,) = stories(log)
    assert told(story)[1:] == [
        "delivered juliet@localhost/balcony",
        "delivered juliet@localhost/garden",
        "acknowledged juliet@localhost/garden",
    ]


def test_acknowledgement_of_a_message_written_again_on_the_resumed_stream_comes_once() -> None:
    log = new_log()
    send(log, chat(), 1)
    log.note(MessageFate.DELIVERED, chat(), BALCONY, SM_BALCONY, 1, 1001)
    log.note_acknowledged(BALCONY, SM_BALCONY, 1)
    (story,) = stories(log)
    assert told(story)[-3:] == [
        "delivered juliet@localhost/balcony",
        "delivered juliet@localhost/balcony",
        "acknowledged juliet@localhost/balcony",
    ]


def test_acknowledgement_may_be_noted_of_one_message() -> None:
    log = new_log()
    send(log, chat(), 1)
    log.note(MessageFate.ACKNOWLEDGED, chat(), BALCONY, SM_BALCONY)
    assert told(stories(log)[0])[-1] == "acknowledged juliet@localhost/balcony"


def test_message_returned_and_delivered_to_another_is_one_story() -> None:
    log = new_log()
    send(log, chat(), 1)
    log.note_returned(BALCONY, SM_BALCONY)
    log.note(MessageFate.STORED, chat(), seq=1001, detail="token-1")
    log.note(MessageFate.DELIVERED, chat(), GARDEN)
    (story,) = stories(log)
    assert told(story)[4:] == [
        "returned juliet@localhost/balcony",
        "stored",
        "delivered juliet@localhost/garden",
    ]


# -- messages that look alike


@pytest.mark.parametrize("id", [None, "always the same"])
def test_messages_that_look_alike_are_told_apart_by_their_order(id: str | None) -> None:
    log = new_log()
    for _ in range(3):
        log.note(MessageFate.ACCEPTED, chat(id), ROMEO)
    for resource in (BALCONY, GARDEN):
        for _ in range(3):
            log.note(MessageFate.DELIVERED, chat(id), resource)
    found = stories(log)
    assert [told(story) for story in found] == 3 * [
        [
            "accepted romeo@localhost/orchard",
            "delivered juliet@localhost/balcony",
            "delivered juliet@localhost/garden",
        ]
    ]
    times = [[event.at_ms for event in story.events] for story in found]
    assert times == sorted(times)


def test_messages_that_look_alike_are_told_apart_by_their_numbers_where_they_have_any() -> None:
    log = new_log()
    send(log, chat(None), 1)
    send(log, chat(None), 2)
    log.note(MessageFate.DELIVERED, chat(None), GARDEN, SM_GARDEN, 1, seq=1002)
    first, second = stories(log)
    assert "delivered juliet@localhost/garden" not in told(first)
    assert told(second)[-1] == "delivered juliet@localhost/garden"


def test_message_sent_again_on_its_stream_is_the_same() -> None:
    log = new_log()
    send(log, chat(), 1)
    log.note(MessageFate.ACCEPTED, chat(), ROMEO, SM_ROMEO, 1)
    log.note(MessageFate.RESENT, chat(), ROMEO, SM_ROMEO, 1, 1001)
    (story,) = stories(log)
    assert told(story)[-2:] == ["accepted romeo@localhost/orchard", "resent romeo@localhost/orchard"]


def test_message_sent_again_on_another_stream_is_another() -> None:
    log = new_log()
    send(log, chat(), 1)
    log.note(MessageFate.ACCEPTED, chat(), ROMEO, "sm-later", 1)
    assert [len(story.events) for story in stories(log)] == [4, 1]


def test_message_whose_beginning_is_forgotten_has_the_rest() -> None:
    log = new_log(events_max=2)
    send(log, chat(), 1)
    (story,) = stories(log)
    assert told(story) == ["logged", "delivered juliet@localhost/balcony"]


# -- errors


def test_error_of_the_server_s_belongs_to_its_message() -> None:
    log = new_log()
    log.note(MessageFate.ACCEPTED, chat(), ROMEO)
    log.note(MessageFate.REFUSED, chat(), detail="service-unavailable")
    error = build_error(chat(), StanzaError(StanzaCondition.SERVICE_UNAVAILABLE))
    log.note(MessageFate.DELIVERED, error, ROMEO, SM_ROMEO, 1)
    log.note_acknowledged(ROMEO, SM_ROMEO, 1)
    (story,) = stories(log)
    assert told(story) == [
        "accepted romeo@localhost/orchard",
        "refused",
        "bounced romeo@localhost/orchard",
    ]


def test_error_of_a_resource_belongs_to_the_message_to_its_account() -> None:
    log = new_log()
    log.note(MessageFate.ACCEPTED, chat(), ROMEO)
    log.note(MessageFate.DELIVERED, chat(), BALCONY)
    error = build_error(chat(to=BALCONY), StanzaError(StanzaCondition.NOT_ACCEPTABLE))
    log.note(MessageFate.DELIVERED, error, ROMEO)
    (story,) = stories(log)
    assert told(story)[-1] == "bounced romeo@localhost/orchard"


def test_error_for_a_message_that_is_forgotten_is_told() -> None:
    log = new_log()
    log.note(MessageFate.DELIVERED, build_error(chat(), StanzaError(StanzaCondition.GONE)), ROMEO)
    assert [told(story) for story in stories(log)] == [["bounced romeo@localhost/orchard"]]


# -- one message


@pytest.mark.parametrize("wanted", ["m2", "token-2"])
def test_one_message_is_found_by_either_of_its_ids(wanted: str) -> None:
    log = new_log()
    for number in (1, 2, 3):
        send(log, chat(f"m{number}"), number)
    assert [story.id for story in stories(log, message=wanted)] == ["m2"]


@pytest.mark.parametrize("wanted", ["m", "", "m10"])
def test_one_message_that_is_not_there_is_not_found(wanted: str) -> None:
    log = new_log()
    send(log, chat("m1"), 1)
    send(log, chat(None), 2)
    assert stories(log, message=wanted) == []


def test_one_message_is_found_by_an_id_that_had_to_be_cut() -> None:
    log, id_ = new_log(), "i" * 5_000
    send(log, chat(id_), 1)
    assert len(stories(log, message=id_)) == 1


def test_bare_of_takes_the_resource_off() -> None:
    assert [bare_of(jid) for jid in ("a@b/c/d", "a@b", "b/c", "")] == ["a@b", "a@b", "b", ""]
