"""Many seeds, on all cores, for `make simulate`: shows progress, prints what fails, can be continued."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import time
import traceback
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from typing import TYPE_CHECKING, NamedTuple, TextIO, final

from tests.simulation.planted import PLANTS
from tests.simulation.simulation import simulate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future
    from pathlib import Path

IN_HAND_PER_PROCESS = 4
"""Seeds that wait for a process to be free: enough that none is idle, few enough to stop soon."""
PROGRESS_SECONDS = 5.0
"""Between two lines of progress where there is no terminal."""
FAULTS_SHOWN_MAX = 10
"""Of one seed; the rest mostly follows from the first."""


class Result(NamedTuple):
    """What one seed came to, small enough to be sent from a process to another."""

    seed: int
    faults: tuple[str, ...]
    digest: str


class Order(NamedTuple):
    """What is to be run.

    Attributes:
        first: The first seed.
        seeds: How many; None for as long as the time allows.
        seconds: When to stop; None when all seeds are done.
        processes: How many at a time.
        planted: The name of a bug that the server has in every run.
    """

    first: int = 0
    seeds: int | None = None
    seconds: float | None = None
    processes: int = 1
    planted: str | None = None


def run_seed(seed: int, planted: str | None = None) -> Result:
    """Run one seed; that a simulation breaks is a fault like others."""
    try:
        outcome = simulate(seed, None if planted is None else PLANTS[planted]())
    except Exception:  # noqa: BLE001 - reported with its seed, and the other seeds go on
        return Result(seed, (f"the simulation broke:\n{traceback.format_exc()}",), "")
    return Result(seed, outcome.faults, outcome.digest)


def run(order: Order) -> Iterator[Result]:
    """The results, as they come."""
    last = None if order.seeds is None else order.first + order.seeds
    seeds: Iterable[int] = itertools.count(order.first) if last is None else range(order.first, last)
    until = None if order.seconds is None else time.monotonic() + order.seconds

    def is_late() -> bool:
        return until is not None and time.monotonic() >= until

    seeds = itertools.takewhile(lambda _seed: not is_late(), seeds)
    if order.processes == 1:
        yield from (run_seed(seed, order.planted) for seed in seeds)
    else:
        yield from _run_in_processes(seeds, order)


def _run_in_processes(seeds: Iterable[int], order: Order) -> Iterator[Result]:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(order.processes, mp_context=context) as pool:
        pending: set[Future[Result]] = set()
        rest = iter(seeds)
        try:
            while True:
                room = order.processes * IN_HAND_PER_PROCESS - len(pending)
                pending |= {
                    pool.submit(run_seed, seed, order.planted) for seed in itertools.islice(rest, room)
                }
                if not pending:
                    return
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                yield from sorted(future.result() for future in done)
        finally:
            pool.shutdown(cancel_futures=True)


@final
class State:
    """The next seed, in a file: below it all are done, so a campaign that was stopped goes on there."""

    def __init__(self, path: Path | None, first: int) -> None:
        self._path = path
        self._done: set[int] = set()
        self.next_seed = first
        if path is not None and path.exists():
            self.next_seed = int(path.read_text(encoding="utf-8"))

    def done(self, seed: int) -> None:
        """This seed has been run."""
        self._done.add(seed)
        while self.next_seed in self._done:
            self._done.remove(self.next_seed)
            self.next_seed += 1

    def save(self) -> None:
        """Remember."""
        if self._path is not None:
            self._path.write_text(f"{self.next_seed}\n", encoding="utf-8")


@final
class Progress:
    """One line that says how far it is: redrawn on a terminal, a new one now and then elsewhere."""

    def __init__(self, out: TextIO, order: Order, clock: Callable[[], float] = time.monotonic) -> None:
        self._out = out
        self._order = order
        self._clock = clock
        self._began = self._shown = clock()
        self.done = self.failed = 0

    def note(self, result: Result) -> None:
        """A seed is done; print it if it failed."""
        self.done += 1
        if result.faults:
            self.failed += 1
            self._clear()
            self._out.write(describe(result))
        self._show()

    def finish(self) -> None:
        """Say what it came to."""
        self._clear()
        self._out.write(f"{self._line()}\n")
        self._out.flush()

    def _show(self) -> None:
        if self._out.isatty():
            self._out.write(f"\r{self._line()}\x1b[K")
        elif self._clock() - self._shown >= PROGRESS_SECONDS:
            self._shown = self._clock()
            self._out.write(f"{self._line()}\n")
        self._out.flush()

    def _clear(self) -> None:
        if self._out.isatty():
            self._out.write("\r\x1b[K")

    def _line(self) -> str:
        rate = self.done / max(self._clock() - self._began, 0.001)
        total = "" if self._order.seeds is None else f" of {self._order.seeds}"
        return f"{self.done}{total} seeds from {self._order.first} on, {self.failed} failed, {rate:.1f}/s"


def describe(result: Result) -> str:
    """A seed that failed, for people."""
    shown = result.faults[:FAULTS_SHOWN_MAX]
    lines = [f"seed {result.seed} failed:", *(f"  {fault}" for fault in shown)]
    if len(result.faults) > len(shown):
        lines.append(f"  and {len(result.faults) - len(shown)} more")
    lines.append(f"  to see it: python -m tests.simulation --seed {result.seed}")
    return "\n".join(lines) + "\n"


def processes() -> int:
    """All cores that we may use."""
    return len(os.sched_getaffinity(0))
