"""After a crash of everything: sessions come back from the database, and owe what they owed (XEP-0198 §5)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import trio

from actors import presence_load
from actors.ledger import logged_parcel
from actors.offline_queue import read_undelivered
from actors.session_messages import HibernationOver, SessionSaved
from protocols.jid import parse_jid
from store.memory.faults import Fault
from store.writes import InsertRecord, ReplaceUser, SettleRecords
from supervision.runtime import Point
from tests.actors.house import House
from tests.actors.managed_client import appear, died, managed, photograph
from tests.actors.managed_house import (
    BALCONY,
    JULIET,
    ORCHARD,
    RESUMED,
    WINDOW,
    after,
    chat,
    couple,
    friends,
    kept,
)
from tests.store.samples import make_record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trio.testing import MockClock

    from actors.store_access import StoreAccess
    from store.log import LogRecord
    from store.memory.driver import MemoryStore
    from store.users import User
    from supervision.slot import Slot

# -- a crash of everything


async def test_crash_client_gets_what_was_acknowledged_to_its_sender_and_is_not_acknowledged_by_it(
    autojump_clock: MockClock,
) -> None:
    async with friends().open() as house:
        romeo, juliet = await couple(house)
        romeo.send(chat(BALCONY, "acknowledged"))
        assert await juliet.texts() == ["acknowledged"]
        juliet.acknowledge()
        romeo.send(chat(BALCONY, "read") + chat(BALCONY, "read too"))
        assert await juliet.texts() == ["read", "read too"]
        romeo.send(chat(BALCONY, "on the wire") + chat(JULIET, "on the wire too"))
        await house.settle()
        handled = juliet.handled - 2
        romeo.ask()
        assert (await romeo.acks())[-1] == 6
        store = died(house, romeo, juliet)
    async with after(store).open() as later:
        assert (await juliet.resume(later, handled)).tag == RESUMED
        assert await juliet.texts() == ["on the wire", "on the wire too"]
        outcome = await romeo.resume(later)
        assert (outcome.tag, romeo.told) == (RESUMED, 6)
        romeo.send(chat(BALCONY, "afterwards"))
        assert await juliet.texts() == ["afterwards"]
        juliet.acknowledge()
        romeo.ask()
        assert (await romeo.acks())[-1] == 7
        await trio.sleep(20)
        assert kept(later) == []


@pytest.mark.parametrize("fault", [None, Fault.LOST_REQUEST, Fault.LOST_ANSWER, Fault.LOST_HALFWAY])
async def test_crash_at_a_commit_client_sends_again_what_it_was_not_told_of(
    autojump_clock: MockClock, fault: Fault | None
) -> None:
    """Whatever of that had taken effect: each message arrives once, in order."""
    async with friends().open() as house:
        romeo, juliet = await couple(house)
        house.server.ledger_of(parse_jid(JULIET)).ask_for_more()
        await house.settle()
        texts = [str(number) for number in range(7)]
        house.faults = lambda operation: fault if operation == "commit" else None
        romeo.send("".join(chat(BALCONY, text) for text in texts))
        await house.settle()
        romeo.ask()
        await romeo.acks()
        told = romeo.told
        heard = await juliet.texts()
        store = died(house, romeo, juliet)
        house.faults = None
    async with after(store).open() as later:
        for _ in range(2):  # the second time nothing had been lost
            await romeo.resume(later)
            assert romeo.told >= told
            romeo.send("".join(chat(BALCONY, text) for text in texts[romeo.told - 1 :]))
            romeo.ask()
            assert (await romeo.acks())[-1] == 8
            await juliet.resume(later)
            heard += await juliet.texts()
        assert heard == texts


async def test_crash_stanza_sent_again_that_is_in_the_log_is_counted_and_not_delivered_again(
    autojump_clock: MockClock,
) -> None:
    """Its predecessor left nothing there, so the client is told less."""
    async with friends().open() as house:
        romeo, juliet = await couple(house)
        ping = "<iq type='get' id='p' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>"
        romeo.send(ping + chat(BALCONY, "once"))
        assert await juliet.texts() == ["once"]
        store = died(house, romeo, juliet)
    async with after(store).open() as later:
        await juliet.resume(later)
        await romeo.resume(later)
        assert romeo.told == 1
        romeo.send(ping + chat(BALCONY, "once") + chat(BALCONY, "next"))
        assert await juliet.texts() == ["next"]
        assert len([each for each in await romeo.hears() if each.startswith("<iq")]) == 1
        romeo.ask()
        assert (await romeo.acks())[-1] == 4


def named(id_: str) -> str:
    """A message for Juliet by this id."""
    return f"<message to='{BALCONY}' id='{id_}' type='chat'><body>{id_}</body></message>"


@pytest.mark.parametrize("at_once", [1, presence_load.STANZAS_AT_ONCE])
async def test_crash_client_that_leaves_out_what_was_not_safe_loses_nothing_of_what_it_sends(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    """Under the number of what is in the log it sends something else, which is not taken for that."""
    monkeypatch.setattr(presence_load, "STANZAS_AT_ONCE", at_once)
    async with friends().open() as house:
        romeo, juliet = await couple(house)
        for id_ in ("1", "2"):
            ping = f"<iq type='get' id='p{id_}' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>"
            romeo.send(ping + named(id_))
        assert await juliet.texts() == ["1", "2"]
        store = died(house, romeo, juliet)
    async with after(store).open() as later:
        await juliet.resume(later)
        await romeo.resume(later)
        assert romeo.told == 1
        romeo.send("<presence/>" + named("1") + "<presence/>" + named("3"))
        await later.settle()
        assert romeo.error == "resource-constraint"
        assert await juliet.texts() == []
        romeo.forget_connection()
        await romeo.resume(later)
        assert romeo.told == 4, "the last is still its client's"


async def test_crash_again_and_again_before_and_behind_every_resumption(autojump_clock: MockClock) -> None:
    async with friends().open() as house:
        romeo, juliet = await couple(house)
        romeo.send(chat(BALCONY, "0"))
        await house.settle()
        store, handled = died(house, romeo, juliet), juliet.handled - 1
    sent, heard = ["0"], []
    for number in range(1, 6):
        async with after(store).open() as later:
            await romeo.resume(later)
            romeo.send(chat(BALCONY, number))  # while Juliet is away
            sent.append(str(number))
            romeo.ask()
            assert (await romeo.acks())[-1] == 1 + len(sent)
            if number % 2:
                assert (await juliet.resume(later, handled)).tag == RESUMED
                heard += await juliet.texts()
                romeo.send(chat(BALCONY, f"{number}, lost on the wire"))
                sent.append(f"{number}, lost on the wire")
                await later.settle()
                handled = juliet.handled - 1
                romeo.ask()
                assert (await romeo.acks())[-1] == 1 + len(sent)
                store = died(later, romeo, juliet)
            else:
                store = died(later, romeo)
    async with after(store).open() as last:
        assert (await juliet.resume(last, handled)).tag == RESUMED
        heard += await juliet.texts()
    assert heard == sent


async def test_crash_right_behind_the_mark_before_the_client_was_told(autojump_clock: MockClock) -> None:
    """It comes back with the same `h`, which by then is the mark's."""
    async with friends().open() as house:
        romeo, juliet = await couple(house)
        romeo.send(chat(BALCONY, "1") + chat(BALCONY, "2"))
        assert await juliet.texts() == ["1", "2"]
        store, handled = died(house, romeo, juliet), juliet.handled - 1
    pictures: list[MemoryStore] = []

    def probe(at: Point, _slot: Slot[Any], message: object) -> None:
        if at is Point.BEFORE_DECIDE and isinstance(message, SessionSaved):
            pictures.append(photograph(store))

    async with after(store).open() as later:
        later.runtime.probe = probe
        await juliet.resume(later, handled)
        juliet.forget_connection()
    async with after(pictures[0]).open() as last:
        assert (await juliet.resume(last, handled)).tag == RESUMED
        assert await juliet.texts() == ["2"]
        juliet.acknowledge()
        await trio.sleep(20)
        await romeo.resume(last)
        romeo.ask()
        await trio.sleep(20)
        assert kept(last) == []


