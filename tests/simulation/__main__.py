"""The simulation from the command line: `python -m tests.simulation`, `make simulate`."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import TextIO

from tests.simulation import campaign
from tests.simulation.campaign import Order, Progress, State, describe, processes, run
from tests.simulation.planted import PLANTS
from tests.simulation.simulation import simulate

EPILOG = """\
examples:
  python -m tests.simulation --seeds 1000                 a thousand seeds on all cores
  python -m tests.simulation --seconds 600 --state FILE   ten minutes, from where the last call stopped
  python -m tests.simulation --seed 42                    one seed, with everything that happened
  python -m tests.simulation --seeds 100 --plant NAME     how soon a planted bug is found
exit status: 0 if all seeds passed, 1 if one failed, 2 for wrong usage
"""


def main(arguments: list[str], out: TextIO) -> int:
    """Run what the arguments say; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulation",
        description="Run the whole server with many clients from seeds, and check that nothing is lost.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seed", type=_number, help="run this one and print its trace")
    parser.add_argument("--seeds", type=_number, metavar="N", help="how many seeds to run")
    parser.add_argument("--seconds", type=float, help="when to stop, whatever is left")
    parser.add_argument("--first", type=_number, default=0, metavar="N", help="the first seed (default: 0)")
    parser.add_argument("--state", type=Path, metavar="FILE", help="remembers the next seed between calls")
    parser.add_argument("--processes", type=_number, default=processes(), help="default: one for each core")
    parser.add_argument("--plant", choices=sorted(PLANTS), help="give the server this bug")
    given = parser.parse_args(arguments)
    if given.seed is not None:
        return _replay(given.seed, given.plant, out)
    if given.seeds is None and given.seconds is None:
        parser.error("say how long to run: --seeds or --seconds, or --seed to see one")
    if given.processes == 0:
        parser.error("--processes must be at least 1")
    state = State(given.state, given.first)
    order = Order(state.next_seed, given.seeds, given.seconds, given.processes, given.plant)
    return _campaign(order, state, out)


def _number(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError
    return number


def _replay(seed: int, plant: str | None, out: TextIO) -> int:
    """One seed with its full trace."""
    result = campaign.run_seed(seed, plant)
    if result.digest:
        outcome = simulate(seed, None if plant is None else PLANTS[plant]())
        out.writelines(f"{event.at:10.3f}  {event.who:<12} {event.what}\n" for event in outcome.trace)
        out.writelines(f"{count:6} {name}\n" for name, count in sorted(outcome.counts.items()))
    out.write(f"seed {seed}, revision {_revision()}, trace {result.digest or 'unknown'}\n")
    out.write(describe(result) if result.faults else "nothing is wrong\n")
    return 1 if result.faults else 0


def _campaign(order: Order, state: State, out: TextIO) -> int:
    progress = Progress(out, order)
    out.write(f"revision {_revision()}, {order.processes} processes\n")
    try:
        for result in run(order):
            state.done(result.seed)
            progress.note(result)
    finally:
        state.save()
        progress.finish()
    return 1 if progress.failed else 0


def _revision() -> str:
    """What the seeds belong to: another revision makes something else of them."""
    asked = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    )
    return asked.stdout.strip() or "unknown"


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:], sys.stdout))
    except KeyboardInterrupt:
        sys.exit(130)
