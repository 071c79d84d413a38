"""What `trouper why` shows, as text for people: a block for each message, its summary first, newest last.

Takes what the control socket answered (`ops/control_protocol.py`). Ids and addresses in it may be strangers'
choice.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from actors.fates import MessageFate
from ops.harmless import harmless_line

_SECOND_MS: Final = 1_000
_MINUTE_MS: Final = 60 * _SECOND_MS
_HOUR_MS: Final = 60 * _MINUTE_MS

_Event: TypeAlias = Mapping[str, Any]
_Message: TypeAlias = Mapping[str, Any]


def render_messages(answer: Mapping[str, Any], message_id: str | None) -> Iterator[str]:
    """Yields the lines for a whole answer.

    Args:
        answer: As it came.
        message_id: What was asked for, if it was one message.
    """
    if answer["omitted"]:
        yield f"({answer['omitted']:,} older messages are not shown: ask for more with --count)"
        yield ""
    for message in answer["messages"]:
        yield from map(harmless_line, _block(message))
        yield ""
    if not answer["messages"]:
        about = "any message" if message_id is None else f"a message {message_id}"
        yield harmless_line(f"Nothing is known of {about} of {answer['jid']}.")
    yield from map(harmless_line, _remarks(answer))


def _remarks(answer: Mapping[str, Any]) -> Iterator[str]:
    """From when on anything is known, and what is missing."""
    if answer["since_ms"] is None:
        yield "This server remembers nothing that happens to messages: limits.fates_max is 0."
    else:
        yield f"What happened is known since {_time(answer['since_ms'])}."
    if answer["database_away"] is not None:
        yield f"What waits in the database is not shown, as it is away: {answer['database_away']}"


def _block(message: _Message) -> Iterator[str]:
    name = "A message" if message["id"] is None else f"Message {message['id']}"
    yield f"{name} from {message['from'] or 'this server'} to {message['to']} {summary(message)}."
    for event in message["events"]:
        yield f"  {_time(event['at_ms'])}  {_LINES[MessageFate(event['fate'])](event)}"
    waits = message["waits"]
    if waits is not None:
        owed = f", owed to {_owed(waits)}" if waits["owed_to"] else ""
        since = _time(waits["since_ms"])
        yield f"  {'now':{len(since)}}  in the database as {waits['seq']}, accepted {since}{owed}"


# -- the sentence


def summary(message: _Message) -> str:
    """Returns what became of a message, as the end of a sentence that begins with it."""
    events: Sequence[_Event] = message["events"]
    by_fate = {MessageFate(event["fate"]): event for event in events}
    clauses = list(_deliveries(events))
    for fate, clause in _ENDS.items():
        if fate in by_fate:
            clauses.append(clause(by_fate[fate]))
    if not clauses:
        stage = (text for fate, text in _STAGES if fate in by_fate)
        return next(stage, None) or _in_database(message["waits"])
    if _is(events[-1], MessageFate.STORED):
        clauses.append("is stored for whoever logs in next")
    return "; ".join(clauses)


def _deliveries(events: Sequence[_Event]) -> Iterator[str]:
    """Yields a clause for each resource that was given the message, in that order."""
    resources = dict.fromkeys(event["resource"] for event in events if _is(event, MessageFate.DELIVERED))
    for resource in resources:
        own = [event for event in events if event.get("resource") == resource and _is(event, *_OF_RESOURCE)]
        first = next(event for event in own if _is(event, MessageFate.DELIVERED))
        yield f"was delivered to {resource}{_outcome(first, own[-1])}"


def _outcome(delivered: _Event, last: _Event) -> str:
    if _is(last, MessageFate.ACKNOWLEDGED):
        return f" and acknowledged {_span(last['at_ms'] - delivered['at_ms'])} later"
    if _is(last, MessageFate.RETURNED):
        return ", which ended without acknowledging it"
    return ", which has not acknowledged it" if last.get("is_managed") else ", which acknowledges nothing"


def _in_database(waits: Mapping[str, Any] | None) -> str:
    if waits is None:
        return "is known by name only"
    if waits["owed_to"]:
        return f"is in the database, and owed to {_owed(waits)}"
    if waits["is_acknowledged"]:
        return "was acknowledged by all who got it, and is still in the database"
    return "is in the database, for whoever logs in next"


def _owed(waits: Mapping[str, Any]) -> str:
    return ", ".join(jid or "a session of before" for jid in waits["owed_to"])


_OF_RESOURCE: Final = (MessageFate.DELIVERED, MessageFate.ACKNOWLEDGED, MessageFate.RETURNED)

# What ends a message besides its delivery.
_ENDS: Final[Mapping[MessageFate, Callable[[_Event], str]]] = {
    MessageFate.SET_ASIDE: lambda event: f"was set aside because of {event.get('detail', 'an error')}",
    MessageFate.REFUSED: lambda event: f"was refused with {event.get('detail', 'an error')}",
    MessageFate.BOUNCED: lambda event: f"came back to its sender with {event.get('detail', 'an error')}",
}

# How far a message has come that has not ended, the furthest first.
_STAGES: Final = (
    (MessageFate.STORED, "is stored for whoever logs in next"),
    (MessageFate.LOGGED, "is logged, and not written to anybody yet"),
    (MessageFate.QUEUED, "waits for the database"),
    (MessageFate.RESENT, "was sent again, and is known already"),
    (MessageFate.ACCEPTED, "was accepted; what became of it is not known"),
)


# -- the lines


def _is(event: _Event, *fates: MessageFate) -> bool:
    return MessageFate(event["fate"]) in fates


def _numbered(event: _Event) -> str:
    number = event.get("number")
    return "" if number is None else f" as number {number} of its stream"


def _logged(event: _Event) -> str:
    known_as = f", stanza id {event['detail']}" if "detail" in event else ""
    return f" as {event['seq']}{known_as}" if "seq" in event else known_as


_LINES: Final[Mapping[MessageFate, Callable[[_Event], str]]] = {
    MessageFate.ACCEPTED: lambda event: f"accepted{_numbered(event)}",
    MessageFate.REFUSED: lambda event: f"refused with {event.get('detail', 'an error')}",
    MessageFate.BOUNCED: lambda event: f"{event['resource']} told of {event.get('detail', 'an error')}",
    MessageFate.QUEUED: lambda _event: "given to the database",
    MessageFate.LOGGED: lambda event: f"logged{_logged(event)}",
    MessageFate.STORED: lambda event: f"stored{_logged(event)}",
    MessageFate.DELIVERED: lambda event: f"delivered to {event['resource']}{_numbered(event)}",
    MessageFate.ACKNOWLEDGED: lambda event: f"acknowledged by {event['resource']}",
    MessageFate.RETURNED: lambda event: f"returned: {event['resource']} ended without acknowledging it",
    MessageFate.SET_ASIDE: lambda event: f"set aside because of {event.get('detail', 'an error')}",
    MessageFate.RESENT: lambda event: f"sent again, and known already{_logged(event)}",
}


def _time(at_ms: int) -> str:
    """The time in UTC, as the log writes it."""
    at = datetime.fromtimestamp(at_ms // _SECOND_MS, UTC)
    return f"{at:%Y-%m-%d %H:%M:%S}.{at_ms % _SECOND_MS:03}"


def _span(span_ms: int) -> str:
    """A length of time; the clock on the wall may have been put back, which makes it none."""
    span_ms = max(span_ms, 0)
    if span_ms < _SECOND_MS:
        return f"{span_ms} ms"
    if span_ms < _MINUTE_MS:
        return f"{span_ms / _SECOND_MS:.1f} s"
    hours, rest = divmod(span_ms, _HOUR_MS)
    minutes, rest = divmod(rest, _MINUTE_MS)
    return f"{hours}:{minutes:02}:{rest // _SECOND_MS:02}"
