"""The running server's end of the control socket: an actor that answers the command line.

The socket lies in the data directory and is for its owner only. Each connection asks one thing after another,
one JSON object a line; see `control_protocol`.
"""

import errno
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn, final

import trio

from actors.blocking import PoolFullError
from actors.server import Server
from ops.accounts import account_name, kept_kinds
from ops.control import control_address
from ops.control_protocol import (
    MESSAGES_DEFAULT,
    MESSAGES_MAX,
    REQUEST_BYTES_MAX,
    SOCKET_NAME,
    USERS_PER_ANSWER_MAX,
    Command,
    Refusal,
    Request,
    decode_request,
    encode_refusal,
    encode_result,
)
from ops.faults import Faults
from ops.status import Status
from ops.why import why
from protocols.jid import JID, parse_jid
from protocols.sasl.keys import PasswordUnusable
from store.errors import StoreError
from supervision.actor import Actor
from supervision.child_spec import ChildSpec
from supervision.exit_reason import ExitReason
from supervision.reply import CallError
from supervision.slot import Slot
from supervision.tree import NodeSnapshot, snapshot

BACKLOG: Final = 16
IDLE_SECONDS_MAX: Final = 60.0
"""How long a connection may be silent."""
QUERY_SECONDS_MAX: Final = 20.0
BACK_OFF_SECONDS: Final = 0.1
"""How long to wait when the process is out of descriptors."""
OUT_OF_RESOURCES: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

Handler = Callable[["Control", Request], Awaitable[object]]


@final
class Control:
    """What the handlers need."""

    def __init__(self, server: Server, status: Status, faults: Faults | None = None) -> None:
        self.server = server
        self.status = status
        self._faults = faults
        self.root: Slot[Any] | None = None

    async def answer(self, line: bytes) -> bytes:
        """Answers one line with one line."""
        try:
            request = decode_request(line)
            return encode_result(await _HANDLERS[request.command](self, request))
        except Refusal as refusal:
            return encode_refusal(refusal)
        except (PasswordUnusable, StoreError, CallError, PoolFullError) as error:
            return encode_refusal(Refusal(str(error)))

    @property
    def faults(self) -> Faults:
        """Faults on demand.

        Raises:
            Refusal: The server makes none.
        """
        if self._faults is None:
            raise Refusal("this server makes no faults: it was not started with --faults")
        return self._faults

    def account(self, request: Request) -> JID:
        """Returns the account that a request names.

        Raises:
            Refusal: It names none.
        """
        return parse_jid(account_name(request.text("jid"), self.server.domain.full))


async def _add(control: Control, request: Request) -> object:
    jid = control.account(request)
    if not await control.server.accounts.create(jid, request.text("password"), kept_kinds(request)):
        raise Refusal(
            f"there is an account {jid} already; its password is changed by: trouper user passwd {jid}"
        )
    return {"jid": jid.bare}


async def _delete(control: Control, request: Request) -> object:
    jid = control.account(request)
    if not await control.server.accounts.delete(jid):
        raise Refusal(f"there is no account {jid}")
    return {"jid": jid.bare}


async def _disable(control: Control, request: Request) -> object:
    return await _set_disabled(control, request, is_disabled=True)


async def _enable(control: Control, request: Request) -> object:
    return await _set_disabled(control, request, is_disabled=False)


async def _set_disabled(control: Control, request: Request, *, is_disabled: bool) -> object:
    jid = control.account(request)
    if not await control.server.accounts.set_disabled(jid, is_disabled=is_disabled):
        raise Refusal(f"there is no account {jid}")
    return {"jid": jid.bare}


async def _set_password(control: Control, request: Request) -> object:
    jid = control.account(request)
    if not await control.server.accounts.set_password(jid, request.text("password")):
        raise Refusal(f"there is no account {jid}")
    return {"jid": jid.bare}


async def _list(control: Control, request: Request) -> object:
    after = request.arguments.get("after")
    start = after if isinstance(after, str) else None
    query = control.server.store.read(lambda store: store.users(start, USERS_PER_ANSWER_MAX))
    names = await query.wait(QUERY_SECONDS_MAX)
    return {"users": names, "next": names[-1] if len(names) == USERS_PER_ANSWER_MAX else None}


async def _status(control: Control, _request: Request) -> object:
    return await control.status.read()


async def _tree(control: Control, _request: Request) -> object:
    assert control.root is not None
    return _as_object(snapshot(control.root))


async def _why(control: Control, request: Request) -> object:
    account, message = control.account(request), request.arguments.get("message")
    count = request.arguments.get("count", MESSAGES_DEFAULT)
    if not isinstance(count, int) or not 1 <= count <= MESSAGES_MAX:
        raise Refusal(f"why needs count, a number from 1 to {MESSAGES_MAX}")
    if message is not None:
        message = request.text("message")
    return await why(control.server, control.server.fates, account, message, count)


