"""What a connection asks of others while it negotiates; each answer comes back as a message."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, final

from actors.connection_answers import (
    credentials_answer,
    guest_answer,
    password_answer,
    registration_answer,
    replacement_answer,
    resumption_answer,
)
from actors.connection_messages import Filled
from actors.outlet import ChangedOutlet
from actors.session_messages import Resume, ResumeAccepted
from actors.session_start import choose_address, start_session
from protocols.errors import StanzaError
from protocols.negotiation_values import (
    BindRefused,
    BindResource,
    Bound,
    FetchCredentials,
    LoginFailed,
    MakeGuest,
    ReplaceKeys,
    RequestRegistration,
    ResumeSession,
    VerifyPassword,
)
from protocols.sasl.keys import verify_plain
from supervision.reply import Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.connection_messages import ConnectionMessage
    from actors.connection_state import ConnectionState
    from actors.outlet import Outlet
    from actors.server import Server
    from actors.session_messages import ResumeOutcome
    from protocols.jid import JID
    from protocols.negotiation_values import Answer
    from supervision.ref import Ref

R = TypeVar("R")

Request = (
    FetchCredentials
    | VerifyPassword
    | ReplaceKeys
    | LoginFailed
    | RequestRegistration
    | MakeGuest
    | BindResource
    | ResumeSession
)
"""The actions of a negotiation that are for others to carry out."""


@final
class Requests:
    """One for each incarnation of a connection."""

    def __init__(
        self,
        server: Server,
        ref: Ref[ConnectionMessage],
        state: ConnectionState,
        answered: Callable[[Answer], None],
    ) -> None:
        """Make one; what is known at once goes to `answered`, the rest comes as messages."""
        self._server = server
        self._ref = ref
        self._state = state
        self._answered = answered

    def make(self, request: Request) -> None:
        """Ask whoever knows."""
        server, state = self._server, self._state
        match request:
            case FetchCredentials(account):
                self._when(server.store.read_credentials(account.bare), credentials_answer)
            case VerifyPassword(password, keys):
                reply = server.world.hashing.submit(lambda: verify_plain(password, keys))
                self._when(reply, password_answer)
            case ReplaceKeys(account, before, after):
                self._when(server.accounts.replace_keys(account, before, after), replacement_answer)
            case LoginFailed():
                server.login_failed(state.peer, request)
            case RequestRegistration(stanza):
                self._when(server.answer_registration(stanza, state.peer), registration_answer)
            case MakeGuest(account):
                self._when(server.accounts.make_guest(account), guest_answer)
            case BindResource(jid, is_fixed):
                self._bind(jid, is_fixed=is_fixed)
            case ResumeSession():
                self._resume(request)

    def _when(self, reply: Reply[R], convert: Callable[[Reply[R]], Answer]) -> None:
        """Tell ourselves when the answer is there; what it is may be a fault, for us to die of."""

        def told() -> None:
            self._ref.tell(Filled(reply, convert))

        if reply.is_filled:
            told()
        else:
            reply.on_filled = told

    def _bind(self, wanted: JID, *, is_fixed: bool) -> None:
        state = self._state
        try:
            jid = choose_address(self._server, wanted, is_fixed=is_fixed)
            state.session = start_session(self._server, jid, self._outlet(), self._ref, state.lang)
        except StanzaError as error:
            self._answered(BindRefused(error))
        else:
            self._answered(Bound(jid))

    def _outlet(self) -> Outlet:
        """Where the session writes; some streams are not written to as others."""
        state = self._state
        assert state.negotiation is not None
        change = self._server.modules.hooks.output(state.negotiation.bits)
        return state.outlet if change is None else ChangedOutlet(state.outlet, change)

    def _resume(self, request: ResumeSession) -> None:
        reply: Reply[ResumeOutcome] = Reply()
        self._when(reply, self._resumed)
        resume = Resume(request.h, self._ref, self._outlet(), reply)
        self._server.resume(request.account, request.previd, resume, is_guest=request.is_guest)

    def _resumed(self, reply: Reply[ResumeOutcome]) -> Answer:
        if reply.succeeded and isinstance(outcome := reply.result(), ResumeAccepted):
            self._state.session, self._state.via = outcome.session, outcome.via
        return resumption_answer(reply)
