"""Tests of `ops.chaos.kinds`: what the harness can do to a server."""

from ops import faults
from ops.chaos.kinds import KINDS, POINTS, How, kinds_by_default


def test_kinds_are_all_that_the_server_can_kill_and_what_can_be_done_to_it_from_outside() -> None:
    assert set(KINDS) == {
        *faults.KINDS,
        faults.DATABASE_PROCESS,
        faults.SERVER_PROCESS,
        "server",
        "restart",
        "slow database",
        "cut",
        "stall",
    }


def test_kinds_meet_messages_at_points_that_there_are() -> None:
    assert {point for kind in KINDS.values() for point in kind.at} == set(POINTS)
    assert all(kind.how is How.ASK for kind in KINDS.values() if kind.at != (faults.AT_REST,))


def test_actor_kinds_can_be_struck_at_rest_and_at_their_points() -> None:
    for name, kind in faults.KINDS.items():
        assert KINDS[name].at == (faults.AT_REST, *kind.points)


def test_kinds_by_default_spare_the_control_socket_and_what_is_not_ours() -> None:
    own, other = kinds_by_default(own=True), kinds_by_default(own=False)
    assert set(KINDS) - set(own) == {"control"}
    assert set(own) - set(other) == {"server", faults.SERVER_PROCESS, "restart", "slow database"}
