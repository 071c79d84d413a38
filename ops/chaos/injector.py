"""Carries out the plan: makes each fault when its time has come, and counts what it did.

While the server is away, faults wait; when it is back they are caught up with at twice the rate, as far as
the time goes. What ends the whole server is recovered from when the last client is there again.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final, final

import trio

from ops import faults
from ops.chaos.client import Client, Clock
from ops.chaos.kinds import KINDS, How
from ops.chaos.options import Options
from ops.chaos.plan import Fault
from ops.chaos.result import Mark
from ops.chaos.tally import Tally
from ops.chaos.target import Target
from ops.control import ServerNotRunning
from ops.control_protocol import Command, Refusal

COUNT_SECONDS: Final = 0.25
"""How often the server is asked what has happened; when it is killed, so much may be forgotten."""
HIT_SECONDS_MAX: Final = 10.0
"""How long the end of the server is waited for that was armed at a point; then it is disarmed."""
BACK_SECONDS_MAX: Final = 60.0
"""How long every client is waited for after the end of the whole server."""
DATABASE_AWAY: Final = "database away"
"""How long the server was without its database, as far as asking now and then tells."""
_WHOLE_ROOM_SECONDS: Final = 3.0
"""Something must have been said since the last client was back."""
_POLL_SECONDS: Final = 0.05


@final
class Injector:
    """See the module's docstring.

    Attributes:
        marks: What was made, or armed, and when.
        happened: How often each kind met its victim, by kind and point.
        recoveries: How long each was away, by kind, in seconds.
        missed: Faults that could not be made, by kind, with the reason.
    """

    def __init__(
        self, target: Target, clients: Sequence[Client], clock: Clock, tally: Tally, options: Options
    ) -> None:
        self._target = target
        self._clients = clients
        self._clock = clock
        self._tally = tally
        self._seconds = options.seconds
        self._room = 0.5 / options.rate
        self._is_ending_server = False
        self._is_up = trio.Event()
        self._is_up.set()
        self._in_this_life: dict[str, int] = {}
        self._recoveries_heard = 0
        self._database_away_since: float | None = None
        self.marks: list[Mark] = []
        self.happened: Counter[tuple[str, str]] = Counter()
        self.recoveries: list[tuple[str, float]] = []
        self.missed: Counter[tuple[str, str]] = Counter()

    async def carry_out(self, plan: Sequence[Fault]) -> None:
        """Makes every fault; those that end the server one at a time."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._carry_out, [each for each in plan if KINDS[each.kind].ends_server])
            nursery.start_soon(self._carry_out, [each for each in plan if not KINDS[each.kind].ends_server])

    async def _carry_out(self, plan: Sequence[Fault]) -> None:
        async with trio.open_nursery() as nursery:
            for fault in plan:
                await trio.sleep_until(self._clock.began + fault.at)
                await self._is_up.wait()
                if self._clock.now() > self._seconds:
                    self.missed[fault.kind, "no time was left"] += 1
                    continue
                await self._make(nursery, fault)
                await trio.sleep(0.0 if KINDS[fault.kind].ends_server else self._room)

    async def _make(self, nursery: trio.Nursery, fault: Fault) -> None:
        match KINDS[fault.kind].how:
            case How.KILL | How.RESTART:
                await self._end_server(fault)
            case How.ASK if fault.kind == faults.SERVER_PROCESS:
                await self._end_server(fault)
            case How.ASK:
                await self._ask_for(fault)
            case How.SLOW:
                nursery.start_soon(self._slow, fault)
            case How.CUT:
                self._do_to_a_client(fault, self._victim(fault).cut())
            case How.STALL:
                self._do_to_a_client(fault, self._victim(fault).stall(fault.seconds))

    def _victim(self, fault: Fault) -> Client:
        return self._clients[fault.victim % len(self._clients)]

    def _do_to_a_client(self, fault: Fault, is_done: bool) -> None:
        self._note(fault, None if is_done else "the client was not connected")

    def _note(self, fault: Fault, why_not: str | None) -> None:
        if why_not is None:
            self.happened[fault.kind, fault.point] += 1
            self.marks.append(Mark(self._clock.now(), fault.kind, fault.point))
        else:
            self.missed[fault.kind, why_not] += 1

    async def _slow(self, fault: Fault) -> None:
        assert self._target.own is not None
        is_done = await self._target.own.slow_database(fault.seconds)
        self._note(fault, None if is_done else "there was no database process")

    # -- actors

    async def _ask_for(self, fault: Fault) -> None:
        """Have the server kill one of its actors, or arm it to; what happens of that `count` finds out."""
        try:
            await self._target.ask(
                Command.FAULT, kind=fault.kind, at=fault.point, match="", pick=fault.victim
            )
        except (ServerNotRunning, Refusal) as error:
            if fault.kind != "control":  # whose death ends the answer
                self.missed[fault.kind, _reason(error)] += 1
                return
        self.marks.append(Mark(self._clock.now(), fault.kind, fault.point))

    async def begin(self) -> None:
        """Leave out of the count what happened before this run.

        Raises:
            ServerNotRunning: There is no server.
            Refusal: It makes no faults.
        """
        told = await self._target.ask(Command.FAULT_COUNT)
        self._recoveries_heard, self._in_this_life = told["next"], dict(told["happened"])

    async def keep_counting(self) -> None:
        """Asks the server again and again what has happened; its registry has something to handle by that."""
        while True:
            await trio.sleep(COUNT_SECONDS)
            if self._is_up.is_set():
                await self.count()
                await self._notice_end()

    async def count(self) -> None:
        """Takes over what has happened in this life of the server."""
        try:
            told = await self._target.ask(Command.FAULT_COUNT, after=self._recoveries_heard)
            status = await self._target.ask(Command.STATUS)
        except (ServerNotRunning, Refusal):
            return  # it is going or coming; the next time will tell
        self._recoveries_heard = told["next"]
        self.recoveries += [(str(kind), float(seconds)) for kind, seconds in told["recoveries"]]
        self._note_database(is_away=status.get("database") == "away")
        for name, number in told["happened"].items():
            self.happened[_kind_and_point(name)] += number - self._in_this_life.get(name, 0)
            self._in_this_life[name] = number

    def _note_database(self, *, is_away: bool) -> None:
        """How long the database was away: its actor is there again long before it answers."""
        if is_away:
            self._database_away_since = self._database_away_since or trio.current_time()
        elif self._database_away_since is not None:
            self.recoveries.append((DATABASE_AWAY, trio.current_time() - self._database_away_since))
            self._database_away_since = None

    async def disarm(self) -> None:
        """Forgets what is armed and has met nobody."""
        try:
            await self._target.ask(Command.FAULT_DISARM)
        except (ServerNotRunning, Refusal):
            return  # with the server its armed faults are gone

    # -- the whole server

    async def _notice_end(self) -> None:
        """A server that ends when nobody has asked it to has failed; it is started again all the same."""
        own = self._target.own
        if own is not None and own.has_ended and not self._is_ending_server:
            self._tally.violation(f"the server ended by itself:\n{own.last_words()}")
            await self._start_again()

    async def _start_again(self) -> None:
        assert self._target.own is not None
        self._is_up = trio.Event()
        self._in_this_life, self._recoveries_heard, self._database_away_since = {}, 0, None
        await self._target.own.start()
        self._is_up.set()

    async def _end_server(self, fault: Fault) -> None:
        """End the server, start it again, and measure until the last client is back."""
        await self.count()
        self._is_ending_server = True
        if not await self._ended(fault):
            self._is_ending_server = False
            return
        gone = trio.current_time()
        self._note(fault, None)
        await self._start_again()
        self._is_ending_server = False
        await self._wait_all_back(fault, gone)
        await trio.sleep(_WHOLE_ROOM_SECONDS)

    async def _wait_all_back(self, fault: Fault, gone: float) -> None:
        with trio.move_on_after(BACK_SECONDS_MAX):
            while not all(client.is_online for client in self._clients):  # noqa: ASYNC110 - many conditions
                await trio.sleep(_POLL_SECONDS)
            self.recoveries.append((fault.kind, trio.current_time() - gone))
            return
        self.missed[fault.kind, "not every client was back in time"] += 1

    async def _ended(self, fault: Fault) -> bool:
        own = self._target.own
        assert own is not None
        match KINDS[fault.kind].how:
            case How.KILL:
                await own.kill()
                return True
            case How.RESTART:
                if (status := await own.stop()) != 0:
                    self.missed[fault.kind, f"ended with status {status}"] += 1
                return True
            case _:
                return await self._ended_itself(fault)

    async def _ended_itself(self, fault: Fault) -> bool:
        own = self._target.own
        assert own is not None
        try:
            await self._target.ask(Command.FAULT, kind=fault.kind, at=fault.point, match="")
        except (ServerNotRunning, Refusal) as error:
            if not own.has_ended:  # otherwise it met its end before it could answer
                self.missed[fault.kind, _reason(error)] += 1
                return False
        with trio.move_on_after(HIT_SECONDS_MAX):
            await own.wait_ended()
            return True
        await self.disarm()
        self.missed[fault.kind, "met nobody"] += 1
        return False


def _reason(error: Exception) -> str:
    return "the server was away" if isinstance(error, ServerNotRunning) else str(error)


def _kind_and_point(name: str) -> tuple[str, str]:
    """`registry at rest`, `session after decide`, `database process`."""
    kind = max((kind for kind in KINDS if name.startswith(kind)), key=len, default=name)
    point = name.removeprefix(kind).strip()
    return kind, faults.AT_REST if point in ("", "at rest") else point
