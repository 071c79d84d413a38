"""Tests of `ops.cli.story_rendering`: what people read of a message."""

from __future__ import annotations

from typing import Any

import pytest

from actors.fates import MessageFate
from ops.cli.story_rendering import render_messages, summary

BALCONY, GARDEN = "juliet@localhost/balcony", "juliet@localhost/garden"
ROMEO = "romeo@localhost/orchard"
ENDED = "which ended without acknowledging it"
DAY_MS = 1_600_000_000_000  # 2020-09-13 12:26:40


def event(fate: MessageFate, after_ms: int = 0, **values: Any) -> dict[str, Any]:
    return {"at_ms": DAY_MS + after_ms, "fate": fate.value, **values}


def message(*events: dict[str, Any], **values: Any) -> dict[str, Any]:
    fields = {"from": ROMEO, "to": "juliet@localhost", "id": "m1", "stanza_id": None, "waits": None}
    return {**fields, "events": list(events), **values}


def answer(*messages: dict[str, Any], **values: Any) -> dict[str, Any]:
    fields = {"jid": "juliet@localhost", "since_ms": DAY_MS, "database_away": None, "omitted": 0}
    return {**fields, "messages": list(messages), **values}


def waits(*owed_to: str | None, is_acknowledged: bool = False) -> dict[str, Any]:
    return {
        "seq": 1042,
        "since_ms": DAY_MS,
        "owed_to": list(owed_to),
        "is_acknowledged": is_acknowledged,
    }


ACCEPTED = event(MessageFate.ACCEPTED, resource=ROMEO)
DELIVERED = event(MessageFate.DELIVERED, 10, resource=BALCONY, is_managed=True, number=7)
RETURNED = event(MessageFate.RETURNED, 20, resource=BALCONY, is_managed=True)
STORED = event(MessageFate.STORED, 30, seq=1042, detail="token")


def acknowledged(after_ms: int, resource: str = BALCONY) -> dict[str, Any]:
    return event(MessageFate.ACKNOWLEDGED, after_ms, resource=resource, is_managed=True, number=9)


def test_render_is_a_block_a_message_with_a_line_an_event() -> None:
    told = message(
        event(MessageFate.ACCEPTED, resource=ROMEO, is_managed=True, number=3),
        event(MessageFate.QUEUED, 1),
        event(MessageFate.LOGGED, 8, seq=1042, detail="token"),
        DELIVERED,
        acknowledged(50),
    )
    assert "\n".join(render_messages(answer(told, message(ACCEPTED, id=None)), None)) == (
        "Message m1 from romeo@localhost/orchard to juliet@localhost was delivered to "
        "juliet@localhost/balcony and acknowledged 40 ms later.\n"
        "  2020-09-13 12:26:40.000  accepted as number 3 of its stream\n"
        "  2020-09-13 12:26:40.001  given to the database\n"
        "  2020-09-13 12:26:40.008  logged as 1042, stanza id token\n"
        "  2020-09-13 12:26:40.010  delivered to juliet@localhost/balcony as number 7 of its stream\n"
        "  2020-09-13 12:26:40.050  acknowledged by juliet@localhost/balcony\n"
        "\n"
        "A message from romeo@localhost/orchard to juliet@localhost was accepted; what became of it is not "
        "known.\n"
        "  2020-09-13 12:26:40.000  accepted\n"
        "\n"
        "What happened is known since 2020-09-13 12:26:40.000."
    )


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ([ACCEPTED], "was accepted; what became of it is not known"),
        ([ACCEPTED, event(MessageFate.QUEUED)], "waits for the database"),
        (
            [ACCEPTED, event(MessageFate.QUEUED), event(MessageFate.LOGGED, seq=1)],
            "is logged, and not written to anybody yet",
        ),
        ([ACCEPTED, STORED], "is stored for whoever logs in next"),
        ([ACCEPTED, event(MessageFate.RESENT, seq=1)], "was sent again, and is known already"),
        ([ACCEPTED, DELIVERED], f"was delivered to {BALCONY}, which has not acknowledged it"),
        (
            [ACCEPTED, event(MessageFate.DELIVERED, resource=BALCONY)],
            f"was delivered to {BALCONY}, which acknowledges nothing",
        ),
        ([STORED, DELIVERED, acknowledged(11)], f"was delivered to {BALCONY} and acknowledged 1 ms later"),
        (
            [DELIVERED, acknowledged(9)],  # the clock was put back
            f"was delivered to {BALCONY} and acknowledged 0 ms later",
        ),
        ([DELIVERED, RETURNED], f"was delivered to {BALCONY}, {ENDED}"),
        (
            [DELIVERED, RETURNED, STORED],
            f"was delivered to {BALCONY}, {ENDED}; is stored for whoever logs in next",
        ),
        (
            [DELIVERED, RETURNED, event(MessageFate.DELIVERED, resource=GARDEN, is_managed=True)],
            f"was delivered to {BALCONY}, {ENDED}; was delivered to {GARDEN}, which has not acknowledged it",
        ),
        (
            [DELIVERED, DELIVERED, acknowledged(1_010)],
            f"was delivered to {BALCONY} and acknowledged 1.0 s later",
        ),
        ([ACCEPTED, event(MessageFate.REFUSED, detail="gone")], "was refused with gone"),
        ([ACCEPTED, event(MessageFate.REFUSED)], "was refused with an error"),
        (
            [ACCEPTED, event(MessageFate.SET_ASIDE, detail="ValueError")],
            "was set aside because of ValueError",
        ),
        (
            [
                event(MessageFate.REFUSED, detail="gone"),
                event(MessageFate.BOUNCED, detail="gone", resource=ROMEO),
            ],
            "was refused with gone; came back to its sender with gone",
        ),
    ],
)
def test_summary_says_what_became_of_it(events: list[dict[str, Any]], said: str) -> None:
    assert summary(message(*events)) == said


