"""Server and database are killed under load, time and again: every client comes back, and nothing is lost.

`run` is what the test of this name does a few times; as a program (`make sigkill`) it does so as often as it
is told, and says how long everything took.
"""

from __future__ import annotations

import argparse
import random
import re
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, final

from tests.support.managed_client import CLIENT, ManagedClient, child
from tests.support.raw_client import RawClient
from tests.support.server import RunningServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tests.support.server import Account

CLIENTS: Final = 12
ABSENT: Final = 2
"""Accounts that are written to while nobody is there; one message in `ABSENT_EVERY` is for them."""
ABSENT_EVERY: Final = 20
WINDOWS: Final = (2, 8, 30)
"""Messages that a client sends before it waits for the server to acknowledge some; drawn for each kill."""
ASK_EVERY: Final = 6
BUSY: Final = range(150, 600)
"""Messages sent by all together before a kill; how many is drawn anew for each."""
EARLY_EVERY: Final = 5
"""One kill in so many comes when only half of the clients are back from the one before."""
SECONDS_MAX: Final = 60.0
"""How long anything may take before it counts as lost."""

_FLAGS: Final = ("--set=limits.offline_messages_max=20000", "--set=limits.offline_bytes_max=20000000")
_BODY: Final = re.compile(r"(\d+)>(\d+)#(\d+)")


class LostError(Exception):
    """The balance does not hold, or a client was not let back in."""


class Balance(NamedTuple):
    """What a run comes to, where it comes to an end.

    Attributes:
        kills: How often server and database were killed.
        sent: Messages, each of which has arrived once, in order.
        resumptions: How often a client got its session back.
        in_flight: How many messages were not acknowledged at each kill.
        start_seconds: How long each start took.
        resume_seconds: And from there until the last client was back.
    """

    kills: int
    sent: int
    resumptions: int
    in_flight: Sequence[int]
    start_seconds: Sequence[float]
    resume_seconds: Sequence[float]


@final
class Chatter:
    """One client, that writes to all others and notes what it gets.

    Attributes:
        number: Which of them it is.
        heard: The numbers of the messages from each, as they came.
        is_connected: Whether it has a connection, as far as it knows.
    """

    def __init__(self, server: RunningServer, number: int, dice: random.Random) -> None:
        self.number = number
        self.client = ManagedClient(server, server.account(), f"r{number}")
        self.heard: dict[int, list[int]] = {}
        self.is_connected = True
        self._dice = dice
        self._said = 0
        self.sent: Counter[int] = Counter()

    def begin(self) -> None:
        """Log in, and be there for what is sent to the account."""
        self.client.log_in()
        self.client.become_available()
        self.client.wait_acknowledged()  # from here on the session is known to be journaled

    def step(self, addresses: Sequence[tuple[str, str]], window: int) -> int:
        """Say something unless so much is unacknowledged; take what came. Returns how much was said."""
        if not self.is_connected:
            return 0
        is_said = len(self.client.unacked) < window
        try:
            if is_said:
                self._say(addresses)
                if self._said % ASK_EVERY == 0 or len(self.client.unacked) == window:
                    self.client.ask_for_ack()
            self.take()
        except OSError:
            self.is_connected = False
        return int(is_said)

    def _say(self, addresses: Sequence[tuple[str, str]]) -> None:
        is_absent = self._dice.randrange(ABSENT_EVERY) == 0
        to = self._dice.randrange(CLIENTS, CLIENTS + ABSENT) if is_absent else self._dice.randrange(CLIENTS)
        self.sent[to] += 1
        self._said += 1
        self.client.say(self._dice.choice(addresses[to]), f"{self.number}>{to}#{self.sent[to]}")

    def take(self, seconds: float = 0.0) -> None:
        """Note the messages that have come.

        Raises:
            OSError: the connection has ended.
            LostError: a message has come back, or was never sent.
        """
        while (element := self.client.poll(seconds)) is not None:
            if element.tag == f"{{{CLIENT}}}message":
                body = child(element, "body") or ""
                if element.get("type") == "error":
                    raise LostError(f"{self.number} got {body} back")
                self.note([body])

    def note(self, bodies: Iterable[str]) -> None:
        """Note messages, given by their texts."""
        for body in bodies:
            found = _BODY.fullmatch(body)
            if found is None or int(found[2]) != self.number:
                raise LostError(f"{self.number} got {body!r}")
            self.heard.setdefault(int(found[1]), []).append(int(found[3]))

    def come_back(self) -> None:
        """Have the session resumed.

        Raises:
            LostError: the server does not do that.
        """
        self.client.cut()
        refused = self.client.resume()
        if refused is not None:
            raise LostError(f"{self.number} was not let back in: {refused}")
        self.is_connected = True


