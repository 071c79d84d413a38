"""What actors share: setups of streams, ways to other actors, and the bounds of each."""

import re
from random import Random
from typing import NoReturn

import pytest
import trio

from actors.modules import MODULES
from actors.presence_messages import DescribeUser
from actors.presence_start import MESSAGES_MAX
from actors.server import Server
from actors.settings import AuthSettings, LimitSettings, RegistrationSettings, Settings
from protocols.conditions import SaslCondition
from protocols.framing import TcpFraming, WebSocketFraming
from protocols.jid import parse_jid
from protocols.negotiation_values import LoginFailed, Setup
from protocols.session_bits import SessionBits
from protocols.stanza import Stanza, build_message
from store.memory.faults import Fault
from store.users import User
from supervision.child_spec import Intensity
from supervision.dynamic_supervisor import NotAcceptingError
from supervision.reply import Reply
from tests.actors.house import House
from tests.actors.house_client import said
from tests.actors.house_wire import lay_wire
from tests.actors.house_world import InlinePool, seeded_world
from tests.actors.presence_support import end_idle

ROMEO, JULIET = parse_jid("romeo@localhost"), parse_jid("juliet@localhost")
ORCHARD = "romeo@localhost/orchard"
STARTTLS, SECURE, LOGIN, OPEN = (
    SessionBits.STARTTLS_POSSIBLE,
    SessionBits.SECURE,
    SessionBits.LOGIN_ALLOWED,
    SessionBits.REGISTRATION_OPEN,
)


class NoCertificates:
    def addresses_in(self, _certificate: bytes) -> tuple[str, ...]:
        raise AssertionError("nobody shows one")

    @property
    def end_point(self) -> None:
        """Nothing to bind to."""

    @property
    def context(self) -> NoReturn:
        raise AssertionError("there is no TLS here")


def make_server(settings: Settings) -> Server:
    world = seeded_world(Random(0), InlinePool())
    return Server(settings, world, NoCertificates(), MODULES, {}, note=print, secret=b"of the server")


def letter(text: str = "hi") -> Stanza:
    content = f"<body>{text}</body>".encode()
    return build_message(to=JULIET, sender=parse_jid(ORCHARD), type="chat", id="1", content=content)


# -- streams


def setups(server: Server) -> list[Setup]:
    """TCP in clear and under TLS, WebSocket in clear and under TLS."""
    return [
        *(server.tcp_setup(secure=secure) for secure in (False, True)),
        *(server.websocket_setup(secure=secure) for secure in (False, True)),
    ]


@pytest.mark.parametrize(
    ("require_tls", "is_open", "bits"),
    [
        (True, False, [STARTTLS, SECURE | LOGIN, LOGIN, SECURE | LOGIN]),
        (False, False, [STARTTLS | LOGIN, SECURE | LOGIN, LOGIN, SECURE | LOGIN]),
        (True, True, [STARTTLS | OPEN, SECURE | LOGIN | OPEN, LOGIN | OPEN, SECURE | LOGIN | OPEN]),
    ],
)
async def test_setup_allows_what_settings_and_transport_allow(
    require_tls: bool, is_open: bool, bits: list[SessionBits]
) -> None:
    settings = Settings(
        domain="chat.example",
        auth=AuthSettings(require_tls=require_tls),
        registration=RegistrationSettings(open=is_open),
    )
    found = setups(make_server(settings))
    assert [setup.bits for setup in found] == bits
    assert {setup.host for setup in found} == {"chat.example"}
    framings = [type(setup.framing) for setup in found]
    assert framings == [TcpFraming, TcpFraming, WebSocketFraming, WebSocketFraming]


async def test_setup_tells_the_limits_that_hold() -> None:
    limits = LimitSettings(
        stanza_bytes_before_auth_max=10_001, stanza_bytes_max=20_002, idle_seconds_max=60.5
    )
    for setup in setups(make_server(Settings(limits=limits))):
        told = b"".join(
            feature.advertise(setup.bits) for feature in setup.features if feature.name == "limits"
        )
        assert re.findall(rb">(\d+)<", told) == [b"10001", b"20002", b"60"]


async def test_setup_is_made_once_for_each_kind() -> None:
    """Each of thousands of streams holds one."""
    server = make_server(Settings())
    assert [id(setup) for setup in setups(server)] == [id(setup) for setup in setups(server)]
    assert len({id(setup) for setup in setups(server)}) == 4


async def test_numbers_never_come_again() -> None:
    server = make_server(Settings())
    assert len({server.next_number() for _ in range(100)}) == 100


async def test_intensity_is_what_the_settings_say() -> None:
    async with House(limits={"restarts_max": 7, "restarts_seconds": 3.0}).open() as house:
        assert house.server.intensity == Intensity(7, 3.0)


@pytest.mark.parametrize(
    ("is_known", "size", "error"),
    [
        (False, 10_000, "not-authorized"),
        (False, 10_001, "policy-violation"),
        (True, 20_000, None),
        (True, 20_001, "policy-violation"),
    ],
)
async def test_stream_keeps_to_the_limits_of_the_settings(
    is_known: bool, size: int, error: str | None
) -> None:
    limits = {"stanza_bytes_before_auth_max": 10_000, "stanza_bytes_max": 20_000}
    async with House(limits=limits).open() as house:
        client = house.connect(ORCHARD)
        await (client.log_in() if is_known else client.begin())
        start, end = "<message to='juliet@localhost'><body>", "</body></message>"
        client.send(start + "x" * (size - len(start) - len(end)) + end)
        await house.settle()
        assert client.error == error


