"""Whether a child that ended is started again: OTP's table of restart kinds and reasons, cell by cell."""

import pytest

from supervision.child_spec import Restart, Strategy, should_restart
from supervision.exit_reason import Crashed, Normal, Shutdown
from supervision.report import ChildTerminated
from tests.supervision.stage import Finish, Message, Raise, Stage

NORMAL = Finish(Normal())
SHUTDOWN = Finish(Shutdown("had enough"))
ABNORMAL = Raise(ValueError("broken"))


async def end_of_child(restart: Restart, how: Message) -> tuple[Stage, bool, int]:
    """The stage, whether the child is still there, and its incarnation or 0."""
    stage = Stage()
    async with stage.supervising(stage.spec("child", restart)):
        await stage.end("/child", how)
        is_there = stage.is_there("/child")
        return stage, is_there, stage.slot("/child").incarnation if is_there else 0


async def test_permanent_normal_is_restarted() -> None:
    stage, is_there, incarnation = await end_of_child(Restart.PERMANENT, NORMAL)
    assert (is_there, incarnation) == (True, 2)
    assert [report.reason for report in stage.reported(ChildTerminated)] == [Normal()]


async def test_permanent_shutdown_is_restarted() -> None:
    _, is_there, incarnation = await end_of_child(Restart.PERMANENT, SHUTDOWN)
    assert (is_there, incarnation) == (True, 2)


async def test_permanent_abnormal_is_restarted() -> None:
    stage, is_there, incarnation = await end_of_child(Restart.PERMANENT, ABNORMAL)
    assert (is_there, incarnation) == (True, 2)
    (report,) = stage.reported(ChildTerminated)
    assert report == ChildTerminated("/child", 1, Crashed(ABNORMAL.error), ABNORMAL, will_restart=True)


async def test_transient_normal_is_not_restarted() -> None:
    stage, is_there, _ = await end_of_child(Restart.TRANSIENT, NORMAL)
    assert not is_there
    assert stage.reported(ChildTerminated) == []


async def test_transient_shutdown_is_not_restarted() -> None:
    stage, is_there, _ = await end_of_child(Restart.TRANSIENT, SHUTDOWN)
    assert not is_there
    assert stage.reported(ChildTerminated) == []


async def test_transient_abnormal_is_restarted() -> None:
    _, is_there, incarnation = await end_of_child(Restart.TRANSIENT, ABNORMAL)
    assert (is_there, incarnation) == (True, 2)


async def test_temporary_normal_is_not_restarted() -> None:
    stage, is_there, _ = await end_of_child(Restart.TEMPORARY, NORMAL)
    assert not is_there
    assert stage.reported(ChildTerminated) == []


async def test_temporary_shutdown_is_not_restarted() -> None:
    stage, is_there, _ = await end_of_child(Restart.TEMPORARY, SHUTDOWN)
    assert not is_there
    assert stage.reported(ChildTerminated) == []


async def test_temporary_abnormal_is_not_restarted_but_reported() -> None:
    stage, is_there, _ = await end_of_child(Restart.TEMPORARY, ABNORMAL)
    assert not is_there
    (report,) = stage.reported(ChildTerminated)
    assert not report.will_restart


async def test_temporary_bystander_is_stopped_with_its_siblings_and_not_restarted() -> None:
    """OTP: a temporary sibling goes when the strategy stops it, and does not come back."""
    for strategy_of_child in (Restart.PERMANENT, Restart.TRANSIENT):
        stage = Stage()
        children = (stage.spec("first", strategy_of_child), stage.spec("bystander", Restart.TEMPORARY))
        async with stage.supervising(*children, strategy=Strategy.ONE_FOR_ALL):
            await stage.end("/first", ABNORMAL)
            assert stage.incarnations("first") == [2]
            assert not stage.is_there("/bystander")


async def test_temporary_bystander_survives_one_for_one() -> None:
    stage = Stage()
    children = (stage.spec("first"), stage.spec("bystander", Restart.TEMPORARY))
    async with stage.supervising(*children):
        await stage.end("/first", ABNORMAL)
        assert stage.incarnations("first", "bystander") == [2, 1]


@pytest.mark.parametrize("restart", [Restart.PERMANENT, Restart.TRANSIENT])
async def test_killed_child_counts_as_abnormal(restart: Restart) -> None:
    stage = Stage()
    async with stage.supervising(stage.spec("child", restart)):
        await stage.kill("/child")
        assert stage.incarnations("child") == [2]


@pytest.mark.parametrize(
    ("restart", "abnormal", "expected"),
    [
        (Restart.PERMANENT, False, True),
        (Restart.PERMANENT, True, True),
        (Restart.TRANSIENT, False, False),
        (Restart.TRANSIENT, True, True),
        (Restart.TEMPORARY, False, False),
        (Restart.TEMPORARY, True, False),
    ],
)
def test_should_restart_is_otps_table(restart: Restart, abnormal: bool, expected: bool) -> None:
    assert should_restart(restart, abnormal=abnormal) is expected


async def test_faulty_child_does_not_take_its_siblings_along() -> None:
    """A crashing temporary child is its own affair."""
    stage = Stage()
    async with stage.supervising(stage.spec("faulty", Restart.TEMPORARY), stage.spec("sound")):
        await stage.end("/faulty", ABNORMAL)
        assert stage.incarnations("sound") == [1]
        assert stage.ended is None
