"""The directory: which sessions and which presence actor each user has, and how to reach them.

It is a plain object that everybody reads in their own task; it belongs to the registry's slot. Each user's
presence actor publishes an immutable route, from which stanzas for the bare address are delivered without
asking anybody. Claiming a full address is one synchronous compare-and-set, and a name vanishes in the tick
in which its owner ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, final

from protocols.delivery import Resources, classify, most_available, non_negative

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping

    from actors.gates import Guards
    from actors.session_messages import SessionMessage
    from protocols.jid import JID
    from supervision.ref import Ref


@final
class Route(NamedTuple):
    """How to reach a user's available resources; made by `make_route`, published by the presence actor."""

    priorities: Mapping[str, int]
    resources: Resources
    most_available: tuple[Ref[SessionMessage], ...]
    non_negative: tuple[Ref[SessionMessage], ...]
    available: tuple[Ref[SessionMessage], ...]


NOWHERE = Route({}, Resources.NONE, (), (), ())
"""The route of a user with no available resource."""


@final
class UserEntry:
    """What the directory knows of one user.

    `waiting` counts the stanzas that were handed to the presence actor and not yet dealt with by it: while
    there are any, all others for this user go the same way, so that none overtakes them. `unsettled` counts
    what the user's own clients sent to it: while there is any, all else that they send goes by it as well.
    `guards` are asked about every stanza from and to the user; mostly there are none (`actors.gates`).
    """

    __slots__ = ("bare_jid", "guards", "presence", "route", "sessions", "unsettled", "waiting")

    def __init__(self, bare_jid: str, guards: Guards | None = None) -> None:
        self.bare_jid = bare_jid
        self.guards = guards
        self.presence: Ref[Any] | None = None
        self.sessions: dict[str, Ref[SessionMessage]] = {}
        self.route = NOWHERE
        self.waiting = 0
        self.unsettled = 0

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left to know."""
        return self.presence is None and not self.sessions

    def narrowed(self, resources: Container[str]) -> UserEntry:
        """The same user with only these resources available, as somebody sees it who may reach no other."""
        entry = UserEntry(self.bare_jid, self.guards)
        entry.presence, entry.sessions = self.presence, self.sessions
        left = {name: priority for name, priority in self.route.priorities.items() if name in resources}
        entry.route = make_route(self.sessions, left)
        return entry


def make_route(sessions: Mapping[str, Ref[SessionMessage]], priorities: Mapping[str, int]) -> Route:
    """The route for these available resources; those that have no session any more are left out."""
    present = {resource: priority for resource, priority in priorities.items() if resource in sessions}
    if not present:
        return NOWHERE
    return Route(
        present,
        classify(present.values()),
        tuple(sessions[resource] for resource in most_available(present)),
        tuple(sessions[resource] for resource in non_negative(present)),
        tuple(sessions[resource] for resource in present),
    )


@final
class Directory:
    """Users by bare address.

    Attributes:
        hosts: The services beside the domain.
        stored: Accounts of which sessions wait in the database that nobody has read yet.
        left: Full addresses of sessions that this process has left to the next one.
        unknown: The guards of a user of whom nothing else is known.
    """

    __slots__ = ("hosts", "left", "stored", "unknown", "users")

    def __init__(
        self,
        stored: Container[str] = (),
        left: Container[JID] = (),
        hosts: Container[str] = (),
        unknown: Guards | None = None,
    ) -> None:
        self.users: dict[str, UserEntry] = {}
        self.hosts = hosts
        self.stored = stored
        self.left = left
        self.unknown = unknown

    def entry(self, bare_jid: str) -> UserEntry:
        """The user's entry, made if there is none."""
        entry = self.users.get(bare_jid)
        if entry is None:
            entry = self.users[bare_jid] = UserEntry(bare_jid, self.unknown)
        return entry

    def session(self, jid: JID) -> Ref[SessionMessage] | None:
        """The session bound to a full address."""
        entry = self.users.get(jid.bare)
        return None if entry is None or jid.resourcepart is None else entry.sessions.get(jid.resourcepart)

    def claim(self, jid: JID, session: Ref[SessionMessage]) -> Ref[SessionMessage] | None:
        """Bind a full address to a session; returns the session that had it before and is now replaced."""
        assert jid.resourcepart is not None
        entry = self.entry(jid.bare)
        before = entry.sessions.get(jid.resourcepart)
        entry.sessions[jid.resourcepart] = session
        self._republish(entry, jid.resourcepart)
        return before

    def release(self, jid: JID, session: Ref[SessionMessage]) -> None:
        """A session has ended: its name goes, unless another session has it by now."""
        entry = self.users.get(jid.bare)
        if entry is None or jid.resourcepart is None or entry.sessions.get(jid.resourcepart) is not session:
            return
        del entry.sessions[jid.resourcepart]
        self._republish(entry, jid.resourcepart)
        self._forget_if_empty(entry)

    def publish(self, bare_jid: str, priorities: Mapping[str, int]) -> None:
        """Set the route of a user; for its presence actor."""
        entry = self.entry(bare_jid)
        entry.route = make_route(entry.sessions, priorities)

    def publish_guards(self, bare_jid: str, guards: Guards | None) -> None:
        """Set the guards of a user; for its presence actor."""
        self.entry(bare_jid).guards = guards

    def presence_ended(self, bare_jid: str, presence: Ref[Any]) -> None:
        """A presence actor has ended for good."""
        entry = self.users.get(bare_jid)
        if entry is not None and entry.presence is presence:
            entry.presence = None
            entry.route = NOWHERE
            entry.waiting = entry.unsettled = 0
            entry.guards = self.unknown
            self._forget_if_empty(entry)

    def sessions(self) -> Iterator[tuple[str, Ref[SessionMessage]]]:
        """Every session with its full address."""
        for entry in self.users.values():
            for resource, session in entry.sessions.items():
                yield f"{entry.bare_jid}/{resource}", session

    def _republish(self, entry: UserEntry, resource: str) -> None:
        """A resource got another session or lost its own: it is no longer available under that name."""
        if resource in entry.route.priorities:
            rest = {name: value for name, value in entry.route.priorities.items() if name != resource}
            entry.route = make_route(entry.sessions, rest)

    def _forget_if_empty(self, entry: UserEntry) -> None:
        if entry.is_empty:
            self.users.pop(entry.bare_jid, None)
