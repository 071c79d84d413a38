"""Where stanzas go: by the directory alone, in one path of one length, and without waking anybody in vain."""

from typing import Any, cast

import pytest
from trio.testing import MockClock

from actors.directory import Directory
from actors.routing import (
    Back,
    RoutingEffect,
    ToLeft,
    ToServer,
    ToSession,
    ToUser,
    decide_for_user,
    refusal,
    refuse,
    route,
)
from protocols.conditions import StanzaCondition
from protocols.delivery import Delivery
from protocols.errors import StanzaError
from protocols.jid import parse_jid
from protocols.stanza import Stanza, StanzaKind
from supervision.ref import Ref
from tests.actors.house import House
from tests.actors.house_client import said
from tests.actors.presence_support import end_idle

ROMEO = parse_jid("romeo@localhost/orchard")
KINDS = {kind.value: kind for kind in StanzaKind}


class NamedRef(str):
    """Stands for the reference of a session, and is called by its resource."""

    __slots__ = ()


def stanza(kind: str, type: str = "", to: str = "juliet@localhost") -> Stanza:
    data = f"<{kind} from='{ROMEO}' to='{to}' type='{type}' id='1'/>".encode()
    return Stanza(KINDS[kind], parse_jid(to), ROMEO, type, "1", None, data)


def sent(directory: Directory, kind: str, type: str = "", to: str = "juliet@localhost") -> list[str]:
    """What becomes of a stanza, in words."""
    return [in_words(effect) for effect in route(directory, "localhost", stanza(kind, type, to))]


def in_words(effect: RoutingEffect) -> str:
    match effect:
        case ToSession(session):
            return f"to {session}"
        case ToUser():
            return "to user"
        case ToServer():
            return "to server"
        case ToLeft():
            return "to left"
        case Back(answer):
            error = answer.element.find("{jabber:client}error")
            assert error is not None
            return f"back: {next(iter(error)).tag.partition('}')[2]}"


def juliet(*bound: str, **priorities: int) -> Directory:
    """A directory with Juliet's sessions, some available, and her presence actor."""
    directory = Directory()
    for resource in (*bound, *priorities):
        directory.claim(parse_jid(f"juliet@localhost/{resource}"), cast("Ref[Any]", NamedRef(resource)))
    directory.publish("juliet@localhost", priorities)
    directory.entry("juliet@localhost").presence = cast("Ref[Any]", NamedRef("presence"))
    return directory


# -- not an account of ours


@pytest.mark.parametrize(
    ("to", "kind", "type", "where"),
    [
        ("localhost", "iq", "get", ["to server"]),
        ("localhost/anything", "message", "chat", ["to server"]),
        ("juliet@example.org", "message", "chat", ["back: remote-server-not-found"]),
        ("juliet@example.org/balcony", "iq", "set", ["back: remote-server-not-found"]),
        ("juliet@example.org", "iq", "result", []),
        ("juliet@example.org", "message", "error", []),
        ("juliet@example.org", "presence", "subscribe", ["back: remote-server-not-found"]),
        ("juliet@example.org", "presence", "probe", []),
        ("juliet@example.org", "presence", "unavailable", []),
    ],
)
def test_route_elsewhere(to: str, kind: str, type: str, where: list[str]) -> None:
    assert sent(Directory(), kind, type, to) == where


@pytest.mark.parametrize("to", ["users.localhost", "users.localhost/x", "romeo@users.localhost"])
@pytest.mark.parametrize("kind", ["message", "presence", "iq"])
def test_route_to_a_service_is_to_the_server(to: str, kind: str) -> None:
    type = {"message": "chat", "presence": "probe", "iq": "get"}[kind]
    assert sent(Directory(hosts={"users.localhost"}), kind, type, to) == ["to server"]


# -- sessions that wait in the database


@pytest.mark.parametrize(
    ("kind", "type", "where"),
    [
        ("iq", "result", ["to user"]),
        ("iq", "error", ["to user"]),
        ("iq", "get", ["to user"]),
        ("message", "error", ["to user"]),
        ("presence", "unavailable", []),
    ],
)
def test_route_to_one_who_is_still_in_the_database_has_it_come_back(
    kind: str, type: str, where: list[str]
) -> None:
    """All but presence, which it is told anew."""
    directory = Directory(stored={"juliet@localhost"})
    assert sent(directory, kind, type, "juliet@localhost/balcony") == where


def test_route_iq_to_a_session_that_was_left_to_the_next_process() -> None:
    balcony = "juliet@localhost/balcony"
    directory = Directory(left={parse_jid(balcony)})
    directory.entry("juliet@localhost").waiting = 1
    assert sent(directory, "iq", "result", balcony) == ["to left"]
    assert sent(directory, "iq", "get", balcony) == ["to left"]
    assert sent(directory, "message", "chat", balcony) == ["to user"]


# -- somebody who is there


