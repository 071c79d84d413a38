"""What is shown while a run lasts: one line, redrawn on a terminal, now and then a new one elsewhere."""

from collections.abc import Callable
from typing import IO, Final, NamedTuple, final

_REDRAWN_EVERY_SECONDS: Final = 0.5
_WRITTEN_EVERY_SECONDS: Final = 10.0


class Standing(NamedTuple):
    """How a run stands."""

    seconds: float
    of_seconds: float
    online: int
    clients: int
    sent: int
    settled: int
    faults: int
    in_hand: int
    resumed: int
    not_resumed: int


def line(standing: Standing) -> str:
    """One line."""
    owed = standing.sent - standing.settled
    return (
        f"{standing.seconds:4.0f} of {standing.of_seconds:.0f} s   "
        f"online {standing.online}/{standing.clients}   sent {standing.sent:,}   owed {owed:,}   "
        f"faults {standing.faults:,} ({standing.in_hand:,} in hand)   "
        f"resumed {standing.resumed:,}   not resumed {standing.not_resumed:,}"
    )


@final
class Progress:
    """Writes to a terminal, or to something else.

    Attributes:
        every_seconds: How often it wants to be told.
    """

    def __init__(self, file: IO[str], read: Callable[[], Standing]) -> None:
        self._file = file
        self._read = read
        self._is_terminal = file.isatty()
        self.every_seconds = _REDRAWN_EVERY_SECONDS if self._is_terminal else _WRITTEN_EVERY_SECONDS

    def show(self) -> None:
        """Show how things stand now."""
        text = line(self._read())
        self._file.write(f"\r\x1b[2K{text}" if self._is_terminal else f"{text}\n")
        self._file.flush()

    def end(self) -> None:
        """Leave the terminal as it was."""
        if self._is_terminal:
            self._file.write("\r\x1b[2K")
            self._file.flush()
