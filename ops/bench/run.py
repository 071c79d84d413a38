"""`make bench`: what a message, a log-in and an idle session cost this server, on this machine.

Every scenario gets a fresh server (no archive, plain TCP on loopback) with its database on one core and the
load generator on another. The table is printed, README.md says what each row of it means, and `--json FILE`
keeps all that the generator measured.
"""

import argparse
import json
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from actors.settings import Durability
from ops.bench.server import BenchError, RunningServer, cores, pinned, running_server

GENERATOR: Final = Path(__file__).with_name("xmppload")

# More than this taken by other processes and a figure says something about them.
NOISE_CORES_MAX: Final = 0.1

Result = Mapping[str, Any]


class Scenario(NamedTuple):
    """One row of the table.

    Attributes:
        name: Names it in the table.
        users: How many accounts it needs.
        arguments: How the generator is called.
        shown: Says what of the result is shown, given also that of row `beside`, empty if not measured.
        durability: The server's setting.
        beside: Names the row, measured before, that this one is compared with.
    """

    name: str
    users: int
    arguments: tuple[str, ...]
    shown: Callable[[Result, Result], str]
    durability: Durability = Durability.MEMORY
    beside: str = ""


# Of the server process alone, and of the database as well.
_ALONE: Final = "server_alone_cpu_us_per_delivery"
_TOGETHER: Final = "server_cpu_us_per_delivery"


def _messages(result: Result, beside: Result) -> str:
    return f"{_cpu(result, _ALONE, beside)}{_course(result)}"


def _stored_messages(result: Result, beside: Result) -> str:
    with_database = f", {result[_TOGETHER]:.1f} with database{_ratio(result, _TOGETHER, beside)}"
    return f"{_cpu(result, _ALONE, beside)}{with_database}{_course(result)}"


def _cpu(result: Result, key: str, beside: Result) -> str:
    return f"{result[key]:7.1f} µs CPU per delivered message{_ratio(result, key, beside)}"


def _ratio(result: Result, key: str, beside: Result) -> str:
    """How many times that of the other row; nothing where there is none to compare with."""
    return f" ({result[key] / beside[key]:.2f} times)" if beside else ""


def _course(result: Result) -> str:
    p50, p99 = (result["latency_us"][key] / 1000 for key in ("p50", "p99"))
    return f"   ({result['per_second']:.0f}/s, p50 {p50:.2f} ms, p99 {p99:.2f} ms)"


def _log_ins(result: Result, _: Result) -> str:
    cpu = result["server_cpu_us_per_delivery"]
    return f"{result['per_second']:7.0f} logins/s   ({cpu:.0f} µs CPU each, database included)"


def _idle(result: Result, _: Result) -> str:
    first, last = result["steps"][0], result["steps"][-1]
    kilobytes = (last["pss_kb"] - first["pss_kb"]) / (last["sessions"] - first["sessions"])
    return f"{kilobytes:7.1f} KB per idle session   (PSS, between {first['sessions']} and {last['sessions']})"


def _noise(result: Result) -> str:
    """A warning where others were busy: a generator that has to wait sends in batches, which cost less."""
    others = result.get("foreign_cores", 0.0)
    return f"   ** other processes used {others:.1f} cores: repeat **" if others > NOISE_CORES_MAX else ""


# Windows one after the other, of which the generator reports the one with the median rate.
_REPEATED: Final = ("--repeat", "3")


def _chats(users: int, window: int) -> tuple[Scenario, ...]:
    """A chat without stream management, and what that adds where nothing is stored and where all is."""
    name = f"chat, {users} users, {window} in flight"
    plain = Scenario(name, users, ("chat", "--window", str(window), *_REPEATED), _messages)
    managed = plain._replace(arguments=(*plain.arguments, "--sm"), beside=name)
    return (
        plain,
        managed._replace(name=f"{name}, managed, memory"),
        managed._replace(
            name=f"{name}, managed, journaled", shown=_stored_messages, durability=Durability.JOURNALED
        ),
    )


SCENARIOS: Final = (
    *_chats(users=1000, window=4),
    *_chats(users=200, window=1),
    Scenario("login, SASL PLAIN", 400, ("login",), _log_ins),
    Scenario("idle", 2000, ("idle", "--steps", "200,2000"), _idle),
)


_NAME_WIDTH: Final = max(len(scenario.name) for scenario in SCENARIOS) + 1


def measure(scenario: Scenario, seconds: int) -> Result:
    """Runs one scenario against a fresh server and returns all that the generator measured.

    Raises:
        BenchError: The server did not start, or the generator could not do its work or found something lost.
    """
    server_core, generator_core = cores()
    with (
        tempfile.TemporaryDirectory(prefix="trouper-bench-") as name,
        running_server(Path(name), server_core, scenario.durability) as server,
    ):
        load = _Load([*pinned(generator_core), str(GENERATOR)], server, scenario.users, Path(name) / "result")
        load.run("register")
        load.run(*scenario.arguments, "--seconds", str(seconds))
        return load.measured()


class _Load(NamedTuple):
    """The generator, set up for one server and a number of users."""

    command: list[str]
    server: RunningServer
    users: int
    result: Path

    def run(self, *arguments: str) -> None:
        target = ("--port", str(self.server.port), "--pid", str(self.server.pid), "--users", str(self.users))
        command = [*self.command, *arguments, *target, "--json", str(self.result), "--quiet"]
        done = subprocess.run(command, check=False, capture_output=True, encoding="utf-8")
        if done.returncode:
            said = done.stdout + done.stderr
            raise BenchError(f"xmppload {arguments[0]} ended with status {done.returncode}:\n{said}")

    def measured(self) -> Result:
        """What the last run wrote down."""
        read: Result = json.loads(self.result.read_text(encoding="utf-8"))
        return read


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints the table and returns the exit status."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--seconds", type=int, default=10, help="length of each measured window [10]")
    parser.add_argument("--only", metavar="TEXT", default="", help="only scenarios whose name contains this")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to keep all that was measured")
    options = parser.parse_args(arguments)
    results: dict[str, Result] = {}
    print(f"Trouper on Python {platform.python_version()}, one core; some {options.seconds + 15} s a line")
    try:
        for scenario in SCENARIOS:
            if options.only in scenario.name:
                results[scenario.name] = measure(scenario, options.seconds)
                result = results[scenario.name]
                shown = scenario.shown(result, results.get(scenario.beside, {}))
                print(f"{scenario.name:{_NAME_WIDTH}}{shown}{_noise(result)}", flush=True)
    except BenchError as error:
        print(error, file=sys.stderr)
        return 1
    if options.json is not None:
        options.json.write_text(json.dumps(results, indent=2), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
