"""What a session remembers, and outlives its incarnations; the actor is in `session`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, final

from protocols.negotiation_values import State
from protocols.stream_queue import Incoming, Outgoing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.connection_messages import ConnectionMessage
    from actors.ledger import Ledger, Parcel
    from actors.outlet import Outlet
    from actors.session_messages import Deliver, Resume
    from protocols.jid import JID
    from protocols.stanza import Stanza
    from store.sessions import SessionRecord
    from supervision.ref import Ref
    from supervision.timers import Timer


@final
class Entry:
    """A stanza in a managed session's output, until its client has acknowledged it.

    Attributes:
        stanza: What is written.
        gate: Its parcel, where it has a record in the log; not before that is committed is it written.
        common: Its parcel, where it need not wait for that: other resources got it as well.
        roster_version: What the client knows of the roster once it has this.
        is_answered: Whether it is a request that the client has answered.
    """

    __slots__ = ("common", "gate", "is_answered", "roster_version", "size", "stanza")

    def __init__(self, stanza: Stanza, gate: Parcel | None = None) -> None:
        self.stanza = stanza
        self.size = len(stanza.data)
        self.gate = gate
        self.common: Parcel | None = None
        self.is_answered = False
        self.roster_version: int | None = None


@final
class Request(NamedTuple):
    """An IQ request of the client's: the number it came under, and the wire number of its answer."""

    number: int
    answered: int | None = None


@final
class Revived(NamedTuple):
    """What is left of a session's numbers when it came back from the database and nobody has resumed it yet.

    Attributes:
        base: The client has handled at least so many.
        numbers: The wire number of each entry owed from before, in order; None where it never had one.
        last: The wire number of the last stanza that is known to have had one.
        is_exact: Whether there was none behind that.
        record: The document, which stands until somebody resumes.
    """

    base: int
    numbers: tuple[int | None, ...]
    last: int
    is_exact: bool
    record: SessionRecord


@final
class ManagedStream:
    """The part of a session whose stream is managed (XEP-0198).

    Attributes:
        sm_id: Nobody guesses it, and it names the session's document.
        resume_seconds: For how long the session waits for its client to come back; zero: not at all.
        requests: IQ requests of the client's to which it has acknowledged no answer, by id and address.
        handled: Records from the offline queue that the client has, and that may still be in the log.
        resent: Numbers under which the client sends again what stands in the log already, or was dealt with;
            each with its id, if that is known.
        is_hibernating: Whether there is no connection.
        wants_ack: Whether the client has asked for an acknowledgement of more than it was told.
        told: The last `h` sent.
        has_asked: Whether the client owes us an answer to `<r/>`.
        saving: Whether the session's document is being written.
        saved_at: When it was written last, in seconds of Trio's clock.
        is_saved: Whether the session's document has been written once.
        must_save: Whether it is to be written again behind that.
        opening: Parcels from the offline queue, to be written when the document that names them is saved.
        revived: Until the client of a session from the database has resumed it.
        resuming: The resumption that waits: for what the client has sent to be safe, or for the mark.
        is_marking: Whether the mark that belongs to the first resumption since a restart is being written.
        hold: Runs while the client waits for its stream to be managed, or for what it has sent to be safe.
        patience: Runs while the client has more than its bound to acknowledge.
        is_left: Whether the session is kept in the database for another process.
    """

    __slots__ = (
        "ack_due",
        "expiry",
        "handled",
        "has_asked",
        "hibernated_ms",
        "hold",
        "incoming",
        "is_hibernating",
        "is_left",
        "is_marking",
        "is_saved",
        "ledger",
        "must_save",
        "opening",
        "outgoing",
        "patience",
        "requests",
        "resent",
        "resume_seconds",
        "resuming",
        "revived",
        "saved_at",
        "saving",
        "sm_id",
        "told",
        "wants_ack",
    )

    def __init__(self, sm_id: str, ledger: Ledger, resume_seconds: float, *, is_journaled: bool) -> None:
        self.sm_id = sm_id
        self.ledger = ledger
        self.resume_seconds = resume_seconds
        self.incoming = Incoming(is_journaled=is_journaled)
        self.outgoing: Outgoing[Entry] = Outgoing()
        self.requests: dict[tuple[str, str], Request] = {}
        self.handled: list[int] = []
        self.resent: dict[int, str | None] = {}
        self.is_hibernating = False
        self.hibernated_ms: int | None = None
        self.wants_ack = False
        self.told = 0
        self.has_asked = False
        self.ack_due: Timer | None = None
        self.expiry: Timer | None = None
        self.saving = False
        self.saved_at = 0.0
        self.is_saved = not is_journaled
        self.must_save = False
        self.opening: list[Parcel] = []
        self.revived: Revived | None = None
        self.resuming: Resume | None = None
        self.is_marking = False
        self.hold: Timer | None = None
        self.patience: Timer | None = None
        self.is_left = False

    @property
    def h(self) -> int:
        """How much the client may be told is handled."""
        return self.incoming.h if self.is_saved else 0

    def stop_holding(self) -> None:
        """The client need not wait any longer."""
        if self.hold is not None:
            self.hold.cancel()
            self.hold = None

    def stop_timers(self) -> None:
        """Nothing is waited for any more."""
        self.stop_holding()
        for timer in (self.ack_due, self.expiry, self.patience):
            if timer is not None:
                timer.cancel()
        self.ack_due = self.expiry = self.patience = None

    @property
    def is_safe(self) -> bool:
        """Whether a crash of everything would forget nothing that the client has sent."""
        return self.is_saved and self.incoming.safe == self.incoming.received


