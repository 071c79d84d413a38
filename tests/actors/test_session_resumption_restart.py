"""What becomes of requests and their answers when the server stops in good order and another one goes on."""

from dataclasses import replace

import pytest
import trio
from trio.testing import MockClock

from protocols.jid import parse_jid
from protocols.stanza import Stanza, build_iq
from store.writes import SaveSession
from tests.actors.house import House
from tests.actors.managed_client import ManagedClient
from tests.actors.managed_house import BALCONY, ORCHARD, after, couple, friends

ASK = f"<iq type='get' to='{BALCONY}' id='1'><ping xmlns='urn:xmpp:ping'/></iq>"
ANSWER = f"<iq type='result' to='{ORCHARD}' id='1'/>"


def iqs(stanzas: list[str]) -> list[str]:
    return [each for each in stanzas if each.startswith("<iq") and "roster" not in each]


async def stopped(house: House, *clients: ManagedClient) -> None:
    """The server ends, and so do their connections."""
    for client in clients:
        client.forget_connection()
    await house.stop()


async def test_answer_to_one_who_is_still_in_the_database_waits_for_it(autojump_clock: MockClock) -> None:
    async with friends().open() as house:
        romeo, juliet = await couple(house)
        romeo.send(ASK)
        assert len(iqs(await juliet.hears())) == 1
        await stopped(house, romeo, juliet)
    async with after(house.store).open() as later:
        await juliet.resume(later)
        juliet.send(ANSWER)
        await later.settle()
        await romeo.resume(later)
        assert len(iqs(await romeo.hears())) == 1


@pytest.mark.parametrize("is_kept", [False, True])
async def test_request_is_waited_for_where_its_recipient_was_kept_with_it(
    autojump_clock: MockClock, is_kept: bool
) -> None:
    """A document that says less may not have the request."""
    async with friends().open() as house:
        romeo, juliet = await couple(house)
        juliet.hang_up()
        await house.settle()
        romeo.send(ASK)
        await house.settle()
        await stopped(house, romeo)
    (record,) = house.store.session_records([juliet.sm_id or ""])
    house.store.commit([SaveSession(replace(record, is_exact=is_kept))])
    async with after(house.store).open() as later:
        await romeo.resume(later)
        answers = iqs(await romeo.hears())
        assert ["remote-server-timeout" in each for each in answers] == ([] if is_kept else [True])


async def test_iqs_for_a_session_that_nobody_resumes_are_kept_by_a_second_stop(
    autojump_clock: MockClock,
) -> None:
    async with friends().open() as house:
        romeo, juliet = await couple(house)
        juliet.send("<iq type='get' to='romeo@localhost/orchard' id='2'><ping xmlns='urn:xmpp:ping'/></iq>")
        assert len(iqs(await romeo.hears())) == 1
        await stopped(house, romeo, juliet)
    async with after(house.store).open() as second:
        await romeo.resume(second)
        romeo.send(ASK + f"<iq type='result' to='{BALCONY}' id='2'/>")
        await second.settle()
        await stopped(second, romeo)
    async with after(second.store).open() as third:
        await juliet.resume(third)
        heard = iqs(await juliet.hears())
        assert [("ping" in each, 'id="2"' in each) for each in heard] == [(True, False), (False, True)]


def iq(to: str) -> Stanza:
    return build_iq(to=parse_jid(to), sender=parse_jid(ORCHARD), type="result", id="1")


async def test_iq_in_hand_when_its_session_was_left_is_for_the_next_process(
    autojump_clock: MockClock,
) -> None:
    async with friends(limits={"unacked_stanzas_max": 3}).open() as house:
        _romeo, juliet = await couple(house)
        juliet.acknowledge()
        juliet.hang_up()
        await trio.sleep(1)
        (record,) = house.store.session_records([juliet.sm_id or ""])
        house.server.keep_left(replace(record, entries=()))
        for _ in range(5):
            house.server.add_to_left(iq(BALCONY))
        await house.settle()
        (kept,) = house.store.session_records([juliet.sm_id or ""])
        assert [entry.data for entry in kept.entries] == 3 * [iq(BALCONY).data], (
            "no more than are held of any"
        )
