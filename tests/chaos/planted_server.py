"""`trouper serve` with a bug planted in it: `planted_server.py BUG serve …`. The chaos harness must catch it.

Each bug is a few lines of what somebody might write in error; see `test_planted.py`.
"""

import sys
from collections.abc import Callable
from itertools import count
from typing import Any, Final

from actors import session_revival
from actors.managed_session import Management
from actors.session_resumption import Resumption
from ops.cli.main import main
from protocols.stream_queue import Incoming, Outgoing, recovered

DROPPED_EVERY: Final = 1_000


def drop_one_in_a_thousand() -> None:
    """A handler drops one message in a thousand, and thinks that it has dealt with it."""
    deliver, numbers = Management.deliver, count(1)

    def careless(self: Management, stream: Any, message: Any) -> None:
        if b"<body>" not in message.stanza.data or next(numbers) % DROPPED_EVERY:
            deliver(self, stream, message)
        elif message.parcel is not None:
            message.parcel.decline()

    Management.deliver = careless  # type: ignore[method-assign] # that is the bug


def acknowledge_before_the_commit() -> None:
    """A stanza counts as safe as soon as it was received."""

    def hasty(self: Incoming, look: int | None = None) -> int:
        del look
        self.received += 1
        self.safe = self.received
        return self.received

    Incoming.receive = hasty  # type: ignore[method-assign] # that is the bug


def deliver_before_the_commit() -> None:
    """A message is written to its recipient while its record is on its way to the database."""

    def eager(self: Outgoing[Any]) -> Any:
        if not self.waiting:
            return None
        self.written.append(self.waiting.popleft())
        return self.written[-1]

    Outgoing.next = eager  # type: ignore[method-assign] # that is the bug


def give_resent_stanzas_a_fresh_id() -> None:
    """A client that resumes is told too little, and what it sends again is taken for something new."""

    def hasty(self: Resumption, stream: Any) -> None:
        """Waits for nothing."""

    def forgetful(self: Incoming) -> None:
        """Expects nothing."""

    Resumption._wait_for_safety = hasty  # type: ignore[method-assign] # these two are the bug
    Incoming.resumed = forgetful  # type: ignore[method-assign] # the other


def recover_one_too_few() -> None:
    """After a crash `h` is one too low."""

    def modest(counter: int, logged: list[int]) -> int:
        return max(0, recovered(counter, logged) - 1)

    vars(session_revival)["recovered"] = modest


BUGS: Final[dict[str, Callable[[], None]]] = {
    bug.__name__: bug
    for bug in (
        drop_one_in_a_thousand,
        acknowledge_before_the_commit,
        deliver_before_the_commit,
        give_resent_stanzas_a_fresh_id,
        recover_one_too_few,
    )
}

if __name__ == "__main__":
    BUGS[sys.argv.pop(1)]()
    main()
