"""XEP-0109: who writes while nobody is there is told so, once, in the time that was set."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from actors.modules.mod_vacation import KIND, VacationOptions
from protocols.timestamp import timestamp
from tests.actors.house_client import Client, said
from tests.actors.house_world import BEGINNING_MS
from tests.actors.managed_house import BALCONY, JULIET, ORCHARD, ROMEO, chat, kept
from tests.actors.privacy_support import HALL, PARIS, block, verona

if TYPE_CHECKING:
    from trio.testing import MockClock

    from tests.actors.house import House

AWAY = "<message>I am &lt;away&gt;</message>"
HOUR_MS = 3_600_000


def query(content: str, type: str = "set", to: str = "") -> str:
    address = f" to='{to}'" if to else ""
    return (
        f"<iq type='{type}' id='v'{address}>"
        f"<query xmlns='http://jabber.org/protocol/vacation'>{content}</query></iq>"
    )


def between(start_ms: int, end_ms: int) -> str:
    """Moments from the beginning of the house on."""
    start, end = (timestamp(BEGINNING_MS + ms) for ms in (start_ms, end_ms))
    return f"<start>{start}</start><end>{end}</end>{AWAY}"


async def on_vacation(house: House, content: str = AWAY) -> Client:
    """Juliet sets it and goes; Romeo is there."""
    juliet = await house.log_in(BALCONY)
    assert 'type="result"' in await juliet.ask(query(content))
    juliet.hang_up()
    return await house.log_in(ORCHARD)


async def bodies(client: Client) -> list[str]:
    return re.findall("<body>(.*?)</body>", "".join(await client.hears()))


def answered(house: House) -> int:
    return len([key for key in house.store._items if KIND in str(key)])


# -- the settings


async def test_settings_are_told_as_they_were_set_outlive_the_server_and_are_removed() -> None:
    house = verona()
    content = between(-HOUR_MS, HOUR_MS)
    empty = said(f"<iq type='result' id='v' from='{JULIET}' to='{BALCONY}'/>")
    async with house.open():
        juliet = await house.log_in(BALCONY)
        assert [await juliet.ask(query("", "get"))] == empty
        assert [await juliet.ask(query(content))] == empty
    async with house.open():
        juliet = await house.log_in(BALCONY)
        assert said(query(content, "result"))[0].partition("<query")[2] in await juliet.ask(query("", "get"))
        assert [await juliet.ask(query(""))] == empty
        assert [await juliet.ask(query("", "get"))] == empty
        assert house.account(JULIET).vacation is None


@pytest.mark.parametrize(
    ("content", "condition"),
    [
        ("<start/><end/>", "bad-request"),
        ("<message> </message>", "bad-request"),
        (f"{AWAY}<other/>", "bad-request"),
        (AWAY + AWAY, "bad-request"),
        ("<message xmlns='urn:x'>away</message>", "bad-request"),
        (f"{AWAY}<start>tomorrow</start>", "bad-request"),
        (f"{AWAY}<end>2003-07-13T08:00:00</end>", "bad-request"),
        (f"{AWAY}<start>0001-01-01T00:00:00+14:00</start>", "bad-request"),
        (between(HOUR_MS, HOUR_MS), "not-acceptable"),
        (f"<message>{'m' * 12}</message>", "not-acceptable"),
    ],
)
async def test_what_is_no_vacation_is_refused_and_changes_nothing(content: str, condition: str) -> None:
    async with verona(options={"vacation": VacationOptions(characters_max=11)}).open() as house:
        juliet = await house.log_in(BALCONY)
        await juliet.ask(query("<message>0123456789a</message>"))
        before = house.account(JULIET)
        assert f"<{condition} " in await juliet.ask(query(content))
        assert house.account(JULIET) == before


@pytest.mark.parametrize("type", ["get", "set"])
async def test_settings_are_nobody_else_s(type: str) -> None:
    async with verona().open() as house:
        romeo = await house.log_in(ORCHARD)
        assert "<forbidden " in await romeo.ask(query(AWAY, type, JULIET))
        assert house.account(JULIET).vacation is None


async def test_server_is_asked_about_one_s_own_settings() -> None:
    async with verona().open() as house:
        juliet = await house.log_in(BALCONY)
        await juliet.ask(query(AWAY, to="localhost"))
        assert house.account(JULIET).vacation is not None


# -- the answer


async def test_each_sender_is_answered_once_until_it_is_set_anew(autojump_clock: MockClock) -> None:
    async with verona().open() as house:
        romeo, paris = await on_vacation(house), await house.log_in(HALL)
        romeo.send(chat(JULIET, "1") + chat(BALCONY, "2"))
        paris.send(f"<message to='{JULIET}'><body>3</body></message>")
        assert await romeo.hears() == said(
            f"<message from='{JULIET}' to='{ORCHARD}' type='chat'><body>I am &lt;away&gt;</body></message>"
        )
        assert await bodies(paris) == ["I am &lt;away&gt;"]
        assert sorted(kept(house)) == ["1", "2", "3"]
        again = await house.log_in(f"{ROMEO}/garden")
        again.send(chat(JULIET, "4"))
        assert await bodies(again) == [], "it is the same sender"
        juliet = await house.log_in(BALCONY)
        await juliet.ask(query("<message>Still</message>"))
        juliet.hang_up()
        romeo.send(chat(JULIET, "5"))
        assert await bodies(romeo) == ["Still"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (between(-HOUR_MS, HOUR_MS), 1),
        (between(-2 * HOUR_MS, -HOUR_MS), 0),
        (between(HOUR_MS, 2 * HOUR_MS), 0),
        (f"<start/><end/>{AWAY}", 1),
    ],
)
async def test_answer_is_given_in_the_time_that_was_set(
    autojump_clock: MockClock, content: str, expected: int
) -> None:
    async with verona().open() as house:
        romeo = await on_vacation(house, content)
        romeo.send(chat(JULIET, "1"))
        assert len(await bodies(romeo)) == expected


@pytest.mark.parametrize(
    "message",
    [
        f"<message to='{JULIET}' type='error'><body>1</body></message>",
        f"<message to='{JULIET}' type='headline'><body>1</body></message>",
        f"<message to='{JULIET}' type='groupchat'><body>1</body></message>",
        f"<message to='{JULIET}'><no-store xmlns='urn:xmpp:hints'/><body>1</body></message>",
        f"<message to='{JULIET}'><body>1</body><addresses xmlns='http://jabber.org/protocol/address'/></message>",
    ],
)
async def test_what_nobody_wrote_to_her_is_not_answered(autojump_clock: MockClock, message: str) -> None:
    async with verona().open() as house:
        romeo = await on_vacation(house)
        romeo.send(message)
        assert "I am" not in "".join(await romeo.hears())
        assert answered(house) == 0


async def test_own_messages_and_those_of_who_is_blocked_are_not_answered(autojump_clock: MockClock) -> None:
    async with verona().open() as house:
        juliet = await house.log_in(BALCONY)
        await juliet.ask(query(AWAY))
        await juliet.ask(block(PARIS))
        juliet.send(chat(JULIET, "to myself"))
        paris = await house.log_in(HALL)
        paris.send(chat(JULIET, "1"))
        assert await bodies(juliet) == []
        assert await bodies(paris) == []
        assert answered(house) == 0


async def test_nobody_is_answered_while_somebody_is_there() -> None:
    async with verona().open() as house:
        juliet, romeo = await house.appear(BALCONY), await house.log_in(ORCHARD)
        await juliet.ask(query(AWAY))
        romeo.send(chat(JULIET, "1"))
        assert await bodies(juliet) == ["1"]
        assert await bodies(romeo) == []


async def test_answered_are_bounded_and_nobody_beyond_gets_one(autojump_clock: MockClock) -> None:
    options: dict[str, Any] = {"vacation": VacationOptions(answered_max=1)}
    async with verona(options=options).open() as house:
        romeo, paris = await on_vacation(house), await house.log_in(HALL)
        romeo.send(chat(JULIET, "1"))
        assert len(await bodies(romeo)) == 1
        paris.send(chat(JULIET, "2"))
        romeo.send(chat(JULIET, "3"))
        assert (await bodies(paris), await bodies(romeo)) == ([], [])


async def test_two_on_vacation_tell_each_other_once(autojump_clock: MockClock) -> None:
    async with verona().open() as house:
        romeo = await on_vacation(house)
        await romeo.ask(query(AWAY))
        romeo.send(chat(JULIET, "1"))
        romeo.hang_up()
        await house.settle()
        away = "I am &lt;away&gt;"
        assert (kept(house), kept(house, ROMEO)) == (["1", away], [away])
