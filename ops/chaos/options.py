"""What a run of the chaos harness is asked to do, and the bounds of that."""

from typing import Final, NamedTuple

# Two Python processes on one machine serve no more; each client takes two descriptors here and there.
CLIENTS_MAX: Final = 2_000
# A day; what became of each message is kept in memory until the end.
SECONDS_MAX: Final = 86_400
# Faults a second; beyond, more kills than messages.
RATE_MAX: Final = 100.0
# Messages a second from each client.
PACE_MAX: Final = 100.0


class Options(NamedTuple):
    """A run.

    Attributes:
        clients: How many chat, in pairs; even.
        seconds: For how long faults are made.
        seed: Of everything that is chosen.
        kinds: The kinds of fault to make, of `kinds.KINDS`.
        points: Where to make them: `rest`, and points with a message in hand.
        rate: Faults a second, those apart that end the whole server.
        pace: Messages a second from each client.
    """

    clients: int
    seconds: float
    seed: int
    kinds: tuple[str, ...]
    points: tuple[str, ...]
    rate: float
    pace: float
