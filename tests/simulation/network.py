"""The network between a simulated client and a house: it delays, stalls and is cut.

A line lies between a client and a wire. What is said on one side takes a while to the other; nothing
overtakes anything. When a line is cut, a part of what was on its way still arrives, perhaps half a stanza,
and each side learns of it in its own time, the server perhaps much later than the client.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple, final

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from tests.actors.house_wire import Wire
    from tests.simulation.agenda import Agenda

LATENCY_SECONDS_MAX = 0.3
NOTICED_SECONDS_MAX = 2 * LATENCY_SECONDS_MAX
"""How long it takes at most to learn of the end of a connection that is told."""
UNNOTICED_SECONDS_MAX = 20.0
"""How long a side may go on talking into a line that has been cut."""


class _Piece(NamedTuple):
    """Bytes on their way."""

    data: bytes
    arrives_at: float


class _Way:
    """One direction."""

    def __init__(self, agenda: Agenda, random: Random, arrive: Callable[[bytes], None]) -> None:
        self._agenda = agenda
        self._random = random
        self._arrive = arrive
        self._pieces: deque[_Piece] = deque()
        self._last = 0.0

    def put(self, data: bytes) -> None:
        """Send this on its way."""
        seconds = self._random.uniform(0, LATENCY_SECONDS_MAX)
        self._last = max(self._last, self._agenda.now + seconds)
        self._pieces.append(_Piece(data, self._last))
        self._agenda.at(self._last, self._next)

    def _next(self) -> None:
        if self._pieces and self._pieces[0].arrives_at <= self._agenda.now:
            self._arrive(self._pieces.popleft().data)

    def tear(self) -> None:
        """Only a part of what is on its way arrives."""
        arrives = self._random.randint(0, sum(len(piece.data) for piece in self._pieces))
        pieces, self._pieces = self._pieces, deque()
        for piece in pieces:
            data = piece.data[:arrives]
            arrives -= len(data)
            if data:
                self._pieces.append(piece._replace(data=data))


@final
class Line:
    """Both directions between one client and one wire.

    Attributes:
        is_cut: Whether nothing that is said from now on arrives.
        unread_since: From when on the client has read nothing; for good once the line is cut.
    """

    def __init__(
        self,
        agenda: Agenda,
        random: Random,
        wire: Wire,
        hear: Callable[[bytes], None],
        note: Callable[[str, str], None],
        name: str,
    ) -> None:
        self.is_cut = False
        self.unread_since: float | None = None
        self.wire = wire
        self._agenda = agenda
        self._random = random
        self._hear = hear
        self._note = note
        self._name = name
        self._has_client_learned = self._has_server_learned = False
        self._up = _Way(agenda, random, wire.send)
        self._down = _Way(agenda, random, self._arrived)
        wire.hear = self._said

    def send(self, data: bytes) -> None:
        """The client says something."""
        if not self.is_cut:
            self._note(self._name, f"> {data.decode()}")
            self._up.put(data)

    def _said(self, data: bytes) -> None:
        """The server says something; nothing is the end."""
        if not self.is_cut:
            self._down.put(data)

    def _arrived(self, data: bytes) -> None:
        if data:
            self._note(self._name, f"< {data.decode(errors='replace')}")
            self._hear(data)
        else:
            self._tell_client()

    def _tell_client(self) -> None:
        if not self._has_client_learned:
            self._has_client_learned = True
            self.is_cut = True
            self._note(self._name, "< the end")
            self._hear(b"")

    def _tell_server(self) -> None:
        if not self._has_server_learned:
            self._has_server_learned = True
            self.wire.end()

    def hang_up(self) -> None:
        """The client ends the connection; what it said before arrives first."""
        if not self.is_cut:
            self._has_client_learned = self.is_cut = True
            self._agenda.after(LATENCY_SECONDS_MAX, self._tell_server)

    def cut(self, *, is_server_gone: bool = False) -> None:
        """From now on nothing passes.

        Args:
            is_server_gone: Whether that is because the server is no more, which clients notice soon.
        """
        if self.is_cut:
            return
        self._note(self._name, "is cut")
        self.is_cut = True
        self._up.tear()
        self._down.tear()
        if is_server_gone:
            self._has_server_learned = True
            self._agenda.after(self._soon(), self._tell_client)
            return
        late = self._random.uniform(LATENCY_SECONDS_MAX, UNNOTICED_SECONDS_MAX)
        seconds = self._random.choice(
            [(self._soon(), late), (late, self._soon()), (self._soon(), self._soon())]
        )
        self._agenda.after(seconds[0], self._tell_client)
        self._agenda.after(seconds[1], self._tell_server)

    def _soon(self) -> float:
        return LATENCY_SECONDS_MAX + self._random.uniform(0, LATENCY_SECONDS_MAX)

    # -- a client that does not read

    def stall(self, seconds: float) -> None:
        """The client reads nothing for a while; the server notices that it cannot write."""
        self.wire.is_read = False
        if self.unread_since is None and not self.is_cut:
            self.unread_since = self._agenda.now
        self._agenda.after(seconds, self._flow)

    def _flow(self) -> None:
        self.wire.is_read = True
        if not self.is_cut:
            self.unread_since = None
        slot = self.wire.slot
        if slot is not None and slot.state is not None:
            slot.state.outlet.flush()  # type: ignore[attr-defined]  # a wire's slot has a connection's state
