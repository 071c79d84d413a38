"""XEP-0013: what waits is looked at and taken as its owner likes, by nobody else, and nothing is lost."""

import re

import pytest
import trio
from trio.testing import MockClock

from actors.ledger_keeper import SETTLE_SECONDS
from store.memory.faults import Fault
from tests.actors.house import House
from tests.actors.house_client import Client
from tests.actors.managed_client import died, managed
from tests.actors.managed_house import after

NS = "http://jabber.org/protocol/offline"
INFO, ITEMS = (f"http://jabber.org/protocol/disco#{kind}" for kind in ("info", "items"))
ME, HER = "romeo@localhost/orchard", "juliet@localhost/balcony"


def disco(kind: str, to: str = "", node: str = NS) -> str:
    address = f" to='{to}'" if to else ""
    return f"<iq type='get' id='d'{address}><query xmlns='{kind}' node='{node}'/></iq>"


def ask(content: str, type: str = "get", to: str = "") -> str:
    address = f" to='{to}'" if to else ""
    return f"<iq type='{type}' id='o'{address}><offline xmlns='{NS}'>{content}</offline></iq>"


def item(action: str, node: str) -> str:
    return f"<item action='{action}' node='{node}'/>"


async def wait(house: House, *bodies: str) -> Client:
    """Have these kept for Juliet."""
    romeo = await house.appear(ME)
    for body in bodies:
        romeo.send(f"<message to='juliet@localhost' type='chat' id='{body}'><body>{body}</body></message>")
    await house.settle()
    return romeo


def nodes_in(headers: str) -> list[str]:
    return re.findall('node="([0-9]+)"', headers)


async def texts(client: Client) -> list[str]:
    return [body for each in await client.hears() for body in re.findall("<body>(.*?)</body>", each)]


async def settled(house: House) -> int:
    await trio.sleep(3 * SETTLE_SECONDS)
    await house.settle()
    return len(house.store.pending("juliet@localhost", 0, 10**9, 100))


async def test_retrieval_shows_headers_and_messages_and_leaves_them(autojump_clock: MockClock) -> None:
    async with House().open() as house:
        await wait(house, "one", "two", "three")
        juliet = await house.log_in(HER)
        assert '<field var="number_of_messages"><value>3</value>' in await juliet.ask(disco(INFO))
        headers = await juliet.ask(disco(ITEMS))
        nodes = nodes_in(headers)
        assert nodes == sorted(set(nodes))
        assert len(nodes) == 3
        assert headers.count('jid="juliet@localhost"') == headers.count(f'name="{ME}"') == 3
        juliet.send(ask(item("view", nodes[2]) + item("view", nodes[0]) + item("view", nodes[2])))
        three, one, answer = await juliet.hears()
        assert 'type="result"' in answer
        for shown, body, node in ((three, "three", nodes[2]), (one, "one", nodes[0])):
            assert f"<body>{body}</body>" in shown
            assert f'<offline xmlns="{NS}"><item node="{node}">' in shown
            assert 'xmlns="urn:xmpp:delay"' in shown
            assert f'from="{ME}"' in shown
        juliet.send(ask("<fetch/>"))
        assert await texts(juliet) == ["one", "two", "three"]
        assert await settled(house) == 3


async def test_retrieval_removes_what_it_is_told_to_and_then_everything(autojump_clock: MockClock) -> None:
    async with House().open() as house:
        romeo = await wait(house, "one", "two", "three")
        juliet = await house.log_in(HER)
        nodes = nodes_in(await juliet.ask(disco(ITEMS)))
        removal = ask(item("remove", nodes[0]) + item("remove", nodes[2]), "set")
        assert 'type="result"' in await juliet.ask(removal)
        assert nodes_in(await juliet.ask(disco(ITEMS))) == [nodes[1]]
        assert "item-not-found" in await juliet.ask(removal)
        assert await settled(house) == 1
        romeo.send("<message to='juliet@localhost' type='chat'><body>four</body></message>")
        await house.settle()
        assert 'type="result"' in await juliet.ask(ask("<purge/>", "set"))
        assert nodes_in(await juliet.ask(disco(ITEMS))) == []
        assert await settled(house) == 0
        assert 'type="result"' in await juliet.ask(ask("<purge/>", "set"))
        juliet.send(ask("<fetch/>"))
        assert await texts(juliet) == []


