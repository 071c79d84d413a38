"""What a client that resumes has sent and was told nothing of: it is waited for, or expected again."""

import pytest
import trio
from trio.testing import MockClock

from actors.session_messages import HoldOver
from actors.settings import Durability, Settings
from store.memory.faults import Fault
from supervision.runtime import KillHere, Point
from supervision.slot import Slot
from tests.actors.house import House
from tests.actors.house_client import Client
from tests.actors.managed_client import ManagedClient, died
from tests.actors.managed_house import (
    BALCONY,
    FAILED,
    ORCHARD,
    RESUMED,
    after,
    chat,
    couple,
    friends,
    slow,
)

AWAY = "<presence><show>away</show></presence>"
SENT = [chat(BALCONY, "1"), AWAY, chat(BALCONY, "2")]
PRESENCE_SENT = 1
"""What each had sent before, when it appeared."""


def _takes_nothing(operation: str) -> Fault | None:
    """The database can be read, or nobody could log in."""
    return Fault.AWAY if operation in {"commit", "ping"} else None


async def nonza_count(client: Client) -> int:
    return len(client.take_others())


@pytest.mark.parametrize("durability", list(Durability))
async def test_resume_client_is_told_all_it_sent_and_need_send_nothing_again(
    autojump_clock: MockClock, durability: Durability
) -> None:
    async with friends(settings=Settings(durability=durability)).open() as house:
        romeo, juliet = await couple(house)
        with slow(house):
            romeo.send("".join(SENT))
            await house.settle()
            romeo.hang_up()
            await romeo.begin_to_resume()
            await trio.sleep(4)
            outcome = await romeo.outcome()
        assert (outcome.tag, outcome.get("h")) == (RESUMED, str(PRESENCE_SENT + 3))
        romeo.send(chat(BALCONY, "behind"))
        assert await juliet.texts() == ["1", "2", "behind"]
        romeo.ask()
        assert (await romeo.acks())[-1] == PRESENCE_SENT + 4


async def test_resume_held_the_old_connection_is_not_heard_any_more(autojump_clock: MockClock) -> None:
    async with friends().open() as house:
        romeo, juliet = await couple(house)
        old = romeo.client
        with slow(house):
            romeo.send(SENT[0])
            await house.settle()
            await romeo.begin_to_resume()
            await trio.sleep(0.1)
            old.send(chat(BALCONY, "from the old connection"))
            await trio.sleep(4)
            assert (await romeo.outcome()).get("h") == str(PRESENCE_SENT + 1)
        assert old.error == "conflict"
        assert await juliet.texts() == ["1"]


async def test_resume_held_client_that_is_lost_meanwhile_resumes_again(autojump_clock: MockClock) -> None:
    async with friends().open() as house:
        romeo, juliet = await couple(house)
        with slow(house):
            romeo.send(SENT[0])
            await house.settle()
            romeo.hang_up()
            await romeo.begin_to_resume()
            romeo.hang_up()
            juliet.send(chat(ORCHARD, "meanwhile"))
            await trio.sleep(10)
        assert romeo.stream.is_hibernating
        outcome = await romeo.resume()
        assert (outcome.tag, outcome.get("h")) == (RESUMED, str(PRESENCE_SENT + 1))
        assert await romeo.texts() == ["meanwhile"]


async def test_resume_held_another_one_takes_its_place(autojump_clock: MockClock) -> None:
    async with friends().open() as house:
        romeo, _juliet = await couple(house)
        other = ManagedClient(house, romeo.client)
        other.sm_id, handled = romeo.sm_id, romeo.handled
        romeo.hang_up()
        romeo.stream.incoming.receive(0)  # somebody has something of its client's in hand
        await romeo.begin_to_resume()
        await trio.sleep(3)
        await other.begin_to_resume(h=handled)
        assert (await romeo.outcome()).tag == FAILED
        await trio.sleep(3)
        assert await nonza_count(other.client) == 0, "it waits its own time"
        await trio.sleep(3)
        assert (await other.outcome()).tag == RESUMED


async def test_resume_held_when_the_time_of_the_session_is_over_goes_on(autojump_clock: MockClock) -> None:
    async with friends(limits={"resume_seconds_max": 100.0}).open() as house:
        romeo, _juliet = await couple(house)
        romeo.hang_up()
        await trio.sleep(97)
        romeo.stream.incoming.receive(0)  # somebody has something of its client's in hand
        await romeo.begin_to_resume()
        await trio.sleep(6)
        assert (await romeo.outcome()).tag == RESUMED


@pytest.mark.parametrize("point", [Point.BEFORE_DECIDE, Point.AFTER_DECIDE, Point.IN_APPLY])
async def test_resume_held_by_a_session_that_dies_is_held_as_long(
    autojump_clock: MockClock, point: Point
) -> None:
    async with friends().open() as house:
        romeo, _juliet = await couple(house)
        kills = [KillHere("chaos")]

        def probe(at: Point, _slot: Slot[object], message: object) -> None:
            if at is point and isinstance(message, HoldOver) and kills:
                raise kills.pop()

        house.runtime.probe = probe
        romeo.hang_up()
        romeo.stream.incoming.receive(0)
        await romeo.begin_to_resume()
        await trio.sleep(4)
        house.session_of(romeo.client.jid).kill()
        await trio.sleep(2)
        assert (await romeo.outcome()).get("h") == str(PRESENCE_SENT)
        assert kills == []
        house.forgive()


# -- the database away


