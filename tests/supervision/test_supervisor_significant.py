"""Supervisors that end when their significant children have (OTP: significant_*, nonsignificant_*)."""

import pytest
from trio.testing import wait_all_tasks_blocked

from supervision.child_spec import AutoShutdown, ChildSpec, Intensity, Restart, Strategy
from supervision.exit_reason import ExitReason, Normal, Shutdown
from supervision.supervisor import StartChild, supervisor_spec
from tests.supervision.stage import Finish, Message, Raise, Stage

ENDED = Shutdown("its significant children have ended")
CRASH = Raise(ValueError("broken"))
FINISH = Finish(Normal())
ANY, ALL, NEVER = AutoShutdown.ANY_SIGNIFICANT, AutoShutdown.ALL_SIGNIFICANT, AutoShutdown.NEVER


async def reason_after(
    children: list[ChildSpec], stage: Stage, auto_shutdown: AutoShutdown, *ends: tuple[str, Message]
) -> ExitReason | None:
    """How the root has ended after these children have; none if it has not."""
    async with stage.supervising(*children, auto_shutdown=auto_shutdown):
        for id_, message in ends:
            await stage.end(f"/{id_}", message)
        return stage.ended


@pytest.mark.parametrize("auto_shutdown", [ANY, ALL])
@pytest.mark.parametrize("how", [FINISH, CRASH])
@pytest.mark.parametrize("restart", [Restart.TEMPORARY, Restart.TRANSIENT])
async def test_nonsignificant_child_does_not_end_its_supervisor(
    restart: Restart, how: Message, auto_shutdown: AutoShutdown
) -> None:
    """OTP: nonsignificant_temporary, nonsignificant_transient."""
    stage = Stage()
    children = [stage.spec("plain", restart), stage.spec("other", Restart.TEMPORARY, significant=True)]
    assert await reason_after(children, stage, auto_shutdown, ("plain", how)) is None


@pytest.mark.parametrize("how", [FINISH, CRASH])
async def test_significant_temporary_ends_its_supervisor_however_it_ended(how: Message) -> None:
    stage = Stage()
    children = [stage.spec("s", Restart.TEMPORARY, significant=True), stage.spec("other")]
    assert await reason_after(children, stage, ANY, ("s", how)) == ENDED
    assert stage.log[-1] == "-other"


async def test_significant_transient_ends_its_supervisor_when_it_is_done() -> None:
    stage = Stage()
    children = [stage.spec("s", Restart.TRANSIENT, significant=True)]
    assert await reason_after(children, stage, ANY, ("s", FINISH)) == ENDED


async def test_significant_transient_that_crashes_is_restarted() -> None:
    stage = Stage()
    children = [stage.spec("s", Restart.TRANSIENT, significant=True)]
    assert await reason_after(children, stage, ANY, ("s", CRASH)) is None


async def test_significant_any_needs_one_of_them() -> None:
    stage = Stage()
    children = [stage.spec(id_, Restart.TRANSIENT, significant=True) for id_ in ("s", "t")]
    assert await reason_after(children, stage, ANY, ("s", FINISH)) == ENDED


async def test_significant_all_needs_all_of_them() -> None:
    stage = Stage()
    children = [stage.spec(id_, Restart.TRANSIENT, significant=True) for id_ in ("s", "t")]
    assert await reason_after(children, stage, ALL, ("s", FINISH)) is None
    stage = Stage()
    children = [stage.spec(id_, Restart.TRANSIENT, significant=True) for id_ in ("s", "t")]
    assert await reason_after(children, stage, ALL, ("s", FINISH), ("t", FINISH)) == ENDED


async def test_significant_bystander_that_its_supervisor_stops_does_not_count() -> None:
    """Only a child that ends by itself takes the supervisor along."""
    stage = Stage()
    children = [stage.spec("a"), stage.spec("s", Restart.TEMPORARY, significant=True)]
    async with stage.supervising(*children, strategy=Strategy.ONE_FOR_ALL, auto_shutdown=ANY):
        await stage.end("/a", CRASH)
        assert stage.incarnations("a") == [2]
        assert stage.ended is None


async def test_significant_child_that_is_terminated_on_request_does_not_count() -> None:
    stage = Stage()
    async with stage.supervising(stage.spec("s", Restart.TRANSIENT, significant=True), auto_shutdown=ANY):
        assert await stage.remove("s")
        await wait_all_tasks_blocked()
        assert stage.ended is None


async def test_significant_escalation_ends_a_significant_supervisor_in_turn() -> None:
    stage = Stage()
    inner = supervisor_spec(
        "inner",
        [stage.spec("s", Restart.TRANSIENT, significant=True)],
        auto_shutdown=ANY,
        restart=Restart.TRANSIENT,
        significant=True,
    )
    async with stage.supervising(inner, stage.spec("other"), auto_shutdown=ANY):
        await stage.end("/inner/s", FINISH)
    assert stage.ended == ENDED
    assert stage.log == ["+s", "+other", "-s", "-other"]


async def test_significant_escalation_of_a_permanent_supervisor_restarts_it() -> None:
    stage = Stage()
    spec = stage.spec("s", Restart.TRANSIENT, significant=True)
    inner = supervisor_spec("inner", [spec], auto_shutdown=ANY, intensity=Intensity(1, 1.0))
    async with stage.supervising(inner):
        await stage.end("/inner/s", FINISH)
        assert stage.incarnations("inner", "inner/s") == [2, 1]


def test_significant_child_of_a_supervisor_that_never_shuts_down_is_refused() -> None:
    spec = Stage().spec("s", Restart.TRANSIENT, significant=True)
    with pytest.raises(ValueError, match="child s cannot be significant"):
        supervisor_spec("root", [spec])


async def test_significant_child_added_to_such_a_supervisor_is_refused() -> None:
    stage = Stage()
    async with stage.supervising() as tree:
        with pytest.raises(ValueError, match="child s cannot be significant"):
            await tree.root.ref.call(
                lambda reply: StartChild(stage.spec("s", Restart.TRANSIENT, significant=True), reply)
            )
        assert not stage.is_there("/s")