async def _fault(control: Control, request: Request) -> object:
    assert control.root is not None
    kind, at, match = (request.text(name) for name in ("kind", "at", "match"))
    pick = request.arguments.get("pick")
    killed = control.faults.make(
        control.root, kind, at, match, None if pick is None else request.number("pick")
    )
    return {"killed": killed}


async def _disarm(control: Control, _request: Request) -> object:
    return {"disarmed": control.faults.disarm()}


async def _count_faults(control: Control, request: Request) -> object:
    after = request.number("after") if "after" in request.arguments else 0
    recoveries, following = control.faults.recoveries(after)
    return {"happened": dict(control.faults.happened), "recoveries": recoveries, "next": following}


def _as_object(node: NodeSnapshot) -> dict[str, object]:
    return {**node._asdict(), "children": [_as_object(child) for child in node.children]}


_HANDLERS: Final[Mapping[Command, Handler]] = {
    Command.USER_ADD: _add,
    Command.USER_DELETE: _delete,
    Command.USER_PASSWD: _set_password,
    Command.USER_DISABLE: _disable,
    Command.USER_ENABLE: _enable,
    Command.USER_LIST: _list,
    Command.STATUS: _status,
    Command.TREE: _tree,
    Command.WHY: _why,
    Command.FAULT: _fault,
    Command.FAULT_DISARM: _disarm,
    Command.FAULT_COUNT: _count_faults,
}


@final
class ControlListener(Actor[NoReturn, None]):
    """Listens, and answers each connection in a task of its own; one that fails ends alone."""

    def __init__(self, slot: Slot[NoReturn], control: Control, data_dir: Path) -> None:
        super().__init__(slot)
        self._control = control
        self._data_dir = data_dir
        control.root = _root_of(slot)

    async def init(self) -> None:
        """Listens; a socket that a killed server left behind is replaced.

        Raises:
            OSError: The socket cannot be made.
        """
        self._socket: socket.socket = self.slot.keep(lambda: _listen(self._data_dir))

    async def run(self) -> ExitReason:
        """Accepts until asked to stop."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._accept, nursery)
            while self.mailbox.stop is None:
                await self.mailbox.wait()
            nursery.cancel_scope.cancel()
        assert self.mailbox.stop is not None
        return self.mailbox.stop

    async def _accept(self, nursery: trio.Nursery) -> None:
        with trio.socket.from_stdlib_socket(self._socket.dup()) as listening:
            while True:
                try:
                    accepted, _address = await listening.accept()
                except OSError as error:
                    if error.errno not in OUT_OF_RESOURCES:
                        raise
                    await trio.sleep(BACK_OFF_SECONDS)  # whoever asks waits, and nothing need die of it
                else:
                    nursery.start_soon(self._converse, trio.SocketStream(accepted))

    async def _converse(self, stream: trio.SocketStream) -> None:
        """Answers until the other side leaves, falls silent or says too much."""
        buffer = bytearray()
        with trio.move_on_after(IDLE_SECONDS_MAX) as idle:
            async with stream:
                try:
                    async for data in stream:
                        idle.deadline = trio.current_time() + IDLE_SECONDS_MAX
                        buffer += data
                        while b"\n" in buffer:
                            line, _, rest = bytes(buffer).partition(b"\n")
                            buffer = bytearray(rest)
                            self.slot.handled += 1
                            await stream.send_all(await self._control.answer(line))
                        if len(buffer) > REQUEST_BYTES_MAX:
                            return
                except trio.BrokenResourceError:
                    return  # the other side has gone

    async def terminate(self, _reason: ExitReason) -> None:
        """Takes the socket away, so that nobody thinks a server runs here."""
        self._socket.close()
        self.slot.state = None
        (self._data_dir / SOCKET_NAME).unlink(missing_ok=True)

    def decide(self, message: NoReturn) -> Sequence[None]:
        """It has no messages."""
        return message


def _listen(data_dir: Path) -> socket.socket:
    (data_dir / SOCKET_NAME).unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.setblocking(False)
    with control_address(data_dir) as address:
        listening.bind(address)
    (data_dir / SOCKET_NAME).chmod(0o600)
    listening.listen(BACKLOG)
    return listening


def _root_of(slot: Slot[Any]) -> Slot[Any]:
    while slot.parent is not None:
        slot = slot.parent
    return slot


def control_spec(control: Control, data_dir: Path) -> ChildSpec:
    """The child spec."""
    return ChildSpec("control", lambda slot: ControlListener(slot, control, data_dir))
