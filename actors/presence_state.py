"""What a presence actor knows of its user, and outlives its incarnations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, final

if TYPE_CHECKING:
    from protocols.jid import JID
    from protocols.stanza import Stanza
    from store.users import User
    from supervision.ref import Ref
    from supervision.timers import Timer


@final
class OwnResource(NamedTuple):
    """One of the user's sessions; `presence` is what it last announced, None while it is not available."""

    session: Ref[Any]
    presence: Stanza | None
    priority: int


@final
class PresenceState:
    """See the module's docstring.

    Attributes:
        user: The account's document as last committed; None before it was read, or if there is none.
        is_loaded: Whether the document was read.
        resources: The user's sessions by resource.
        interested: The resources that asked for the roster.
        next_seq: The next free number in the log, once a block of them is reserved.
        pending_count: How many messages wait in the log, once that is known.
    """

    __slots__ = (
        "interested",
        "is_loaded",
        "jid",
        "next_seq",
        "passivation",
        "pending_count",
        "resources",
        "user",
    )

    def __init__(self, jid: JID) -> None:
        self.jid = jid
        self.user: User | None = None
        self.is_loaded = False
        self.resources: dict[str, OwnResource] = {}
        self.interested: set[str] = set()
        self.next_seq: int | None = None
        self.pending_count: int | None = None
        self.passivation: Timer | None = None

    def note_kept(self) -> None:
        """A message was put into the log under `next_seq`."""
        assert self.next_seq is not None, "no number was reserved"
        self.next_seq += 1
        if self.pending_count is not None:
            self.pending_count += 1

    def drop(self, resource: str) -> None:
        """Forget a resource."""
        self.resources.pop(resource, None)
        self.interested.discard(resource)

    @property
    def priorities(self) -> dict[str, int]:
        """The available resources and their priorities."""
        return {
            resource: own.priority for resource, own in self.resources.items() if own.presence is not None
        }
