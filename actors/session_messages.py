"""What a session actor is told; the actor that handles these is in `session`.

These are made for every stanza, hence plain named tuples.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, final

if TYPE_CHECKING:
    from protocols.conditions import StreamCondition
    from protocols.stanza import Stanza


@final
class FromClient(NamedTuple):
    """A stanza that the session's own client sent."""

    stanza: Stanza


@final
class Deliver(NamedTuple):
    """A stanza for the session's client; `is_shared` if other resources of its user get it as well."""

    stanza: Stanza
    is_shared: bool = False


@final
class DeliverIfDirected(NamedTuple):
    """A request from somebody who may see no presence of the user's, unless this session sent it some."""

    stanza: Stanza


@final
class StreamEnded(NamedTuple):
    """The client's stream has ended, in good order or not.

    Everything it sent before is in the mailbox before.
    """


@final
class CloseStream(NamedTuple):
    """End the client's stream with this error, and the session with it."""

    condition: StreamCondition
    text: str = ""


@final
class Drained(NamedTuple):
    """The client has read what was waiting for it."""


@final
class StillCongested(NamedTuple):
    """Time is up for a client that does not read what is waiting for it."""


SessionMessage = (
    FromClient | Deliver | DeliverIfDirected | StreamEnded | CloseStream | Drained | StillCongested
)
