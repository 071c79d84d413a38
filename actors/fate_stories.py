"""From the journal of what happened (`fates`) to the story of each message of one account.

Pure, and run in a thread where the journal is long. A message is known by sender, recipient and `id`; by its
number in the log or on a stream wherever an event has one. Where clients give no ids, or the same one twice,
messages between the same two are told apart by their order, which the server keeps.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias, final

from actors.fates import MessageFate, as_event, cut

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from actors.fates import FateEvent, RawEvent

_Key: TypeAlias = tuple[str, str, str | None]
_Handle: TypeAlias = tuple[object, ...]

_IDENTIFYING: Final = frozenset({MessageFate.LOGGED, MessageFate.STORED})
"""What has the public stanza id for its detail."""
_NUMBERED: Final = frozenset({MessageFate.ACCEPTED, MessageFate.RESENT, MessageFate.DELIVERED})


@final
class Story(NamedTuple):
    """One message and what became of it.

    Attributes:
        sender: The full JID of its sender, '' if it had none.
        to: The JID it was sent to.
        id: Its `id`, if it has one.
        events: What happened, oldest first; those about a whole stream as if about this message alone.
    """

    sender: str
    to: str
    id: str | None
    events: tuple[FateEvent, ...]

    @property
    def stanza_ids(self) -> list[str]:
        """Its public ids (XEP-0359): another one each time it was put into a log."""
        ids = (event.detail for event in self.events if event.fate in _IDENTIFYING)
        return [stanza_id for stanza_id in ids if stanza_id is not None]


def of_account(journal: Iterable[RawEvent], bare_jid: str, message_id: str | None = None) -> list[Story]:
    """Return the messages that an account sent or was sent, in the order in which they began.

    Args:
        journal: What is known, oldest first; of a message whose beginning it has forgotten, the rest is told.
        bare_jid: The account.
        message_id: Only those with this `id` or public stanza id.
    """
    sorter = _Sorter(cut(bare_jid))
    for raw in journal:
        sorter.take(raw)
    if message_id is None:
        return sorter.stories()
    wanted = cut(message_id)
    return [story for story in sorter.stories() if wanted == story.id or wanted in story.stanza_ids]


@final
class _Draft:
    """A story while it is put together."""

    __slots__ = ("events", "key")

    def __init__(self, key: _Key) -> None:
        self.key = key
        self.events: list[FateEvent] = []


@final
class _Sorter:
    """Puts events to the messages that they are about."""

    def __init__(self, bare_jid: str) -> None:
        self._bare = bare_jid
        self._drafts: list[_Draft] = []
        self._by_key: defaultdict[_Key, list[_Draft]] = defaultdict(list)
        self._by_handle: dict[_Handle, _Draft] = {}
        self._seen: Counter[tuple[_Key, MessageFate, str]] = Counter()
        # By stream, then by number: what was written and not acknowledged, in order.
        self._owed: defaultdict[str, dict[int, _Draft]] = defaultdict(dict)

    def stories(self) -> list[Story]:
        return [Story(*draft.key, tuple(draft.events)) for draft in self._drafts]

    def take(self, raw: RawEvent) -> None:
        sender, to, session = raw[2], raw[3], raw[6]
        if sender or to:
            if self._concerns(sender) or self._concerns(to):
                self._place(as_event(raw))
        elif session is not None and session in self._owed:
            self._settle(as_event(raw), self._owed[session])

    def _concerns(self, jid: str) -> bool:
        return jid.startswith(self._bare) and bare_of(jid) == self._bare

    def _place(self, event: FateEvent) -> None:
        draft = self._draft_of(event)
        draft.events.append(event)
        for handle in _handles(event):
            self._by_handle[handle] = draft
        if event.fate is MessageFate.DELIVERED and event.session is not None and event.number is not None:
            self._owed[event.session][event.number] = draft

    def _draft_of(self, event: FateEvent) -> _Draft:
        """The message an event is about: known by a number, else the next of its kind, else a new one."""
        for handle in _handles(event):
            if handle in self._by_handle:
                return self._by_handle[handle]
        key = (event.sender, event.to, event.id)
        if event.fate is MessageFate.BOUNCED and key not in self._by_key:
            key = (event.sender, bare_of(event.to), event.id)  # one of the resources of the one addressed
        alike = self._by_key[key]
        if not alike or event.fate is MessageFate.ACCEPTED:
            alike.append(_Draft(key))
            self._drafts.append(alike[-1])
            if event.fate is MessageFate.ACCEPTED:
                return alike[-1]
        kind = (key, event.fate, event.resource)
        self._seen[kind] += 1
        return alike[min(self._seen[kind], len(alike)) - 1]

    @staticmethod
    def _settle(event: FateEvent, owed: dict[int, _Draft]) -> None:
        """An acknowledgement, or the end, of a stream is one of each message that was written to it."""
        up_to = event.number
        settled = [number for number in owed if up_to is None or number <= up_to]
        for number in settled:
            owed.pop(number).events.append(event)


def _handles(event: FateEvent) -> Iterator[_Handle]:
    """What a message can be known by besides its addresses and id."""
    key = (event.sender, event.to, event.id)
    if event.seq is not None:
        yield ("log", event.seq, *key)
    if event.number is not None and event.fate in _NUMBERED:
        yield ("stream", event.fate is MessageFate.DELIVERED, event.session, event.number, *key)


def bare_of(jid: str) -> str:
    """The address without resource, of one as it is kept in the journal."""
    return jid.partition("/")[0]
