"""Modules are told of what happens to sessions, presence and subscriptions, each at its point and once."""

from collections.abc import Sequence
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from actors.module import (
    AccountContext,
    Module,
    OnPresence,
    OnSessionEnd,
    OnSessionStart,
    OnSubscription,
    OnUnavailable,
)
from actors.modules import MODULES
from actors.presence_apply import RETRY_SECONDS
from actors.presence_effects import HookEffect, KeepItem, Send
from protocols.stanza import Stanza, build_message
from store.memory.faults import Fault
from tests.actors.house import House
from tests.actors.house_client import Client, said

ME = "romeo@localhost/orchard"


class Ear:
    """Hears of everything."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def module(self, name: str = "ear") -> Module:
        """That hears of it."""
        kinds = (OnSessionStart, OnSessionEnd, OnPresence, OnUnavailable, OnSubscription)
        hooks: tuple[Any, ...] = tuple(kind(self._hook(kind.__name__)) for kind in kinds)
        return Module(name=name, summary="Hears.", hooks=hooks)

    def _hook(self, point: str) -> Any:
        async def hook(context: AccountContext, subject: Stanza | str) -> Sequence[HookEffect]:
            what = subject if isinstance(subject, str) else f"{subject.sender} {subject.type}".rstrip()
            self.heard.append(f"{context.jid.localpart} {point[2:]} {what}")
            return ()

        return hook

    def take(self) -> list[str]:
        """What it has heard since."""
        heard, self.heard = self.heard, []
        return heard


@pytest.fixture
def ear() -> Ear:
    return Ear()


async def test_notices_of_a_session_from_its_beginning_to_its_end(ear: Ear) -> None:
    async with House(modules=(*MODULES, ear.module())).open() as house:
        romeo = await house.log_in(ME)
        await house.settle()
        assert ear.take() == ["romeo SessionStart orchard"]
        romeo.send("<presence/>")
        romeo.send("<presence><show>away</show></presence>")
        romeo.send("<presence><priority>bad</priority></presence>")
        await house.settle()
        assert ear.take() == [f"romeo Presence {ME}"] * 2, "what is refused is nobody's business"
        romeo.send("<presence type='unavailable'/>")
        romeo.send("<presence type='unavailable'/>")
        await house.settle()
        assert ear.take() == [f"romeo Unavailable {ME} unavailable"]
        romeo.log_out()
        await house.settle()
        assert ear.take() == ["romeo SessionEnd orchard"]


@pytest.mark.parametrize("is_available", [True, False])
async def test_notices_of_a_session_that_is_replaced(ear: Ear, is_available: bool) -> None:
    async with House(modules=(*MODULES, ear.module())).open() as house:
        romeo = await house.log_in(ME)
        if is_available:
            romeo.send("<presence/>")
        await house.settle()
        ear.take()
        await house.log_in(ME)
        await house.settle()
        gone = [f"romeo Unavailable {ME} unavailable"] if is_available else []
        assert sorted(ear.take()) == sorted([*gone, "romeo SessionStart orchard", "romeo SessionEnd orchard"])


async def test_notices_of_a_session_that_breaks_off(ear: Ear) -> None:
    async with House(modules=(*MODULES, ear.module())).open() as house:
        romeo = await house.appear(ME)
        ear.take()
        romeo.hang_up()
        await house.settle()
        assert ear.take() == [f"romeo Unavailable {ME} unavailable", "romeo SessionEnd orchard"]


async def test_notices_of_subscriptions_in_both_accounts(ear: Ear) -> None:
    async with House(modules=(*MODULES, ear.module())).open() as house:
        romeo, juliet = await house.appear(ME), await house.appear("juliet@localhost/balcony")
        ear.take()
        romeo.send("<presence to='juliet@localhost' type='subscribe'/>")
        await house.settle()
        (sent, came) = ear.take()
        assert sent == f"romeo Subscription {ME} subscribe"
        assert came == "juliet Subscription romeo@localhost subscribe"
        juliet.send("<presence to='romeo@localhost' type='subscribed'/>")
        await house.settle()
        assert [each for each in ear.take() if "Subscription" in each] == [
            "juliet Subscription juliet@localhost/balcony subscribed",
            "romeo Subscription juliet@localhost subscribed",
        ]


async def test_what_notices_add_is_done_with_the_rest_and_committed_before() -> None:
    async def welcome(context: AccountContext, resource: str) -> Sequence[HookEffect]:
        to = context.jid.with_resource(resource)
        return (KeepItem("guest-book", resource, b"1"), Send(build_message(to=to, sender=context.domain)))

    async def fail(_context: AccountContext, _resource: str) -> Sequence[HookEffect]:
        raise KeyError("bug")

    hooks = (OnSessionStart(fail, priority=-1), OnSessionStart(welcome))
    module = Module(name="guests", summary="Keeps a guest book.", hooks=hooks)
    async with House(modules=(*MODULES, module)).open() as house:
        romeo = await house.log_in(ME)
        assert await romeo.hears() == said(f"<message from='localhost' to='{ME}'/>")
        assert [item.key for item in house.store.items("romeo@localhost", "guest-book")] == ["orchard"]
        assert len(house.forgive()) == 1


async def test_presence_kept_for_a_database_that_is_away_is_told_once(
    ear: Ear, autojump_clock: MockClock
) -> None:
    async with House(modules=(*MODULES, ear.module())).open() as house:
        house.faults = lambda operation: Fault.AWAY if operation == "user" else None
        romeo: Client = await house.log_in(ME)
        romeo.send("<presence/>")
        await house.settle()
        assert ear.take() == []
        house.faults = None
        await trio.sleep(2 * RETRY_SECONDS)
        assert ear.take() == [f"romeo Presence {ME}"]
