"""Sessions by their SM-ID: those that live, those that wait in the database, and how the last ones ended.

Plain tables that everybody reads, as the directory; a name vanishes in the tick in which its owner ends.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final, NamedTuple, final

from protocols.jid import parse_jid

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence

    from protocols.jid import JID
    from store.sessions import SessionRecord, SessionSummary
    from supervision.ref import Ref

ENDED_MAX: Final = 10_000
"""Ended sessions whose last `h` is remembered: more than end in the minutes in which a client asks."""


@final
class LiveStream(NamedTuple):
    """A managed session that has an actor."""

    jid: JID
    session: Ref[Any]


@final
class StoredSession(NamedTuple):
    """A session that waits in the database for its client, until `expires_ms`, in ms since 1970.

    `counter` says how many of its client's stanzas need no record in a log any more, where that is known.
    """

    sm_id: str
    jid: JID
    expires_ms: float
    counter: int = 0


@final
class EndedStream(NamedTuple):
    """A managed session that is no more."""

    account: str
    h: int


@final
class Streams:
    """Every managed session.

    Attributes:
        is_read: Whether the database has been asked what waits there.
        kept: Addresses whose sessions an orderly stop kept with all that was owed to them; for this process's
            life, and no more of them than sessions waited when it began.
        left: The documents of sessions that this process has left to the next one, by address.
    """

    __slots__ = ("_by_account", "_ended", "_live", "_stored", "is_read", "kept", "left")

    def __init__(self) -> None:
        self._live: dict[str, LiveStream] = {}
        self._stored: dict[str, StoredSession] = {}
        self._by_account: dict[str, list[str]] = {}
        self._ended: OrderedDict[str, EndedStream] = OrderedDict()
        self.is_read = False
        self.kept: frozenset[JID] = frozenset()
        self.left: dict[JID, SessionRecord] = {}

    @property
    def accounts(self) -> Container[str]:
        """The accounts of which some wait in the database; always as they are."""
        return self._by_account.keys()

    # -- sessions with an actor

    def add(self, sm_id: str, jid: JID, session: Ref[Any]) -> None:
        """A session's stream is managed from now on."""
        self._live[sm_id] = LiveStream(jid, session)

    def live(self, sm_id: str) -> LiveStream | None:
        """The session of this name, if it has an actor."""
        return self._live.get(sm_id)

    def remove(self, sm_id: str, account: str, h: int) -> None:
        """A session has ended, with so much of its client's handled."""
        self._live.pop(sm_id, None)
        self._ended[sm_id] = EndedStream(account, h)
        if len(self._ended) > ENDED_MAX:
            self._ended.popitem(last=False)

    def leave(self, sm_id: str, jid: JID, counter: int) -> None:
        """A session stays in the database for the next process; this one has nothing more to do with it."""
        self._live.pop(sm_id, None)
        self._stored[sm_id] = StoredSession(sm_id, jid, math.inf, counter)

    def ended(self, sm_id: str) -> EndedStream | None:
        """How a session of that name has ended, if that was not long ago."""
        return self._ended.get(sm_id)

    # -- sessions that wait in the database

    def read(self, summaries: Iterable[SessionSummary], now_ms: int) -> None:
        """Take note of what the database holds; who was connected at a crash gets its full time from now."""
        kept: list[JID] = []
        for sm_id, jid, hibernated_ms, resume_seconds, is_exact in summaries:
            since = now_ms if hibernated_ms is None else hibernated_ms
            session = StoredSession(sm_id, parse_jid(jid), since + 1000 * resume_seconds)
            self._stored[sm_id] = session
            self._by_account.setdefault(session.jid.bare, []).append(sm_id)
            if is_exact:
                kept.append(session.jid)
        self.kept = frozenset(kept)
        self.is_read = True

    def stored(self, sm_id: str) -> StoredSession | None:
        """The session of this name, if it waits in the database."""
        return self._stored.get(sm_id)

    def stored_of(self, account: str) -> Sequence[StoredSession]:
        """Those of one account."""
        return [self._stored[sm_id] for sm_id in self._by_account.get(account, ())]

    def take(self, account: str) -> None:
        """Those of this account have actors from now on, or are gone."""
        for sm_id in self._by_account.pop(account, ()):
            self._stored.pop(sm_id, None)

    def expired(self, now_ms: int, count_max: int) -> list[StoredSession]:
        """Some whose time is over."""
        over: list[StoredSession] = []
        for session in self._stored.values():
            if session.expires_ms <= now_ms:
                over.append(session)
                if len(over) == count_max:
                    break
        return over

    def exists(self, sm_id: str) -> bool:
        """Whether a client may still come back to a session of this name."""
        return sm_id in self._live or sm_id in self._stored
