"""A receipt: what tells a managed session that nobody has a stanza of its client's in hand any more.

It travels with the stanza, and with the error made of it. Whoever posts the stanza holds it once more,
whoever has dealt with the stanza lets go; when nobody holds it the stanza's fate is settled, and the client
may be told so (XEP-0198 §4).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from protocols.stream_queue import Fate
from store.log import part_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from protocols import stanza
    from protocols.stream_queue import Incoming


@final
class Receipt:
    """One for each message and subscription request of a session whose counting is journaled.

    Attributes:
        sm_id: Which session received the stanza.
        number: Its number there: the two name it for good.
        is_logged: Whether it stands in the log under that name.
    """

    __slots__ = ("_holders", "_incoming", "_settled", "is_logged", "number", "sm_id")

    def __init__(self, sm_id: str, number: int, incoming: Incoming, settled: Callable[[], None]) -> None:
        self.sm_id = sm_id
        self.number = number
        self.is_logged = False
        self._incoming = incoming
        self._settled = settled
        self._holders = 1

    def hold(self) -> None:
        """One more has the stanza in hand."""
        self._holders += 1

    def release(self) -> None:
        """One has dealt with it."""
        self._holders -= 1
        if self._holders == 0:
            self._incoming.settle(self.number, Fate.LOGGED if self.is_logged else Fate.DONE)
            self._settled()


@final
class PartReceipt:
    """The receipt of one of many stanzas that are made of one, each for another recipient.

    All of them are held before the client may be told, and none by itself proves that: they are logged under
    names of their own, which the session's document vouches for.
    """

    __slots__ = ("_whole", "is_logged", "number", "sm_id")

    def __init__(self, whole: stanza.Receipt, part: int) -> None:
        self._whole = whole
        self.sm_id = part_of(whole.sm_id, part)
        self.number = whole.number
        self.is_logged = False

    def hold(self) -> None:
        """One more has this part in hand."""
        self._whole.hold()

    def release(self) -> None:
        """One has dealt with this part."""
        self._whole.release()
