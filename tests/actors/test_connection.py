"""What is common to connections over any carrier: clocks, log-in, faults of either side, deaths."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
import trio
from trio.testing import MockClock

from actors.blocking import PoolFullError
from actors.connection_messages import (
    CarrierLost,
    CloseConnection,
    ConnectionMessage,
    Filled,
    IdleCheck,
    SessionDown,
)
from actors.session_messages import Drained
from actors.settings import RegistrationSettings, Settings
from protocols.conditions import StreamCondition
from protocols.namespaces import BIND, CLIENT, REGISTER, SASL, STREAM
from store.errors import StoreUnavailable, StoreUnusable
from supervision.report import ChildTerminated
from supervision.runtime import Point
from tests.actors.house import House
from tests.actors.house_client import PASSWORD, Client

if TYPE_CHECKING:
    from supervision.slot import Slot

ROMEO, JULIET = "romeo@localhost", "juliet@localhost"
ORCHARD, BALCONY = f"{ROMEO}/orchard", f"{JULIET}/balcony"
HEADER = f"<stream:stream to='localhost' version='1.0' xmlns='{CLIENT}' xmlns:stream='{STREAM}'>"


def auth(name: str, password: str = PASSWORD) -> str:
    response = base64.b64encode(f"\0{name}\0{password}".encode()).decode()
    return f"<auth xmlns='{SASL}' mechanism='PLAIN'>{response}</auth>"


def bind(resource: str) -> str:
    return f"<iq type='set' id='bind'><bind xmlns='{BIND}'><resource>{resource}</resource></bind></iq>"


def connection(client: Client) -> Slot[ConnectionMessage]:
    assert client.wire.slot is not None
    return client.wire.slot


def hearing(client: Client) -> bytearray:
    """All that a client hears from now on, as it comes."""
    heard, hear = bytearray(), client.wire.hear

    def listen(data: bytes) -> None:
        heard.extend(data)
        hear(data)

    client.wire.hear = listen
    return heard


# -- clocks


async def test_negotiation_that_takes_too_long_is_ended(autojump_clock: MockClock) -> None:
    async with House(limits={"negotiation_seconds_max": 30.0}).open() as house:
        romeo = house.connect(ORCHARD)
        romeo.send(HEADER)
        await trio.sleep(29.0)
        assert romeo.is_open
        await trio.sleep(2.0)
        assert romeo.error == "connection-timeout"


async def test_negotiation_time_does_not_matter_to_a_session(autojump_clock: MockClock) -> None:
    async with House(limits={"negotiation_seconds_max": 30.0}).open() as house:
        romeo = await house.log_in(ORCHARD)
        await trio.sleep(60.0)
        assert romeo.is_open


async def test_idle_client_is_asked_and_then_closed(autojump_clock: MockClock) -> None:
    async with House(limits={"idle_seconds_max": 100.0}).open() as house:
        romeo = await house.log_in(ORCHARD)
        await trio.sleep(99.0)
        assert await romeo.hears() == []
        await trio.sleep(2.0)
        (ping,) = await romeo.hears()
        assert "urn:xmpp:ping" in ping
        await trio.sleep(98.0)
        assert romeo.is_open
        await trio.sleep(2.0)
        assert romeo.error == "connection-timeout"


async def test_idle_client_that_answers_is_left_alone(autojump_clock: MockClock) -> None:
    async with House(limits={"idle_seconds_max": 100.0}).open() as house:
        romeo = await house.log_in(ORCHARD)
        for _ in range(5):
            await trio.sleep(101.0)
            (_ping,) = await romeo.hears()
            romeo.send(" ")  # any byte will do
        assert romeo.is_open


async def test_idle_client_that_speaks_is_not_even_asked(autojump_clock: MockClock) -> None:
    async with House(limits={"idle_seconds_max": 100.0}).open() as house:
        romeo = await house.log_in(ORCHARD)
        for _ in range(10):
            await trio.sleep(60.0)
            romeo.send(" ")
        assert await romeo.hears() == []


# -- log-in


async def test_login_wrong_passwords_from_one_address_are_too_many_at_last() -> None:
    async with House(limits={"failed_logins_max": 3}).open() as house:
        guesser = house.connect(ORCHARD)
        guesser.send(HEADER + auth("romeo", "wrong") * 3)
        await house.settle()
        assert guesser.is_open, "this stream has two more attempts"
        again = house.connect(ORCHARD)
        again.send(HEADER)
        await house.settle()
        assert again.error == "policy-violation"
        other = house.connect(BALCONY, address="192.0.2.77")
        await other.log_in()


@pytest.mark.parametrize(
    "attempt",
    [
        f"<abort xmlns='{SASL}'/>",
        f"<auth xmlns='{SASL}' mechanism='MAGIC'/>",
        f"<auth xmlns='{SASL}' mechanism='PLAIN'>%%%</auth>",
        f"<response xmlns='{SASL}'/>",
    ],
)
async def test_login_that_failed_without_a_wrong_password_is_not_held_against_anybody(attempt: str) -> None:
    async with House(limits={"failed_logins_max": 1}).open() as house:
        romeo = house.connect(ORCHARD)
        romeo.send(HEADER + attempt * 3)
        await house.settle()
        await house.log_in(ORCHARD)
        assert len(house.notes) == 3, "each is noted all the same"


async def test_login_that_has_succeeded_goes_on_whoever_else_guesses() -> None:
    """The new stream of a client that is known is no new attempt."""
    async with House(limits={"failed_logins_max": 1}).open() as house:
        romeo, guesser = house.connect(ORCHARD), house.connect(BALCONY)
        romeo.send(HEADER + auth("romeo"))
        await house.settle()
        guesser.send(HEADER + auth("juliet", "wrong"))
        await house.settle()
        romeo.send(HEADER + bind("orchard"))
        await house.settle()
        assert romeo.stanzas[-1].type == "result"


@pytest.mark.parametrize(
    "error", [StoreUnavailable("away"), StoreUnusable("wrong password"), PoolFullError("too many")]
)
async def test_login_while_accounts_cannot_be_read_is_refused_for_now(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with House().open() as house:
        monkeypatch.setattr(house.store, "credentials", failing(error))
        romeo = house.connect(ORCHARD)
        heard = hearing(romeo)
        romeo.send(HEADER + auth("romeo"))
        await house.settle()
        assert b"<temporary-auth-failure" in heard
        monkeypatch.undo()
        romeo.send(auth("romeo"))
        await house.settle()
        assert b"<success" in heard


def failing(error: Exception) -> Any:
    def fail(*_arguments: object) -> NoReturn:
        raise error

    return fail


async def test_login_fault_of_ours_ends_that_stream_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault comes from another thread, and must not surface where it would end the process."""
    async with House().open() as house:
        juliet = await house.log_in(BALCONY)
        monkeypatch.setattr(house.store, "credentials", failing(ZeroDivisionError("a fault")))
        romeo = house.connect(ORCHARD)
        romeo.send(HEADER + auth("romeo"))
        await house.settle()
        assert romeo.error == "internal-server-error"
        assert juliet.is_open
        assert ChildTerminated in {type(fault) for fault in house.forgive()}


