"""The module host: the modules that run, their handlers by what they handle, and the box that each runs in.

A handler that raises a `StanzaError` answers with it. One that fails otherwise is reported, the request gets
`internal-server-error`, and everything else goes on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, final

from actors import routing
from actors.module import AccountContext, DomainContext, Module, Request, Scope
from actors.presence_effects import PresenceEffect, Refuse
from protocols.conditions import StanzaCondition
from protocols.errors import StanzaError
from protocols.stanza import PayloadName, Stanza, build_error, build_iq_result
from store.errors import StoreUnavailable
from supervision.actor import Actor
from supervision.child_spec import ChildSpec, Restart
from supervision.exit_reason import ExitReason, Normal
from supervision.reply import Reply

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from actors.module import AccountIq, DomainHandler, DomainIq
    from actors.presence_state import PresenceState
    from actors.server import Server
    from store.log import LogRecord
    from store.users import User
    from supervision.ref import Ref
    from supervision.slot import Slot

JOB_GRACE_SECONDS: Final = 2.0

_STORE_AWAY: Final = StanzaError(
    StanzaCondition.RESOURCE_CONSTRAINT, "the database is away; try again in a moment"
)
_UNKNOWN: Final = StanzaError(StanzaCondition.SERVICE_UNAVAILABLE)


class ModuleFaultError(Exception):
    """The modules do not fit together; says which and why."""


class HandlerFailed(NamedTuple):
    """A report: a module's handler raised what it should not have."""

    module: str
    handler: str
    error: BaseException


class _Bound(NamedTuple):
    """A handler and the module it belongs to."""

    module: Module
    handler: Any


_Key = tuple[PayloadName, str]


