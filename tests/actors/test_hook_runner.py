"""Hooks run in order, each in a box of its own, at the points of an account's life that they name."""

from collections.abc import Sequence
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from actors.hook_runner import in_order
from actors.module import (
    AccountContext,
    Context,
    Module,
    OnAvailable,
    OnKept,
    OnLate,
    OnOutput,
    OnStreamFeatures,
    OnUndelivered,
)
from actors.module_host import HandlerFailed
from actors.modules import MODULES
from actors.offline_queue import Waiting
from actors.presence_apply import RETRY_SECONDS
from actors.presence_effects import AccountEffect, Send
from protocols.conditions import StanzaCondition
from protocols.errors import StanzaError
from protocols.jid import parse_jid
from protocols.session_bits import SessionBits
from protocols.stanza import Stanza, build_message, with_data
from protocols.stream_features import StreamFeature
from store.errors import StoreUnavailable
from tests.actors.house import House
from tests.actors.house_client import said

ME = "romeo@localhost/orchard"
HI = "<message to='juliet@localhost' type='chat' id='m'><body>hi</body></message>"
FORBIDDEN = StanzaError(StanzaCondition.FORBIDDEN)


def module(name: str = "test", **fields: Any) -> Module:
    return Module(name=name, summary="A test.", **fields)


# -- undelivered messages, and resources that can take some


def wanting(log: list[str], name: str, wish: Sequence[AccountEffect] | Exception | None) -> Any:
    """A hook that notes that it was run, and what it wants."""

    async def hook(_context: AccountContext, _subject: object) -> Sequence[AccountEffect] | None:
        log.append(name)
        if isinstance(wish, Exception):
            raise wish
        return wish

    return hook


async def test_undelivered_hooks_run_by_priority_until_one_takes_the_message() -> None:
    log: list[str] = []
    bug = KeyError("bug")
    modules = (
        module("late", hooks=(OnUndelivered(wanting(log, "late", None), priority=9),)),
        module("bug", hooks=(OnUndelivered(wanting(log, "bug", bug), priority=-1),)),
        module("taker", hooks=(OnUndelivered(wanting(log, "taker", ()), priority=5),)),
        module("first", hooks=(OnUndelivered(wanting(log, "first", None), priority=-2),)),
    )
    async with House(modules=modules).open() as house:
        romeo = await house.appear(ME)
        romeo.send("<message to='juliet@localhost'><body>hi</body></message>")
        assert await romeo.hears() == []
        assert log == ["first", "bug", "taker"]
        (failure,) = house.forgive()
        assert isinstance(failure, HandlerFailed)
        assert (failure.module, failure.error) == ("bug", bug)


@pytest.mark.parametrize(
    ("wish", "condition"),
    [
        (None, "service-unavailable"),
        (FORBIDDEN, "forbidden"),
        (StoreUnavailable("away"), "resource-constraint"),
    ],
)
async def test_undelivered_message_that_nobody_takes_is_refused(
    wish: Exception | None, condition: str
) -> None:
    log: list[str] = []
    hooks = (OnUndelivered(wanting(log, "only", wish)),)
    async with House(modules=(module(hooks=hooks),)).open() as house:
        romeo = await house.appear(ME)
        romeo.send("<message to='juliet@localhost'><body>hi</body></message>")
        (reply,) = await romeo.hears()
        assert f"<{condition} " in reply


async def test_available_hooks_all_run_and_one_that_fails_is_skipped() -> None:
    log: list[str] = []

    def sending(name: str) -> Any:
        async def hook(context: AccountContext, resource: str) -> Sequence[AccountEffect]:
            log.append(f"{name} {resource}")
            to = parse_jid(f"{context.jid}/{resource}")
            content = f"<body>{name}</body>".encode()
            return (Send(build_message(to=to, sender=context.domain, content=content)),)

        return hook

    modules = (
        module("second", hooks=(OnAvailable(sending("second"), priority=2),)),
        module("bug", hooks=(OnAvailable(wanting(log, "bug", FORBIDDEN), priority=1),)),
        module("first", hooks=(OnAvailable(sending("first")),)),
    )
    async with House(modules=modules).open() as house:
        romeo = await house.log_in(ME)
        romeo.send("<presence/>")
        heard = [text for text in await romeo.hears() if "<body>" in text]
        assert heard == said(
            *(
                f"<message from='localhost' to='{ME}'><body>{name}</body></message>"
                for name in ("first", "second")
            )
        )
        assert log == ["first orchard", "bug", "second orchard"]
        assert len(house.forgive()) == 1
        romeo.send("<presence><show>away</show></presence>")
        await house.settle()
        assert len(log) == 3, "only a resource that could take none before"


async def test_available_hook_while_the_database_is_away_lets_nobody_in_yet(
    autojump_clock: MockClock,
) -> None:
    """What waits would otherwise be overtaken by what comes."""
    answers: list[Sequence[AccountEffect] | Exception] = [[], StoreUnavailable("away")]

    async def hook(_context: AccountContext, _subject: str) -> Sequence[AccountEffect]:
        answer = answers.pop()
        if isinstance(answer, Exception):
            raise answer
        return answer

    async with House(modules=(module(hooks=(OnAvailable(hook),)),)).open() as house:
        romeo = await house.log_in(ME)
        romeo.send("<presence id='p1'/>")
        assert await romeo.hears() == []
        assert house.server.directory.entry("romeo@localhost").route.available == ()
        await trio.sleep(RETRY_SECONDS)
        (shown,) = await romeo.hears()
        assert 'id="p1"' in shown
        assert answers == []
        assert len(house.server.directory.entry("romeo@localhost").route.available) == 1