async def test_login_everything_at_once_waits_for_each_answer() -> None:
    """Registration, log-in and binding in one piece, while database and hashing take their time."""
    settings = Settings(registration=RegistrationSettings(open=True))
    async with House(settings=settings, with_delays=True).open() as house:
        nurse = house.connect("nurse@localhost/room")
        register = (
            f"<iq type='set' id='reg'><query xmlns='{REGISTER}'><username>nurse</username>"
            f"<password>{PASSWORD}</password></query></iq>"
        )
        ping = "<iq type='get' id='ping' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>"
        nurse.send(HEADER + register + auth("nurse") + HEADER + bind("room") + ping)
        await nurse.wait_for('id="ping"')
        assert [(stanza.id, stanza.type) for stanza in nurse.stanzas] == [
            ("reg", "result"),
            ("bind", "result"),
            ("ping", "result"),
        ]


async def test_login_client_leaves_while_it_is_looked_up_leaves_nothing() -> None:
    async with House(with_delays=True).open() as house:
        romeo = house.connect(ORCHARD)
        romeo.send(HEADER + auth("romeo"))
        slot = connection(romeo)
        romeo.hang_up()
        await house.settle()
        assert not slot.ref.is_alive


# -- what an established stream says


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", "unsupported-stanza-type"),
        ("<message><body></message>", "not-well-formed"),
        ("</stream:stream>", None),
    ],
)
async def test_stream_that_is_over_is_closed_as_it_deserves(said: str, error: str | None) -> None:
    async with House().open() as house:
        romeo = await house.log_in(ORCHARD)
        heard = hearing(romeo)
        romeo.send(said)
        await house.settle()
        assert romeo.error == error
        assert heard.endswith(b"</stream:stream>")
        assert house.server.directory.session(romeo.jid) is None