async def away(house: House) -> tuple[ManagedClient, ManagedClient]:
    """Romeo has sent something that is not safe, and has resumed while the database is away."""
    romeo, juliet = await couple(house)
    house.faults = _takes_nothing
    romeo.send("".join(SENT))
    await trio.sleep(10)
    romeo.hang_up()
    assert (await romeo.resume()).get("h") == str(PRESENCE_SENT), "nobody waits for it any more"
    assert await juliet.texts() == ["1", "2"]
    return romeo, juliet


async def test_resume_while_the_database_is_away_is_waited_for_only_so_long(
    autojump_clock: MockClock,
) -> None:
    async with friends().open() as house:
        romeo, _juliet = await couple(house)
        house.faults = _takes_nothing
        romeo.send(SENT[0])
        await house.settle()
        romeo.hang_up()
        await romeo.begin_to_resume()
        await trio.sleep(4)
        assert await nonza_count(romeo.client) == 0
        await trio.sleep(2)
        assert (await romeo.outcome()).get("h") == str(PRESENCE_SENT)


async def test_repeat_counts_once_and_what_comes_behind_is_new(autojump_clock: MockClock) -> None:
    async with friends().open() as house:
        romeo, juliet = await away(house)
        romeo.send("".join(SENT))
        romeo.send(chat(BALCONY, "behind"))
        assert await juliet.texts() == ["behind"]
        house.faults = None
        await trio.sleep(10)
        romeo.ask()
        assert (await romeo.acks())[-1] == PRESENCE_SENT + 4


async def test_repeat_over_one_more_connection_goes_on_where_it_was(autojump_clock: MockClock) -> None:
    async with friends().open() as house:
        romeo, juliet = await away(house)
        romeo.send(SENT[0])
        await house.settle()
        romeo.hang_up()
        assert (await romeo.resume()).get("h") == str(PRESENCE_SENT)
        romeo.send("".join(SENT))
        romeo.send(chat(BALCONY, "behind"))
        assert await juliet.texts() == ["behind"]


async def test_repeat_nothing_is_acknowledged_before_the_client_has_sent_it_as_it_counts(
    autojump_clock: MockClock,
) -> None:
    async with friends().open() as house:
        romeo, _juliet = await away(house)
        house.faults = None
        await trio.sleep(10)
        romeo.ask()
        assert await romeo.acks() == [PRESENCE_SENT]
        romeo.send("".join(SENT))
        assert (await romeo.acks())[-1] == PRESENCE_SENT + 3


@pytest.mark.parametrize("is_back", [False, True])
@pytest.mark.parametrize(
    ("again", "instead"),
    [([], chat(BALCONY, "new")), ([], SENT[1]), (SENT[:1], SENT[2]), (SENT[:2], "<presence/>")],
)
async def test_repeat_that_is_none_ends_the_session_and_is_not_taken(
    autojump_clock: MockClock, again: list[str], instead: str, is_back: bool
) -> None:
    """The client has it, unacknowledged, for its next session: what cannot be numbered is not accepted."""
    async with friends().open() as house:
        romeo, juliet = await away(house)
        if is_back:
            house.faults = None
            await trio.sleep(10)
        romeo.send("".join(again) + instead)
        await trio.sleep(1)
        assert romeo.error == "resource-constraint"
        assert await juliet.texts() == []
        house.faults = None
        await trio.sleep(10)
        romeo.forget_connection()
        outcome = await romeo.resume()
        assert (outcome.tag, outcome.get("h")) == (FAILED, str(PRESENCE_SENT + is_back * len(again)))


async def test_repeat_is_known_by_its_id_however_it_is_written(autojump_clock: MockClock) -> None:
    async with friends().open() as house:
        romeo, juliet = await couple(house)
        house.faults = _takes_nothing
        romeo.send(f"<message to='{BALCONY}' id='m' type='chat'><body>1</body></message>")
        await trio.sleep(10)
        romeo.hang_up()
        await romeo.resume()
        romeo.send(f'<message id="m"  to="{BALCONY}" type="chat"><body>1</body></message>')
        romeo.send(f"<message to='{BALCONY}' id='n' type='chat'><body>1</body></message>")
        assert await juliet.texts() == ["1", "1"]
        assert romeo.error is None


async def test_repeat_a_crash_in_the_middle_of_it_changes_nothing(autojump_clock: MockClock) -> None:
    async with friends().open() as house:
        romeo, juliet = await away(house)
        romeo.send(SENT[0])
        await house.settle()
        store = died(house, romeo, juliet)
    async with after(store).open() as house:
        outcome = await romeo.resume(house)
        assert outcome.get("h") == str(PRESENCE_SENT)
        await juliet.resume(house)
        await juliet.hears()
        romeo.send("".join(SENT))
        assert await juliet.texts() == ["1", "2"], "of which she has seen some before; nobody promised more"


async def test_repeat_stanza_that_kills_is_passed_over_as_well(autojump_clock: MockClock) -> None:
    async with friends().open() as house:
        romeo, juliet = await away(house)

        def probe(at: Point, slot: Slot[object], _message: object) -> None:
            if at is Point.BEFORE_DECIDE and slot.path.startswith(f"/sessions/{ORCHARD}"):
                house.runtime.probe = None
                raise KillHere("chaos")

        house.runtime.probe = probe
        romeo.send("".join(SENT))
        romeo.send(chat(BALCONY, "behind"))
        await trio.sleep(5)
        assert await juliet.texts() == ["behind"]
        assert house.forgive()
