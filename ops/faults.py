"""Faults on demand: kills actors and processes, the server's own too, at rest or with a message in hand.

For tests and the chaos harness, over the control socket of a server that was started with `--faults`. Each
kind of actor is one line in `KINDS`.
"""

import os
import signal
from collections import Counter, deque
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any, Final, NamedTuple, final

from actors.store_link import EngineState
from ops.control_protocol import Refusal
from supervision.report import ChildStarted, Report
from supervision.runtime import KillHere, Point, Runtime
from supervision.slot import Slot
from supervision.tree import find, walk

POINTS: Final = {point.value: point for point in Point}
AT_REST: Final = "rest"

_HANDLING: Final = ("before decide", "after decide", "in apply")


class Kind(NamedTuple):
    """A kind of actor: how its path begins, and the points at which it can have a message in hand."""

    path: str
    points: tuple[str, ...] = ()


KINDS: Final[Mapping[str, Kind]] = {
    "session": Kind("/sessions/", (*_HANDLING, "answered but not written")),
    "presence": Kind("/users/", _HANDLING),
    "connection": Kind("/connections/", ("before decide",)),
    "registry": Kind("/registry", _HANDLING),
    "port driver": Kind("/port_driver", ("before decide",)),
    "batcher": Kind("/store/batcher", (*_HANDLING, "batch built", "committed but not answered")),
    "database": Kind("/store/database"),
    "listener": Kind("/listeners/"),
    "control": Kind("/ops/control"),
}
"""What can be killed. A point that this server does not have never comes."""
DATABASE_PROCESS: Final = "database process"
SERVER_PROCESS: Final = "server process"
STANZAS_PASS: Final = ("session", "presence", "batcher")
"""Kinds with somebody's stanza in hand, at whose points the server's own process can be made to die."""

RECOVERIES_MAX: Final = 10_000
"""Recoveries remembered until somebody asks: those of some minutes under the worst of storms."""


class Armed(NamedTuple):
    """A fault that waits for an actor to have a message in hand."""

    kind: str
    paths: tuple[str, ...]
    point: Point
    match: str


class Recovery(NamedTuple):
    """An actor was there again, so many seconds after it had died."""

    kind: str
    seconds: float


def kill_ourselves() -> None:
    """End this process as if somebody had pulled the plug."""
    os.kill(os.getpid(), signal.SIGKILL)


@final
class Faults:
    """The faults that are waiting, those that happened, by kind and point, and what recovered from them.

    Args:
        runtime: The tree's; its probe and its reports are taken over, the latter handed on.
        end_process: Ends the server's process at once.
    """

    def __init__(self, runtime: Runtime, end_process: Callable[[], None] = kill_ourselves) -> None:
        self._armed: list[Armed] = []
        self.happened: Counter[str] = Counter()
        self._recoveries: deque[Recovery] = deque(maxlen=RECOVERIES_MAX)
        self._recovered = 0
        self._end_process = end_process
        self._report = runtime.report
        runtime.report = self._note
        runtime.probe = self._probe

    def make(self, root: Slot[Any], kind: str, at: str, match: str, pick: int | None = None) -> int:
        """Kills at rest, or arms a kill for the next actor of this kind with a message in hand at this point.

        Args:
            root: The tree.
            kind: One of `KINDS`, or the process of the database or of the server.
            at: `rest`, or the name of a point.
            match: What the actor's path must contain, for example an address.
            pick: At rest, kill one of those that match only: this one, counted round and round.

        Returns:
            How many were killed; zero for a fault that waits.

        Raises:
            Refusal: There is no such kind or point.
        """
        if kind == DATABASE_PROCESS:
            return self._kill_database(root)
        if kind not in (*KINDS, SERVER_PROCESS):
            raise Refusal(f"no such kind; there are {', '.join((*KINDS, DATABASE_PROCESS, SERVER_PROCESS))}")
        if at == AT_REST:
            return self._kill_at_rest(root, kind, match, pick)
        if at not in POINTS:
            raise Refusal(f"no such point; there are {', '.join((AT_REST, *POINTS))}")
        kinds = STANZAS_PASS if kind == SERVER_PROCESS else (kind,)
        self._armed.append(Armed(kind, tuple(KINDS[each].path for each in kinds), POINTS[at], match))
        return 0

    def disarm(self) -> int:
        """Forgets the faults that still wait; returns how many there were."""
        count = len(self._armed)
        self._armed.clear()
        return count

    def recoveries(self, after: int) -> tuple[tuple[Recovery, ...], int]:
        """What has recovered since a number given out before, zero at first; and the next such number."""
        news = min(max(self._recovered - after, 0), len(self._recoveries))
        return tuple(islice(self._recoveries, len(self._recoveries) - news, None)), self._recovered

    def _kill_at_rest(self, root: Slot[Any], kind: str, match: str, pick: int | None) -> int:
        if kind == SERVER_PROCESS:
            self._end_process()
            return 1
        path = KINDS[kind].path
        found = [
            slot for slot in walk(root) if slot.is_live and slot.path.startswith(path) and match in slot.path
        ]
        if pick is not None and found:
            found = [found[pick % len(found)]]
        for slot in found:
            slot.kill("a fault on demand")
        self.happened[f"{kind} at {AT_REST}"] += len(found)
        return len(found)

    def _kill_database(self, root: Slot[Any]) -> int:
        slot = find(root, KINDS["database"].path)
        process = slot.state.process if slot is not None and isinstance(slot.state, EngineState) else None
        if process is None:
            return 0
        process.kill()
        self.happened[DATABASE_PROCESS] += 1
        return 1

    def _probe(self, point: Point, slot: Slot[Any], _message: object) -> None:
        if not self._armed:
            return
        path = slot.path
        for armed in self._armed:
            if point is armed.point and path.startswith(armed.paths) and armed.match in path:
                self._armed.remove(armed)
                self.happened[f"{armed.kind} {point.value}"] += 1
                if armed.kind == SERVER_PROCESS:
                    self._end_process()
                raise KillHere("a fault on demand")

    def _note(self, report: Report) -> None:
        if isinstance(report, ChildStarted) and report.recovery_seconds is not None:
            kind = kind_of(report.path)
            if kind is not None:
                self._recovered += 1
                self._recoveries.append(Recovery(kind, report.recovery_seconds))
        self._report(report)


def kind_of(path: str) -> str | None:
    """Which kind of actor lives at this path, if it is one that can be killed."""
    return next((name for name, kind in KINDS.items() if path.startswith(kind.path)), None)
