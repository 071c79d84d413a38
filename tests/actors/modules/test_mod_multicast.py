"""XEP-0033: one message for many, as promised to its sender as each of many would be."""

import pytest
import trio
from trio.testing import MockClock

from actors.module import Gate, Module
from actors.modules import MODULES
from actors.modules.mod_multicast import MulticastOptions
from protocols.conditions import StanzaCondition
from protocols.errors import StanzaError
from store.writes import SettleRecords
from tests.actors.house import House
from tests.actors.managed_client import appear as appear_managed
from tests.actors.managed_client import died
from tests.actors.managed_house import JULIET, ORCHARD, after, log, slow, warm

ACCOUNTS = ("romeo@localhost", "juliet@localhost", "nurse@localhost", "tybalt@localhost")
HER = "juliet@localhost/balcony"


def message(*addresses: str, to: str = "localhost", type: str = "chat") -> str:
    inside = "".join(f"<address type='{each.split()[0]}' jid='{each.split()[1]}'/>" for each in addresses)
    header = f"<addresses xmlns='http://jabber.org/protocol/address'>{inside}</addresses>"
    return f"<message to='{to}' id='m' type='{type}'>{header}<body>hi</body></message>"


async def test_multicast_reaches_each_as_a_message_to_him_alone_would() -> None:
    async with House(ACCOUNTS).open() as house:
        juliet, tybalt = await house.appear(HER), await house.appear("tybalt@localhost/sword")
        romeo = await house.log_in(ORCHARD)
        romeo.send(message("to juliet@localhost", "cc nurse@localhost", "bcc tybalt@localhost"))
        (hers,), (his,) = await juliet.hears(), await tybalt.hears()
        assert 'to="juliet@localhost"' in hers
        assert f'from="{ORCHARD}"' in hers
        assert "tybalt" not in hers
        assert 'type="bcc"' in his
        assert "tybalt" not in str(log(house, "nurse@localhost")), "who is away gets it later"
        assert len(log(house, "nurse@localhost")) == 1
        assert await romeo.hears() == []


async def test_multicast_to_one_who_cannot_be_reached_is_answered_for_him_alone() -> None:
    async with House(ACCOUNTS).open() as house:
        juliet, romeo = await house.appear(HER), await house.log_in(ORCHARD)
        romeo.send(message("to nobody@localhost", "to juliet@localhost"))
        (answer,) = await romeo.hears()
        assert 'from="nobody@localhost"' in answer
        assert "service-unavailable" in answer
        assert len(await juliet.hears()) == 1


@pytest.mark.parametrize(
    ("addresses", "condition"),
    [
        (("to juliet@localhost", "to juliet@example.org"), "forbidden"),
        (("to juliet@localhost", "to localhost"), "forbidden"),
        (("to juliet@localhost", "bcc localhost/announce/online"), "forbidden"),
        (("to juliet@localhost", "to a@localhost", "to b@localhost"), "not-acceptable"),
        (("to juliet@localhost", "to @"), "jid-malformed"),
        (("replyto juliet@localhost",), "bad-request"),
    ],
)
async def test_multicast_that_is_refused_reaches_nobody(addresses: tuple[str, ...], condition: str) -> None:
    options = {"multicast": MulticastOptions(addresses_max=2)}
    async with House(ACCOUNTS, options=options).open() as house:
        juliet, romeo = await house.appear(HER), await house.log_in(ORCHARD)
        romeo.send(message(*addresses))
        (answer,) = await romeo.hears()
        assert f"<{condition} " in answer
        assert await juliet.hears() == []


@pytest.mark.parametrize("to", ["juliet@localhost", HER, "localhost/somewhere"])
async def test_header_of_a_message_that_is_not_for_the_server_is_its_recipients_to_read(to: str) -> None:
    async with House(ACCOUNTS).open() as house:
        juliet, romeo = await house.appear(HER), await house.log_in(ORCHARD)
        romeo.send(message("to nurse@localhost", to=to))
        heard = await (romeo if to == "localhost/somewhere" else juliet).hears()
        assert ["service-unavailable" in each for each in heard] == [to == "localhost/somewhere"]
        assert log(house, "nurse@localhost") == []


async def test_multicast_error_goes_nowhere() -> None:
    async with House(ACCOUNTS).open() as house:
        juliet, romeo = await house.appear(HER), await house.log_in(ORCHARD)
        romeo.send(message("to juliet@localhost", type="error"))
        assert await romeo.hears() == await juliet.hears() == []


async def test_multicast_passes_its_senders_gate_as_each_of_many_would() -> None:
    """Whom he does not want to write to he does not write to this way either."""
    fault = StanzaError(StanzaCondition.NOT_ACCEPTABLE)
    gate = Gate(
        lambda user, _notes: (
            None
            if user.bare_jid != "romeo@localhost"
            else lambda passage: fault if passage.peer.bare == JULIET else None
        )
    )
    modules = (*MODULES, Module(name="gate", summary="A gate.", hooks=(gate,)))
    async with House(ACCOUNTS, modules=modules).open() as house:
        juliet, nurse = await house.appear(HER), await house.appear("nurse@localhost/house")
        romeo = await house.appear(ORCHARD)
        romeo.send(message("to juliet@localhost", "to nurse@localhost"))
        (answer,) = await romeo.hears()
        assert "not-acceptable" in answer
        assert 'from="juliet@localhost"' in answer
        assert await juliet.hears() == []
        assert len(await nurse.hears()) == 1


# -- what its sender is promised


async def test_multicast_is_handled_when_all_of_it_is_safe(autojump_clock: MockClock) -> None:
    async with House(ACCOUNTS).open() as house:
        romeo, juliet = await appear_managed(house, ORCHARD), await appear_managed(house, HER)
        await warm(house, JULIET)
        with slow(house):
            romeo.send(message("to juliet@localhost", "cc nurse@localhost"))
            romeo.ask()
            assert await romeo.acks() == [1], "its presence is all that is safe"
            assert await juliet.hears() == []
        await trio.sleep(10)
        assert (await romeo.acks())[-1] == 2
        assert await juliet.texts() == ["hi"]
        numbers = {record.inbound for owner in ACCOUNTS for record in log(house, owner)}
        assert {number.whole for number in numbers if number} == {romeo.sm_id}
        assert romeo.sm_id not in {number.session for number in numbers if number}


async def test_multicast_that_is_logged_for_some_proves_nothing_for_the_others(
    autojump_clock: MockClock,
) -> None:
    """Everything dies when it is in one of two logs: its sender sends it again, and the first has it once."""
    async with House(ACCOUNTS).open() as house:
        romeo = await appear_managed(house, ORCHARD)
        romeo.send(message("to juliet@localhost", "to nurse@localhost"))
        await house.settle()
        store = died(house, romeo)
    store.open()
    store.commit([SettleRecords("nurse@localhost", (1,), keep=False)])
    async with after(store).open() as later:
        resumed = await romeo.resume(later)
        assert resumed.get("h") == "1"
        romeo.send(message("to juliet@localhost", "to nurse@localhost"))
        romeo.ask()
        assert (await romeo.acks())[-1] == 2
        for owner in (JULIET, "nurse@localhost"):
            assert len(log(later, owner)) == 1
