"""Faults on demand: kills actors and the database process, at rest or with a message in hand.

For tests and the chaos harness, over the control socket of a server that was started with `--faults`. Each
kind of actor is one line in `KINDS`.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, final

from actors.store_link import EngineState
from ops.control_protocol import Refusal
from supervision.runtime import KillHere, Point, Runtime
from supervision.slot import Slot
from supervision.tree import find, walk

KINDS: Final[Mapping[str, str]] = {
    "session": "/sessions/",
    "presence": "/users/",
    "connection": "/connections/",
    "registry": "/registry",
    "port driver": "/port_driver",
    "batcher": "/store/batcher",
    "database": "/store/database",
    "listener": "/listeners/",
    "control": "/ops/control",
}
"""What can be killed, by the beginning of its path."""
DATABASE_PROCESS: Final = "database process"
AT_REST: Final = "rest"
POINTS: Final = {point.value: point for point in Point}


class Armed(NamedTuple):
    """A fault that waits for an actor to have a message in hand."""

    kind: str
    point: Point
    match: str


@final
class Faults:
    """The faults that are waiting, and those that happened, by kind and point."""

    def __init__(self, runtime: Runtime) -> None:
        self._armed: list[Armed] = []
        self.happened: Counter[str] = Counter()
        self._runtime = runtime
        runtime.probe = self._probe

    def make(self, root: Slot[Any], kind: str, at: str, match: str) -> int:
        """Kills at rest, or arms a kill for the next actor of this kind with a message in hand at this point.

        Args:
            root: The tree.
            kind: One of `KINDS`, or the database process.
            at: `rest`, or the name of a point.
            match: What the actor's path must contain, for example an address.

        Returns:
            How many were killed; zero for a fault that waits.

        Raises:
            Refusal: There is no such kind or point.
        """
        if kind == DATABASE_PROCESS:
            return self._kill_database(root)
        if kind not in KINDS:
            raise Refusal(f"no such kind; there are {', '.join((*KINDS, DATABASE_PROCESS))}")
        if at == AT_REST:
            return self._kill_at_rest(root, kind, match)
        if at not in POINTS:
            raise Refusal(f"no such point; there are {', '.join((AT_REST, *POINTS))}")
        self._armed.append(Armed(kind, POINTS[at], match))
        return 0

    def disarm(self) -> int:
        """Forgets the faults that still wait; returns how many there were."""
        count = len(self._armed)
        self._armed.clear()
        return count

    def _kill_at_rest(self, root: Slot[Any], kind: str, match: str) -> int:
        killed = 0
        for slot in tuple(walk(root)):
            if slot.is_live and slot.path.startswith(KINDS[kind]) and match in slot.path:
                slot.kill("a fault on demand")
                killed += 1
        self.happened[f"{kind} at {AT_REST}"] += killed
        return killed

    def _kill_database(self, root: Slot[Any]) -> int:
        slot = find(root, KINDS["database"])
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
            if point is armed.point and path.startswith(KINDS[armed.kind]) and armed.match in path:
                self._armed.remove(armed)
                self.happened[f"{armed.kind} {point.value}"] += 1
                raise KillHere("a fault on demand")
