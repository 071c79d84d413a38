"""The module host: the modules that run, their handlers by what they handle, and the box that each runs in.

A handler that raises a `StanzaError` answers with it. One that fails otherwise is reported, the request gets
`internal-server-error`, and everything else goes on; a hook that fails is reported and skipped.
"""

from __future__ import annotations

from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple, TypedDict, final

import trio

from actors import routing
from actors.account_items import AccountItems, FoundItems
from actors.accounts import Accounts
from actors.domain_items import DomainItems
from actors.form_keys import FormKeys
from actors.gates import UNKNOWN, Guards, NamedGuard, shut
from actors.hook_runner import HookRunner, in_order
from actors.module import (
    AccountContext,
    Asker,
    Context,
    Gate,
    ModuleFaultError,
    Request,
    StrangerContext,
)
from actors.offline_queue import OfflineQueue
from actors.presence_effects import Answer, PresenceEffect, Refuse, Send
from actors.presence_guards import may_reach
from actors.presence_rules import shares_presence
from actors.request_tables import find_handler, hosts_of, strangers_of
from actors.server_messages import ServerMessages
from protocols.conditions import StanzaCondition
from protocols.errors import StanzaError
from protocols.stanza import Stanza, build_error, build_iq_result
from store.errors import StoreUnavailable
from supervision.actor import Actor
from supervision.child_spec import ChildSpec, Restart
from supervision.dynamic_supervisor import NotAcceptingError
from supervision.exit_reason import ExitReason, Normal
from supervision.reply import CallError, Reply

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

    from actors.gates import Guard, Notes
    from actors.module import Module
    from actors.offline_queue import Waiting
    from actors.presence_effects import AccountEffect, DomainEffect
    from actors.presence_state import PresenceState
    from actors.request_tables import Host
    from actors.server import Server
    from actors.settings import LimitSettings
    from protocols.jid import JID
    from store.users import User
    from supervision.slot import Slot

JOB_SECONDS_MAX: Final = 90.0
"""How long a handler for the domain may take; what it may wait for has shorter deadlines."""
JOB_GRACE_SECONDS: Final = 2.0

_AWAY: Final = StanzaError(
    StanzaCondition.RESOURCE_CONSTRAINT, "this cannot be done just now; try again in a moment"
)
_BUSY: Final = StanzaError(StanzaCondition.RESOURCE_CONSTRAINT, "too many requests are being answered")
_FAILED: Final = StanzaError(StanzaCondition.INTERNAL_SERVER_ERROR)
_FORBIDDEN: Final = StanzaError(StanzaCondition.FORBIDDEN)
_UNKNOWN: Final = StanzaError(StanzaCondition.SERVICE_UNAVAILABLE)


class _Common(TypedDict):
    """The fields of `Context`."""

    domain: JID
    host: JID
    limits: LimitSettings
    modules: Sequence[Module]
    now_ms: Callable[[], int]
    started_ms: int
    new_token: Callable[[], str]
    admins: frozenset[str]
    chosen_options: object
    interfaces: Mapping[type, object]


class HandlerFailed(NamedTuple):
    """A report: a module's handler raised what it should not have."""

    module: str
    handler: str
    error: BaseException


