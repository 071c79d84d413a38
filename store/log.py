"""One message in one account's log; the offline queue and the archive are views of it.

A record says by itself where the message came from (session and number, so that a stanza sent again meets
its own record), to whom it was handed (the numbers reserved in the recipients' sessions) and which views it
belongs to. It is inserted once; later only a view is left, or the record deleted.
"""

from enum import Enum, unique
from typing import Final, NamedTuple

# Sequence numbers and stanza numbers are written with this many digits where they are part of a key, so
# that keys sort as numbers do. Enough for a million a second for thirty years.
SEQ_DIGITS: Final = 15
SEQ_MAX: Final = 10**SEQ_DIGITS - 1


@unique
class Direction(Enum):
    """Whether the owner received or sent the message."""

    IN = "in"
    OUT = "out"


_PART: Final = "#"


def part_of(session: str, part: int) -> str:
    """Return the name under which one of many parts of a session's stanza is logged."""
    return f"{session}{_PART}{part}"


class StanzaNumber(NamedTuple):
    """A stanza's number on one stream-managed session, counted in one direction (XEP-0198 §4).

    What is made for one of many recipients of a stanza has its number under a session of its own, whose name
    is `part_of` the other's: that one of them is logged says nothing of the rest.
    """

    session: str
    number: int

    @property
    def whole(self) -> str:
        """The session that counts it."""
        return self.session.partition(_PART)[0]


class OutboundNumber(NamedTuple):
    """The place of a stanza in the output of a session; see `store.sessions`.

    Attributes:
        session: The recipient's session.
        epoch: The session's mark from which the number counts.
        number: The position behind what was owed when that mark was made, from 1.
    """

    session: str
    epoch: int
    number: int


class LogRecord(NamedTuple):
    """One message as one account sees it.

    Attributes:
        owner: The bare JID of the account whose log this is.
        seq: Rises within the owner's log; gaps are allowed.
        stanza_id: The public id (XEP-0359), an opaque text.
        peer: The other party's full JID, or bare JID if that is all there was.
        direction: Whether the owner received or sent it.
        at_ms: When it was accepted, in milliseconds since 1970.
        data: The stanza's bytes as delivered.
        inbound: Session and number it came in by, where the sender's stream counts. At most one record for
            it in each owner's log.
        outbound: The place reserved for it in the output of each managed session it was handed to.
        pending: Not delivered, or delivered and not yet acknowledged: part of the offline queue.
        kept: Part of the archive.
    """

    owner: str
    seq: int
    stanza_id: str
    peer: str
    direction: Direction
    at_ms: int
    data: bytes
    inbound: StanzaNumber | None = None
    outbound: tuple[OutboundNumber, ...] = ()
    pending: bool = False
    kept: bool = False

    @property
    def with_jid(self) -> str:
        """The other party's bare JID, by which a conversation is found."""
        return self.peer.partition("/")[0]