# -- the offline queue


async def test_kept_hooks_add_to_a_message_that_is_kept_and_to_no_other() -> None:
    async def thank(context: AccountContext, stanza: Stanza) -> Sequence[Send]:
        return (Send(build_message(to=stanza.sender, sender=context.jid, id=stanza.id)),)

    async def fail(_context: AccountContext, _stanza: Stanza) -> Sequence[Send]:
        raise KeyError("bug")

    async def ask_the_database(_context: AccountContext, _stanza: Stanza) -> Sequence[Send]:
        raise StoreUnavailable("away")

    hooks = (OnKept(fail, priority=-2), OnKept(ask_the_database, priority=-1), OnKept(thank))
    async with House(modules=(*MODULES, module(hooks=hooks))).open() as house:
        romeo = await house.appear(ME)
        romeo.send(HI)
        assert await romeo.hears() == said(f"<message from='juliet@localhost' to='{ME}' id='m'/>")
        assert len(house.forgive()) == 1, "that the database is away is no fault of the module"
        romeo.send("<message to='juliet@localhost' type='chat'/>")
        (answer,) = await romeo.hears()
        assert "service-unavailable" in answer


def also(text: str) -> Any:
    """A hook that adds a word to what is shown."""

    def hook(_context: Context, waiting: Waiting) -> Stanza:
        data = waiting.stanza.data.replace(b"</body>", text.encode() + b"</body>")
        return with_data(waiting.stanza, data)

    return hook


def fails(_context: Context, *_subject: object) -> Any:
    raise KeyError("bug")


def nothing(_context: Context, waiting: Waiting) -> Stanza | None:
    return None if b"drop" in waiting.stanza.data else waiting.stanza


async def test_late_hooks_change_what_is_shown_one_after_another_and_may_drop_it() -> None:
    hooks = (OnLate(also("2"), 2), OnLate(fails, 1), OnLate(also("1")), OnLate(nothing, 3))
    async with House(modules=(*MODULES, module(hooks=hooks))).open() as house:
        romeo = await house.appear(ME)
        romeo.send(HI)
        romeo.send(HI.replace("hi", "drop"))
        await house.settle()
        juliet = await house.log_in("juliet@localhost/balcony")
        juliet.send("<presence/>")
        (heard,) = [text for text in await juliet.hears() if text.startswith("<message")]
        assert "<body>hi12</body>" in heard
        assert len(house.forgive()) == 2, "once for each message"
        other = await house.appear("juliet@localhost/chamber")
        assert await other.hears() == []


# -- streams


async def test_stream_features_are_what_modules_offer_as_well() -> None:
    offer = StreamFeature("x", SessionBits.LOGIN_ALLOWED, SessionBits.AUTHENTICATED, False, b"<x xmlns='x'/>")
    hooks = (OnStreamFeatures(fails), OnStreamFeatures(lambda _context: (offer,)))
    async with House(modules=(*MODULES, module(hooks=hooks))).open() as house:
        names = [each.name for each in house.server.tcp_setup(secure=True).features]
        assert names[-3:] == ["limits", "limits", "x"], "and those of the modules that ship"
        assert len(house.forgive()) == 1


async def test_output_is_changed_by_one_after_another_and_by_none_if_none_wants_to() -> None:
    def say(text: bytes) -> Any:
        def change(stanza: Stanza) -> Stanza:
            return with_data(stanza, stanza.data + text)

        return lambda _context, _bits: change

    def want_nothing(_context: Context, bits: SessionBits) -> None:
        assert bits is SessionBits.SECURE

    stanza = build_message(to=None, sender=None)
    hooks = (
        OnOutput(say(b"2"), 2),
        OnOutput(lambda _context, _bits: fails, 1),  # type: ignore[arg-type,return-value]  # as one that fails
        OnOutput(say(b"1")),
        OnOutput(want_nothing),
        OnOutput(fails),
    )
    async with House(modules=(module(hooks=hooks),)).open() as house:
        change = house.server.modules.hooks.output(SessionBits.SECURE)
        assert change is not None
        assert change(stanza).data == b"<message/>12"
        assert len(house.forgive()) == 2
    async with House(modules=(module(hooks=(OnOutput(want_nothing),)),)).open() as house:
        assert house.server.modules.hooks.output(SessionBits.SECURE) is None


# -- order


def test_in_order_is_by_priority_and_then_as_listed() -> None:
    one, two = (
        module("one", hooks=(OnLate(nothing, 1), OnLate(fails))),
        module("two", hooks=(OnLate(fails, 1),)),
    )
    assert in_order((one, two), OnLate) == ((one, one.hooks[1]), (one, one.hooks[0]), (two, two.hooks[0]))
    assert in_order((one, two), OnAvailable) == ()