@final
class ModuleHost:
    """One per server."""

    def __init__(self, server: Server, modules: Sequence[Module], options: Mapping[str, object]) -> None:
        """Index what the modules declare.

        Args:
            server: What handlers are given parts of.
            modules: Those that run.
            options: By module, an instance of what it declares as its options; defaults where there is none.

        Raises:
            ModuleFaultError: two modules have one name, handle the same request or bring the same service,
                or one needs what there is not.
        """
        self._server = server
        self.modules = tuple(modules)
        self._options = {
            module.name: options.get(module.name, module.options())
            for module in modules
            if module.options is not None
        }
        self._shared: dict[type, object] = {
            Accounts: server.accounts,
            DomainItems: server.items,
            FoundItems: FoundItems(server.store),
            FormKeys: server.form_keys,
        }
        _check(modules, {*self._shared, OfflineQueue, AccountItems})
        self._hosts = hosts_of(server.domain, modules)
        self._domain = self._hosts[server.domain.full]
        self.services = frozenset(self._hosts) - {server.domain.full}
        self._strangers = strangers_of(modules)
        self.hooks = HookRunner(self, modules)
        self.messages = ServerMessages(server, self, modules)
        self._gates: dict[Callable[[User, Notes], Guard | None], Module] = {}
        for module, gate in in_order(modules, Gate):
            self._gates.setdefault(gate.guard, module)

    # -- contexts

    def _host_of(self, to: JID | None) -> Host:
        """Who is asked by this address; an account is one of the domain's."""
        return self._domain if to is None else self._hosts.get(to.domainpart, self._domain)

    def _common(
        self, module: Module, host: Host | None = None, more: Mapping[type, object] = MappingProxyType({})
    ) -> _Common:
        """What all contexts have; `more` are interfaces besides those that are the same for everybody."""
        server = self._server
        there = {**self._shared, **more}
        return {
            "domain": server.domain,
            "host": (host or self._domain).jid,
            "limits": server.settings.limits,
            "modules": self.modules,
            "now_ms": server.world.now_ms,
            "started_ms": server.started_ms,
            "new_token": server.world.new_token,
            "admins": server.admins,
            "chosen_options": self._options.get(module.name),
            "interfaces": {each: there[each] for each in module.uses if each in there},
        }

    def context(self, module: Module, to: JID | None = None) -> Context:
        """What a hook may know that is not about an account, but perhaps about the host of this address."""
        return Context(**self._common(module, self._host_of(to)))

    def account_context(
        self, module: Module, state: PresenceState, user: User, host: Host | None = None
    ) -> AccountContext:
        """What a handler may know that is about this account."""
        server, ledger = self._server, self._server.ledger_of(state.jid)
        late = self.hooks.late if state.guards is None else partial(self._late, state)
        queue = OfflineQueue(server.store, user, ledger, state.pending, server.names, late)
        items = AccountItems(self._server.store, user.bare_jid)
        return AccountContext(
            **self._common(module, host, {OfflineQueue: queue, AccountItems: items}),
            jid=state.jid,
            user=user,
            priorities=state.priorities,
            notes=state.all_notes,
            is_guest=state.jid.bare in server.guests,
        )

    # -- gates

    @property
    def unknown_guards(self) -> Guards | None:
        """Those of an account of which nobody knows yet what it wants checked; None if no module asks."""
        return UNKNOWN if self._gates else None

    def guards_of(self, state: PresenceState) -> Guards | None:
        """The guards of an account whose document has been read; None if there is nothing to check."""
        if not self._gates or state.user is None:
            return None
        guards = []
        for make, module in self._gates.items():
            try:
                guard: Guard | None = make(state.user, state.all_notes)
            except Exception as error:  # noqa: BLE001  # reported, and what it would check is not guessed
                self.failed(module, make, error)
                guard = shut
            if guard is not None:
                guards.append(NamedGuard(module, guard))
        return Guards(guards, self._guard_failed) if guards else None

    def _late(self, state: PresenceState, waiting: Waiting) -> Waiting | None:
        """Nobody is to have what came before its sender was shut out."""
        return self.hooks.late(waiting) if may_reach(state, waiting.stanza, None) else None

    def _guard_failed(self, guard: NamedGuard, error: BaseException) -> None:
        self.failed(guard.module, guard.guard, error)

    # -- in an account's presence actor

    async def run_account_iq(
        self, state: PresenceState, user: User, stanza: Stanza
    ) -> Sequence[PresenceEffect]:
        """Let the handler for this request say what is to be done.

        Raises:
            StanzaError: the request is refused.
            StoreUnavailable: the database is away.
        """
        host = self._host_of(stanza.to)
        found = find_handler(host.accounts, stanza)
        if found is None:
            raise StanzaError(StanzaCondition.SERVICE_UNAVAILABLE)
        module, declared = found
        _admit(declared.asker, state, stanza)
        try:
            effects = await declared.handle(self.account_context(module, state, user, host), Request(stanza))
            _answer_in(effects)
        except (StanzaError, StoreUnavailable):
            raise
        except Exception as error:  # noqa: BLE001  # one module's fault is not the account's
            self.failed(module, declared.handle, error)
            return [Refuse(_FAILED)]
        return effects

    # -- for the domain, each in a task of its own

    def start_domain_iq(self, stanza: Stanza) -> None:
        """Answer a request to the domain or to a service, soon."""
        host = self._host_of(stanza.to)
        found = find_handler(host.domain, stanza)
        if found is None:
            self._ask_account(host, stanza)
            return
        module, declared = found
        context = Context(**self._common(module, host))
        reply = self._start_job(module, stanza, lambda: declared.handle(context, Request(stanza)))

        def answered() -> None:
            routing.send(self._server, reply.result())

        if reply.is_filled:
            answered()
        else:
            reply.on_filled = answered

    def _ask_account(self, host: Host, stanza: Stanza) -> None:
        """A host may be asked about the sender's own account, which then answers in its name."""
        found, asker = find_handler(host.accounts, stanza), stanza.sender
        is_for_all = host is not self._domain
        if found is None or asker is None or not (is_for_all or found[1].to_domain):
            routing.send_back(self._server, stanza, _UNKNOWN)
        elif asker.domainpart != self._server.domain.domainpart:
            routing.send_back(self._server, stanza, _FORBIDDEN)
        elif not self._server.hand_to_account(asker.bare_jid, stanza):
            routing.send_back(self._server, stanza, _BUSY)

    def answers_strangers(self, namespace: str) -> bool:
        """Whether any module takes requests in this namespace from connections that have not logged in."""
        return any(payload and payload.namespace == namespace for payload, _type, _node in self._strangers)

    def answer_stranger(self, stanza: Stanza, address: str) -> Reply[Stanza]:
        """Answer a request from a connection that has not logged in, and comes from this IP address."""
        found = find_handler(self._strangers, stanza)
        if found is None:
            reply: Reply[Stanza] = Reply()
            reply.set(build_error(stanza, _UNKNOWN))
            return reply
        module, declared = found
        context = StrangerContext(**self._common(module), address=address)
        return self._start_job(module, stanza, lambda: declared.handle(context, Request(stanza)))

    def _start_job(
        self, module: Module, stanza: Stanza, work: Callable[[], Awaitable[Sequence[DomainEffect]]]
    ) -> Reply[Stanza]:
        """Do the work in a task of its own; the reply is filled whatever becomes of that."""
        reply: Reply[Stanza] = Reply()

        async def run() -> None:
            reply.set(await self._answer(module, stanza, work))

        id_ = f"{module.name}#{self._server.next_number()}"
        spec = ChildSpec(id_, lambda slot: Job(slot, run), Restart.TEMPORARY, JOB_GRACE_SECONDS)
        try:
            slot = self._server.jobs.start_child(spec)
        except NotAcceptingError:
            reply.set(build_error(stanza, _BUSY))
            return reply

        def closed(_slot: Slot[None], _reason: ExitReason) -> None:
            if not reply.is_filled:
                reply.set(build_error(stanza, _FAILED))

        slot.on_close(closed)
        return reply

    async def _answer(
        self, module: Module, stanza: Stanza, work: Callable[[], Awaitable[Sequence[DomainEffect]]]
    ) -> Stanza:
        try:
            with trio.fail_after(JOB_SECONDS_MAX):
                effects = await work()
            answer = _answer_in(effects)
        except StanzaError as error:
            return build_error(stanza, error)
        except (StoreUnavailable, CallError):
            return build_error(stanza, _AWAY)
        except Exception as error:  # noqa: BLE001  # one module's fault is not the server's
            self.failed(module, work, error)
            return build_error(stanza, _FAILED)
        for effect in effects:
            if isinstance(effect, Send):
                routing.send(self._server, effect.stanza)
        return build_iq_result(stanza, answer.payload)

    def failed(self, module: Module, handler: object, error: BaseException) -> None:
        """Report that a module's handler raised what it should not have."""
        self._server.note(HandlerFailed(module.name, getattr(handler, "__qualname__", "?"), error))


