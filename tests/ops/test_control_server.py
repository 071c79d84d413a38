"""Tests of `ops.control_server`: the real socket in front of a tree whose store is in memory."""

import io
import json
import os
import resource
import socket
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, final

import pytest
import trio

from actors.blocking import PoolFullError
from actors.fates import FateLog, MessageFate
from actors.settings import LogSettings
from ops import control_server
from ops.control import ServerNotRunning, ask, control_address, is_running
from ops.control_protocol import REQUEST_BYTES_MAX, SOCKET_NAME, Command, Refusal, Request
from ops.control_server import Control, control_spec
from ops.faults import Faults
from ops.logs import make_logger
from ops.reports import Reporter
from ops.status import Status
from protocols.jid import parse_jid
from protocols.sasl.keys import verify_plain
from protocols.stanza import build_message
from store.memory.faults import Fault
from supervision.reply import Reply
from supervision.report import ChildTerminated
from supervision.supervisor import StartChild, TerminateChild
from supervision.tree import find
from tests.actors.house import House

NURSE = "nurse@localhost"
PATH = "/control"


@final
class Office:
    """A house that can be asked over its control socket."""

    def __init__(self, house: House, data_dir: Path, fates: FateLog) -> None:
        self.house = house
        self.data_dir = data_dir
        self.fates = fates

    async def ask(self, command: Command, **arguments: Any) -> Any:
        """As the command line asks, with a time-out of its own."""
        return await trio.to_thread.run_sync(partial(ask, self.data_dir, Request(command, arguments)))

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[trio.SocketStream]:
        with trio.fail_after(10):
            with control_address(self.data_dir) as address:
                stream = await trio.open_unix_socket(address)
            async with stream:
                yield stream


@asynccontextmanager
async def office(
    data_dir: Path, house: House | None = None, *, with_faults: bool = False
) -> AsyncIterator[Office]:
    """A house with a control socket in this directory."""
    house = house or House()
    async with house.open(with_sockets=True):
        assert house.tree is not None
        server = house.server
        logger = make_logger(LogSettings(), io.StringIO())
        status = Status(server, Reporter(logger), "1.2.3")
        control = Control(server, status, Faults(house.runtime) if with_faults else None)
        await house.tree.root.ref.call(lambda reply: StartChild(control_spec(control, data_dir), reply))
        yield Office(house, data_dir, server.fates)


# -- accounts


async def test_user_add_makes_an_account_with_this_password(tmp_path: Path) -> None:
    async with office(tmp_path) as desk:
        assert await desk.ask(Command.USER_ADD, jid="NURSE@localhost", password="secret") == {"jid": NURSE}
        keys = desk.house.account(NURSE).credentials
        assert len(keys) == 2
        assert all(verify_plain("secret", each) for each in keys)


@pytest.mark.parametrize(
    ("command", "arguments", "reason"),
    [
        (
            Command.USER_ADD,
            {"jid": "romeo@localhost", "password": "x"},
            "is an account romeo@localhost already",
        ),
        (Command.USER_ADD, {"jid": NURSE, "password": ""}, "password"),
        (Command.USER_ADD, {"jid": NURSE, "password": "\ud800"}, "password"),
        (Command.USER_ADD, {"jid": NURSE}, "user.add needs password, a text"),
        (Command.USER_ADD, {"jid": "nurse@elsewhere", "password": "x"}, "is of another domain"),
        (Command.USER_ADD, {"jid": "\ud800@localhost", "password": "x"}, "is no address"),
        (Command.USER_PASSWD, {"jid": NURSE, "password": "x"}, "there is no account nurse@localhost"),
        (Command.USER_PASSWD, {"jid": "romeo@localhost", "password": ""}, "password"),
        (Command.USER_DISABLE, {"jid": NURSE}, "there is no account nurse@localhost"),
        (Command.USER_ENABLE, {"jid": NURSE}, "there is no account nurse@localhost"),
        (Command.USER_DELETE, {"jid": NURSE}, "there is no account nurse@localhost"),
        (Command.USER_DELETE, {"jid": 7}, "user.delete needs jid, a text"),
    ],
)
async def test_user_command_that_cannot_be_says_why(
    tmp_path: Path, command: Command, arguments: dict[str, Any], reason: str
) -> None:
    async with office(tmp_path) as desk:
        before = desk.house.account("romeo@localhost")
        with pytest.raises(Refusal, match=reason):
            await desk.ask(command, **arguments)
        assert desk.house.account("romeo@localhost") == before
        assert desk.house.store.users(None, 10) == ["juliet@localhost", "romeo@localhost"]


