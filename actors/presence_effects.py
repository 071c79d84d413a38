"""What can follow from a message to a presence actor: returned by its own rules and by modules' handlers.

Those that change the account (`SaveUser`, `KeepMessage`, `KeepItem` and their like) are committed before any
of the others is carried out, so that nobody is told of what a crash could take back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, final

if TYPE_CHECKING:
    from actors.ledger import Parcel
    from actors.offline_queue import Waiting
    from actors.presence_messages import OwnPresence, PresenceMessage
    from actors.presence_state import PendingSize
    from actors.session_messages import Resume
    from protocols.errors import StanzaError
    from protocols.stanza import Stanza
    from store.users import User
    from supervision.ref import Ref


@final
class SaveUser(NamedTuple):
    """The account's document becomes this one; its revision is counted up by who commits it."""

    user: User


@final
class MakeUser(NamedTuple):
    """The account comes to be."""

    user: User


@final
class KeepMessage(NamedTuple):
    """Put a message into the account's log as one not yet delivered."""

    stanza: Stanza


@final
class KeepItem(NamedTuple):
    """Keep a thing for the account, in place of the one by that kind and key; see `store.account_items`."""

    kind: str
    key: str
    data: bytes
    found_by: str = ""


@final
class ForgetItem(NamedTuple):
    """Keep a thing no longer, if it is there."""

    kind: str
    key: str


@final
class KeepNote(NamedTuple):
    """Let the session that asked keep this for as long as it lives; no longer where the value is None.

    A bound text: it is part of the document by which its client resumes the session.
    """

    key: str
    value: str | None


@final
class HandOver(NamedTuple):
    """Give a resource what waited for it, whatever else waits there; it leaves the queue from there."""

    resource: str
    messages: tuple[Waiting, ...]


@final
class DropWaiting(NamedTuple):
    """Take these off the queue: nobody is to get them."""

    messages: tuple[Waiting, ...]


@final
class Send(NamedTuple):
    """Route a stanza to whoever it is for."""

    stanza: Stanza


@final
class Show(NamedTuple):
    """Deliver a stanza to the session that asked, before the answer; its sender hears of no failure."""

    stanza: Stanza


@final
class SendToAvailable(NamedTuple):
    """Send a stanza of the server's own to every available resource, each by its full address."""

    stanza: Stanza


@final
class HaveAllLook(NamedTuple):
    """Let `OnAvailable` be run again wherever somebody is there, for there is something new."""


@final
class SendToSession(NamedTuple):
    """Deliver a stanza to one session; and perhaps to others of the same user, see `routing.ToSession`."""

    session: Ref[Any]
    stanza: Stanza
    parcel: Parcel | None = None


@final
class OfferToSession(NamedTuple):
    """Deliver a request to one session if that has sent its sender directed presence."""

    session: Ref[Any]
    stanza: Stanza


@final
class PushRoster(NamedTuple):
    """Tell every resource that asked for the roster, each in an IQ set of its own (RFC 6121 §2.1.6)."""

    payload: bytes


@final
class Answer(NamedTuple):
    """The result of the request that is being handled."""

    payload: bytes = b""


@final
class Refuse(NamedTuple):
    """The error for the request or message that is being handled."""

    error: StanzaError


@final
class NoteInterested(NamedTuple):
    """The session that asked wants to hear of changes to the roster."""


@final
class NoteResource(NamedTuple):
    """A resource is bound to this session; for the rest see `OwnResource`."""

    resource: str
    session: Ref[Any]
    presence: Stanza | None
    priority: int = 0
    is_stale: bool = False


@final
class DropResource(NamedTuple):
    """A resource is no more."""

    resource: str


@final
class Publish(NamedTuple):
    """Let everybody route to the resources as they are now."""


@final
class NotePending(NamedTuple):
    """So much waits in the account's log."""

    size: PendingSize


@final
class SetReply(NamedTuple):
    """Answer a call."""

    reply: Any
    value: object


@final
class TellLoggedOut(NamedTuple):
    """The last resource has gone, with this status text."""

    status: str | None


@final
class PassResume(NamedTuple):
    """Let the session of this name, which may have come back just now, go on over a new connection."""

    sm_id: str
    message: Resume


@final
class TryLater(NamedTuple):
    """Take this message up again in a while."""

    message: PresenceMessage


@final
class KeepPresence(NamedTuple):
    """What a resource announces is to be carried out when the database answers again."""

    resource: str
    said: OwnPresence


@final
class TellRoster(NamedTuple):
    """Tell a resource what has changed in the roster since this version, as pushes."""

    resource: str
    version: int


@final
class EndSessions(NamedTuple):
    """The account may not log in any more: end its sessions."""


@final
class RemoveAccount(NamedTuple):
    """The account and everything of it goes: end its sessions."""


DomainEffect = Answer | Send
"""What a module's handler for the domain may return."""
ServerEffect = Send | SendToAvailable | KeepItem | ForgetItem | HaveAllLook
"""What may follow from a message to the server; it keeps items as an account does."""
HookEffect = Send | KeepItem | ForgetItem
"""What a module may add to what happens anyway."""
AccountEffect = (
    Answer
    | Show
    | Send
    | SaveUser
    | RemoveAccount
    | PushRoster
    | NoteInterested
    | KeepMessage
    | KeepItem
    | ForgetItem
    | KeepNote
    | HandOver
    | DropWaiting
    | NotePending
)
"""What a module's handler for an account may return."""
PresenceEffect = (
    AccountEffect
    | Refuse
    | MakeUser
    | SendToSession
    | OfferToSession
    | NoteResource
    | DropResource
    | Publish
    | TellLoggedOut
    | SetReply
    | PassResume
    | TryLater
    | KeepPresence
    | TellRoster
    | EndSessions
)
