"""What the server knows of an account's messages, for `trouper why`: its journal and the account's log.

The journal (`actors/fates.py`) knows what happened since this process began, as far as it goes back. The log
in the database knows what waits for the account, from before as well: offline messages, and those that a
session's client has not acknowledged. Neither gives bodies away, nor a session's id, which is a secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, final

from actors.fate_stories import of_account
from ops.control_protocol import Refusal
from protocols.stored_stanza import read_stored
from store.errors import NotFound, StoreUnavailable
from store.log import SEQ_MAX

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from actors.fate_stories import Story
    from actors.fates import FateEvent, FateLog, RawEvent
    from actors.server import Server
    from protocols.jid import JID
    from protocols.xml_element import NameBudget
    from store.log import LogRecord, OutboundNumber
    from store.sessions import SessionRecord
    from store.store import Store

READ_SECONDS_MAX: Final = 14.0
"""For each of the two, journal and database; who asks waits for 30 seconds."""

_PAGE: Final = 100
"""Records read at a time; at the largest there are, as many bytes as the driver takes in one piece."""
_PAGES_MAX: Final = 50
"""More than offline queue and unacknowledged messages of all sessions come to with the default limits."""


@final
class Waiting(NamedTuple):
    """A message in the account's log that is not delivered, or not known to be acknowledged.

    Attributes:
        seq: Its number in the log.
        at_ms: When it was accepted, in milliseconds since 1970.
        stanza_id: Its public id (XEP-0359).
        sender: The JID of its sender.
        to: The JID it was sent to.
        id: Its `id`, if it has one.
        owed_to: The full JIDs of the sessions it was handed to and that have not acknowledged it, as far as
            their documents say; None for one that nobody knows any more.
        is_acknowledged: Whether it was handed to sessions and all of them have, so that it may go.
    """

    seq: int
    at_ms: int
    stanza_id: str
    sender: str
    to: str
    id: str | None
    owed_to: tuple[str | None, ...]
    is_acknowledged: bool


async def why(
    server: Server, fates: FateLog, account: JID, message_id: str | None, count: int
) -> Mapping[str, object]:
    """Return what is known of an account's newest messages.

    Args:
        server: Where its log is read.
        fates: The journal.
        account: Whose messages.
        message_id: Only those with this `id` or public stanza id.
        count: How many at most.

    Raises:
        Refusal: There is no such account, and there was none.
    """
    journal = fates.snapshot()
    job = server.world.readers.submit(lambda: of_account(journal, account.bare, message_id))
    stories = await job.wait(READ_SECONDS_MAX)
    waiting: Sequence[Waiting] = ()
    away: str | None = None
    try:
        read = server.store.read(lambda store: _waiting(store, server.names, account.bare, journal))
        waiting = await read.wait(READ_SECONDS_MAX)
    except StoreUnavailable as error:
        away = str(error)
    except NotFound as error:
        if not stories:
            raise Refusal(f"there is no account {account}") from error
    messages = _merged(stories, _of_interest(waiting, message_id))
    return {
        "jid": account.bare,
        "since_ms": fates.since_ms if fates.is_on else None,
        "database_away": away,
        "omitted": max(0, len(messages) - count),
        "messages": messages[-count:],
    }


def _waiting(store: Store, names: NameBudget, owner: str, journal: Sequence[RawEvent]) -> Sequence[Waiting]:
    """Read what waits in an account's log; of more than there should be, the oldest.

    Errors are left out: they are no messages of their own, but something that happened to one.

    Raises:
        NotFound: There is no such account.
    """
    if store.credentials(owner) is None:
        raise NotFound(owner)
    waiting: list[Waiting] = []
    sessions, after = _Sessions(store, journal), 0
    for _number in range(_PAGES_MAX):
        page = store.pending(owner, after, SEQ_MAX, _PAGE)
        sessions.read(page)
        described = [_described(record, names, sessions) for record in page]
        waiting += [each for each in described if each is not None]
        if len(page) < _PAGE:
            break
        after = page[-1].seq
    return waiting


def _described(record: LogRecord, names: NameBudget, sessions: _Sessions) -> Waiting | None:
    stanza, owed_to = read_stored(record.data, names), sessions.owed(record)
    if stanza.type == "error":
        return None
    return Waiting(
        seq=record.seq,
        at_ms=record.at_ms,
        stanza_id=record.stanza_id,
        sender=record.peer,
        to=record.owner if stanza.to is None else stanza.to.full,
        id=stanza.id,
        owed_to=owed_to,
        is_acknowledged=bool(record.outbound) and not owed_to,
    )


@final
class _Sessions:
    """Whose sessions those are that records name: from their documents, or else from the journal."""

    def __init__(self, store: Store, journal: Sequence[RawEvent]) -> None:
        self._store = store
        self._resources = {session: resource for *_, resource, session, _, _, _ in journal if session}
        self._documents: dict[str, SessionRecord] = {}
        self._asked: set[str] = set()

    def read(self, records: Sequence[LogRecord]) -> None:
        """Read the documents of the sessions that these records name: some for each message at most."""
        wanted = {place.session for record in records for place in record.outbound} - self._asked
        self._asked |= wanted
        if wanted:
            self._documents |= {each.sm_id: each for each in self._store.session_records(sorted(wanted))}

    def owed(self, record: LogRecord) -> tuple[str | None, ...]:
        """See `Waiting`."""
        return tuple(self._jid(place) for place in record.outbound if self._owes(place, record.seq))

    def _owes(self, place: OutboundNumber, seq: int) -> bool:
        """By the document, which may be behind; see `store.sessions`."""
        document = self._documents.get(place.session)
        if document is None or place.epoch > document.epoch:
            return True
        if place.epoch < document.epoch:
            at = (place.epoch, place.number)
            return any(entry.seq == seq or entry.place == at for entry in document.entries)
        return document.base + len(document.entries) + place.number > document.acked

    def _jid(self, place: OutboundNumber) -> str | None:
        document = self._documents.get(place.session)
        return self._resources.get(place.session) if document is None else document.jid


def _of_interest(waiting: Sequence[Waiting], message_id: str | None) -> Sequence[Waiting]:
    if message_id is None:
        return waiting
    return [each for each in waiting if message_id in {each.id, each.stanza_id}]


def _merged(stories: Sequence[Story], waiting: Sequence[Waiting]) -> list[Mapping[str, object]]:
    """The messages of both, oldest first; what waits belongs to the story that has its public id."""
    unclaimed = {each.stanza_id: each for each in waiting}
    known: list[tuple[int, Mapping[str, object]]] = []
    for story in stories:
        own = [unclaimed.pop(each) for each in story.stanza_ids if each in unclaimed]
        known.append((story.events[0].at_ms, _from_story(story, own[-1] if own else None)))
    known += [(each.at_ms, _from_record(each)) for each in unclaimed.values()]
    known.sort(key=lambda entry: entry[0])
    return [message for _at_ms, message in known]


def _from_story(story: Story, waiting: Waiting | None) -> Mapping[str, object]:
    return {
        "from": story.sender,
        "to": story.to,
        "id": story.id,
        "stanza_id": story.stanza_ids[-1] if story.stanza_ids else None,
        "waits": None if waiting is None else _as_object(waiting),
        "events": [_event(event) for event in story.events],
    }


def _from_record(waiting: Waiting) -> Mapping[str, object]:
    return {
        "from": waiting.sender,
        "to": waiting.to,
        "id": waiting.id,
        "stanza_id": waiting.stanza_id,
        "waits": _as_object(waiting),
        "events": [],
    }


def _as_object(waiting: Waiting) -> Mapping[str, object]:
    return {
        "seq": waiting.seq,
        "since_ms": waiting.at_ms,
        "owed_to": list(waiting.owed_to),
        "is_acknowledged": waiting.is_acknowledged,
    }


def _event(event: FateEvent) -> Mapping[str, object]:
    """An event without what its message has already, and without what it has not."""
    values = {
        "at_ms": event.at_ms,
        "fate": event.fate.value,
        "resource": event.resource or None,
        "number": event.number,
        "seq": event.seq,
        "detail": event.detail,
        "is_managed": True if event.session is not None else None,
    }
    return {name: value for name, value in values.items() if value is not None}
