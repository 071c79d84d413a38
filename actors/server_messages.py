"""Messages for the server itself, or for a service beside it: given to the modules that want them.

They are dealt with in their senders' own tasks, in the order in which they came, and what follows from one is
sent in the same step. All that is made of one holds its receipt (`PartReceipt`), so that its sender is told
that it was handled when everything is safe.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from actors import routing
from actors.fates import MessageFate
from actors.gates import outgoing_fault
from actors.hook_runner import in_order
from actors.module import OnServerMessage
from actors.receipt import PartReceipt
from protocols.conditions import StanzaCondition
from protocols.errors import StanzaError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.module import Module
    from actors.module_host import ModuleHost
    from actors.presence_effects import Send
    from actors.server import Server
    from protocols.stanza import Stanza

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

    def _carry_out(self, cause: Stanza, effects: Sequence[Send]) -> None:
        for part, effect in enumerate(effects):
            made = effect.stanza
            made.receipt = None if cause.receipt is None else PartReceipt(cause.receipt, part)
            self._send(made)

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