@pytest.mark.parametrize(
    ("owed_to", "said"),
    [
        ((), "is in the database, for whoever logs in next"),
        ((BALCONY,), f"is in the database, and owed to {BALCONY}"),
        ((BALCONY, None), f"is in the database, and owed to {BALCONY}, a session of before"),
    ],
)
def test_summary_of_what_only_the_database_knows(owed_to: tuple[str | None, ...], said: str) -> None:
    assert summary(message(waits=waits(*owed_to))) == said


def test_summary_of_what_is_in_the_database_for_no_reason_any_more() -> None:
    said = summary(message(waits=waits(is_acknowledged=True)))
    assert said == "was acknowledged by all who got it, and is still in the database"


def test_summary_of_nothing_at_all_is_a_sentence_still() -> None:
    assert summary(message()) == "is known by name only"


@pytest.mark.parametrize(
    ("span_ms", "said"),
    [(0, "0 ms"), (999, "999 ms"), (59_900, "59.9 s"), (60_000, "0:01:00"), (3_725_999, "1:02:05")],
)
def test_summary_has_lengths_of_time_for_people(span_ms: int, said: str) -> None:
    assert summary(message(DELIVERED, acknowledged(10 + span_ms))).endswith(f"acknowledged {said} later")


@pytest.mark.parametrize("fate", MessageFate)
def test_render_every_event_has_a_line_even_with_nothing_more_to_say(fate: MessageFate) -> None:
    lines = list(render_messages(answer(message(event(fate, resource=BALCONY))), None))
    assert lines[1].startswith("  2020-09-13 12:26:40.000  ")
    assert len(lines[1].split("  ")[2]) > 0


def test_render_what_waits_is_the_last_line() -> None:
    lines = list(render_messages(answer(message(STORED, waits=waits(BALCONY))), None))
    assert lines[1] == "  2020-09-13 12:26:40.030  stored as 1042, stanza id token"
    assert lines[2] == (
        "  now                      in the database as 1042, accepted 2020-09-13 12:26:40.000, "
        f"owed to {BALCONY}"
    )


def test_render_error_told_names_who_was_told() -> None:
    lines = list(
        render_messages(answer(message(event(MessageFate.BOUNCED, resource=ROMEO, detail="gone"))), None)
    )
    assert lines[1].endswith("romeo@localhost/orchard told of gone")


def test_render_message_of_the_server_s_own_has_it_for_a_sender() -> None:
    lines = list(render_messages(answer(message(DELIVERED, **{"from": ""})), None))
    assert lines[0].startswith("Message m1 from this server to juliet@localhost was")


def test_render_texts_of_strangers_are_harmless() -> None:
    lines = list(render_messages(answer(message(ACCEPTED, id="\x1b[2J\nm1")), None))
    assert lines[0].startswith("Message \\x1b[2J\\nm1 from")


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (None, "Nothing is known of any message of juliet@localhost."),
        ("m\n9", "Nothing is known of a message m\\n9 of juliet@localhost."),
    ],
)
def test_render_of_nothing_says_so(wanted: str | None, said: str) -> None:
    assert list(render_messages(answer(), wanted)) == [
        said,
        "What happened is known since 2020-09-13 12:26:40.000.",
    ]


def test_render_says_what_is_missing() -> None:
    told = answer(message(ACCEPTED), since_ms=None, database_away="no answer", omitted=1_234)
    lines = list(render_messages(told, None))
    assert lines[0] == "(1,234 older messages are not shown: ask for more with --count)"
    assert lines[-2:] == [
        "This server remembers nothing that happens to messages: limits.fates_max is 0.",
        "What waits in the database is not shown, as it is away: no answer",
    ]