async def test_user_passwd_changes_the_password_of_one_who_is_there(tmp_path: Path) -> None:
    async with office(tmp_path) as desk:
        romeo = await desk.house.log_in("romeo@localhost/orchard")
        result = await desk.ask(Command.USER_PASSWD, jid="romeo@localhost", password="rosemary")
        assert result == {"jid": "romeo@localhost"}
        again = desk.house.connect("romeo@localhost/street")
        await again.begin()
        await again.authenticate("rosemary")
        assert romeo.is_open


async def test_user_disable_shuts_out_until_it_is_enabled(tmp_path: Path) -> None:
    async with office(tmp_path) as desk:
        romeo = await desk.house.log_in("romeo@localhost/orchard")
        result = await desk.ask(Command.USER_DISABLE, jid="romeo@localhost")
        await desk.house.settle()
        assert result == {"jid": "romeo@localhost"}
        assert (romeo.is_open, romeo.error) == (False, "not-authorized")
        await desk.ask(Command.USER_ENABLE, jid="romeo@localhost")
        await desk.house.log_in("romeo@localhost/orchard")


async def test_user_delete_sends_its_clients_away(tmp_path: Path) -> None:
    async with office(tmp_path) as desk:
        romeo = await desk.house.log_in("romeo@localhost/orchard")
        assert await desk.ask(Command.USER_DELETE, jid="romeo@localhost") == {"jid": "romeo@localhost"}
        await desk.house.settle()
        assert (romeo.is_open, romeo.error) == (False, "not-authorized")
        assert desk.house.store.users(None, 10) == ["juliet@localhost"]


async def test_user_list_comes_in_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_server, "USERS_PER_ANSWER_MAX", 2)
    names = [f"user{number}@localhost" for number in range(5)]
    async with office(tmp_path, House(names)) as desk:
        assert await desk.ask(Command.USER_LIST) == {"users": names[:2], "next": names[1]}
        assert await desk.ask(Command.USER_LIST, after=names[1]) == {"users": names[2:4], "next": names[3]}
        assert await desk.ask(Command.USER_LIST, after=names[3]) == {"users": names[4:], "next": None}


async def test_database_away_is_a_refusal_and_no_death(tmp_path: Path) -> None:
    async with office(tmp_path) as desk:
        desk.house.faults = lambda _operation: Fault.AWAY
        with pytest.raises(Refusal):
            await desk.ask(Command.USER_LIST)
        desk.house.faults = None
        assert len((await desk.ask(Command.USER_LIST))["users"]) == 2


