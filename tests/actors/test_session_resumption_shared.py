"""What a message for several resources becomes when one of them ends, where its sender is owed nothing.

A resource that is there gets it at once; for one without a connection there is a record.
"""

import re

import pytest
import trio
from trio.testing import MockClock

from actors.presence_messages import LoadSessions
from actors.session_messages import HibernationOver
from actors.settings import Durability, Settings
from tests.actors.house import House
from tests.actors.managed_client import appear, died, managed
from tests.actors.managed_house import BALCONY, JULIET, ORCHARD, WINDOW, after, chat, kept

BOTH = pytest.mark.parametrize("durability", list(Durability))


def house_of(durability: Durability = Durability.JOURNALED) -> House:
    """A house with this durability."""
    return House(settings=Settings(durability=durability))


def texts(stanzas: list[str]) -> list[str]:
    """The bodies of what was heard."""
    return [body for each in stanzas for body in re.findall("<body>(.*?)</body>", each)]


@BOTH
@pytest.mark.parametrize("is_managed", [False, True])
async def test_give_back_what_the_other_resource_got_at_once_does_not_come_again(
    autojump_clock: MockClock, durability: Durability, is_managed: bool
) -> None:
    async with house_of(durability).open() as house:
        balcony, romeo = await appear(house, BALCONY), await house.appear(ORCHARD)
        window = await appear(house, WINDOW) if is_managed else None
        other = await house.appear(WINDOW) if window is None else window.client
        balcony.hang_up()
        romeo.send(chat(JULIET, "to both"))
        assert texts(await other.hears()) == ["to both"]
        house.session_of(balcony.client.jid).ref.tell(HibernationOver())
        await trio.sleep(20)
        assert texts(await other.hears()) == []
        if window is not None:
            assert kept(house) == ([] if durability is Durability.MEMORY else ["to both"]), (
                "it may yet be lost"
            )
            window.acknowledge()
            await trio.sleep(20)
        assert kept(house) == []


@BOTH
async def test_give_back_what_the_other_lost_is_for_the_next_once(
    autojump_clock: MockClock, durability: Durability
) -> None:
    async with house_of(durability).open() as house:
        balcony, romeo = await appear(house, BALCONY), await house.appear(ORCHARD)
        window = await appear(house, WINDOW)
        balcony.hang_up()
        romeo.send(chat(JULIET, "to both"))
        assert await window.texts() == ["to both"]
        window.hang_up()
        for client in (balcony, window):
            house.session_of(client.client.jid).ref.tell(HibernationOver())
            await trio.sleep(20)
        assert kept(house) == ["to both"]
        later = await managed(house, f"{JULIET}/later")
        later.send("<presence/>")
        assert await later.texts() == ["to both"]


@pytest.mark.parametrize("has_acknowledged", [False, True])
async def test_give_back_after_a_restart_what_the_other_got_at_once_does_not_come_again(
    autojump_clock: MockClock, has_acknowledged: bool
) -> None:
    async with house_of().open() as house:
        balcony, romeo = await appear(house, BALCONY), await house.appear(ORCHARD)
        window = await appear(house, WINDOW)
        balcony.hang_up()
        romeo.send(chat(JULIET, "to both"))
        assert await window.texts() == ["to both"]
        if has_acknowledged:
            window.acknowledge()
        await house.settle()
        window.forget_connection()
        await house.stop()
        await house.start_again()
        await window.resume(house)
        assert await window.texts() == []
        house.session_of(balcony.client.jid).ref.tell(HibernationOver())
        await trio.sleep(20)
        assert await window.texts() == []
        window.acknowledge()
        await trio.sleep(20)
        assert kept(house) == []


async def test_give_back_after_a_crash_what_the_other_got_at_once_does_not_come_again(
    autojump_clock: MockClock,
) -> None:
    async with house_of().open() as house:
        balcony, romeo = await appear(house, BALCONY), await house.appear(ORCHARD)
        window = await appear(house, WINDOW)
        balcony.hang_up()
        romeo.send(chat(JULIET, "to both"))
        assert await window.texts() == ["to both"]
        left = died(house, window)
    async with after(left).open() as house:
        house.server.presence_of(balcony.client.jid).cast(LoadSessions())
        await house.settle()
        house.session_of(balcony.client.jid).ref.tell(HibernationOver())
        await trio.sleep(20)
        await window.resume(house)
        assert await window.texts() == []
        await trio.sleep(20)
        assert kept(house) == []


@BOTH
@pytest.mark.parametrize("has_acknowledged", [False, True])
async def test_give_back_after_a_restart_what_both_had_without_a_record_does_not_come_again(
    autojump_clock: MockClock, durability: Durability, has_acknowledged: bool
) -> None:
    async with house_of(durability).open() as house:
        balcony, romeo = await appear(house, BALCONY), await house.appear(ORCHARD)
        window = await appear(house, WINDOW)
        romeo.send(chat(JULIET, "to both"))
        assert await window.texts() == ["to both"]
        if has_acknowledged:
            window.acknowledge()
        await house.settle()
        window.forget_connection()
        await house.stop()
        await house.start_again()
        await window.resume(house)
        assert await window.texts() == []
        house.session_of(balcony.client.jid).ref.tell(HibernationOver())
        await trio.sleep(20)
        assert await window.texts() == []
        window.acknowledge()
        await trio.sleep(20)
        assert kept(house) == []


@BOTH
@pytest.mark.parametrize("is_restarted", [False, True])
async def test_give_back_what_both_lost_goes_to_one_who_came_between(
    autojump_clock: MockClock, durability: Durability, is_restarted: bool
) -> None:
    async with house_of(durability).open() as house:
        balcony, romeo = await appear(house, BALCONY), await house.appear(ORCHARD)
        window = await appear(house, WINDOW)
        romeo.send(chat(JULIET, "to both"))
        assert await window.texts() == ["to both"]
        balcony.hang_up()
        window.hang_up()
        await house.settle()
        if is_restarted:
            await house.stop()
            await house.start_again()
        later = await managed(house, f"{JULIET}/later")
        later.send("<presence/>")
        await house.settle()
        for client in (balcony, window):
            assert await later.texts() == []
            house.session_of(client.client.jid).ref.tell(HibernationOver())
            await trio.sleep(20)
        assert await later.texts() == ["to both"]
        later.acknowledge()
        await trio.sleep(20)
        assert kept(house) == []
