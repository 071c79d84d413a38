"""The registry: the actor that owns the directory, and rebuilds it from the live slots when it has to.

Everybody reads the directory in their own task, so the registry has little to say: it counts, it rebuilds.
A rebuild fills a new object and swaps it in one assignment: nobody ever sees half of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, final

from actors.directory import Directory, make_route
from actors.presence_messages import OwnMessage, Routed
from actors.presence_state import PresenceState
from actors.session_state import SessionState
from supervision.actor import Actor
from supervision.child_spec import ChildSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.server import Server
    from supervision.reply import Reply
    from supervision.slot import Slot


@final
class DirectoryCount(NamedTuple):
    """What the directory holds."""

    users: int
    sessions: int
    available: int


@final
class Count(NamedTuple):
    """Count what the directory holds."""

    reply: Reply[DirectoryCount]


@final
class Rebuild(NamedTuple):
    """Make the directory anew from the live slots; the answer is what it then holds."""

    reply: Reply[DirectoryCount]


RegistryMessage = Count | Rebuild


@final
class Registry(Actor[RegistryMessage, RegistryMessage]):
    """See the module's docstring."""

    def __init__(self, slot: Slot[RegistryMessage], server: Server) -> None:
        super().__init__(slot)
        self._server = server
        server.registry = slot.ref

    async def init(self) -> None:
        """Whatever the predecessor left is made anew."""
        self._server.directory = rebuilt(self._server)

    def decide(self, message: RegistryMessage) -> Sequence[RegistryMessage]:
        """Everything it is told it does."""
        return (message,)

    def apply(self, effects: Sequence[RegistryMessage]) -> None:
        """Count or rebuild."""
        for message in effects:
            if isinstance(message, Rebuild):
                self._server.directory = rebuilt(self._server)
            message.reply.set(count(self._server.directory))


def count(directory: Directory) -> DirectoryCount:
    """What the directory holds."""
    entries = directory.users.values()
    return DirectoryCount(
        users=sum(1 for entry in entries if entry.sessions),
        sessions=sum(len(entry.sessions) for entry in entries),
        available=sum(len(entry.route.available) for entry in entries),
    )


def rebuilt(server: Server) -> Directory:
    """A directory of what lives: sessions first, then presence actors, which know who is available.

    Of two sessions with one name, of which the older is on its way out, the younger has it: children are
    listed in the order in which they were started.
    """
    modules, streams = server.modules, server.streams
    directory = Directory(streams.accounts, streams.left, modules.services, modules.unknown_guards)
    for slot in server.sessions.children():
        if isinstance(slot.state, SessionState) and slot.ref.is_alive:
            directory.claim(slot.state.jid, slot.ref)
    for slot in server.users.children():
        if isinstance(slot.state, PresenceState) and slot.ref.is_alive:
            _enter_presence(directory, slot, slot.state)
    return directory


def _enter_presence(directory: Directory, slot: Slot[Any], state: PresenceState) -> None:
    entry = directory.entry(state.jid.bare)
    entry.presence = slot.ref
    entry.waiting = sum(isinstance(message, Routed) for message, _size in slot.mailbox.queue)
    entry.unsettled = sum(isinstance(message, OwnMessage) for message, _size in slot.mailbox.queue)
    current = {
        resource: priority
        for resource, priority in state.priorities.items()
        if entry.sessions.get(resource) is state.resources[resource].session
    }
    entry.route = make_route(entry.sessions, current)
    entry.guards = state.guards if state.is_loaded else directory.unknown


def registry_spec(server: Server) -> ChildSpec:
    """The child spec."""
    return ChildSpec("registry", lambda slot: Registry(slot, server))
