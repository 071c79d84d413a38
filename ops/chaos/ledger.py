"""What became of each message: written down by the clients as it happens, and judged in the end. Pure.

A message is named `sender:receiver:number`, by the numbers of two clients and a number that rises with each
message of the sender, so that loss, doubles and order can be told exactly. What only a refused resumption can
have caused is counted apart: there the standard leaves both sides in doubt.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Final, NamedTuple, final

MESSAGES_MAX: Final = 5_000_000
"""Messages written down, at some 500 bytes each; then no more are sent."""


class MessageId(NamedTuple):
    """See the module's docstring."""

    sender: int
    receiver: int
    number: int

    def __str__(self) -> str:
        return f"{self.sender}:{self.receiver}:{self.number}"


def parse_id(text: str) -> MessageId | None:
    """Reads an id; None if it is not one of ours."""
    parts = text.split(":")
    if len(parts) != len(MessageId._fields) or not all(part.isdecimal() for part in parts):
        return None
    return MessageId(*map(int, parts))


class Delivery(NamedTuple):
    """A message has arrived: at which client, and after how many refused resumptions of its account."""

    client: int
    refusals: int


class _Fate:
    """What is known of one message."""

    __slots__ = ("deliveries", "is_acknowledged", "is_refused", "is_sent_again")

    def __init__(self) -> None:
        self.is_acknowledged = False
        self.is_refused = False
        self.is_sent_again = False
        self.deliveries: list[Delivery] = []


class Balance(NamedTuple):
    """The result. Names of messages stand where something is wrong, numbers where nothing is.

    Attributes:
        sent: Messages, each counted once.
        acknowledged: Those the server has told their senders that it has.
        delivered: Those that have arrived anywhere.
        refused: Those that were answered with an error.
        refused_and_delivered: Those of which it said so and yet delivered them.
        lost: Acknowledged, and neither delivered nor refused.
        owed: Neither acknowledged nor delivered nor refused, when all waiting was over.
        doubled: Delivered twice to one client, with no refused resumption to explain it.
        disordered: Delivered to a client behind a later one of the same sender.
        sent_again: Those sent a second time because a resumption was refused.
        perhaps_doubled: Delivered twice, where a refused resumption explains it.
        perhaps_disordered: Delivered behind a later one, after being sent again.
        strays: Messages that nobody has sent, or that came to somebody else.
    """

    sent: int
    acknowledged: int
    delivered: int
    refused: int
    refused_and_delivered: int
    lost: tuple[MessageId, ...]
    owed: tuple[MessageId, ...]
    doubled: tuple[MessageId, ...]
    disordered: tuple[MessageId, ...]
    sent_again: int
    perhaps_doubled: int
    perhaps_disordered: int
    strays: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing is lost, doubled or out of order."""
        return not (self.lost or self.owed or self.doubled or self.disordered or self.strays)


@final
class Ledger:
    """See the module's docstring.

    Args:
        accounts: The account of each client, by the client's number.
    """

    def __init__(self, accounts: Mapping[int, str]) -> None:
        self._accounts = accounts
        self._fates: dict[MessageId, _Fate] = {}
        self._refusals: Counter[str] = Counter()
        self._last: dict[tuple[int, int], int] = {}  # by sender and receiving client
        self._disordered: list[MessageId] = []
        self._perhaps_disordered = 0
        self._strays: list[str] = []
        self.acknowledged_count = 0
        self.settled_count = 0
        self.sent_by_second: Counter[int] = Counter()
        self.delivered_by_second: Counter[int] = Counter()

    @property
    def sent_count(self) -> int:
        """Messages sent so far."""
        return len(self._fates)

    @property
    def is_full(self) -> bool:
        """Whether no more are to be sent."""
        return len(self._fates) >= MESSAGES_MAX

    @property
    def is_settled(self) -> bool:
        """Whether every message has arrived or was refused."""
        return self.settled_count == len(self._fates)

    def sent(self, id: MessageId, at: float) -> None:
        """A message goes out for the first time."""
        self._fates[id] = _Fate()
        self.sent_by_second[int(at)] += 1

    def sent_again(self, id: MessageId) -> None:
        """It goes out again, in another session."""
        self._fates[id].is_sent_again = True

    def acknowledged(self, id: MessageId) -> None:
        """The server has said that it has it."""
        fate = self._fates[id]
        self.acknowledged_count += not fate.is_acknowledged
        fate.is_acknowledged = True

    def refused(self, text: str) -> None:
        """The server has answered it with an error."""
        id = parse_id(text)
        fate = None if id is None else self._fates.get(id)
        if fate is None:
            self._strays.append(text)
            return
        self.settled_count += not (fate.is_refused or fate.deliveries)
        fate.is_refused = True

    def resumption_refused(self, client: int) -> None:
        """A session could not be resumed: what was on its way to this account may come again."""
        self._refusals[self._accounts[client]] += 1

    def received(self, client: int, text: str, at: float) -> None:
        """A message has arrived at a client."""
        id = parse_id(text)
        fate = None if id is None else self._fates.get(id)
        if id is None or fate is None or self._accounts[id.receiver] != self._accounts[client]:
            self._strays.append(text)
            return
        is_again = any(each.client == client for each in fate.deliveries)
        self.settled_count += not (fate.is_refused or fate.deliveries)
        if not fate.deliveries:
            self.delivered_by_second[int(at)] += 1
        fate.deliveries.append(Delivery(client, self._refusals[self._accounts[client]]))
        if not is_again:
            self._note_order(client, id, fate)

    def _note_order(self, client: int, id: MessageId, fate: _Fate) -> None:
        pair = (id.sender, client)
        if id.number > self._last.get(pair, 0):
            self._last[pair] = id.number
        elif fate.is_sent_again:
            self._perhaps_disordered += 1
        else:
            self._disordered.append(id)

    def balance(self) -> Balance:
        """The result so far."""
        fates = self._fates
        open_ = {id: fate for id, fate in fates.items() if not (fate.deliveries or fate.is_refused)}
        twice = {id: fate for id, fate in fates.items() if _is_twice(fate)}
        doubled = tuple(id for id, fate in twice.items() if not _is_explained(fate))
        return Balance(
            sent=len(fates),
            acknowledged=sum(fate.is_acknowledged for fate in fates.values()),
            delivered=sum(bool(fate.deliveries) for fate in fates.values()),
            refused=sum(fate.is_refused for fate in fates.values()),
            refused_and_delivered=sum(fate.is_refused and bool(fate.deliveries) for fate in fates.values()),
            lost=tuple(id for id, fate in open_.items() if fate.is_acknowledged),
            owed=tuple(id for id, fate in open_.items() if not fate.is_acknowledged),
            doubled=doubled,
            disordered=tuple(self._disordered),
            sent_again=sum(fate.is_sent_again for fate in fates.values()),
            perhaps_doubled=len(twice) - len(doubled),
            perhaps_disordered=self._perhaps_disordered,
            strays=tuple(self._strays),
        )


def _is_twice(fate: _Fate) -> bool:
    return len(fate.deliveries) > len({each.client for each in fate.deliveries})


def _is_explained(fate: _Fate) -> bool:
    """Whether it was sent again, or a resumption was refused between any two deliveries to one client."""
    return fate.is_sent_again or len(set(fate.deliveries)) == len(fate.deliveries)
