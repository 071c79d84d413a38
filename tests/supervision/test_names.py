"""Names that vanish with their owner."""

import pytest

from supervision.child_spec import ChildSpec, Restart
from supervision.exit_reason import ExitReason, Normal, Shutdown
from supervision.names import NameTable
from supervision.reply import ActorCrashed
from supervision.slot import Slot
from tests.supervision.stage import Finish, Message, Raise, Stage

DONE = Finish(Normal())


def three(stage: Stage) -> list[ChildSpec]:
    return [stage.spec(id_, Restart.TRANSIENT) for id_ in ("a", "b", "c")]


async def test_claim_gives_a_free_name() -> None:
    stage, table = Stage(), NameTable[Message]()
    async with stage.supervising(*three(stage)):
        a = stage.ref("/a")
        assert table.claim("juliet", a) is None
        assert table.lookup("juliet") is a
        assert table.claim("juliet", a) is None
        assert (list(table), len(table)) == (["juliet"], 1)


async def test_claim_of_a_name_that_is_held_tells_the_holder_and_changes_nothing() -> None:
    stage, table = Stage(), NameTable[Message]()
    async with stage.supervising(*three(stage)):
        a, b = stage.ref("/a"), stage.ref("/b")
        table.claim("juliet", a)
        assert table.claim("juliet", b) is a
        assert table.lookup("juliet") is a
        assert table.names(b) == ()


async def test_claim_instead_of_the_holder_takes_the_name_away() -> None:
    stage, table = Stage(), NameTable[Message]()
    async with stage.supervising(*three(stage)):
        a, b = stage.ref("/a"), stage.ref("/b")
        table.claim("juliet", a)
        assert table.claim("juliet", b, instead_of=a) is None
        assert table.lookup("juliet") is b
        await stage.end("/a", DONE)
        assert table.lookup("juliet") is b


async def test_claim_instead_of_somebody_else_is_compare_and_set() -> None:
    stage, table = Stage(), NameTable[Message]()
    async with stage.supervising(*three(stage)):
        a, b, c = (stage.ref(f"/{id_}") for id_ in "abc")
        table.claim("juliet", a)
        assert table.claim("juliet", b, instead_of=c) is a
        assert table.claim("romeo", b, instead_of=a) is None


async def test_names_vanish_in_the_tick_in_which_their_holder_ends() -> None:
    stage, table = Stage(), NameTable[Message]()
    seen: list[object] = []
    async with stage.supervising(*three(stage)):
        a = stage.ref("/a")
        for name in ("juliet", "giulietta"):
            table.claim(name, a)

        def told(_slot: Slot[Message], _reason: ExitReason) -> None:
            seen.append((a.is_alive, table.lookup("juliet"), len(table)))

        a.slot.on_close(told)
        await stage.end("/a", DONE)
    assert seen == [(False, None, 0)]


async def test_names_stay_through_restarts() -> None:
    stage, table = Stage(), NameTable[Message]()
    async with stage.supervising(*three(stage)):
        table.claim("juliet", stage.ref("/a"))
        await stage.end("/a", Raise(ValueError("broken")))
        assert table.lookup("juliet") is stage.ref("/a")


async def test_claim_for_a_slot_that_has_ended_is_refused() -> None:
    """Such a name would never vanish."""
    stage, table = Stage(), NameTable[Message]()
    async with stage.supervising(*three(stage)):
        a = stage.ref("/a")
        a.slot.retire(Shutdown())
        with pytest.raises(ActorCrashed, match="/a has ended and cannot be called juliet"):
            table.claim("juliet", a)
        assert len(table) == 0


async def test_release_gives_a_name_up() -> None:
    stage, table = Stage(), NameTable[Message]()
    async with stage.supervising(*three(stage)):
        a, b = stage.ref("/a"), stage.ref("/b")
        table.claim("juliet", a)
        table.claim("romeo", a)
        assert not table.release("juliet", b)
        assert table.release("juliet", a)
        assert not table.release("juliet", a)
        assert table.names(a) == ("romeo",)


async def test_names_that_come_and_go_leave_nothing_on_a_long_lived_slot() -> None:
    stage, table = Stage(), NameTable[Message]()
    async with stage.supervising(*three(stage)):
        a = stage.ref("/a")
        for number in range(50):
            table.claim(number, a)
        assert a.slot.closing is not None
        assert len(a.slot.closing) == 1
        for number in range(50):
            table.release(number, a)
        assert a.slot.closing == {}
        assert table.names(a) == ()


async def test_one_slot_may_be_in_several_tables() -> None:
    stage, users, rooms = Stage(), NameTable[Message](), NameTable[Message]()
    async with stage.supervising(*three(stage)):
        users.claim("juliet", stage.ref("/a"))
        rooms.claim("balcony", stage.ref("/a"))
        await stage.end("/a", DONE)
        assert (len(users), len(rooms)) == (0, 0)
