"""What a stream-managed session leaves in the store, so that it can be resumed after a crash of everything.

A session's document holds two counters and a mark (XEP-0198 §4). `received` is the `h` that the client may be
told, together with the run of directly following numbers in the logs (`Store.logged_numbers`). The mark is
`epoch`, `base` and `entries`: what was owed to the client when it was made, with the wire numbers `base + 1`,
`base + 2`, and so on. What is handed over later is at a position j of that epoch, from 1, and has the wire
number `base + len(entries) + j`; its record says so by itself (`OutboundNumber`).
"""

from dataclasses import dataclass
from typing import NamedTuple


class QueueEntry(NamedTuple):
    """One stanza owed to the client: by the record it is in, or as it is.

    Either `seq` is given, or `data` or `place` or both.

    Attributes:
        seq: The sequence number of its record in the log of the session's account.
        data: The stanza itself, where no record has it, or none may have it in the end.
        is_answered: Whether it is a request that the client has answered.
        place: Epoch and position that its record will name as its place in this session's output, where that
            has no number yet, or is not written. If there is no such record in the end, the stanza is `data`,
            or was safe at no time.
    """

    seq: int | None = None
    data: bytes | None = None
    is_answered: bool = False
    place: tuple[int, int] | None = None


class OpenRequest(NamedTuple):
    """An IQ request of the client's to which it has acknowledged no answer.

    Attributes:
        id: What the client called it.
        to: Whom it asked.
        answered: The wire number of the answer, if there was one.
    """

    id: str
    to: str
    answered: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRecord:
    """The document of one session; written as a whole, by one writer at a time.

    Attributes:
        sm_id: The session's unguessable id, its key, by which its client resumes it.
        jid: The full JID.
        lang: The language of the client's stream.
        received: How many of the client's stanzas are handled for certain: none of them needs a record that
            is not committed yet.
        acked: How many stanzas the client has acknowledged.
        epoch: Rises by one with each mark.
        base: The wire number before the first entry.
        entries: What was owed when the mark was made, in order.
        elsewhere: Which of the entries, from 0, another of the account's clients is known to have.
        handled: Records from the account's offline queue that the client has, and may still be in the log.
        is_exact: Whether the entries are all that was owed in the end: the server stopped in order.
        dealt: Numbers behind `received` of stanzas that were dealt with as well when the server stopped in
            order, while one before them was not; in order.
        presence: The last available presence as stamped, if it is available.
        directed: Who got presence directed to them and is to hear of the end (RFC 6121 §4.6).
        roster_version: The version of the roster the client knows; None if it never asked for the roster.
        notes: What is kept for as long as the session lives, by key.
        requests: What the client still waits for.
        resume_seconds: How long the session may be resumed once its connection is lost.
        hibernated_ms: When the connection was lost, in milliseconds since 1970, if it was.
    """

    sm_id: str
    jid: str
    lang: str | None = None
    received: int = 0
    acked: int = 0
    epoch: int = 0
    base: int = 0
    entries: tuple[QueueEntry, ...] = ()
    elsewhere: tuple[int, ...] = ()
    handled: tuple[int, ...] = ()
    is_exact: bool = False
    dealt: tuple[int, ...] = ()
    presence: bytes | None = None
    directed: tuple[str, ...] = ()
    roster_version: int | None = None
    notes: tuple[tuple[str, str], ...] = ()
    requests: tuple[OpenRequest, ...] = ()
    resume_seconds: float
    hibernated_ms: int | None = None

    @property
    def bare_jid(self) -> str:
        """The account the session belongs to."""
        return self.jid.partition("/")[0]


class SessionSummary(NamedTuple):
    """What is read of every session at start: enough to know whom to revive, and until when."""

    sm_id: str
    jid: str
    hibernated_ms: int | None
    resume_seconds: float
    is_exact: bool = False
