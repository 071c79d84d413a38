"""Messages for the server: which module gets them, in which order, and what their senders are told."""

import re
from collections.abc import Sequence
from typing import Any

import pytest

from actors.module import Context, Module, OnServerMessage, Service
from actors.modules import MODULES
from actors.presence_effects import Send
from protocols.conditions import StanzaCondition
from protocols.errors import StanzaError
from protocols.jid import parse_jid
from protocols.stanza import Stanza, readdressed
from tests.actors.house import House

ME = "romeo@localhost/orchard"
FORBIDDEN = StanzaError(StanzaCondition.FORBIDDEN)


def message(to: str = "localhost", id: str = "m", type: str = "normal") -> str:
    return f"<message to='{to}' id='{id}' type='{type}'><body>hi</body></message>"


def wanting(log: list[str], name: str, wish: Exception | Sequence[Send] | None) -> Any:
    def hook(context: Context, stanza: Stanza) -> Sequence[Send] | None:
        log.append(f"{name} {context.host} {stanza.id}")
        if isinstance(wish, Exception):
            raise wish
        return wish

    return hook


def house_with(*hooks: OnServerMessage, services: tuple[Service, ...] = ()) -> House:
    return House(modules=(*MODULES, Module(name="test", summary="A test.", hooks=hooks, services=services)))


@pytest.mark.parametrize(
    ("wish", "condition"),
    [(FORBIDDEN, "forbidden"), (KeyError("bug"), "internal-server-error"), (None, "service-unavailable")],
)
async def test_message_goes_to_modules_in_order_and_is_refused_if_one_fails_or_none_wants_it(
    wish: Exception | None, condition: str
) -> None:
    log: list[str] = []
    last = OnServerMessage(wanting(log, "last", wish), 3)
    beyond = OnServerMessage(wanting(log, "beyond", None), 4)
    async with house_with(beyond, last, OnServerMessage(wanting(log, "first", None), 1)).open() as house:
        romeo = await house.log_in(ME)
        romeo.send(message())
        romeo.send(message(type="error"))
        (answer,) = await romeo.hears()
        assert f"<{condition} " in answer
        assert log[:2] == ["first localhost m", "last localhost m"]
        assert len(house.forgive()) == (2 if isinstance(wish, KeyError) else 0)


async def test_message_to_a_service_is_known_as_such_and_one_to_somebody_there_is_not_given() -> None:
    log: list[str] = []
    service = Service("rooms", ())
    async with house_with(OnServerMessage(wanting(log, "only", ())), services=(service,)).open() as house:
        romeo = await house.log_in(ME)
        romeo.send(message("rooms.localhost/x"))
        romeo.send(message("somebody@rooms.localhost"))
        (answer,) = await romeo.hears()
        assert "service-unavailable" in answer
        assert log == ["only rooms.localhost m"]


async def test_what_modules_send_comes_in_the_order_of_what_they_were_sent() -> None:
    def pass_on(_context: Context, stanza: Stanza) -> Sequence[Send]:
        assert stanza.sender is not None
        return [Send(readdressed(stanza, stanza.sender, parse_jid("juliet@localhost")))]

    async with house_with(OnServerMessage(pass_on)).open() as house:
        juliet = await house.appear("juliet@localhost/balcony")
        romeo = await house.log_in(ME)
        for number in range(5):
            romeo.send(message(id=str(number)))
        assert [re.findall('id="(.)"', text) for text in await juliet.hears()] == [[each] for each in "01234"]