@final
class ModuleHost:
    """One per server."""

    def __init__(self, server: Server, modules: Sequence[Module], options: Mapping[str, object]) -> None:
        """Index what the modules declare.

        Raises:
            ModuleFaultError: two modules handle the same request, or one needs another that does not run.
        """
        self._server = server
        self.modules: tuple[Module, ...] = tuple(sorted(modules, key=lambda module: module.priority))
        self._options = options
        self._domain: dict[_Key, _Bound] = {}
        self._account: dict[_Key, _Bound] = {}
        self._stranger: dict[_Key, _Bound] = {}
        names = {module.name for module in modules}
        for module in self.modules:
            missing = [need for need in module.needs if need not in names]
            if missing:
                raise ModuleFaultError(f"module {module.name} needs {', '.join(missing)}")
            _index(self._domain, module, module.domain_iqs)
            _index(self._account, module, module.account_iqs)
            _index(self._stranger, module, module.stranger_iqs)

    # -- contexts

    def domain_context(self, module: Module) -> DomainContext:
        """What a handler of this module for the domain may know."""
        server = self._server
        options = self._options.get(module.name)
        return DomainContext(server.domain, server.world, self.modules, options, server.accounts)

    def account_context(self, state: PresenceState, user: User) -> Callable[[Module], AccountContext]:
        """What a handler for this account may know, module by module."""
        server = self._server

        async def pending(count_max: int) -> Sequence[LogRecord]:
            return await server.store.read_pending(user.bare_jid, user.log_reserved, count_max)

        def make(module: Module) -> AccountContext:
            return AccountContext(
                domain=server.domain,
                world=server.world,
                modules=self.modules,
                options=self._options.get(module.name),
                limits=server.settings.limits,
                jid=state.jid,
                user=user,
                priorities=state.priorities,
                pending_count=state.pending_count,
                pending=pending,
            )

        return make

    # -- requests to an account, in its presence actor

    async def run_account_iq(
        self, make_context: Callable[[Module], AccountContext], stanza: Stanza
    ) -> Sequence[PresenceEffect]:
        """Let the handler for this request say what is to be done."""
        bound = self._find(self._account, stanza)
        if bound is None:
            return [Refuse(_UNKNOWN)]
        declared: AccountIq = bound.handler
        context = make_context(bound.module)
        if declared.scope is Scope.OWNER and (
            stanza.sender is None or stanza.sender.bare != context.jid.bare
        ):
            return [Refuse(StanzaError(StanzaCondition.FORBIDDEN))]
        try:
            return await declared.handle(context, Request(stanza))
        except (StanzaError, StoreUnavailable):
            raise
        except Exception as error:  # noqa: BLE001  # one module's fault is not the account's
            self._failed(bound.module, declared.handle, error)
            return [Refuse(StanzaError(StanzaCondition.INTERNAL_SERVER_ERROR))]

    async def run_undelivered(
        self, make_context: Callable[[Module], AccountContext], stanza: Stanza
    ) -> Sequence[PresenceEffect] | None:
        """Ask the modules in turn what becomes of a message that no session can take.

        None if nobody knows.
        """
        for module in self.modules:
            if module.undelivered is None:
                continue
            effects = await module.undelivered(make_context(module), stanza)
            if effects is not None:
                return effects
        return None

    async def run_available(
        self, make_context: Callable[[Module], AccountContext], session: Ref[Any]
    ) -> list[PresenceEffect]:
        """Collect what modules do for a resource that can take messages from now on."""
        effects: list[PresenceEffect] = []
        for module in self.modules:
            if module.available is not None:
                effects += await module.available(make_context(module), session)
        return effects

    # -- requests to the domain, each in a task of its own

    def start_domain_iq(self, stanza: Stanza) -> None:
        """Answer a request to the domain, soon."""
        bound = self._find(self._domain, stanza)
        if bound is None:
            routing.send_back(self._server, stanza, _UNKNOWN)
            return
        reply: Reply[Stanza] = Reply()

        def answered() -> None:
            routing.send(self._server, reply.result())

        reply.on_filled = answered
        self._start_job(bound, stanza, reply)

    def answer_stranger(self, stanza: Stanza) -> Reply[Stanza]:
        """Answer a request from a connection that has not logged in."""
        reply: Reply[Stanza] = Reply()
        bound = self._find(self._stranger, stanza)
        if bound is None:
            reply.set(build_error(stanza, _UNKNOWN))
        else:
            self._start_job(bound, stanza, reply)
        return reply

    def _start_job(self, bound: _Bound, stanza: Stanza, reply: Reply[Stanza]) -> None:
        declared: DomainIq = bound.handler
        context = self.domain_context(bound.module)

        async def run() -> None:
            reply.set(await self._run_domain(bound.module, declared.handle, context, stanza))

        number = self._server.next_number()
        spec = ChildSpec(
            f"{bound.module.name}#{number}", lambda slot: Job(slot, run), Restart.TEMPORARY, JOB_GRACE_SECONDS
        )
        slot = self._server.jobs.start_child(spec)
        failure = build_error(stanza, StanzaError(StanzaCondition.INTERNAL_SERVER_ERROR))

        def closed(_slot: Slot[None], _reason: ExitReason) -> None:
            if not reply.is_filled:
                reply.set(failure)

        slot.on_close(closed)

    async def _run_domain(
        self, module: Module, handle: DomainHandler, context: DomainContext, stanza: Stanza
    ) -> Stanza:
        try:
            return build_iq_result(stanza, await handle(context, Request(stanza)))
        except StanzaError as error:
            return build_error(stanza, error)
        except StoreUnavailable:
            return build_error(stanza, _STORE_AWAY)
        except Exception as error:  # noqa: BLE001  # one module's fault is not the server's
            self._failed(module, handle, error)
            return build_error(stanza, StanzaError(StanzaCondition.INTERNAL_SERVER_ERROR))

    def _find(self, table: Mapping[_Key, _Bound], stanza: Stanza) -> _Bound | None:
        return None if stanza.payload is None else table.get((stanza.payload, stanza.type))

    def _failed(
        self, module: Module, handler: Callable[..., Awaitable[object]], error: BaseException
    ) -> None:
        self._server.note(HandlerFailed(module.name, getattr(handler, "__name__", repr(handler)), error))


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


def _index(table: dict[_Key, _Bound], module: Module, handlers: Sequence[AccountIq | DomainIq]) -> None:
    for handler in handlers:
        for type_ in handler.types:
            key = (handler.payload, type_)
            if key in table:
                raise ModuleFaultError(
                    f"modules {table[key].module.name} and {module.name} both handle "
                    f"{type_} of {handler.payload.name} in {handler.payload.namespace}"
                )
            table[key] = _Bound(module, handler)
