"""Messages for the server itself, or for a service beside it: given to the modules that want them.

They are dealt with in their senders' own tasks, in the order in which they came, and what follows from one is
sent in the same step. All that is made of one holds its receipt (`PartReceipt`), so that its sender is told
that it was handled when everything is safe.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Final, final

from actors import routing
from actors.fates import MessageFate
from actors.gates import outgoing_fault
from actors.hook_runner import in_order
from actors.module import OnServerMessage
from actors.presence_effects import ForgetItem, HaveAllLook, KeepItem, Send, SendToAvailable
from actors.presence_messages import LookAgain
from actors.receipt import PartReceipt
from protocols.conditions import StanzaCondition
from protocols.errors import StanzaError
from protocols.jid import parse_jid
from protocols.stanza import Fanout

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.module import Module
    from actors.module_host import ModuleHost
    from actors.presence_effects import ServerEffect
    from actors.server import Server
    from protocols.jid import JID
    from protocols.stanza import Stanza

_AWAY: Final = StanzaError(
    StanzaCondition.RESOURCE_CONSTRAINT, "this cannot be done just now; try again in a moment"
)
_FAILED: Final = StanzaError(StanzaCondition.INTERNAL_SERVER_ERROR)
_NOBODY: Final = StanzaError(StanzaCondition.SERVICE_UNAVAILABLE)


@final
class ServerMessages:
    """One per server."""

    def __init__(self, server: Server, host: ModuleHost, modules: Sequence[Module]) -> None:
        self._server = server
        self._host = host
        self._hooks = in_order(modules, OnServerMessage)

    def take(self, stanza: Stanza) -> None:
        """Let the modules in turn say what becomes of a message; one that nobody wants is refused."""
        for module, hook in self._hooks:
            try:
                effects = hook.handle(self._host.context(module, stanza.to), stanza)
            except StanzaError as error:
                routing.send_back(self._server, stanza, error)
                return
            except Exception as error:  # noqa: BLE001  # reported; what it would have done nobody guesses
                self._host.failed(module, hook.handle, error)
                routing.send_back(self._server, stanza, _FAILED)
                return
            if effects is not None:
                self._carry_out(stanza, effects)
                return
        routing.send_back(self._server, stanza, _NOBODY)

    def _carry_out(self, cause: Stanza, effects: Sequence[ServerEffect]) -> None:
        """What is to be kept is committed before anybody is told of it."""
        items = [effect for effect in effects if isinstance(effect, KeepItem | ForgetItem)]
        others = [effect for effect in effects if not isinstance(effect, KeepItem | ForgetItem)]
        if not items:
            self._tell(cause, others)
            return
        kept, receipt = self._server.items, cause.receipt
        reply = self._server.store.submit(tuple(kept.write_for(item) for item in items))
        if receipt is not None:
            receipt.hold()

        def committed() -> None:
            if reply.succeeded:
                for item in items:
                    kept.changed(item)
                self._tell(cause, others)
            else:
                routing.send_back(self._server, cause, _AWAY)
            if receipt is not None:
                receipt.release()

        if reply.is_filled:
            committed()
        else:
            reply.on_filled = committed

    def _tell(self, cause: Stanza, effects: Sequence[Send | SendToAvailable | HaveAllLook]) -> None:
        parts = count()
        for effect in effects:
            match effect:
                case Send(stanza):
                    self._send_part(cause, stanza, next(parts))
                case SendToAvailable(stanza):
                    fanout = Fanout(stanza, self._server.domain)
                    for jid in self._available():
                        self._send_part(cause, fanout.to(jid), next(parts))
                case HaveAllLook():
                    for jid in dict.fromkeys(each.bare_jid for each in self._available()):
                        self._server.tell_user(jid, LookAgain())

    def _available(self) -> list[JID]:
        """The full addresses of all who are there, in the order in which they are known."""
        return [
            parse_jid(entry.bare_jid).with_resource(resource)
            for entry in self._server.directory.users.values()
            for resource in entry.route.priorities
        ]

    def _send_part(self, cause: Stanza, stanza: Stanza, part: int) -> None:
        stanza.receipt = None if cause.receipt is None else PartReceipt(cause.receipt, part)
        self._send(stanza)

    def _send(self, stanza: Stanza) -> None:
        """What goes out in the name of an account passes its gate as if it had sent it to each by itself."""
        sender = stanza.sender
        entry = None if sender is None else self._server.directory.users.get(sender.bare)
        fault = None if entry is None else outgoing_fault(entry.bare_jid, entry.guards, stanza)
        if fault is None:
            routing.send(self._server, stanza)
        else:
            self._answer(stanza, fault)

    def _answer(self, stanza: Stanza, fault: StanzaError) -> None:
        """What its own gate stops its client hears of straight: the gate would stop the answer as well."""
        answer = routing.refusal(stanza, fault)
        session = None if answer is None or answer.to is None else self._server.directory.session(answer.to)
        if answer is not None and session is not None:
            self._server.fates.note(MessageFate.REFUSED, answer)
            routing.carry_out(self._server, routing.ToSession(session, answer))
