"""What a presence actor is told; the actor that handles these is in `presence`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.presence_effects import PresenceEffect
    from actors.session_messages import Resume, ResumeOutcome
    from protocols.jid import JID
    from protocols.sasl.keys import ScramKeys
    from protocols.stanza import Stanza
    from store.users import User
    from supervision.ref import Ref
    from supervision.reply import Reply


@final
class SessionBound(NamedTuple):
    """One of the user's resources is bound to a session."""

    jid: JID
    session: Ref[Any]


@final
class SessionEnded(NamedTuple):
    """That session has ended for good; `directed` are those who got its presence besides the contacts."""

    jid: JID
    session: Ref[Any]
    directed: tuple[JID, ...]


@final
class OwnPresence(NamedTuple):
    """The user's client announced itself or went away: presence without `to`, stamped."""

    session: Ref[Any]
    stanza: Stanza
    directed: tuple[JID, ...] = ()


@final
class OwnSubscription(NamedTuple):
    """The user's client manages a subscription: presence of one of the four types, stamped, with a `to`."""

    stanza: Stanza


@final
class PassOn(NamedTuple):
    """A stanza of the user's client, to be routed behind what the client sent to this actor before."""

    stanza: Stanza


@final
class Routed(NamedTuple):
    """A stanza for the user that no session could take, or that is the account's to answer.

    When it came and the name under which it may be stored are given here, so that handling it a second
    time, after a crash, does the same as the first.
    """

    stanza: Stanza
    at_ms: int
    stanza_id: str


@final
class LoggedOut(NamedTuple):
    """The last resource went then, with this status text: to be remembered when there is time."""

    at_ms: int
    status: str | None


@final
class Planned(NamedTuple):
    """A message for which everything that had to be awaited has been: what is left is to do it."""

    message: PresenceMessage
    effects: Sequence[PresenceEffect]


@final
class CreateAccount(NamedTuple):
    """The account is to exist, with these keys; the answer is false if it did already.

    For a guest it goes with its last session; the answer is true if it was made for that guest before.
    """

    keys: tuple[ScramKeys, ...]
    at_ms: int
    reply: Reply[bool]
    is_guest: bool = False


@final
class SetCredentials(NamedTuple):
    """The account's password becomes these keys, as far as it keeps any of their kind.

    The answer is whether there is such an account.
    """

    keys: tuple[ScramKeys, ...]
    reply: Reply[bool]


@final
class ReplaceKeys(NamedTuple):
    """Keys that serve once have served, and others take their place.

    The answer is whether the account still had them.
    """

    before: ScramKeys
    after: ScramKeys
    reply: Reply[bool]


@final
class SetDisabled(NamedTuple):
    """The account may not log in any more, and its sessions end; or it may again.

    The answer is whether there is such an account.
    """

    is_disabled: bool
    reply: Reply[bool]


@final
class DeleteAccount(NamedTuple):
    """The account and all its data go; the answer is whether there was one."""

    reply: Reply[bool]


@final
class DescribeUser(NamedTuple):
    """The account's document, for people to look at."""

    reply: Reply[User | None]


@final
class ReserveNumbers(NamedTuple):
    """The account's ledger runs out of numbers of the log."""


@final
class QueueGrew(NamedTuple):
    """A session has ended without having delivered what it had from the log."""


@final
class LookAgain(NamedTuple):
    """There is something new for whoever is there."""


@final
class Again(NamedTuple):
    """A stanza that could not be dealt with because the database was away, to be routed once more."""

    stanza: Stanza


@final
class Announce(NamedTuple):
    """What a resource announced while the database was away, to be carried out if nothing newer has come."""

    resource: str
    said: OwnPresence


@final
class LoadSessions(NamedTuple):
    """Sessions of the account that wait in the database are to come back: their time is over, say."""


@final
class ResumeStored(NamedTuple):
    """A client is back whose session waits in the database."""

    sm_id: str
    resume: Resume
    reply: Reply[ResumeOutcome]
    tries: int = 0


@final
class SessionResumed(NamedTuple):
    """A session from the database goes on; its client knows this version of the roster, if it asked."""

    jid: JID
    session: Ref[Any]
    roster_version: int | None


@final
class Passivate(NamedTuple):
    """It may be time to go, if nothing needs this actor."""


OwnMessage = OwnPresence | OwnSubscription | PassOn
"""What the user's own clients sent."""

PresenceMessage = (
    SessionBound
    | SessionEnded
    | OwnPresence
    | OwnSubscription
    | PassOn
    | Routed
    | LoggedOut
    | Planned
    | CreateAccount
    | SetCredentials
    | ReplaceKeys
    | SetDisabled
    | DeleteAccount
    | DescribeUser
    | ReserveNumbers
    | QueueGrew
    | LookAgain
    | Again
    | Announce
    | LoadSessions
    | ResumeStored
    | SessionResumed
    | Passivate
)