async def test_crash_two_resources_share_one_record(autojump_clock: MockClock) -> None:
    async with friends().open() as house:
        romeo, balcony = await couple(house)
        window = await appear(house, WINDOW)
        await balcony.hears()
        romeo.send(chat(JULIET, "to both"))
        assert await window.texts() == ["to both"]
        window.acknowledge()
        await window.nonzas()
        store, handled = died(house, romeo, balcony, window), balcony.handled - 1
    async with after(store).open() as later:
        await window.resume(later)
        assert await window.texts() == []
        await balcony.resume(later, handled)
        assert await balcony.texts() == ["to both"]
        balcony.acknowledge()
        await romeo.resume(later)
        await trio.sleep(20)
        assert kept(later) == []


async def test_crash_message_for_a_hibernating_session_from_somebody_unmanaged_is_not_lost(
    autojump_clock: MockClock,
) -> None:
    async with friends().open() as house:
        juliet, romeo = await appear(house, BALCONY), await house.appear(ORCHARD)
        await juliet.hears()
        juliet.acknowledge()
        juliet.hang_up()
        romeo.send(chat(BALCONY, "1") + chat(JULIET, "2"))
        await house.settle()
        store = died(house)
    async with after(store).open() as later:
        assert (await juliet.resume(later)).tag == RESUMED
        assert await juliet.texts() == ["1", "2"]