@pytest.mark.parametrize("type", ["", "chat", "normal", "nonsense"])
def test_route_message_to_the_bare_address_goes_to_the_highest_priority(type: str) -> None:
    directory = juliet("bound", balcony=2, chamber=1, window=2)
    assert sent(directory, "message", type) == ["to balcony", "to window"]


def test_route_headline_goes_to_every_resource_that_is_not_negative() -> None:
    directory = juliet("bound", balcony=2, chamber=0, window=-1)
    assert sent(directory, "message", "headline") == ["to balcony", "to chamber"]


@pytest.mark.parametrize("type", ["", "chat", "normal"])
def test_route_message_past_negative_priorities_to_the_user(type: str) -> None:
    assert sent(juliet(balcony=-1), "message", type) == ["to user"]


@pytest.mark.parametrize("type", ["", "chat", "headline", "groupchat", "error"])
@pytest.mark.parametrize("resource", ["balcony", "bound"])
def test_route_message_to_a_resource_that_is_connected_goes_there(resource: str, type: str) -> None:
    directory = juliet("bound", balcony=-1)
    assert sent(directory, "message", type, f"juliet@localhost/{resource}") == [f"to {resource}"]


@pytest.mark.parametrize(
    ("type", "where"),
    [
        ("", ["back: service-unavailable"]),
        ("chat", ["to balcony"]),
        ("groupchat", ["back: service-unavailable"]),
        ("error", []),
    ],
)
def test_route_message_to_a_resource_that_is_not_there(type: str, where: list[str]) -> None:
    assert sent(juliet(balcony=0), "message", type, "juliet@localhost/gone") == where


@pytest.mark.parametrize(
    ("type", "where"),
    [
        ("", ["to balcony", "to chamber"]),
        ("unavailable", ["to balcony", "to chamber"]),
        ("subscribe", ["to user"]),
        ("unsubscribed", ["to user"]),
        ("probe", ["to user"]),
        ("nonsense", ["back: bad-request"]),
    ],
)
def test_route_presence_to_somebody_available(type: str, where: list[str]) -> None:
    assert sent(juliet("bound", balcony=-1, chamber=3), "presence", type) == where


@pytest.mark.parametrize(
    ("to", "type", "where"),
    [
        ("juliet@localhost", "get", ["to user"]),
        ("juliet@localhost/balcony", "get", ["to user"]),
        ("juliet@localhost/balcony", "result", ["to balcony"]),
        ("juliet@localhost/gone", "get", ["back: service-unavailable"]),
        ("juliet@localhost/gone", "result", []),
    ],
)
def test_route_iq(to: str, type: str, where: list[str]) -> None:
    assert sent(juliet(balcony=0), "iq", type, to) == where


# -- order


@pytest.mark.parametrize("to", ["juliet@localhost", "juliet@localhost/balcony", "juliet@localhost/gone"])
@pytest.mark.parametrize(("kind", "type"), [("message", "chat"), ("presence", ""), ("iq", "result")])
def test_route_takes_the_same_way_as_what_still_waits_for_that_user(kind: str, type: str, to: str) -> None:
    directory = juliet(balcony=0)
    directory.entry("juliet@localhost").waiting = 1
    assert sent(directory, kind, type, to) == ["to user"]


# -- nobody there: no actor is started in vain


@pytest.mark.parametrize(
    ("kind", "type", "to", "where"),
    [
        ("presence", "", "juliet@localhost", []),
        ("presence", "unavailable", "juliet@localhost", []),
        ("presence", "error", "juliet@localhost", []),
        ("presence", "", "juliet@localhost/gone", []),
        ("presence", "subscribe", "juliet@localhost", ["to user"]),
        ("presence", "probe", "juliet@localhost", ["to user"]),
        ("message", "chat", "juliet@localhost", ["to user"]),
        ("message", "headline", "juliet@localhost", []),
        ("message", "error", "juliet@localhost", []),
        ("message", "groupchat", "juliet@localhost", ["back: service-unavailable"]),
        ("message", "chat", "juliet@localhost/gone", ["to user"]),
        ("message", "", "juliet@localhost/gone", ["back: service-unavailable"]),
        ("iq", "get", "juliet@localhost", ["to user"]),
        ("iq", "get", "juliet@localhost/gone", ["back: service-unavailable"]),
        ("iq", "result", "juliet@localhost/gone", []),
    ],
)
def test_route_to_somebody_unknown(kind: str, type: str, to: str, where: list[str]) -> None:
    assert sent(Directory(), kind, type, to) == where


def test_route_to_a_session_without_presence_actor() -> None:
    """It was given up, or starting it was refused: who has something to say starts another."""
    directory = juliet("bound")
    directory.entry("juliet@localhost").presence = None
    assert sent(directory, "message", "chat", "juliet@localhost/bound") == ["to bound"]
    assert sent(directory, "message", "chat", "juliet@localhost") == ["to user"]
    assert sent(directory, "presence", "", "juliet@localhost") == ["to user"]
    assert sent(directory, "iq", "get", "juliet@localhost/bound") == ["to user"]


