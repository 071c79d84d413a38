"""What the clients count beside messages, while it happens. Pure."""

from collections import Counter
from typing import Final, final

VIOLATIONS_MAX: Final = 1_000
"""Sentences kept; a server that breaks the rules more often has been found out."""


@final
class Tally:
    """See the module's docstring.

    Attributes:
        closed: Streams that ended before they should, by who ended them and how.
        refused_attempts: Attempts to connect that failed, by the reason.
        resumed: Resumptions that succeeded.
        not_resumed: Those that were refused, by the reason.
        asked: Questions (IQ requests) put to the server.
        answered: Answers to them, errors included.
        unanswerable: Questions that were pending when a resumption was refused.
        violations: What a server may not do.
        recoveries: How long something was away, by kind of fault, in seconds.
    """

    def __init__(self) -> None:
        self.closed: Counter[str] = Counter()
        self.refused_attempts: Counter[str] = Counter()
        self.resumed = 0
        self.not_resumed: Counter[str] = Counter()
        self.asked = 0
        self.answered = 0
        self.unanswerable = 0
        self.violations: list[str] = []
        self.recoveries: list[tuple[str, float]] = []

    def violation(self, what: str) -> None:
        """The server has done something that it may not."""
        if len(self.violations) < VIOLATIONS_MAX:
            self.violations.append(what)