async def test_connections_are_bounded() -> None:
    async with House(limits={"connections_max": 2}).open() as house:
        wires = [lay_wire(house.server, "192.0.2.1") for _ in range(2)]
        with pytest.raises(NotAcceptingError, match="connections has its maximum of 2"):
            lay_wire(house.server, "192.0.2.1")
        wires[0].end()
        await house.settle()
        lay_wire(house.server, "192.0.2.1")


# -- addresses


async def test_connection_closed_counts_down_and_forgets() -> None:
    server = make_server(Settings())
    server.connections_by_address["192.0.2.1"] = 2
    server.connection_closed("192.0.2.1")
    assert server.connections_by_address == {"192.0.2.1": 1}
    server.connection_closed("192.0.2.1")
    assert server.connections_by_address == {}
    server.connection_closed("192.0.2.1")
    assert server.connections_by_address == {}


async def test_login_failed_is_held_against_its_address_and_noted() -> None:
    async with House(limits={"failed_logins_max": 2}).open() as house:
        server = house.server
        failure = LoginFailed(ROMEO, SaslCondition.NOT_AUTHORIZED)
        server.login_failed("192.0.2.1", failure)
        assert not server.login_throttle.is_blocked("192.0.2.1")
        server.login_failed("192.0.2.1", failure)
        assert server.login_throttle.is_blocked("192.0.2.1")
        assert not server.login_throttle.is_blocked("192.0.2.2")
        assert house.notes == [failure, failure]


# -- ways to users


async def test_presence_of_is_one_actor_while_it_lives(autojump_clock: trio.testing.MockClock) -> None:
    async with House().open() as house:
        server = house.server
        first = server.presence_of(ROMEO)
        assert server.presence_of(parse_jid(ORCHARD)) is first
        assert await first.call(DescribeUser) == house.account("romeo@localhost")
        first.kill()
        await house.settle()
        assert server.presence_of(ROMEO) is first
        house.forgive()
        await end_idle(house)
        assert not first.is_alive
        second = server.presence_of(ROMEO)
        assert second is not first
        assert second.is_alive


async def test_users_at_work_are_bounded_and_every_way_says_so() -> None:
    async with House(limits={"sessions_max": 1}).open() as house:
        server = house.server
        for name in ("nurse", "tybalt"):
            server.presence_of(parse_jid(f"{name}@localhost"))
        with pytest.raises(NotAcceptingError, match="users has its maximum of 2"):
            server.presence_of(JULIET)
        reply: Reply[User | None] = Reply()
        assert server.tell_user(JULIET, DescribeUser(reply)) is False
        assert server.hand_to_user(letter()) is False
        assert "juliet@localhost" not in server.directory.users


async def test_tell_user_posts_in_order() -> None:
    async with House().open() as house:
        replies: list[Reply[User | None]] = [Reply(), Reply()]
        for jid, reply in zip((ROMEO, parse_jid("nobody@localhost")), replies, strict=True):
            assert house.server.tell_user(jid, DescribeUser(reply))
        assert [await reply.wait(60) for reply in replies] == [house.account("romeo@localhost"), None]


async def test_hand_to_user_keeps_what_nobody_reads_yet() -> None:
    async with House().open() as house:
        assert house.server.hand_to_user(letter())
        assert house.server.directory.users["juliet@localhost"].waiting == 1
        await house.settle()
        assert house.server.directory.users["juliet@localhost"].waiting == 0
        juliet = await house.log_in("juliet@localhost/balcony")
        juliet.send("<presence/>")
        assert any("<body>hi</body>" in text for text in await juliet.hears())


async def test_hand_to_user_refuses_when_too_much_waits_and_counts_what_was_taken() -> None:
    async with House().open() as house:
        house.faults = lambda _operation: Fault.AWAY
        server, entry = house.server, house.server.directory.entry("juliet@localhost")
        taken = [server.hand_to_user(letter()) for _ in range(MESSAGES_MAX + 1)]
        assert taken == [True] * MESSAGES_MAX + [False]
        assert entry.waiting == MESSAGES_MAX
        await house.settle()
        assert entry.waiting == 0


async def test_hand_to_account_is_for_one_who_is_not_addressed() -> None:
    async with House().open() as house:
        assert house.server.hand_to_account(ROMEO, letter())
        assert {jid: entry.waiting for jid, entry in house.server.directory.users.items()} == {
            "romeo@localhost": 1
        }


# -- ways to sessions and modules


async def test_detach_ends_the_stream_for_lack_of_room() -> None:
    async with House().open() as house:
        romeo, juliet = await house.log_in(ORCHARD), await house.log_in("juliet@localhost/balcony")
        house.server.detach(house.session_of(romeo.jid).ref)
        await house.settle()
        assert (romeo.is_open, romeo.error) == (False, "resource-constraint")
        assert juliet.is_open


@pytest.mark.parametrize(
    ("sent", "answers"),
    [
        (
            "<iq type='get' id='1' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>",
            [f"<iq type='result' id='1' from='localhost' to='{ORCHARD}'/>"],
        ),
        ("<iq type='result' id='1' to='localhost'/>", []),
        ("<iq type='error' id='1' to='localhost'/>", []),
        ("<presence to='localhost'/>", []),
        ("<message type='error' id='1' to='localhost'/>", []),
    ],
)
async def test_hand_to_modules_answers_requests_only(sent: str, answers: list[str]) -> None:
    async with House().open() as house:
        romeo = await house.log_in(ORCHARD)
        romeo.send(sent)
        assert await romeo.hears() == said(*answers)


async def test_hand_to_modules_sends_a_message_back() -> None:
    async with House().open() as house:
        romeo = await house.log_in(ORCHARD)
        romeo.send("<message to='localhost' id='1'><body>anybody?</body></message>")
        (heard,) = await romeo.hears()
        assert 'type="error"' in heard
        assert "<service-unavailable " in heard