async def test_hashing_that_is_overrun_is_a_refusal_and_no_death(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with office(tmp_path) as desk:

        def refuse(_job: object) -> Reply[Any]:
            reply: Reply[Any] = Reply()
            reply.fail(PoolFullError("10000 jobs wait already"))
            return reply

        monkeypatch.setattr(desk.house.pool, "submit", refuse)
        with pytest.raises(Refusal, match="jobs wait already"):
            await desk.ask(Command.USER_ADD, jid=NURSE, password="secret")


# -- looking inside


async def test_status_is_what_status_reads(tmp_path: Path) -> None:
    async with office(tmp_path) as desk:
        await desk.house.log_in("romeo@localhost/orchard")
        read = await desk.ask(Command.STATUS)
        assert (read["version"], read["sessions"], read["database"]) == ("1.2.3", 1, "answers")


async def test_tree_is_the_whole_tree(tmp_path: Path) -> None:
    async with office(tmp_path) as desk:
        await desk.house.log_in("romeo@localhost/orchard")
        root = await desk.ask(Command.TREE)
        assert (root["path"], root["status"]) == ("/", "running")
        below = {node["id"]: node for node in root["children"]}
        assert {"store", "registry", "users", "sessions", "connections", "control"} <= below.keys()
        (session,) = below["sessions"]["children"]
        assert session["path"].startswith("/sessions/romeo@localhost/orchard")
        assert [node["id"] for node in below["store"]["children"]] == ["database", "batcher"]


async def test_why_is_what_the_journal_says(tmp_path: Path) -> None:
    async with office(tmp_path) as desk:
        sender = parse_jid("romeo@localhost/orchard")
        for id_ in ("m1", "m2"):
            stanza = build_message(to=parse_jid("juliet@localhost"), sender=sender, id=id_)
            desk.fates.note(MessageFate.ACCEPTED, stanza, sender)
        answer = await desk.ask(Command.WHY, jid="juliet@localhost")
        assert [message["id"] for message in answer["messages"]] == ["m1", "m2"]
        answer = await desk.ask(Command.WHY, jid="Romeo@localhost", message="m1", count=1)
        assert [message["id"] for message in answer["messages"]] == ["m1"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"jid": "juliet@localhost/balcony"}, "names one of an account's clients"),
        ({"jid": "juliet@elsewhere"}, "is of another domain"),
        ({}, "why needs jid, a text"),
        ({"jid": NURSE}, f"there is no account {NURSE}"),
        ({"jid": "juliet@localhost", "message": 7}, "why needs message, a text"),
        ({"jid": "juliet@localhost", "count": 0}, "why needs count, a number from 1 to 5000"),
        ({"jid": "juliet@localhost", "count": 5_001}, "why needs count"),
        ({"jid": "juliet@localhost", "count": "1"}, "why needs count"),
    ],
)
async def test_why_asked_wrongly_says_why_not(tmp_path: Path, arguments: dict[str, Any], reason: str) -> None:
    async with office(tmp_path) as desk:
        with pytest.raises(Refusal, match=reason):
            await desk.ask(Command.WHY, **arguments)


async def test_fault_where_none_are_made_is_refused(tmp_path: Path) -> None:
    async with office(tmp_path) as desk:
        for command in (Command.FAULT, Command.FAULT_COUNT, Command.FAULT_DISARM):
            with pytest.raises(Refusal, match="it was not started with --faults"):
                await desk.ask(command, kind="registry", at="rest", match="")


async def test_fault_is_made_armed_counted_and_disarmed(tmp_path: Path) -> None:
    async with office(tmp_path, with_faults=True) as desk:
        assert await desk.ask(Command.FAULT, kind="registry", at="rest", match="") == {"killed": 1}
        assert await desk.ask(Command.FAULT, kind="batcher", at="in apply", match="") == {"killed": 0}
        assert await desk.ask(Command.FAULT_DISARM) == {"disarmed": 1}
        count: Any = await desk.ask(Command.FAULT_COUNT)
        ((kind, seconds),) = count["recoveries"]
        assert (count["happened"], kind, count["next"]) == ({"registry at rest": 1}, "registry", 1)
        assert seconds >= 0
        count = await desk.ask(Command.FAULT_COUNT, after=1)
        assert (count["recoveries"], count["next"]) == ([], 1)
        with pytest.raises(Refusal, match="fault needs match, a text"):
            await desk.ask(Command.FAULT, kind="registry", at="rest")
        assert [type(report) for report in desk.house.forgive()] == [ChildTerminated]


# -- the socket


async def test_connection_requests_are_answered_in_order_however_they_are_cut(tmp_path: Path) -> None:
    lines = [b'{"command": "status"}', b"nonsense", b'{"command": "user.list"}', b'{"command": "dance"}']
    data = b"\n".join(lines) + b"\n"
    async with office(tmp_path) as desk, desk.connected() as stream:
        for cut in (1, 30, len(data) - 1):
            await stream.send_all(data[:cut])
            await trio.testing.wait_all_tasks_blocked(0.005)
            await stream.send_all(data[cut:])
            answers = await receive_lines(stream, len(lines))
            assert [answer["ok"] for answer in answers] == [True, False, True, False]
            assert answers[1]["error"] == "this is no JSON"
            assert answers[3]["error"].startswith("no such command")


