"""The registry: what it counts, and the directory that it makes anew from what lives."""

import pytest

from actors.gates import UNKNOWN
from actors.presence_messages import OwnSubscription
from actors.presence_state import PresenceState
from actors.registry import Count, DirectoryCount, Rebuild, rebuilt
from actors.server import Server
from protocols.jid import parse_jid
from protocols.stanza import build_message, build_presence
from supervision.report import ChildTerminated
from tests.actors.gate_support import gated
from tests.actors.house import House

ROMEO, STREET = "romeo@localhost/orchard", "romeo@localhost/street"
JULIET = "juliet@localhost/balcony"


def seen(server: Server) -> dict[str, object]:
    """All that the directory says, in a form that compares."""
    return {
        jid: (entry.presence, entry.sessions, entry.route, entry.waiting)
        for jid, entry in server.directory.users.items()
    }


async def ask(house: House, question: type[Count] | type[Rebuild]) -> DirectoryCount:
    assert house.server.registry is not None
    return await house.server.registry.call(question)


async def kill_registry(house: House) -> None:
    assert house.server.registry is not None
    house.server.registry.kill()
    await house.settle()
    assert [report.path for report in house.forgive() if isinstance(report, ChildTerminated)] == ["/registry"]


async def test_count_knows_bound_and_available_apart() -> None:
    async with House().open() as house:
        assert await ask(house, Count) == DirectoryCount(users=0, sessions=0, available=0)
        await house.appear(ROMEO)
        await house.appear(STREET, "<priority>-1</priority>")
        juliet = await house.log_in(JULIET)
        assert await ask(house, Count) == DirectoryCount(users=2, sessions=3, available=2)
        juliet.hang_up()
        await house.settle()
        assert await ask(house, Count) == DirectoryCount(users=1, sessions=2, available=2)


async def test_killed_registry_is_followed_by_the_same_directory() -> None:
    house = House()
    house.befriend("romeo@localhost", "juliet@localhost")
    async with house.open():
        await house.appear(ROMEO, "<priority>5</priority>")
        await house.appear(STREET, "<priority>-1</priority>")
        await house.log_in(JULIET)
        before, old = seen(house.server), house.server.directory
        await kill_registry(house)
        assert house.server.directory is not old
        assert seen(house.server) == before
        assert before["romeo@localhost"] is not None


async def test_killed_registry_nobody_at_either_end_notices() -> None:
    async with House().open() as house:
        romeo, juliet = await house.appear(ROMEO), await house.appear(JULIET)
        for number in range(3):
            romeo.send(f"<message to='juliet@localhost' type='chat'><body>{number}</body></message>")
            await kill_registry(house)
            romeo.send(f"<message to='{JULIET}' type='chat'><body>{number}b</body></message>")
        bodies = [text.partition("<body>")[2].partition("<")[0] for text in await juliet.hears()]
        assert bodies == ["0", "0b", "1", "1b", "2", "2b"]
        assert await romeo.hears() == []
        assert (romeo.is_open, juliet.is_open) == (True, True)


async def test_count_in_hand_at_a_kill_is_answered_by_the_successor() -> None:
    async with House().open() as house:
        await house.log_in(ROMEO)
        assert house.server.registry is not None
        slot = house.server.registry.slot
        slot.kill()
        assert (await ask(house, Count)).sessions == 1
        assert slot.incarnation == 2
        house.forgive()


async def test_rebuild_mends_a_directory_that_has_gone_wrong() -> None:
    async with House().open() as house:
        for jid in (ROMEO, STREET, JULIET):
            await house.appear(jid)
        right = seen(house.server)
        romeo = house.server.directory.users.pop("romeo@localhost")
        house.server.directory.entry("nobody@localhost").sessions["x"] = romeo.sessions["orchard"]
        assert await ask(house, Rebuild) == DirectoryCount(users=2, sessions=3, available=3)
        assert seen(house.server) == right


