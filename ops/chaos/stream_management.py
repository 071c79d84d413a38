"""A client's half of stream management (XEP-0198), without a socket: what it has sent, and how much handled.

What the server may not say is a `Violation`: an h that runs backwards, or acknowledges what was never sent.
"""

from collections import deque
from typing import Final, NamedTuple, final

from ops.chaos.ledger import MessageId

_MODULUS: Final = 1 << 32
"""Counters begin again at zero behind this (XEP-0198 §4)."""


class Violation(Exception):
    """The server has said something that it may not."""


class Outgoing(NamedTuple):
    """A stanza that the server has not acknowledged; its message's id, if it is one."""

    data: str
    message: MessageId | None


@final
class Managed:
    """One managed session, over any number of connections.

    Attributes:
        id: By which it is resumed; None if the server does not offer that.
        handled: Stanzas handled, for our own h.
        unacknowledged: What the server has not acknowledged, in order.
    """

    def __init__(self, id: str | None) -> None:
        self.id = id
        self.handled = 0
        self.unacknowledged: deque[Outgoing] = deque()
        self._acknowledged = 0

    def sent(self, outgoing: Outgoing) -> None:
        """A stanza goes out, or would if there were a connection."""
        self.unacknowledged.append(outgoing)

    def received(self) -> None:
        """A stanza has come and been handled."""
        self.handled = (self.handled + 1) % _MODULUS

    def acknowledge(self, h: int) -> list[Outgoing]:
        """The server has handled everything up to `h`: what that covers.

        Raises:
            Violation: It cannot have.
        """
        news = (h - self._acknowledged) % _MODULUS
        if news > len(self.unacknowledged):
            raise Violation(
                f"h is {h}, it was {self._acknowledged}, and {len(self.unacknowledged)} have been sent since"
            )
        self._acknowledged = h
        return [self.unacknowledged.popleft() for _ in range(news)]
