"""What a presence actor knows of its user, and outlives its incarnations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, final

from actors.session_state import SessionState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from actors.gates import Guards, Notes
    from actors.presence_effects import PresenceEffect
    from actors.presence_messages import OwnPresence, PresenceMessage
    from protocols.jid import JID
    from protocols.stanza import Stanza
    from store.users import User
    from store.writes import Outcome
    from supervision.ref import Ref
    from supervision.reply import Reply
    from supervision.timers import Timer


@final
class OwnResource(NamedTuple):
    """One of the user's sessions; `presence` is what it last announced, None while it is not available.

    `is_stale` if its client was available before a crash that forgot that, or may have been.
    """

    session: Ref[Any]
    presence: Stanza | None
    priority: int
    is_stale: bool = False


@final
class PendingSize(NamedTuple):
    """How many messages wait for an account, and how many bytes they have."""

    messages: int
    bytes: int


NOTHING_PENDING = PendingSize(0, 0)


@final
class Submission(NamedTuple):
    """What was planned for a message and has gone to the database; a successor does not plan it again."""

    message: PresenceMessage
    effects: Sequence[PresenceEffect]
    outcomes: Reply[list[Outcome]]


@final
class PresenceState:
    """See the module's docstring.

    Attributes:
        user: The account's document as last committed; None before it was read, or if there is none.
        is_loaded: Whether the document was read.
        resources: The user's sessions by resource.
        kept: What resources last announced while the database was away, to be carried out when it answers.
        notes: What sessions keep, by resource and key, where it is anything.
        guards: What is asked about the user's stanzas, as of the document that was known last.
        interested: The resources that asked for the roster, in that order.
        pending: How much waits in the log, once that is known.
        kept_seq: Under which number the last message was put into the offline queue.
        outstanding: What went to the database and has no outcome yet, whatever has become of who sent it.
        submitted: The message in hand, once what it changes has gone to the database.
        retried: The message that was set aside last and is tried once more, until it is done.
    """

    __slots__ = (
        "guards",
        "interested",
        "is_loaded",
        "jid",
        "kept",
        "kept_seq",
        "notes",
        "outstanding",
        "passivation",
        "pending",
        "resources",
        "retried",
        "submitted",
        "user",
    )

    def __init__(self, jid: JID) -> None:
        self.jid = jid
        self.user: User | None = None
        self.is_loaded = False
        self.resources: dict[str, OwnResource] = {}
        self.kept: dict[str, OwnPresence] = {}
        self.notes: dict[str, Mapping[str, str]] = {}
        self.guards: Guards | None = None
        self.interested: dict[str, None] = {}
        self.pending: PendingSize | None = None
        self.kept_seq: int | None = None
        self.outstanding: list[Reply[list[Outcome]]] = []
        self.submitted: Submission | None = None
        self.retried: PresenceMessage | None = None
        self.passivation: Timer | None = None

    def note_kept(self, size: int) -> None:
        """A message of so many bytes was put into the offline queue."""
        if self.pending is not None:
            self.pending = PendingSize(self.pending.messages + 1, self.pending.bytes + size)

    def forget_document(self) -> None:
        """What is known of the database cannot be trusted: read it anew. Resources stand."""
        self.is_loaded = False
        self.pending = self.submitted = None

    def doubt_document(self) -> None:
        """A predecessor died: if something of its has no outcome yet, the document may still change."""
        self.outstanding = [each for each in self.outstanding if not each.is_filled]
        expected = [] if self.submitted is None else [self.submitted.outcomes]
        if self.outstanding != expected[: len(self.outstanding)]:
            self.is_loaded = False

    def drop(self, resource: str) -> None:
        """Forget a resource."""
        self.resources.pop(resource, None)
        self.interested.pop(resource, None)
        self.kept.pop(resource, None)
        self.notes.pop(resource, None)
        self.pending = None  # what it was owed may be back in the queue

    @property
    def all_notes(self) -> Notes:
        """What each connected resource's session keeps."""
        return {resource: self.notes.get(resource, {}) for resource in self.resources}

    @property
    def priorities(self) -> dict[str, int]:
        """The available resources and their priorities."""
        return {
            resource: own.priority for resource, own in self.resources.items() if own.presence is not None
        }


def successor(former: PresenceState, sessions: Mapping[str, Ref[Any]]) -> PresenceState:
    """What an actor begins with that takes over from one which was given up: all but what can be read again.

    Args:
        former: What the other knew.
        sessions: The user's sessions that live.
    """
    state = PresenceState(former.jid)
    for resource, session in sessions.items():
        own = former.resources.get(resource)
        is_known = own is not None and own.session is session
        state.resources[resource] = (
            own if own is not None and is_known else OwnResource(session, None, 0, is_stale=True)
        )
        if is_known and resource in former.interested:
            state.interested[resource] = None
        kept = session.slot.state
        notes = former.notes.get(resource) if is_known else None
        if notes is None and isinstance(kept, SessionState):
            notes = dict(kept.notes)
        if notes:
            state.notes[resource] = notes
        if resource in former.kept:
            state.kept[resource] = former.kept[resource]
    state.outstanding = former.outstanding
    return state