async def receive_lines(stream: trio.SocketStream, count: int) -> list[dict[str, Any]]:
    data = b""
    while data.count(b"\n") < count:
        received = await stream.receive_some()
        assert received, f"closed behind {data!r}"
        data += received
    return [json.loads(line) for line in data.splitlines()]


async def test_connection_that_says_too_much_is_closed(tmp_path: Path) -> None:
    async with office(tmp_path) as desk:
        async with desk.connected() as stream:
            await stream.send_all(b"x" * (REQUEST_BYTES_MAX + 1))
            assert await stream.receive_some() == b""
        await desk.ask(Command.STATUS)


async def test_connection_of_the_largest_request_is_answered(tmp_path: Path) -> None:
    async with office(tmp_path) as desk, desk.connected() as stream:
        request = b'{"command": "status"}'
        await stream.send_all(request.ljust(REQUEST_BYTES_MAX) + b"\n")
        assert (await receive_lines(stream, 1))[0]["ok"]


async def test_connection_that_is_silent_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_server, "IDLE_SECONDS_MAX", 0.01)
    async with office(tmp_path) as desk, desk.connected() as stream:
        assert await stream.receive_some() == b""


async def test_connection_that_is_silent_keeps_nobody_waiting(tmp_path: Path) -> None:
    async with office(tmp_path) as desk, desk.connected() as one, desk.connected() as other:
        await one.send_all(b'{"command": ')
        await other.send_all(b'{"command": "status"}\n')
        assert (await receive_lines(other, 1))[0]["ok"]


async def test_connection_that_is_broken_ends_alone(tmp_path: Path) -> None:
    async with office(tmp_path) as desk:
        async with desk.connected() as stream:
            await stream.send_all(b'{"command": "tree"}\n' * 100)
        await desk.ask(Command.STATUS)


async def test_socket_is_for_its_owner_only(tmp_path: Path) -> None:
    async with office(tmp_path):
        assert stat.S_IMODE((tmp_path / SOCKET_NAME).stat().st_mode) == 0o600


async def test_socket_left_behind_is_replaced_and_taken_away_in_the_end(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as killed, control_address(tmp_path) as address:
        killed.bind(address)
    async with office(tmp_path) as desk:
        await desk.ask(Command.STATUS)
    assert not (tmp_path / SOCKET_NAME).exists()


async def test_actor_killed_comes_back_with_the_same_socket(tmp_path: Path) -> None:
    async with office(tmp_path) as desk:
        inode = (tmp_path / SOCKET_NAME).stat().st_ino
        tree = desk.house.tree
        assert tree is not None
        slot = find(tree.root, PATH)
        assert slot is not None
        slot.kill()
        assert (await desk.ask(Command.TREE))["path"] == "/"  # whoever connects meanwhile waits
        assert (slot.incarnation, (tmp_path / SOCKET_NAME).stat().st_ino) == (2, inode)
        assert [type(report) for report in desk.house.forgive()] == [ChildTerminated]


async def test_actor_stopped_tells_by_its_absence_that_no_server_runs(tmp_path: Path) -> None:
    async with office(tmp_path) as desk:
        tree = desk.house.tree
        assert tree is not None
        assert is_running(tmp_path)
        await tree.root.ref.call(lambda reply: TerminateChild("control", reply))
        with pytest.raises(ServerNotRunning):
            await desk.ask(Command.STATUS)


async def test_actor_out_of_descriptors_waits_and_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backing_off = trio.Event()

    async def sleep(seconds: float) -> None:
        assert seconds == control_server.BACK_OFF_SECONDS
        backing_off.set()
        await trio.lowlevel.checkpoint()

    async with office(tmp_path):
        with (
            trio.fail_after(10),
            socket.socket(socket.AF_UNIX) as client,
            control_address(tmp_path) as address,
        ):
            with monkeypatch.context() as patch, no_more_descriptors():
                patch.setattr(trio, "sleep", sleep)
                client.connect(address)
                await backing_off.wait()
            client.setblocking(False)
            stream = trio.SocketStream(trio.socket.from_stdlib_socket(client))
            await stream.send_all(b'{"command": "status"}\n')
            assert (await receive_lines(stream, 1))[0]["ok"]


@contextmanager
def no_more_descriptors() -> Iterator[None]:
    """Within this, the process can open nothing."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