@final
class Job(Actor[None, None]):
    """A short supervised task."""

    def __init__(self, slot: Slot[None], work: Callable[[], Awaitable[None]]) -> None:
        super().__init__(slot)
        self._work = work

    async def run(self) -> ExitReason:
        """Do the work, once."""
        await self._work()
        return Normal()


def _check(modules: Sequence[Module], interfaces: Collection[type]) -> None:
    """Whether every module has what it needs."""
    names = [module.name for module in modules]
    for module in modules:
        missing = [
            *(need for need in module.needs if need not in names),
            *(each.__name__ for each in module.uses if each not in interfaces),
        ]
        if missing:
            raise ModuleFaultError(f"module {module.name} needs {', '.join(missing)}")
        if names.count(module.name) > 1:
            raise ModuleFaultError(f"two modules are called {module.name}")


def _admit(asker: Asker, state: PresenceState, stanza: Stanza) -> None:
    """Whether the sender may ask this of the account.

    Raises:
        StanzaError: it may not.
    """
    sender = stanza.sender
    match asker:
        case Asker.OWNER if sender is None or sender.bare != state.jid.bare:
            raise StanzaError(StanzaCondition.FORBIDDEN)
        case Asker.VIEWERS if sender is None or not shares_presence(state, sender):
            raise StanzaError(StanzaCondition.FORBIDDEN)
        case Asker.SUBSCRIBERS if sender is None or not shares_presence(state, sender):
            raise StanzaError(StanzaCondition.SERVICE_UNAVAILABLE)
        case _:
            return


def _answer_in(effects: Sequence[AccountEffect] | Sequence[DomainEffect]) -> Answer:
    """The one answer that a request gets."""
    answers = [effect for effect in effects if isinstance(effect, Answer)]
    if len(answers) != 1:
        raise ModuleFaultError(f"a request gets one answer, not {len(answers)}")
    return answers[0]