async def test_rebuilt_knows_the_guards_of_documents_that_have_been_read() -> None:
    async with gated(None).open() as house:
        await house.appear(JULIET)
        await house.appear(ROMEO)
        actor = house.presence_of("juliet@localhost")
        assert actor is not None
        assert isinstance(actor.state, PresenceState)
        users = rebuilt(house.server).users
        assert users["juliet@localhost"].guards is actor.state.guards is not None
        assert users["romeo@localhost"].guards is None
        actor.state.forget_document()
        assert rebuilt(house.server).users["juliet@localhost"].guards is UNKNOWN


async def test_rebuilt_leaves_out_a_session_that_is_on_its_way_out() -> None:
    async with House().open() as house:
        await house.appear(ROMEO)
        await house.appear(STREET)
        dying = house.session_of(parse_jid(ROMEO))
        dying.mailbox.is_open = False  # as in the tick in which it retires
        entry = rebuilt(house.server).users["romeo@localhost"]
        assert set(entry.sessions) == {"street"}
        assert set(entry.route.priorities) == {"street"}
        dying.mailbox.is_open = True


async def test_rebuilt_gives_a_name_to_the_younger_of_two_sessions() -> None:
    """A client came back under the same name, and the server has not finished with its old stream."""
    async with House().open() as house:
        old = await house.appear(ROMEO)
        new = await house.log_in(ROMEO)
        await house.settle()
        assert (old.is_open, old.error) == (False, "conflict")
        younger = house.session_of(parse_jid(ROMEO))
        await kill_registry(house)
        assert house.session_of(parse_jid(ROMEO)) is younger
        assert new.is_open
        # The older one's presence went with it.
        assert (await ask(house, Count)) == DirectoryCount(users=1, sessions=1, available=0)


async def test_rebuilt_counts_stanzas_that_wait_for_a_presence_actor() -> None:
    """While they wait, others must go the same way behind them."""
    async with House().open() as house:
        server, juliet = house.server, parse_jid("juliet@localhost")
        letter = build_message(to=juliet, sender=parse_jid(ROMEO), type="chat", content=b"<body>hi</body>")
        for _ in range(3):
            assert server.hand_to_user(letter)
        before = seen(server)  # nobody has had a turn yet
        server.directory = rebuilt(server)
        assert server.directory.users["juliet@localhost"].waiting == 3
        assert seen(server) == before
        await house.settle()
        assert server.directory.users["juliet@localhost"].waiting == 0


async def test_rebuilt_counts_what_a_user_s_own_clients_have_sent() -> None:
    """What they send behind a subscription goes behind it, whichever directory is asked."""
    async with House().open() as house:
        server, romeo = house.server, parse_jid("romeo@localhost")
        asks = build_presence(to=parse_jid("juliet@localhost"), sender=romeo, type="subscribe")
        assert server.hand_to_own(romeo, OwnSubscription(asks), asks.size)
        server.directory = rebuilt(server)
        assert server.directory.users["romeo@localhost"].unsettled == 1
        await house.settle()
        assert server.directory.users["romeo@localhost"].unsettled == 0


@pytest.mark.parametrize("seed", range(5))
async def test_killed_registry_at_any_moment_leaves_the_directory_true(
    seed: int, autojump_clock: object
) -> None:
    """Sessions come and go while it dies, as the seed will have it; in the end all is as it should be."""
    async with House(seed=seed, with_delays=True, limits={"restarts_max": 1_000}).open() as house:
        for round_ in range(4):
            client = await house.log_in(f"romeo@localhost/{round_}")
            client.send("<presence/>")
            assert house.server.registry is not None
            house.server.registry.kill()
            if round_ % 2:
                client.log_out()
        await house.settle()
        house.forgive()
        assert await ask(house, Count) == DirectoryCount(users=1, sessions=2, available=2)
        before = seen(house.server)
        await ask(house, Rebuild)
        assert seen(house.server) == before