@final
class Run:
    """One run; see `run`."""

    def __init__(self, server: RunningServer, seed: int, tell: Callable[[str], None]) -> None:
        self._server = server
        self._tell = tell
        self._dice = random.Random(seed)
        self._chatters = [Chatter(server, number, self._dice) for number in range(CLIENTS)]
        self._absent = [server.account() for _ in range(ABSENT)]
        self._addresses = [
            *((each.client.account.jid, each.client.address) for each in self._chatters),
            *((account.jid, f"{account.jid}/gone") for account in self._absent),
        ]
        self._window = WINDOWS[-1]
        self._resumptions = 0
        self._in_flight: list[int] = []
        self._start_seconds: list[float] = []
        self._resume_seconds: list[float] = []

    def go(self, kills: int) -> Balance:
        """Kill so often, then see whether everything is there."""
        for chatter in self._chatters:
            chatter.begin()
        for kill in range(1, kills + 1):
            is_early = kill % EARLY_EVERY == 0
            self._window = self._dice.choice(WINDOWS)
            self._chat(self._dice.choice(BUSY))
            self._kill()
            self._start(CLIENTS // 2 if is_early else CLIENTS)
            if is_early:
                self._kill()
                self._start(CLIENTS)
            self._tell(
                f"kill {kill} of {kills}: {self._in_flight[-1]} messages in flight, started in "
                f"{self._start_seconds[-1]:.1f} s, all back after {self._resume_seconds[-1]:.1f} s\n"
            )
        self._finish()
        sent = sum(each.sent.total() for each in self._chatters)
        kills = len(self._in_flight)
        return Balance(
            kills, sent, self._resumptions, self._in_flight, self._start_seconds, self._resume_seconds
        )

    def close(self) -> None:
        """Drop all connections."""
        for chatter in self._chatters:
            chatter.client.__exit__(None, None, None)

    def _chat(self, messages: int) -> None:
        """Let so many messages be sent, by all in turn."""
        deadline = time.monotonic() + SECONDS_MAX
        while messages > 0:
            said = sum(each.step(self._addresses, self._window) for each in self._chatters)
            messages -= said
            if said:
                deadline = time.monotonic() + SECONDS_MAX
            elif time.monotonic() > deadline:
                raise LostError(f"nothing was acknowledged for {SECONDS_MAX} s")

    def _kill(self) -> None:
        """Everything dies while all go on, as long as they can."""
        killer = threading.Thread(target=self._server.kill_with_database)
        killer.start()
        deadline = time.monotonic() + SECONDS_MAX
        while any(each.is_connected for each in self._chatters):
            for each in self._chatters:
                each.step(self._addresses, self._window)
            if time.monotonic() > deadline:
                raise LostError("a connection has outlived its server")
        killer.join()
        self._in_flight.append(sum(len(each.client.unacked) for each in self._chatters))

    def _start(self, clients: int) -> None:
        """Start the server, and have some or all come back, while those who are back chat."""
        begun = time.monotonic()
        self._server.restart()
        ready = time.monotonic()
        self._start_seconds.append(ready - begun)
        for chatter in self._dice.sample(self._chatters, clients):
            chatter.come_back()
            self._resumptions += 1
            for each in self._chatters:
                each.step(self._addresses, self._window)
        self._resume_seconds.append(time.monotonic() - ready)

    # -- the balance

    def _finish(self) -> None:
        """All stop writing, read the rest and leave; then nothing is left but what waits for the absent."""
        self._read_rest()
        for chatter in self._chatters:
            chatter.client.settle()  # its own answers would come behind anything that is doubled
            chatter.client.acknowledge()
            chatter.client.client.send("</stream:stream>")
        for chatter in self._chatters:
            chatter.client.client.read_to_end()
        for number, account in enumerate(self._absent, CLIENTS):
            self._compare(number, _stored(self._server, account))
        for chatter in self._chatters:
            self._compare(chatter.number, chatter.heard)
            left = _stored(self._server, chatter.client.account)
            if left:
                raise LostError(f"{chatter.number} had everything, and is owed still {left}")

    def _read_rest(self) -> None:
        deadline = time.monotonic() + SECONDS_MAX
        for chatter in self._chatters:
            chatter.client.ask_for_ack()
        while not self._is_done():
            for chatter in self._chatters:
                chatter.take(0.01)
            if time.monotonic() > deadline:
                break  # what is missing will be named
        for chatter in self._chatters:
            if chatter.client.unacked:
                raise LostError(f"{chatter.number} has no acknowledgement of {list(chatter.client.unacked)}")

    def _is_done(self) -> bool:
        return all(
            not each.client.unacked and sum(map(len, each.heard.values())) >= self._expected(each.number)
            for each in self._chatters
        )

    def _expected(self, number: int) -> int:
        return sum(each.sent[number] for each in self._chatters)

    def _compare(self, number: int, heard: dict[int, list[int]]) -> None:
        """Everything that was sent to this one, each once, each sender's in order."""
        for sender in self._chatters:
            got, sent = heard.get(sender.number, []), sender.sent[number]
            if got != list(range(1, sent + 1)):
                missing = sorted(set(range(1, sent + 1)) - set(got))
                doubled = sorted(each for each, times in Counter(got).items() if times > 1)
                raise LostError(
                    f"from {sender.number} to {number}: {missing} lost, {doubled} doubled, of {sent}: {got}"
                )


def _stored(server: RunningServer, account: Account) -> dict[int, list[int]]:
    """What an account finds at its log-in, in order, by sender."""
    found: dict[int, list[int]] = {}
    with RawClient(server, "c2s_tls") as client:
        client.log_in(account, "late")
        client.send(f"<presence/><message to='{account.jid}' type='chat'><body>the last</body></message>")
        received = client.read_until(rb"<body>the last</body>.*?</message>").decode()
    for body in re.findall(r"<body>(.*?)</body>", received)[:-1]:
        sender, _to, number = re.findall(r"\d+", body)
        found.setdefault(int(sender), []).append(int(number))
    return found


def run(folder: Path, kills: int, seed: int, tell: Callable[[str], None]) -> Balance:
    """Kill server and database so often, under load, on one data directory; then see what became of it all.

    Args:
        folder: Where the server's files lie.
        kills: How often, besides those that come early.
        seed: Decides who writes to whom, and how much before each kill.
        tell: Is told how it goes.

    Raises:
        LostError: a message was lost, doubled or out of order, or a client could not resume.
    """
    server = RunningServer(folder, *_FLAGS)
    with ExitStack() as stack:
        stack.callback(server.kill)
        chat = Run(server, seed, tell)
        stack.callback(chat.close)
        balance = chat.go(kills)
        stack.pop_all()
    chat.close()
    if server.stop() != 0 or server.log.faults():
        raise LostError(f"the server did not end well:\n{server.log.tail()}")
    return balance


def main() -> int:
    """Run it by hand."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        balance = run(Path(folder), options.kills, options.seed, _tell)
    starts, resumes = balance.start_seconds, balance.resume_seconds
    _tell(
        f"{balance.kills} kills in {time.monotonic() - begun:.0f} s: {balance.sent} messages, "
        f"{sum(balance.in_flight)} of them in flight at a kill; none lost, none doubled, none out of order; "
        f"{balance.resumptions} sessions resumed\n"
        f"seconds of a start: p50 {statistics.median(starts):.1f}, max {max(starts):.1f}; "
        f"from there until all were back: p50 {statistics.median(resumes):.1f}, max {max(resumes):.1f}\n"
    )
    return 0


def _tell(words: str) -> None:
    sys.stdout.write(words)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
