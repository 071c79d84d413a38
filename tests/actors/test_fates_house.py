"""Tests of `actors.fates` in a house: what the actors note of a message's life."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.fate_stories import of_account
from tests.actors.house import House

if TYPE_CHECKING:
    from tests.actors.house_client import Client

SM = "urn:xmpp:sm:3"
ROMEO, JULIET = "romeo@localhost/orchard", "juliet@localhost/balcony"


async def appear(house: House, jid: str, *, is_managed: bool = True) -> Client:
    client = await house.appear(jid)
    if is_managed:
        client.send(f"<enable xmlns='{SM}' resume='true'/>")
        await house.settle()
    return client


async def write(house: House, romeo: Client, id: str, to: str = "juliet@localhost") -> None:
    romeo.send(f"<message to='{to}' id='{id}' type='chat'><body>x</body></message>")
    await house.settle()


def told(house: House, id: str) -> list[str]:
    """What happened to the one message of this id, and where."""
    (story,) = of_account(house.server.fates.snapshot(), "romeo@localhost", id)
    return [f"{event.fate.value} {event.resource}".strip() for event in story.events]


async def test_message_between_managed_clients_is_told_from_acceptance_to_acknowledgement() -> None:
    house = House()
    async with house.open():
        romeo, juliet = await appear(house, ROMEO), await appear(house, JULIET)
        await write(house, romeo, "m1")
        before = told(house, "m1")
        juliet.send(f"<a xmlns='{SM}' h='1'/>")
        await house.settle()
        assert before == ["accepted", "queued", "logged", f"delivered {JULIET}"]
        assert told(house, "m1") == [*before, f"acknowledged {JULIET}"]


async def test_message_that_its_client_did_not_acknowledge_is_returned_and_delivered_anew() -> None:
    house = House()
    async with house.open():
        romeo, juliet = await appear(house, ROMEO), await appear(house, JULIET)
        await write(house, romeo, "m1")
        juliet.send("</stream:stream>")
        await house.settle()
        await appear(house, "juliet@localhost/garden", is_managed=False)
        assert told(house, "m1")[3:] == [
            f"delivered {JULIET}",
            f"returned {JULIET}",
            "delivered juliet@localhost/garden",
        ]


async def test_message_for_nobody_is_told_to_have_come_back() -> None:
    house = House()
    async with house.open():
        romeo = await appear(house, ROMEO, is_managed=False)
        await write(house, romeo, "m1", "nobody@localhost")
        assert told(house, "m1")[-1] == f"bounced {ROMEO}"


async def test_message_between_unmanaged_clients_is_accepted_and_delivered() -> None:
    house = House()
    async with house.open():
        romeo = await appear(house, ROMEO, is_managed=False)
        await appear(house, JULIET, is_managed=False)
        await write(house, romeo, "m1")
        assert told(house, "m1") == ["accepted", f"delivered {JULIET}"]