@pytest.mark.parametrize("question", [disco(INFO), disco(ITEMS), ask("<fetch/>")])
async def test_whoever_has_asked_is_not_flooded_nor_is_another_while_it_is_there(
    autojump_clock: MockClock, question: str
) -> None:
    async with House().open() as house:
        romeo = await wait(house, "one")
        juliet = await house.log_in(HER)
        await juliet.ask(question) if "fetch" not in question else juliet.send(question)
        await juliet.hears()
        juliet.send("<presence/>")
        other = await house.log_in("juliet@localhost/chamber")
        other.send("<presence><priority>5</priority></presence>")
        assert await texts(juliet) == await texts(other) == []
        romeo.send("<message to='juliet@localhost' type='chat'><body>now</body></message>")
        assert await texts(other) == ["now"]
        juliet.log_out()
        await house.settle()
        later = await house.log_in("juliet@localhost/later")
        later.send("<presence/>")
        assert await texts(later) == ["one"]


async def test_disco_of_another_node_is_no_question(autojump_clock: MockClock) -> None:
    async with House().open() as house:
        await wait(house, "one")
        juliet = await house.log_in(HER)
        assert "item-not-found" in await juliet.ask(disco(ITEMS, node="other"))
        assert NS in await juliet.ask(disco(INFO, "localhost", "").replace(" node=''", ""))
        juliet.send("<presence/>")
        assert await texts(juliet) == ["one"]


@pytest.mark.parametrize(
    "question",
    [
        disco(INFO, "juliet@localhost"),
        disco(ITEMS, "juliet@localhost"),
        ask("<fetch/>", to="juliet@localhost"),
        ask("<purge/>", "set", "juliet@localhost"),
    ],
)
async def test_retrieval_of_somebody_elses_is_forbidden(question: str) -> None:
    async with House().open() as house:
        romeo = await wait(house, "one")
        assert "<forbidden " in await romeo.ask(question)
        assert len(house.store.pending("juliet@localhost", 0, 10**9, 10)) == 1


@pytest.mark.parametrize(
    ("question", "condition"),
    [
        (ask(""), "bad-request"),
        (ask("", "set"), "bad-request"),
        (ask("<purge/>"), "bad-request"),
        (ask("<fetch/>", "set"), "bad-request"),
        (ask("<fetch/><fetch/>"), "bad-request"),
        (ask("<item action='view'/>"), "bad-request"),
        (ask("<item node='1'/>"), "bad-request"),
        (ask("<item xmlns='urn:x' action='view' node='1'/>"), "bad-request"),
        (ask(item("view", "1"), "set"), "bad-request"),
        (ask(item("remove", "1")), "bad-request"),
        (ask(item("view", "000000000000001") + item("view", "no")), "item-not-found"),
        (ask(item("remove", "000000000000001") + item("remove", "no"), "set"), "item-not-found"),
    ],
)
async def test_retrieval_that_is_wrong_is_refused_and_changes_nothing(question: str, condition: str) -> None:
    async with House().open() as house:
        await wait(house, "one")
        juliet = await house.log_in(HER)
        assert f"<{condition} " in await juliet.ask(question)
        juliet.send("<presence/>")
        assert await texts(juliet) == ["one"], "it has asked for nothing"


async def test_retrieval_while_the_database_is_away_must_wait(autojump_clock: MockClock) -> None:
    async with House().open() as house:
        await wait(house, "one")
        juliet = await house.log_in(HER)
        house.faults = lambda operation: Fault.AWAY if operation == "pending" else None
        assert 'type="wait"' in await juliet.ask(disco(ITEMS))
        house.faults = None
        assert len(nodes_in(await juliet.ask(disco(ITEMS)))) == 1


async def test_copy_that_nobody_acknowledged_goes_nowhere_and_its_message_still_waits(
    autojump_clock: MockClock,
) -> None:
    async with House().open() as house:
        romeo = await wait(house, "one")
        juliet = await managed(house, HER, "")
        juliet.send(ask("<fetch/>"))
        assert await juliet.texts() == ["one"]
        juliet.hang_up()
        await trio.sleep(5)
        assert await romeo.hears() == []
        assert await settled(house) == 1
        mark = f"<offline xmlns='{NS}'><item node='000000000000001'/></offline>"
        romeo.send(f"<message to='juliet@localhost' type='chat' id='f'><body>two</body>{mark}</message>")
        assert await settled(house) == 2, "one that looks like a copy is none"


async def test_whoever_has_asked_is_not_flooded_after_a_crash_either(autojump_clock: MockClock) -> None:
    async with House().open() as house:
        await wait(house, "one")
        juliet = await managed(house, HER)
        juliet.send("<presence><priority>-1</priority></presence>")
        juliet.send(disco(ITEMS))
        await juliet.hears()
        juliet.send("<presence/>")
        juliet.ask()
        await trio.sleep(5)
        assert await juliet.texts() == []
        juliet.acknowledge()
        await house.settle()
        store = died(house, juliet)
    async with after(store).open() as later:
        await juliet.resume(later)
        await trio.sleep(5)
        assert await juliet.texts() == []
        juliet.send(ask("<fetch/>"))
        assert await juliet.texts() == ["one"]