async def test_stream_nothing_is_heard_behind_its_end() -> None:
    async with House().open() as house:
        romeo, juliet = await house.log_in(ORCHARD), await house.log_in(BALCONY)
        message = f"<message to='{BALCONY}' type='chat'><body>%s</body></message>"
        romeo.send(message % "before" + "</stream:stream>" + message % "behind")
        (heard,) = await juliet.hears()
        assert "before" in heard


async def test_stanza_to_what_is_no_address_is_answered_and_the_stream_goes_on() -> None:
    async with House().open() as house:
        romeo = await house.log_in(ORCHARD)
        romeo.send("<message to='@@' id='1'><body>?</body></message><message to='@@' type='error' id='2'/>")
        (refused,) = await romeo.hears()
        assert "jid-malformed" in refused
        assert romeo.is_open


# -- death


def poison(house: House, kind: type) -> None:
    """Let messages of this kind kill whoever has one in hand."""

    def probe(point: Point, slot: Slot[Any], message: object) -> None:
        if (
            point is Point.AFTER_DECIDE
            and isinstance(message, kind)
            and slot.path.startswith("/connections/")
        ):
            raise ZeroDivisionError("poison")

    house.runtime.probe = probe


@pytest.mark.parametrize(
    ("message", "error"),
    [
        (CloseConnection(StreamCondition.RESET), "reset"),
        (CarrierLost(), None),
    ],
)
async def test_set_aside_end_is_the_end_all_the_same(message: ConnectionMessage, error: str | None) -> None:
    async with House().open() as house:
        romeo = await house.log_in(ORCHARD)
        session = house.session_of(romeo.jid)
        poison(house, type(message))
        connection(romeo).ref.tell(message)
        await house.settle()
        assert (romeo.is_open, romeo.error) == (False, error)
        assert not session.ref.is_alive
        house.forgive()


async def test_set_aside_news_of_the_session_s_end_closes_the_stream_all_the_same() -> None:
    async with House(limits={"restarts_max": 1}).open() as house:
        romeo = await house.log_in(ORCHARD)
        session = house.session_of(romeo.jid)
        poison(house, SessionDown)
        while session.ref.is_alive:
            session.kill()
            await house.settle()
        assert romeo.error == "internal-server-error"
        house.forgive()


async def test_set_aside_look_at_a_silent_client_is_taken_all_the_same(autojump_clock: MockClock) -> None:
    async with House(limits={"idle_seconds_max": 100.0}).open() as house:
        romeo = await house.log_in(ORCHARD)
        poison(house, IdleCheck)
        await trio.sleep(150.0)
        assert len(await romeo.hears()) == 1, "it has been asked"
        house.runtime.probe = None
        await trio.sleep(100.0)
        assert romeo.error == "connection-timeout"
        house.forgive()


async def test_set_aside_answer_ends_the_stream_that_waits_for_it() -> None:
    async with House().open() as house:
        romeo = house.connect(ORCHARD)
        poison(house, Filled)
        romeo.send(HEADER + auth("romeo"))
        await house.settle()
        assert romeo.error == "internal-server-error"
        house.forgive()


async def test_kill_while_its_session_takes_nothing_posts_what_was_held() -> None:
    async with House(limits={"output_bytes_max": 20_000}).open() as house:
        romeo, juliet = await house.log_in(ORCHARD), await house.log_in(BALCONY)
        session = house.session_of(romeo.jid)
        session.mailbox.is_accepting = False
        romeo.send("".join(f"<message to='{BALCONY}' id='{number}'/>" for number in range(20)))
        await house.settle()
        connection(romeo).kill()
        await house.settle()
        session.ref.tell(Drained())
        await house.settle()
        assert [each.id for each in juliet.stanzas] == [str(number) for number in range(20)]
        house.forgive()
