"""How far the server has got in what a client said of its own presence."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple, final

if TYPE_CHECKING:
    from collections.abc import Callable

    from protocols.stanza import Stanza


@final
class _Said(NamedTuple):
    id: str
    status: str | None
    number: int


@final
class OwnPresence:
    """Of one client, told apart by ids and by statuses that are said once.

    Attributes:
        shown: The status that the server last showed the client of itself; None when that holds no more.
    """

    def __init__(self) -> None:
        self.shown: str | None = None
        self._said: deque[_Said] = deque()  # what was not shown yet
        self._last = ""
        self._is_absent = True

    def begin(self) -> None:
        """There is a new session, and the client is not available in it."""
        self._said.clear()
        self._is_absent = True

    def resume(self, forgotten: int = 0) -> None:
        """The session goes on: the server tells anew what it cannot know that we know.

        Args:
            forgotten: So many of the client's stanzas were dealt with by a server that has ended since: they
                will not be shown by another, which tells all that there is to know.
        """
        self._is_absent = False
        while self._said and self._said[0].number <= forgotten:
            self._said.popleft()

    def say(self, id_: str, status: str | None, number: int = 1) -> None:
        """This has been said, as the stanza of that number; None is unavailable, which is never shown."""
        self._last = id_
        self._said.append(_Said(id_, status, number))

    def show(self, status: str) -> bool:
        """The server shows this; whether the client appears with it, so that what it knew is obsolete."""
        self.shown = status
        self._dealt_with(lambda said: said.status == status)
        appears, self._is_absent = self._is_absent, False
        return appears

    def refuse(self, id_: str) -> None:
        """The server has refused this, and things are as they were before; after a crash nobody knows how."""
        self._dealt_with(lambda said: said.id == id_)
        if self.is_last(id_):
            self.shown = None

    def is_last(self, id_: str) -> bool:
        """Whether nothing has been said since."""
        return id_ == self._last

    def _dealt_with(self, is_it: Callable[[_Said], bool]) -> None:
        """The server has got so far; that itself is not looked at."""
        if any(is_it(said) for said in self._said):
            while not is_it(said := self._said.popleft()):
                self._is_absent = self._is_absent or said.status is None


def status_of(stanza: Stanza) -> str:
    """The status that a presence of a simulated client has."""
    return stanza.data.partition(b"<status>")[2].partition(b"</status>")[0].decode()