async def test_route_presence_to_contacts_who_are_away_starts_no_actor(autojump_clock: MockClock) -> None:
    house = House()
    house.befriend("romeo@localhost", "juliet@localhost")
    async with house.open():
        romeo = await house.appear("romeo@localhost/orchard")
        assert house.presence_of("juliet@localhost") is not None, "she was probed"
        await end_idle(house)
        assert house.presence_of("juliet@localhost") is None
        romeo.send("<presence><show>away</show></presence>")
        romeo.send("<presence to='juliet@localhost'/>")
        await house.settle()
        assert house.presence_of("juliet@localhost") is None


# -- for the presence actor


def test_decide_for_user_without_account_sends_sessions_that_are_still_closing_nothing() -> None:
    entry = juliet("bound").entry("juliet@localhost")
    to_session = stanza("message", "chat", "juliet@localhost/bound")
    assert decide_for_user(entry, to_session, exists=True) is Delivery.TO_RESOURCE
    assert decide_for_user(entry, to_session, exists=False) is Delivery.SERVICE_UNAVAILABLE
    assert decide_for_user(entry, stanza("presence", "probe"), exists=False) is Delivery.UNSUBSCRIBED


# -- refusals (RFC 6120 §8.3.1; RFC 6121 §4.3)


@pytest.mark.parametrize(
    ("kind", "type", "is_answered"),
    [
        ("message", "chat", True),
        ("message", "error", False),
        ("iq", "get", True),
        ("iq", "set", True),
        ("iq", "result", False),
        ("iq", "error", False),
        ("presence", "", True),
        ("presence", "subscribe", True),
        ("presence", "subscribed", False),
        ("presence", "unavailable", False),
        ("presence", "probe", False),
        ("presence", "invisible", True),
    ],
)
def test_refusal_is_for_those_who_may_be_answered(kind: str, type: str, is_answered: bool) -> None:
    error = StanzaError(StanzaCondition.FORBIDDEN)
    answer = refusal(stanza(kind, type), error)
    assert (answer is not None) is is_answered
    if answer is not None:
        assert (answer.type, answer.to, str(answer.sender)) == ("error", ROMEO, "juliet@localhost")
    assert refuse(stanza(kind, type), error) == (() if answer is None else (Back(answer),))


def test_refusal_of_a_stanza_from_nobody_is_none() -> None:
    nobodys = Stanza(StanzaKind.MESSAGE, ROMEO, None, "chat", None, None, b"<message/>")
    assert refusal(nobodys, StanzaError(StanzaCondition.FORBIDDEN)) is None


# -- carrying out


async def test_message_that_a_full_session_cannot_take_is_answered() -> None:
    async with House().open() as house:
        romeo = await house.appear("romeo@localhost/orchard")
        juliet = await house.appear("juliet@localhost/balcony")
        house.session_of(juliet.jid).mailbox.is_accepting = False
        romeo.send("<message to='juliet@localhost' type='chat' id='m1'><body>hi</body></message>")
        romeo.send("<message to='juliet@localhost' type='error' id='m2'/>")
        answer = (
            "<message type='error' id='m1' from='juliet@localhost' to='romeo@localhost/orchard'>"
            "<error type='wait' code='500'>"
            "<resource-constraint xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
            "<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas' xml:lang='en'>"
            "the recipient cannot take any more just now</text></error></message>"
        )
        assert await romeo.hears() == said(answer)


async def test_message_that_none_of_several_full_sessions_can_take_is_answered_once() -> None:
    async with House().open() as house:
        romeo = await house.appear("romeo@localhost/orchard")
        juliet = [await house.appear(f"juliet@localhost/{name}") for name in ("balcony", "window")]
        for client in juliet:
            house.session_of(client.jid).mailbox.is_accepting = False
        romeo.send("<message to='juliet@localhost' type='chat' id='m1'><body>hi</body></message>")
        (answer,) = await romeo.hears()
        assert "resource-constraint" in answer
        house.session_of(juliet[1].jid).mailbox.is_accepting = True
        romeo.send("<message to='juliet@localhost' type='chat' id='m2'><body>hi</body></message>")
        assert await romeo.hears() == []
        assert len(await juliet[1].hears()) == 1


async def test_session_that_cannot_take_a_presence_is_sent_away() -> None:
    """It must not miss one, so it is to begin anew."""
    house = House()
    house.befriend("romeo@localhost", "juliet@localhost")
    async with house.open():
        romeo = await house.appear("romeo@localhost/orchard")
        juliet = await house.appear("juliet@localhost/balcony")
        house.session_of(juliet.jid).mailbox.is_accepting = False
        romeo.send("<presence><show>away</show></presence>")
        await house.settle()
        assert (juliet.is_open, juliet.error) == (False, "resource-constraint")
