"""XEP-0022: whoever asks for it, and may know, is told that a message waits; the wish goes no further."""

import pytest

from actors.modules.mod_events import EventsOptions
from tests.actors.house import House
from tests.actors.house_client import Client, said

ME, HER = "romeo@localhost/orchard", "juliet@localhost/balcony"
ASKS = "<x xmlns='jabber:x:event'><offline/><composing/></x>"


def message(content: str, id: str = " id='m1'", type: str = "chat", to: str = "juliet@localhost") -> str:
    return f"<message to='{to}' type='{type}'{id}><body>hi</body>{content}</message>"


def event(id: str, to: str = ME, sender: str = "juliet@localhost") -> list[str]:
    content = f"<x xmlns='jabber:x:event'><offline/><id>{id}</id></x>"
    return said(f"<message from='{sender}' to='{to}'>{content}</message>")


def friends(**fields: EventsOptions) -> House:
    house = House(options=fields)
    house.befriend("romeo@localhost", "juliet@localhost")
    return house


async def heard_of(house: House) -> list[str]:
    juliet = await house.log_in(HER)
    juliet.send("<presence/>")
    return [text for text in await juliet.hears() if text.startswith("<message")]


async def sender(house: House) -> Client:
    client = await house.appear(ME)
    await client.hears()
    return client


@pytest.mark.parametrize(
    ("content", "passed_on"),
    [
        (ASKS, '<x xmlns="jabber:x:event"><composing></composing></x>'),
        (
            "<e:x xmlns:e='jabber:x:event' > <e:offline>no</e:offline> <e:displayed/></e:x>",
            '<e:x xmlns:e="jabber:x:event">  <e:displayed></e:displayed></e:x>',
        ),
        ("<x xmlns='jabber:x:event'><offline/></x>", '<x xmlns="jabber:x:event"></x>'),
    ],
)
async def test_events_tell_that_a_message_waits_and_the_wish_is_granted(content: str, passed_on: str) -> None:
    async with friends().open() as house:
        romeo = await sender(house)
        romeo.send(message(content))
        assert await romeo.hears() == event("m1")
        (heard,) = await heard_of(house)
        assert said(f"<message>{passed_on}</message>")[0][len("<message>") : -len("</message>")] in heard
        assert [text for text in await romeo.hears() if "<presence" not in text] == [], (
            "nobody tells it twice"
        )


@pytest.mark.parametrize(
    "content",
    [
        "<x xmlns='jabber:x:event'><composing/></x>",
        "<x xmlns='jabber:x:event'><offline/><id>m0</id></x>",
        "<x xmlns='jabber:x:events'><offline/></x>",
        "<x xmlns='jabber:x:event'><offline xmlns='urn:x'/></x>",
        "<offline xmlns='jabber:x:event'/>",
        "<z xmlns='urn:x'><x xmlns='jabber:x:event'><offline/></x></z>",
        "jabber:x:event",
    ],
)
async def test_events_that_nobody_asked_for_are_not_told_and_pass(content: str) -> None:
    async with friends().open() as house:
        romeo = await sender(house)
        romeo.send(message(content))
        assert await romeo.hears() == []
        (heard,) = await heard_of(house)
        assert said(f"<message>{content}</message>")[0][len("<message>") : -len("</message>")] in heard


@pytest.mark.parametrize(("id", "told"), [("", ""), (" id='&lt;&amp;'", "&lt;&amp;")])
async def test_event_names_the_message_as_its_sender_did(id: str, told: str) -> None:
    async with friends().open() as house:
        romeo = await sender(house)
        romeo.send(message(ASKS, id, to="juliet@localhost/away"))
        assert await romeo.hears() == event(told, sender="juliet@localhost/away")


async def test_event_is_for_a_message_that_is_kept_and_no_other() -> None:
    async with friends().open() as house:
        romeo = await sender(house)
        romeo.send(message(ASKS, type="headline"))
        romeo.send(message(ASKS, type="groupchat"))
        (answer,) = await romeo.hears()
        assert "service-unavailable" in answer
        juliet = await house.appear(HER)
        await romeo.hears()
        romeo.send(message(ASKS))
        (heard,) = await juliet.hears()
        assert "<offline>" in heard
        assert await romeo.hears() == []


@pytest.mark.parametrize("strangers", [False, True])
async def test_event_is_told_to_strangers_where_they_may_know(strangers: bool) -> None:
    async with House(options={"events": EventsOptions(strangers=strangers)}).open() as house:
        romeo = await house.appear(ME)
        romeo.send(message(ASKS))
        assert await romeo.hears() == (event("m1") if strangers else [])
        (heard,) = await heard_of(house)
        assert "<offline>" not in heard


async def test_events_between_two_who_are_away_come_to_an_end() -> None:
    async with friends().open() as house:
        romeo = await sender(house)
        romeo.send(message(ASKS))
        romeo.send("<presence type='unavailable'/>")
        await house.settle()
        assert len(house.store.pending("juliet@localhost", 0, 10**9, 10)) == 1
        assert house.store.pending("romeo@localhost", 0, 10**9, 10) == []