async def test_crash_what_left_the_log_while_it_was_read_reaches_nobody(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with friends().open() as house:
        juliet = await appear(house, BALCONY)
        await house.settle()
        store, account = died(house, juliet), house.account(JULIET)
    store.open()
    reserved = replace(account, rev=account.rev + 1, log_reserved=500)
    record = make_record(JULIET, 1, data=chat(JULIET, "had").encode(), pending=True)
    store.commit([ReplaceUser(reserved, account.rev), InsertRecord(record)])
    async with after(store).open() as later:
        ledger = later.server.ledger_of(parse_jid(JULIET))
        parcel = logged_parcel(ledger, 1, 0, None)

        async def read_slowly(access: StoreAccess, user: User) -> Sequence[LogRecord]:
            records = await read_undelivered(access, user)
            assert [record.seq for record in records] == [1]
            store.commit([SettleRecords(JULIET, (1,), keep=False)])
            ledger.settled([parcel])
            return records

        monkeypatch.setattr(presence_load, "read_undelivered", read_slowly)
        assert (await juliet.resume(later)).tag == RESUMED
        assert await juliet.texts() == []


async def test_crash_offline_messages_handed_over_come_back_in_their_places(
    autojump_clock: MockClock,
) -> None:
    async with House().open() as house:
        romeo = await appear(house, ORCHARD)
        romeo.send("".join(chat(JULIET, number) for number in range(3)))
        await house.settle()
        juliet = await managed(house, BALCONY)
        juliet.send("<presence/>")
        assert await juliet.texts() == ["0", "1", "2"]
        romeo.send(chat(JULIET, "3"))
        assert await juliet.texts() == ["3"]
        assert juliet.handled == 5, "her own presence is among them"
        store = died(house, romeo, juliet)
    async with after(store).open() as later:
        await juliet.resume(later, 2)
        assert await juliet.texts() == ["2", "3"]


@pytest.mark.parametrize("has_read", [True, False])
async def test_crash_when_messages_of_an_ended_session_had_gone_to_another_resource(
    autojump_clock: MockClock, has_read: bool
) -> None:
    """It has them, or gets them; once."""
    async with friends().open() as house:
        romeo, balcony = await couple(house)
        window = await appear(house, WINDOW)
        balcony.hang_up()
        romeo.send(chat(BALCONY, "1") + chat(BALCONY, "2"))
        await house.settle()
        house.session_of(balcony.client.jid).ref.tell(HibernationOver())
        before = window.handled
        assert await window.texts() == ["1", "2"]
        store = died(house, romeo, window)
    async with after(store).open() as later:
        await window.resume(later, None if has_read else before)
        assert await window.texts() == ([] if has_read else ["1", "2"])
        window.acknowledge()
        await romeo.resume(later)
        await trio.sleep(60)
        assert kept(later) == []