@final
class SessionState:
    """What outlives an incarnation.

    Attributes:
        outlet: Where stanzas are written; of the last connection, while there is none.
        via: Which of the session's connections this is, counted from zero: the others are not heard any more.
        directed: Who got this resource's presence besides its user's contacts.
        presence: Its last available presence, while the client is available.
        roster_version: What the client knows of the roster, once it has asked for it.
        notes: What the account's actor lets it keep, by key (`presence_effects.KeepNote`).
        congested: Runs while the client has more than its bound to read.
        undelivered: Stanzas that came when the client's stream was over already.
        returning: Parcels of the offline queue that did, and are to be part of it again.
        stream: Once the client has enabled stream management.
        must_end: Whether the session ends with its present stream, whatever could be resumed.
    """

    __slots__ = (
        "congested",
        "connection",
        "directed",
        "jid",
        "lang",
        "must_end",
        "notes",
        "outlet",
        "presence",
        "returning",
        "roster_version",
        "stream",
        "undelivered",
        "via",
    )

    def __init__(
        self, jid: JID, outlet: Outlet, connection: Ref[ConnectionMessage] | None, lang: str | None
    ) -> None:
        self.jid = jid
        self.outlet = outlet
        self.connection = connection
        self.lang = lang
        self.via = 0
        self.directed: set[JID] = set()
        self.presence: Stanza | None = None
        self.roster_version: int | None = None
        self.notes: dict[str, str] = {}
        self.congested: Timer | None = None
        self.undelivered: list[Deliver] = []
        self.returning: list[Parcel] = []
        self.stream: ManagedStream | None = None
        self.must_end = False

    @property
    def is_hibernating(self) -> bool:
        """Whether there is no connection just now."""
        return self.stream is not None and self.stream.is_hibernating

    @property
    def phase_name(self) -> str:
        """Whether there is a stream, or one is waited for."""
        return "detached" if self.is_hibernating else State.SESSION_ESTABLISHED.value

    def owed(self) -> Sequence[Entry]:
        """What the client has not acknowledged, oldest first."""
        return () if self.stream is None else self.stream.outgoing.entries()
