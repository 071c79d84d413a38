"""What clients sent and what became of it: the books of one simulation, kept outside the server.

Clients enter what they do and hear; `verdict` reads it when all is quiet.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple, final


class Copy(NamedTuple):
    """A message as it came to one client.

    Attributes:
        at: Seconds.
        order: Rises with each copy of any message, since many come at the same time.
        player: The full address of the client.
        session: Which of its sessions, the first being 1; resumption does not make another.
        is_delayed: Whether it says that it had to wait for somebody to be available.
        is_counted: Whether the client's stream was managed by then, so that the server could know of it.
    """

    at: float
    order: int
    player: str
    session: int
    is_delayed: bool = False
    is_counted: bool = True


@final
@dataclass(slots=True)
class Message:
    """One chat message.

    Attributes:
        number: Rises with each message of its sender.
        acked_at: When the server's `h` covered it, if it did.
        is_resent: Whether its sender said it again in another session, a resumption having been refused.
        is_promised: Whether its sender's stream is managed, so that something is promised.
        bounces: How many errors its sender got, the first of them at `refused_at`.
        due: The clients each of which is owed a copy if nothing happens to them.
    """

    id: str
    sender: str
    to: str
    number: int
    at: float
    is_promised: bool
    due: tuple[str, ...] = ()
    acked_at: float | None = None
    is_resent: bool = False
    bounces: int = 0
    refused_at: float | None = None
    copies: list[Copy] = field(default_factory=list)


class Answer(NamedTuple):
    """What a client was told about a request of its."""

    at: float
    is_error: bool
    session: int = 1


@final
@dataclass(slots=True)
class Request:
    """One IQ request.

    Attributes:
        is_excused: Whether nobody need answer: the session that asked, or the one that was asked and had
            heard it, is no more.
        heard_by: The client that heard it, where it was for one.
        heard: When that one heard it, as if it were an answer.
    """

    id: str
    sender: str
    session: int
    to: str
    at: float
    answers: list[Answer] = field(default_factory=list)
    is_excused: bool = False
    heard_by: str | None = None
    heard: list[Answer] = field(default_factory=list)


class End(NamedTuple):
    """A session ended for good some time in between, and what it had not delivered was routed again.

    Attributes:
        is_orderly: Whether the client said goodbye and the server confirmed it.
    """

    player: str
    session: int
    after: float
    before: float
    is_orderly: bool


class Gap(NamedTuple):
    """A client whose stream was not managed lost its connection some time in between.

    What was written to it meanwhile is lost, as XMPP has it.
    """

    after: float
    before: float


@final
class Ledger:
    """See the module's docstring.

    Attributes:
        crashes: When the server died.
        stops: When it was asked to stop; what comes behind waits for whoever is there first afterwards.
        began: When each session of a client began, by its full address and the session's number.
        troubles: From when to when the database was in trouble.
        unsafe: From when to when the server did not wait for its database any more: what was delivered then
            may come again after a crash, as documented.
        changes: When the clients of an account changed their presence, by bare address.
        refused: The ids of messages that a server says it answered with an error, whoever heard that.
        faults: What was wrong for certain when it was seen.
        counts: What happened how often, so that a run in which nothing happens can be told.
    """

    def __init__(self) -> None:
        self.messages: dict[str, Message] = {}
        self.requests: dict[str, Request] = {}
        self.ends: defaultdict[str, list[End]] = defaultdict(list)  # by bare address
        self.gaps: defaultdict[str, list[Gap]] = defaultdict(list)  # by bare address
        self.crashes: list[float] = []
        self.stops: list[float] = []
        self.began: dict[tuple[str, int], float] = {}
        self.troubles: list[tuple[float, float]] = []
        self.unsafe: list[tuple[float, float]] = []
        self.changes: defaultdict[str, list[float]] = defaultdict(list)
        self.refused: set[str] = set()
        self.faults: list[str] = []
        self.counts: Counter[str] = Counter()
        self._order = 0

    @property
    def servers_ended(self) -> int:
        """A number that rises whenever a server ends."""
        return len(self.crashes) + len(self.stops)

    def sent(self, message: Message) -> None:
        """A client says something for the first time."""
        self.messages[message.id] = message
        self.counts["messages sent"] += 1

    def arrived(
        self,
        id_: str,
        player: str,
        session: int,
        at: float,
        *,
        is_delayed: bool = False,
        is_counted: bool = True,
    ) -> None:
        """A client got a message."""
        message = self.messages.get(id_)
        if message is None:
            self.faults.append(f"{player} got a message {id_} that nobody sent")
            return
        self._order += 1
        message.copies.append(Copy(at, self._order, player, session, is_delayed, is_counted))
        self.counts["messages delivered"] += 1

    def bounced(self, id_: str, player: str, at: float) -> None:
        """A client got an error for a message."""
        message = self.messages.get(id_)
        if message is None or message.sender != player:
            self.faults.append(f"{player} got an error for {id_}, which it did not send")
            return
        message.bounces += 1
        if message.refused_at is None:
            message.refused_at = at
        self.counts["messages refused"] += 1

    def asked(self, request: Request) -> None:
        """A client makes a request."""
        self.requests[request.id] = request
        self.counts["requests"] += 1

    def answered(self, id_: str, player: str, answer: Answer) -> None:
        """A client got an answer."""
        request = self.requests.get(id_)
        if request is None or request.sender != player:
            self.faults.append(f"{player} got an answer to {id_}, which it did not ask")
            return
        request.answers.append(answer)

    def heard_request(self, id_: str, player: str, heard: Answer) -> None:
        """A client got a request from another."""
        request = self.requests.get(id_)
        if request is None or request.to != player:
            self.faults.append(f"{player} got a request {id_} that nobody made to it")
            return
        request.heard_by = player
        request.heard.append(heard)

    def ended(self, end: End) -> None:
        """A session has ended for good; whom it owed an answer need not get one."""
        self.ends[end.player.partition("/")[0]].append(end)
        self.counts["sessions ended"] += 1
        for request in self.requests.values():
            is_asker = request.sender == end.player and request.session <= end.session
            if (is_asker or request.heard_by == end.player) and not request.answers:
                request.is_excused = True
