"""What the embedded engine says on standard error: that it listens, or why it does not.

Without I/O: whoever reads the pipe (`store.embedded`, or an actor) feeds the bytes.
"""

import re
from collections import deque
from enum import Enum, unique
from typing import Final, final

_LISTENING: Final = re.compile(r"secantus listening on 127\.0\.0\.1:(\d{1,5})\s*$")
# As much as the longest traceback seen, for the report of a failed start.
_TAIL_LINES_MAX: Final = 40
# A line longer than this is no message; it is cut.
_LINE_BYTES_MAX: Final = 4096


@unique
class EngineEnd(Enum):
    """Why an engine ended by itself, as far as it says."""

    DIRECTORY_LOCKED = "another process uses the directory"  # perhaps a predecessor that is still ending
    PORT_TAKEN = "the port is taken"
    FAILED = "it failed"


_SIGNS: Final = (
    ("already being managed by another process", EngineEnd.DIRECTORY_LOCKED),
    ("Address already in use", EngineEnd.PORT_TAKEN),
)


def parse_listening(line: str) -> int | None:
    """Return the port if this line says that the engine is ready."""
    match = _LISTENING.search(line)
    return None if match is None else int(match[1])


@final
class EngineOutput:
    """The lines of one engine's standard error.

    Attributes:
        port: Where it listens, once it has said so.
    """

    def __init__(self) -> None:
        self.port: int | None = None
        self._unfinished = b""
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES_MAX)

    def feed(self, data: bytes) -> list[str]:
        """Take what was read, and return the lines completed by it."""
        *complete, unfinished = (self._unfinished + data).split(b"\n")
        self._unfinished = unfinished[:_LINE_BYTES_MAX]
        lines = [line[:_LINE_BYTES_MAX].decode("utf-8", "replace").rstrip() for line in complete]
        for line in lines:
            self._tail.append(line)
            if self.port is None:
                self.port = parse_listening(line)
        return lines

    @property
    def tail(self) -> str:
        """The last lines, for a report."""
        return "\n".join(self._tail)

    @property
    def end(self) -> EngineEnd:
        """Why it ended, given that it did."""
        text = self.tail
        return next((end for sign, end in _SIGNS if sign in text), EngineEnd.FAILED)
