"""Privacy lists at work: on every way a stanza takes, whoever set the rule and by which protocol."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import trio

from actors.gates import Passage
from actors.privacy import ACTIVE, default_list, find_list, guard_of, without_list
from protocols.jid import parse_jid
from protocols.privacy_lists import ItemType, PrivacyItem, PrivacyList
from protocols.stanza import build_message, build_presence
from store.users import RosterItem, User
from tests.actors.managed_client import appear, died
from tests.actors.managed_house import BALCONY, JULIET, ORCHARD, ROMEO, WINDOW, after, chat, kept
from tests.actors.privacy_support import HALL, PARIS, block, choose, deny, new_list, unblock, verona

if TYPE_CHECKING:
    from trio.testing import MockClock

    from tests.actors.house import House
    from tests.actors.house_client import Client

ENEMIES = PrivacyList("enemies", (PrivacyItem(1, False, ItemType.GROUP, "Enemies"),))
STRANGERS = PrivacyList("strangers", (PrivacyItem(1, False, ItemType.SUBSCRIPTION, "none"),))
GONE = f'<presence from="{BALCONY}" to="{ROMEO}" type="unavailable"></presence>'


def user(**fields: Any) -> User:
    roster = (RosterItem(ROMEO, groups=("Enemies",)), RosterItem(PARIS, subscription="to"))
    return User(bare_jid=JULIET, rev=1, created_ms=0, roster=roster, **fields)


def message_from(jid: str, resource: str | None = None) -> Passage:
    peer = parse_jid(jid)
    return Passage(
        build_message(to=parse_jid(JULIET), sender=peer), peer, is_outgoing=False, resource=resource
    )


# -- the guard


def test_account_without_a_list_in_force_has_no_guard() -> None:
    assert guard_of(user(), {"balcony": {}}) is None
    assert guard_of(user(privacy_lists=(ENEMIES,)), {"balcony": {}}) is None


def test_guard_asks_the_active_list_or_else_the_default_one() -> None:
    guard = guard_of(
        user(privacy_lists=(ENEMIES, STRANGERS), default_list="enemies"), {"window": {ACTIVE: "strangers"}}
    )
    assert guard is not None
    found = [
        (jid, resource)
        for jid in (ROMEO, PARIS)
        for resource in (None, "balcony", "window")
        if guard(message_from(jid, resource)) is not None
    ]
    assert found == [(ROMEO, None), (ROMEO, "balcony"), (ROMEO, "window")]
    assert guard(message_from("nobody@example.com")) is None
    assert guard(message_from("nobody@example.com", "window")) is not None


def test_guard_of_an_active_list_only_is_about_that_resource() -> None:
    guard = guard_of(user(privacy_lists=(ENEMIES,)), {"window": {ACTIVE: "enemies"}, "balcony": {}})
    assert guard is not None
    assert guard(message_from(ROMEO)) is None
    assert guard(message_from(ROMEO, "window")) is not None


def test_guard_of_a_list_that_is_not_there_cannot_be_made() -> None:
    with pytest.raises(KeyError):
        guard_of(user(privacy_lists=(ENEMIES,)), {"window": {ACTIVE: "gone"}})


def test_what_may_not_go_out_says_whether_that_is_a_block() -> None:
    items = (PrivacyItem(1, False, ItemType.JID, ROMEO), PrivacyItem(2, False, ItemType.JID, "example.com"))
    for value, item in ((ROMEO, items[0]), ("a@example.com", items[1])):
        guard = guard_of(user(privacy_lists=(PrivacyList("l", (item,)),), default_list="l"), {})
        assert guard is not None
        fault = guard(Passage(build_presence(to=None, sender=None), parse_jid(value), True, "balcony"))
        assert fault is not None
        assert b"<blocked xmlns='urn:xmpp:blocking:errors'/></error>" in fault.to_bytes()
    guard = guard_of(user(privacy_lists=(ENEMIES,), default_list="enemies"), {})
    assert guard is not None
    fault = guard(Passage(build_presence(to=None, sender=None), parse_jid(ROMEO), True, "balcony"))
    assert fault is not None
    assert b"blocked" not in fault.to_bytes()


def test_lists_by_name() -> None:
    made = user(privacy_lists=(ENEMIES, STRANGERS), default_list="enemies")
    assert (find_list(made, "strangers"), default_list(made), find_list(made, None)) == (
        STRANGERS,
        ENEMIES,
        None,
    )
    left = without_list(made, "enemies")
    assert (left.privacy_lists, left.default_list) == ((STRANGERS,), None)
    assert without_list(made, "strangers").default_list == "enemies"


# -- a block, on every way


async def heard(client: Client) -> str:
    return "".join(await client.hears())


@pytest.mark.parametrize("to", [JULIET, BALCONY])
@pytest.mark.parametrize("is_there", [True, False])
async def test_blocked_gets_an_error_for_messages_and_requests_and_silence_for_presence(
    autojump_clock: MockClock, to: str, is_there: bool
) -> None:
    async with verona().open() as house:
        romeo, juliet = await house.appear(ORCHARD), await house.appear(BALCONY)
        await juliet.ask(block(ROMEO))
        if not is_there:
            juliet.hang_up()
            await house.settle()
        await romeo.hears()
        await juliet.hears()
        before = house.account(JULIET).roster
        asked = f"<iq to='{to}' type='get' id='i'><query xmlns='jabber:iq:version'/></iq>"
        answer = f"<iq to='{to}' type='result' id='r'/>"
        presence = "".join(
            f"<presence to='{to}' type='{type}'/>"
            for type in ("unavailable", "probe", "subscribe", "unsubscribed")
        )
        romeo.send(chat(to, "1") + asked + answer + presence + f"<presence to='{to}'/>")
        errors = await romeo.hears()
        assert [re.findall("^<(message|iq)|<(service-unavailable) ", each) for each in errors] == [
            [("message", ""), ("", "service-unavailable")],
            [("iq", ""), ("", "service-unavailable")],
        ]
        assert await juliet.hears() == []
        assert house.account(JULIET).roster == before
        assert kept(house) == []


async def test_blocked_sees_her_go_and_sees_nothing_of_her_until_she_unblocks_him() -> None:
    async with verona().open() as house:
        romeo, juliet = await house.appear(ORCHARD), await house.appear(BALCONY)
        await romeo.hears()
        await juliet.hears()
        await juliet.ask(block(ROMEO))
        assert await romeo.hears() == [GONE]
        assert f'from="{ROMEO}" to="{BALCONY}" type="unavailable"' in await heard(juliet)
        juliet.send("<presence><show>dnd</show></presence>")
        romeo.send("<presence><show>xa</show></presence>" + f"<presence to='{JULIET}' type='probe'/>")
        assert "dnd" not in await heard(romeo)
        assert "xa" not in await heard(juliet)
        again = await house.log_in(WINDOW)
        again.send("<presence/>")
        assert ROMEO not in await heard(again)
        assert JULIET not in await heard(romeo)
        await juliet.ask(unblock())
        seen = await heard(romeo)
        assert "<show>dnd" in seen
        assert WINDOW in seen
        assert "<show>xa" in await heard(juliet)


async def test_block_of_somebody_who_sees_no_presence_of_hers_tells_him_nothing() -> None:
    async with verona().open() as house:
        paris, juliet = await house.appear(HALL), await house.appear(BALCONY)
        await juliet.ask(block(PARIS))
        assert await paris.hears() == []


async def test_own_stanzas_to_one_who_is_blocked_are_refused(autojump_clock: MockClock) -> None:
    async with verona().open() as house:
        romeo, juliet = await house.appear(ORCHARD), await house.appear(BALCONY)
        await juliet.ask(block(ROMEO))
        await romeo.hears()
        await juliet.hears()
        juliet.send(chat(ORCHARD, "hi"))
        (error,) = await juliet.hears()
        assert '<error code="406" type="cancel"><not-acceptable ' in error
        assert '<blocked xmlns="urn:xmpp:blocking:errors"></blocked>' in error
        assert await romeo.hears() == []


async def test_own_clients_and_the_server_are_never_shut_out() -> None:
    async with verona().open() as house:
        juliet, window = await house.appear(BALCONY), await house.appear(WINDOW)
        await juliet.ask(new_list("all", "action='deny'"))
        await juliet.ask(choose("active", "all"))
        await juliet.ask(block("localhost"))
        window.send(chat(BALCONY, "hi"))
        assert "<body>hi" in await heard(juliet)
        ping = "<iq type='get' id='p' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>"
        assert 'type="result"' in await juliet.ask(ping)


async def for_whom_two_wait(house: House) -> Client:
    """Juliet, who has logged in and not become available; romeo's "1" and paris's "2" wait for her."""
    romeo, paris = await house.log_in(ORCHARD), await house.log_in(HALL)
    romeo.send(chat(JULIET, "1"))
    paris.send(chat(JULIET, "2"))
    await house.settle()
    return await house.log_in(BALCONY)


async def test_message_that_waits_from_somebody_who_is_blocked_meanwhile_reaches_nobody(
    autojump_clock: MockClock,
) -> None:
    async with verona().open() as house:
        juliet = await for_whom_two_wait(house)
        await juliet.ask(block(ROMEO))
        juliet.send("<presence/>")
        assert re.findall("<body>(.)", await heard(juliet)) == ["2"]
        await trio.sleep(60)
        assert kept(house) == []


# -- after a crash


async def test_denied_message_does_not_come_back_and_counts_once(autojump_clock: MockClock) -> None:
    async with verona().open() as house:
        romeo, juliet = await appear(house, ORCHARD), await appear(house, BALCONY)
        juliet.send(block(ROMEO))
        await juliet.hears()
        await romeo.hears()
        romeo.send(chat(JULIET, "1") + chat(BALCONY, "2"))
        errors = await romeo.hears()
        assert [re.findall("<service-unavailable ", each) for each in errors] == [
            ["<service-unavailable "]
        ] * 2
        romeo.ask()
        assert (await romeo.acks())[-1] == 3
        store = died(house, romeo, juliet)
    second = after(store)
    async with second.open():
        assert (await romeo.resume(second)).get("h") == "3"
        await juliet.resume(second)
        assert "<body>" not in "".join(await juliet.hears())
        assert "<body>" not in "".join(await romeo.hears())
        assert kept(second) == []


async def test_default_list_holds_before_the_first_stanza_after_a_restart(autojump_clock: MockClock) -> None:
    async with verona().open() as house:
        juliet = await house.appear(BALCONY)
        await juliet.ask(new_list("mine", deny(ROMEO)))
        await juliet.ask(choose("default", "mine"))
        store = died(house)
    second = after(store)
    async with second.open():
        romeo, juliet = await second.appear(ORCHARD), await second.log_in(BALCONY)
        romeo.send(chat(BALCONY, "1") + chat(JULIET, "2"))
        juliet.send("<presence/>")
        assert ["<service-unavailable " in each for each in await romeo.hears()] == [True, True]
        assert ROMEO not in await heard(juliet)


async def test_active_list_holds_for_a_session_that_is_resumed_after_a_crash(
    autojump_clock: MockClock,
) -> None:
    async with verona().open() as house:
        juliet = await appear(house, BALCONY)
        juliet.send(new_list("mine", deny(ROMEO)))
        juliet.send(choose("active", "mine"))
        await juliet.hears()
        store = died(house, juliet)
    second = after(store)
    async with second.open():
        romeo = await second.log_in(ORCHARD)
        romeo.send(chat(BALCONY, "before"))
        await juliet.resume(second)
        romeo.send(chat(BALCONY, "after"))
        assert await juliet.texts() == []
        assert ["<service-unavailable " in each for each in await romeo.hears()] == [True, True]


# -- what is sent to several


async def test_message_for_whichever_resource_goes_to_those_whose_list_lets_it() -> None:
    async with verona().open() as house:
        romeo = await house.log_in(ORCHARD)
        juliet, window = await house.appear(BALCONY), await house.appear(WINDOW)
        await juliet.ask(new_list("mine", deny(ROMEO, "message")))
        await juliet.ask(choose("active", "mine"))
        romeo.send(chat(JULIET, "1"))
        assert await romeo.hears() == []
        assert "<body>1" in await heard(window)
        assert "<body>" not in await heard(juliet)


# -- what is kept, and shown later


async def test_request_of_somebody_who_is_blocked_meanwhile_is_shown_when_he_is_unblocked() -> None:
    async with verona().open() as house:
        paris = await house.log_in(HALL)
        paris.send(f"<presence to='{JULIET}' type='subscribe'/>")
        await house.settle()
        assert [each.jid for each in house.account(JULIET).requests] == [PARIS]
        juliet = await house.log_in(BALCONY)
        await juliet.ask(block(PARIS))
        juliet.send("<presence/>")
        assert PARIS not in await heard(juliet)
        await juliet.ask(unblock(PARIS))
        again = await house.log_in(WINDOW)
        again.send("<presence/>")
        assert f'from="{PARIS}" to="{JULIET}" type="subscribe"' in await heard(again)


async def test_request_is_not_shown_to_a_client_whose_list_denies_it() -> None:
    async with verona().open() as house:
        juliet, window = await house.appear(BALCONY), await house.appear(WINDOW)
        await juliet.ask(new_list("mine", deny(PARIS)))
        await juliet.ask(choose("active", "mine"))
        await heard(juliet)
        paris = await house.log_in(HALL)
        paris.send(f"<presence to='{JULIET}' type='subscribe'/>")
        assert 'type="subscribe"' in await heard(window)
        assert PARIS not in await heard(juliet)


async def test_message_that_waits_is_not_shown_to_a_client_whose_list_denies_it(
    autojump_clock: MockClock,
) -> None:
    """However it asks for that (XEP-0013)."""
    async with verona().open() as house:
        juliet = await for_whom_two_wait(house)
        await juliet.ask(new_list("mine", deny(ROMEO)))
        await juliet.ask(choose("active", "mine"))
        await heard(juliet)
        fetch = "<offline xmlns='http://jabber.org/protocol/offline'><fetch/></offline>"
        await juliet.ask(f"<iq type='get' id='f'>{fetch}</iq>")
        assert re.findall("<body>(.)", await heard(juliet)) == ["2"]
        assert sorted(kept(house)) == ["1", "2"]


async def test_message_by_way_of_the_server_passes_the_gates_of_both(autojump_clock: MockClock) -> None:
    """One for several, by an address header (XEP-0033)."""
    header = "<addresses xmlns='http://jabber.org/protocol/address'><address type='to' jid='{}'/></addresses>"
    async with verona().open() as house:
        romeo, juliet = await house.appear(ORCHARD), await house.appear(BALCONY)
        await juliet.ask(block(ROMEO))
        for client in (romeo, juliet):
            await client.hears()
        juliet.send(f"<message to='localhost'><body>1</body>{header.format(ROMEO)}</message>")
        assert "<not-acceptable " in await heard(juliet)
        assert await romeo.hears() == []
        romeo.send(f"<message to='localhost'><body>2</body>{header.format(JULIET)}</message>")
        assert "<service-unavailable " in await heard(romeo)
        assert await juliet.hears() == []
