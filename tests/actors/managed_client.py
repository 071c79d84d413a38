"""A client in a house that manages its stream (XEP-0198): counts what it hears, acknowledges, comes back.

    async with House().open() as house:
        juliet = await managed(house, "juliet@localhost/balcony")
        juliet.hang_up()
        await juliet.resume(house)

Where everything is to die, `died` takes a picture of the store for another house, and the clients know no
more than they had heard by then.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, final
from xml.etree import ElementTree

from actors.session_state import SessionState
from protocols.namespaces import STREAM_MANAGEMENT
from store.memory.driver import MemoryStore

if TYPE_CHECKING:
    from actors.session_state import ManagedStream
    from tests.actors.house import House
    from tests.actors.house_client import Client

_SM = f"{{{STREAM_MANAGEMENT}}}"


@final
class ManagedClient:
    """One client, over as many connections as it takes.

    Attributes:
        client: It and its present connection.
        sm_id: The name of its session; None if it cannot be resumed.
        max: For how many seconds the session waits, as the client was told.
        told: The last `h` that the server has told it.
    """

    def __init__(self, house: House, client: Client) -> None:
        self.house = house
        self.client = client
        self.sm_id: str | None = None
        self.max: int | None = None
        self.told = 0
        self._handled = 0
        self._start = 0

    # -- what it says

    def send(self, xml: str) -> None:
        """Say something."""
        self.client.send(xml)

    def acknowledge(self, h: int | None = None) -> None:
        """Say that it has handled all it heard, or so many."""
        self.send(f"<a xmlns='{STREAM_MANAGEMENT}' h='{self.handled if h is None else h}'/>")

    def ask(self) -> None:
        """Ask what was handled of what it sent."""
        self.send(f"<r xmlns='{STREAM_MANAGEMENT}'/>")

    async def enable(self, attributes: str = "resume='true'") -> None:
        """Have the stream managed from here on."""
        self.send(f"<enable xmlns='{STREAM_MANAGEMENT}' {attributes}/>")
        (enabled,) = await self.nonzas()
        assert enabled.tag == f"{_SM}enabled", ElementTree.tostring(enabled)
        self.sm_id = enabled.get("id")
        given = enabled.get("max")
        self.max = None if given is None else int(given)
        self._start = len(self.client.log)

    def hang_up(self) -> None:
        """Lose the connection."""
        self.client.hang_up()
        self.forget_connection()

    def forget_connection(self) -> None:
        """Hear nothing more over the present connection, and remember how much it heard."""
        self._handled, self._start = self.handled, len(self.client.log)
        self.client.wire.hear = _deaf

    async def resume(self, house: House | None = None, h: int | None = None) -> ElementTree.Element:
        """Come back over another connection, with this `h`; returns `<resumed/>` or `<failed/>`."""
        await self.begin_to_resume(house, h)
        return await self.outcome()

    async def begin_to_resume(self, house: House | None = None, h: int | None = None) -> None:
        """The same without waiting for an answer."""
        self.house = house or self.house
        client = self.house.connect(self.client.jid.full)
        await client.begin()
        await (client.authenticate_as_guest if self.client.is_guest else client.authenticate)()
        handled = self.handled if h is None else h
        client.send(f"<resume xmlns='{STREAM_MANAGEMENT}' previd='{self.sm_id}' h='{handled}'/>")
        self.client, self._handled, self._start = client, handled, 0

    async def outcome(self) -> ElementTree.Element:
        """The answer."""
        heard = await self.nonzas()
        outcome = next(each for each in heard if each.tag in {f"{_SM}resumed", f"{_SM}failed"})
        if outcome.get("h") is not None:
            self.told = int(outcome.attrib["h"])
        return outcome

    # -- what it hears

    @property
    def handled(self) -> int:
        """How many stanzas it has heard since its stream is managed."""
        return self._handled + len(self.client.log) - self._start

    @property
    def error(self) -> str | None:
        """The stream error with which it was sent away, if it was."""
        return self.client.error

    async def hears(self) -> list[str]:
        """See `Client.hears`."""
        return await self.client.hears()

    async def texts(self) -> list[str]:
        """The bodies of the messages heard since the last time."""
        return [body for each in await self.hears() for body in re.findall("<body>(.*?)</body>", each)]

    async def nonzas(self) -> list[ElementTree.Element]:
        """The elements heard since the last time that are no stanzas."""
        await self.house.settle()
        heard = [ElementTree.fromstring(each.data) for each in self.client.take_others()]
        for each in heard:
            if each.tag == f"{_SM}a":
                self.told = int(each.attrib["h"])
        return heard

    async def acks(self) -> list[int]:
        """What the server has said it handled, since the last time."""
        return [int(each.attrib["h"]) for each in await self.nonzas() if each.tag == f"{_SM}a"]

    async def is_asked(self) -> bool:
        """Whether the server has asked what was handled, since the last time."""
        return f"{_SM}r" in {each.tag for each in await self.nonzas()}

    # -- what is behind it

    @property
    def stream(self) -> ManagedStream:
        """The managed part of its session."""
        assert self.sm_id is not None
        live = self.house.server.streams.live(self.sm_id)
        assert live is not None, "the session has ended"
        state = live.session.slot.state
        assert isinstance(state, SessionState)
        assert state.stream is not None
        return state.stream


def _deaf(_data: bytes) -> None:
    """Nobody listens any more."""


async def managed(house: House, jid: str, attributes: str = "resume='true'") -> ManagedClient:
    """A client that has logged in and has its stream managed."""
    client = ManagedClient(house, await house.log_in(jid))
    await client.enable(attributes)
    return client


async def appear(house: House, jid: str, content: str = "") -> ManagedClient:
    """One that is available as well; nothing is left to be acknowledged by either side."""
    client = await managed(house, jid)
    client.send(f"<presence>{content}</presence>")
    await client.hears()
    client.acknowledge()
    client.ask()
    assert (await client.acks())[-1] == 1
    return client


def photograph(store: MemoryStore) -> MemoryStore:
    """What is in a store just now, for another house."""
    picture = MemoryStore()
    picture._users = dict(store._users)
    for owner, log in store._log.items():
        picture._log[owner] = dict(log)
    picture._by_inbound = dict(store._by_inbound)
    picture._sessions = dict(store._sessions)
    return picture


def died(house: House, *clients: ManagedClient) -> MemoryStore:
    """Everything dies in this moment: what is left in the store, and clients that hear nothing more."""
    for client in clients:
        client.forget_connection()
    return photograph(house.store)
