"""Two people meet: one conversation in a house, from one seed, with everything taking its time.

Actors wake, bytes arrive, the database and hashing answer after delays that the seed decides; on the way
actors are killed, some of them with a message in hand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import trio
from trio.testing import MockClock

from supervision.report import ChildTerminated
from supervision.runtime import KillHere, Point
from supervision.tree import walk
from tests.actors.house import House
from tests.simulation.scheduling import seeded_scheduling

if TYPE_CHECKING:
    from supervision.slot import Slot
    from tests.actors.house_client import Client

ROMEO, JULIET = "romeo@localhost", "juliet@localhost"
MESSAGES = 10
"""Chat messages each way, and as many while Juliet is away."""
KILLS_IN_HAND = 3
NETWORK_SECONDS_MAX = 0.2
QUIET_SECONDS = 30.0
"""Longer than everything takes that one word can set off."""


class Trace(NamedTuple):
    """What happened: what each client heard and when, who died, and what the database holds in the end."""

    heard: tuple[tuple[float, str, str], ...]
    died: tuple[tuple[str, str], ...]
    in_hand: int
    stored: str


class Play:
    """One performance."""

    def __init__(self, seed: int) -> None:
        self.house = House(seed=seed, with_delays=True)
        self.random = self.house.random
        self.heard: list[tuple[float, str, str]] = []
        self.said: list[str] = []
        self.kills_left = 0

    async def client(self, jid: str) -> Client:
        """A client that has logged in over a slow network, and asked for its roster."""
        client = self.house.connect(jid)
        nursery = self.house.pool.nursery
        assert nursery is not None
        client.wire.lengthen(nursery, lambda: self.random.uniform(0, NETWORK_SECONDS_MAX))
        hear = client.wire.hear

        def note(data: bytes) -> None:
            self.heard.append((round(trio.current_time(), 6), jid, data.decode()))
            hear(data)

        client.wire.hear = note
        await client.log_in()
        client.send("<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>")
        await client.wait_for('id="roster"')
        return client

    def kill_in_hand(self, point: Point, slot: Slot[Any], _message: object) -> None:
        """The probe: a few sessions and presence actors die with a message in hand."""
        if self.kills_left and slot.path.startswith(("/users/", "/sessions/")) and self.random.random() < 0.1:
            self.kills_left -= 1
            raise KillHere(point.value)

    def kill_at_rest(self) -> None:
        """Somebody who may die does."""
        tree = self.house.tree
        assert tree is not None
        mortal = ("/users/", "/sessions/", "/registry", "/store/batcher", "/timers")
        victims = [slot for slot in walk(tree.root) if slot.path.startswith(mortal)]
        self.random.choice(victims).kill("chaos")

    async def perform(self) -> Trace:
        """Log in, subscribe, chat, be away, come back."""
        async with self.house.open() as house:
            romeo, juliet = await self.client(f"{ROMEO}/orchard"), await self.client(f"{JULIET}/balcony")
            await self.befriend(romeo, juliet)
            self.house.runtime.probe = self.kill_in_hand
            self.kills_left = KILLS_IN_HAND
            await self.chat(romeo, juliet)
            await self.part(romeo, juliet)
            in_hand = KILLS_IN_HAND - self.kills_left
            died = tuple(
                (report.path, str(report.reason))
                for report in house.forgive()
                if isinstance(report, ChildTerminated)
            )
            stored = repr([house.account(ROMEO), house.account(JULIET)])
            assert house.store.pending(JULIET, 0, 10**9, 100) == []
        return Trace(tuple(self.heard), died, in_hand, stored)

    async def befriend(self, romeo: Client, juliet: Client) -> None:
        """Each asks for the other's presence and grants its own."""
        romeo.send("<presence/>")
        juliet.send("<presence/>")
        romeo.send(f"<presence type='subscribe' to='{JULIET}'/>")
        await juliet.wait_for('type="subscribe"')
        juliet.send(f"<presence type='subscribed' to='{ROMEO}'/>")
        juliet.send(f"<presence type='subscribe' to='{ROMEO}'/>")
        await romeo.wait_for('type="subscribe"')
        romeo.send(f"<presence type='subscribed' to='{JULIET}'/>")
        await romeo.wait_for('subscription="both"')
        await juliet.wait_for('subscription="both"')
        await trio.sleep(QUIET_SECONDS)

    async def chat(self, romeo: Client, juliet: Client) -> None:
        """Both at once, to bare and full addresses, while others die."""
        for number in range(MESSAGES):
            self.say(romeo, JULIET if number % 2 else f"{JULIET}/balcony", f"romeo {number}")
            self.say(juliet, ROMEO if number % 3 else f"{ROMEO}/orchard", f"juliet {number}")
            if number % 3 == 0:
                self.kill_at_rest()
            await trio.sleep(self.random.uniform(0, NETWORK_SECONDS_MAX))
        await trio.sleep(QUIET_SECONDS)

    async def part(self, romeo: Client, juliet: Client) -> None:
        """Juliet goes, Romeo goes on talking, Juliet comes back."""
        juliet.log_out()
        await romeo.wait_for('type="unavailable"')
        await trio.sleep(QUIET_SECONDS)
        for number in range(MESSAGES):
            self.say(romeo, JULIET, f"away {number}")
        self.kill_at_rest()
        await trio.sleep(QUIET_SECONDS)
        juliet = await self.client(f"{JULIET}/chamber")
        juliet.send("<presence/>")
        for number in range(MESSAGES):
            self.say(romeo, JULIET, f"back {number}")
        await trio.sleep(QUIET_SECONDS)

    def say(self, client: Client, to: str, words: str) -> None:
        self.said.append(words)
        client.send(f"<message type='chat' to='{to}' id='{words}'><body>{words}</body></message>")


def perform(seed: int) -> tuple[Play, Trace]:
    """The whole play, in no time."""
    play = Play(seed)
    with seeded_scheduling(seed):
        trace = trio.run(play.perform, clock=MockClock(autojump_threshold=0))
    return play, trace
