"""The presence actor of one user: the only writer of the account's document.

It owns roster, subscriptions, resources and priorities, publishes the route to the resources, answers
requests to the account through modules, and takes the messages that no session can. For each message it
first awaits what must be awaited (the document, a module's handler, the commit of what changes), then
carries out all effects in one step.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Final, final

from actors import presence_aside as aside
from actors import presence_rules as rules
from actors import subscription_rules
from actors.gates import outgoing_fault
from actors.guests import with_farewell
from actors.presence_apply import PresenceApply
from actors.presence_aside import RESUME_TRIES_MAX
from actors.presence_commit import PresenceCommit
from actors.presence_effects import (
    EndSessions,
    KeepPresence,
    MakeUser,
    NoteResource,
    PassResume,
    PresenceEffect,
    Publish,
    Refuse,
    RemoveAccount,
    SaveUser,
    SetReply,
    TellRoster,
    TryLater,
)
from actors.presence_guards import publish_guards
from actors.presence_hooks import notify
from actors.presence_load import load
from actors.presence_messages import (
    Again,
    Announce,
    CreateAccount,
    DeleteAccount,
    DescribeUser,
    LoadSessions,
    LoggedOut,
    LookAgain,
    OwnMessage,
    OwnPresence,
    OwnSubscription,
    Passivate,
    PassOn,
    Planned,
    PresenceMessage,
    QueueGrew,
    ReplaceKeys,
    ReserveNumbers,
    ResumeStored,
    Routed,
    SessionBound,
    SessionEnded,
    SessionResumed,
    SetCredentials,
    SetDisabled,
)
from actors.presence_routed import STORE_AWAY, RoutedRules
from actors.presence_state import OwnResource, PresenceState
from protocols.conditions import StanzaCondition
from protocols.errors import StanzaError
from protocols.jid import JID
from protocols.sasl.kinds import is_disabled, renewed, with_mark
from protocols.stanza import Stanza, StanzaKind
from store.errors import StoreUnavailable
from store.users import User
from supervision.actor import Actor
from supervision.exit_reason import Shutdown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.server import Server
    from protocols.sasl.keys import ScramKeys
    from supervision.exit_reason import ExitReason
    from supervision.slot import Slot

IDLE_SECONDS: Final = 60.0
"""How long an actor stays with no session, so that a reconnecting client finds it warm."""

_WITHOUT_STORE: Final = frozenset(
    {
        *((StanzaKind.PRESENCE, kind) for kind in ("", "unavailable", "probe")),
        *((StanzaKind.IQ, kind) for kind in ("result", "error")),
        (StanzaKind.MESSAGE, "error"),
    }
)
"""What nobody could be told of if it were refused: who is there, who asks for that, and answers."""

_NO_ACCOUNT: Final = StanzaError(StanzaCondition.SERVICE_UNAVAILABLE)


@final
class Presence(Actor[PresenceMessage, PresenceEffect]):
    """See the module's docstring; made by `presence_start`."""

    awaits: ClassVar[frozenset[type]] = frozenset(
        {
            *(SessionBound, SessionEnded, OwnPresence, OwnSubscription, PassOn, Routed, LoggedOut),
            *(CreateAccount, SetCredentials, ReplaceKeys, SetDisabled, DeleteAccount, DescribeUser),
            *(ReserveNumbers, QueueGrew, LookAgain, Again, Announce),
            *(LoadSessions, ResumeStored, SessionResumed),
        }
    )

    def __init__(self, slot: Slot[PresenceMessage], server: Server) -> None:
        super().__init__(slot)
        self._server = server
        assert isinstance(slot.state, PresenceState)
        self._state = slot.state
        self._commit = PresenceCommit(server, slot.state)
        self._effects = PresenceApply(server, slot.state, slot)
        self._routed = RoutedRules(server, slot.state)

    async def init(self) -> None:
        """See to it that an actor with nothing to do goes to sleep, whatever becomes of its first message."""
        self._state.doubt_document()
        publish_guards(self._server, self._state)
        self._set_passivation()

    # -- prepare: everything that must be awaited

    async def prepare(self, message: PresenceMessage) -> PresenceMessage:
        """Plan the effects of a message and commit those that change the account."""
        try:
            effects = await self._planned(message)
        except StoreUnavailable:
            effects = self._without_store(message)
        except StanzaError as error:
            effects = [Refuse(error)]
        return Planned(message, effects)

    async def _planned(self, message: PresenceMessage) -> Sequence[PresenceEffect]:
        """What follows from a message, committed; a predecessor may have come so far already."""
        submitted = self._state.submitted
        if submitted is None or submitted.message is not message:
            await load(self._server, self._state)
            effects, hooks = await self._plan(message), self._server.modules.hooks
            if hooks.has_notices and not _is_end_of_account(effects):
                effects = [*effects, *await notify(hooks, self._state, message)]
            submitted = self._state.submitted = await self._commit.submit(effects, message)
            if submitted is None:
                return effects
        self.mailbox.acquit()
        await self._commit.wait(submitted.outcomes)
        return submitted.effects

    async def _plan(self, message: PresenceMessage) -> Sequence[PresenceEffect]:
        match message:
            case SessionBound():
                return self._session_bound(message)
            case SessionEnded(jid, session, directed):
                ended = self._session_ended(jid, session, directed)
                return with_farewell(self._server.guests, self._state, ended)
            case OwnPresence():
                return await self._own_presence(message)
            case Announce():
                return await self._announce(message)
            case OwnSubscription(stanza):
                return self._own_subscription(stanza)
            case Routed():
                return await self._routed.plan(message)
            case LoggedOut(at_ms, status):
                return rules.note_logout(self._state, at_ms, status)
            case SessionResumed():
                return await self._session_resumed(message)
            case ReserveNumbers() | QueueGrew() | LookAgain():
                return await self._plan_for_ledger(message)
            case _:
                return await self._plan_for_account(message)

    async def _plan_for_ledger(
        self, message: ReserveNumbers | QueueGrew | LookAgain
    ) -> Sequence[PresenceEffect]:
        """More numbers for it; or a resource for what has come back from it, or is new."""
        state, user = self._state, self._state.user
        if user is None:
            return []
        if isinstance(message, ReserveNumbers):
            await self._commit.reserve(user)
            return []
        if isinstance(message, QueueGrew):
            self._server.ledger_of(state.jid).has_grown = False
            state.pending = None
        best = max(state.priorities.items(), key=lambda each: each[1], default=("", -1))
        return await self._server.modules.hooks.run_available(state, user, best[0]) if best[1] >= 0 else []

    async def _plan_for_account(self, message: PresenceMessage) -> Sequence[PresenceEffect]:
        """What people and modules ask of the account itself."""
        user = self._state.user
        match message:
            case CreateAccount():
                return await self._create(message)
            case SetCredentials(keys, reply):
                save = [] if user is None else [_with_password(user, keys)]
                return [*save, SetReply(reply, user is not None)]
            case ReplaceKeys(before, after, reply):
                has_them = user is not None and before in user.credentials
                save = [_with_keys(user, before, after)] if user is not None and has_them else []
                return [*save, SetReply(reply, has_them)]
            case SetDisabled(disabled, reply):
                return [*_disabling(user, disabled), SetReply(reply, user is not None)]
            case DeleteAccount(reply):
                return [*([] if user is None else [RemoveAccount()]), SetReply(reply, user is not None)]
            case DescribeUser(reply):
                return [SetReply(reply, user)]
            case LoadSessions():
                return with_farewell(self._server.guests, self._state, ())  # they have been loaded by now
            case PassOn() | Again():
                return self._routed.pass_on(message)
            case ResumeStored(sm_id, resume):
                return [PassResume(sm_id, resume)]
            case _:
                raise AssertionError(f"{message} needs no preparation")

    async def _create(self, message: CreateAccount) -> Sequence[PresenceEffect]:
        name = self._state.jid.bare
        is_guests = name in self._server.guests
        if self._state.user is not None or (is_guests and not message.is_guest):
            return [SetReply(message.reply, value=is_guests and message.is_guest)]
        if message.is_guest:
            await self._commit.note_guest()
        user = User(bare_jid=name, rev=1, created_ms=message.at_ms, credentials=message.keys)
        return [MakeUser(user), SetReply(message.reply, value=True)]

    def _own_subscription(self, stanza: Stanza) -> Sequence[PresenceEffect]:
        state = self._state
        if state.user is None:
            return [Refuse(_NO_ACCOUNT)]
        if state.jid.bare in self._server.guests:
            raise StanzaError(StanzaCondition.NOT_ALLOWED, "guests have no contacts")
        fault = outgoing_fault(state.jid.bare, state.guards, stanza)
        return (
            [Refuse(fault)]
            if fault is not None
            else subscription_rules.send_subscription(state, state.user, stanza)
        )

    def _without_store(self, message: PresenceMessage) -> Sequence[PresenceEffect]:
        """The database is away: what needs it is refused for now, what does not goes on."""
        match message:
            case SessionBound():
                return self._session_bound(message)
            case SessionEnded(jid, session, directed):
                return self._session_ended(jid, session, directed)
            case OwnPresence() | Announce():
                return self._own_without_store(message)
            case PassOn() | Again():
                return self._routed.pass_on_without_store(message)
            case LoggedOut() | LoadSessions():
                return []
            case ReserveNumbers():
                self._server.ledger_of(self._state.jid).is_refilling = False  # to be asked for again
                return []
            case ResumeStored(tries=tries) if tries < RESUME_TRIES_MAX:
                return [TryLater(message._replace(tries=tries + 1))]
            case QueueGrew() | LookAgain() | SessionResumed():
                return [TryLater(message)]  # nobody would ask for it again
            case Routed(stanza) if (stanza.kind, stanza.type) in _WITHOUT_STORE:
                return self._routed.plan_without_store(stanza)
            case _:
                return [Refuse(STORE_AWAY)]

    # -- sessions and presence

    def _session_bound(self, message: SessionBound) -> list[PresenceEffect]:
        resource = message.jid.resourcepart
        assert resource is not None
        replaced = (
            rules.end_resource(self._state, message.jid, ()) if resource in self._state.resources else []
        )
        noted = NoteResource(resource, message.session, None)
        user = self._state.user
        is_late = user is not None and is_disabled(user.credentials)  # since it proved who it is
        return [*replaced, noted, *([EndSessions()] if is_late else [])]

    def _session_ended(self, jid: JID, session: object, directed: Sequence[JID]) -> list[PresenceEffect]:
        own = self._state.resources.get(jid.resourcepart or "")
        if own is None or own.session is not session:
            # Another session has the name by now; its binding has told the contacts of the end of this one.
            return rules.take_back(rules.gone(jid), directed)
        return rules.end_resource(self._state, jid, directed)

    async def _session_resumed(self, message: SessionResumed) -> Sequence[PresenceEffect]:
        """Its client knows the presence and the roster of before the crash."""
        state, resource = self._state, message.jid.resourcepart
        own = state.resources.get(resource or "")
        if resource is None or own is None or own.session is not message.session:
            return []  # it has been replaced meanwhile
        effects: list[PresenceEffect] = []
        if message.roster_version is not None:
            effects.append(TellRoster(resource, message.roster_version))
        if own.presence is None:
            return [*effects, NoteResource(resource, own.session, None, is_stale=True)]
        effects += rules.see_again(state, resource, own, message.jid)
        if own.priority >= 0 and state.user is not None:
            effects += await self._server.modules.hooks.run_available(state, state.user, resource)
        return effects

    async def _own_presence(self, message: OwnPresence) -> Sequence[PresenceEffect]:
        stanza, state = message.stanza, self._state
        if stanza.type == "unavailable":
            return self._own_unavailable(message)
        resource, own = self._said_by(message)
        if own is None:
            return []
        priority = rules.parse_priority(stanza)
        if own.presence is None:
            effects = rules.become_available(state, resource, own, stanza, priority)
        else:
            effects = rules.update_presence(state, resource, own, stanza, priority)
        took_none_before = own.presence is None or own.priority < 0
        if priority >= 0 and took_none_before and state.user is not None:
            effects += await self._server.modules.hooks.run_available(state, state.user, resource)
        return [*effects, Publish()]

    def _own_unavailable(self, message: OwnPresence) -> Sequence[PresenceEffect]:
        """Who had been available has been read with all contacts: this needs no database."""
        resource, own = self._said_by(message)
        if own is None:
            return []
        gone = rules.become_unavailable(self._state, own, message.stanza, message.directed)
        return [*gone, NoteResource(resource, own.session, None), Publish()]

    async def _announce(self, message: Announce) -> Sequence[PresenceEffect]:
        """Unless its client has said something else since."""
        return await self._own_presence(message.said) if self._is_kept(message) else []

    def _own_without_store(self, message: OwnPresence | Announce) -> Sequence[PresenceEffect]:
        """What a client announces is kept: it would hardly say that again, and nobody would know of it."""
        if isinstance(message, Announce):
            return [TryLater(message)] if self._is_kept(message) else []
        if message.stanza.type == "unavailable":
            return self._own_unavailable(message)
        resource, own = self._said_by(message)
        return [] if own is None else [KeepPresence(resource, message)]

    def _is_kept(self, message: Announce) -> bool:
        return self._state.kept.get(message.resource) is message.said

    def _said_by(self, message: OwnPresence) -> tuple[str, OwnResource | None]:
        """Which resource said that; None if its session has been replaced meanwhile."""
        sender = message.stanza.sender
        resource = "" if sender is None else sender.resourcepart or ""
        own = self._state.resources.get(resource)
        return resource, own if own is not None and own.session is message.session else None

    # -- decide and apply

    def decide(self, message: PresenceMessage) -> Sequence[PresenceEffect]:
        """Everything has been prepared; what is left is one step."""
        return (message,)  # type: ignore[return-value]  # a planned message carries its effects

    def apply(self, effects: Sequence[Any]) -> None:
        """Carry out what was planned, and count the stanza as dealt with."""
        for message in effects:
            if isinstance(message, Passivate):
                self._passivate()
                continue
            assert isinstance(message, Planned)
            for effect in message.effects:
                self._effects.apply(effect, message.message)
            self._state.submitted = self._state.retried = None
            self._is_done(message.message)
        self._set_passivation()

    def _is_done(self, message: PresenceMessage) -> None:
        """Note that a stanza has been dealt with; see `UserEntry` and `Receipt`."""
        if isinstance(message, Routed):
            self._server.directory.entry(self._state.jid.bare).waiting -= 1
        elif isinstance(message, OwnMessage):
            self._server.directory.entry(self._state.jid.bare).unsettled -= 1
        elif not isinstance(message, Again):
            return
        if message.stanza.receipt is not None:
            message.stanza.receipt.release()

    def set_aside(self, message: PresenceMessage, error: BaseException) -> Sequence[PresenceEffect]:
        """What killed this actor is done once more if it must be, else refused; see `presence_aside`."""
        state = self._state
        effects = aside.instead(state, message, is_again=state.retried is message)
        state.forget_document()
        publish_guards(self._server, state)
        if effects is None:
            state.retried = message
            self.ref.tell(message)  # before everything that waits
            return ()
        ledger = self._server.ledger_of(state.jid)
        ledger.is_refilling &= not isinstance(message, ReserveNumbers)
        ledger.has_grown &= not isinstance(message, QueueGrew)
        if isinstance(message, Routed | PassOn):
            self._server.fates.note_set_aside(message.stanza, None, error)
        if not any(isinstance(effect, TryLater) for effect in effects):
            super().set_aside(message, error)
        return (Planned(message, effects),)  # type: ignore[return-value]  # as in `decide`

    def broken(self, _error: BaseException) -> None:
        """The document is read anew; the resources stand, since only sessions could tell of them again."""
        submitted = self._state.submitted
        self._state.forget_document()
        self._state.submitted = submitted  # whether it was committed decides what its sender is told

    async def terminate(self, reason: ExitReason) -> None:
        """The server stops: what was handed here before is dealt with, and what must last is written."""
        if isinstance(reason, Shutdown):
            await self.handle_rest()

    # -- going to sleep

    def _set_passivation(self) -> None:
        if not self._state.resources and self._state.passivation is None:
            self._state.passivation = self.slot.send_after(IDLE_SECONDS, Passivate())

    def _passivate(self) -> None:
        """One step: with nothing waiting and nobody here the slot closes; a later message opens another."""
        self._state.passivation = None
        waiting = self.mailbox.queue or len(self.mailbox.control or ()) > 1 or self.slot.timers
        if self._state.resources or waiting:
            return
        if self._state.jid.bare in self._server.guests:
            self.ref.tell(LoadSessions())  # whatever it was that it did not go with its last session
        else:
            self.retire()


def _with_password(user: User, keys: tuple[ScramKeys, ...]) -> SaveUser:
    return SaveUser(replace(user, credentials=renewed(user.credentials, keys)))


def _disabling(user: User | None, disabled: bool) -> list[PresenceEffect]:
    if user is None:
        return []
    keys = with_mark(user.credentials, is_disabled=disabled)
    return [SaveUser(replace(user, credentials=keys)), *([EndSessions()] if disabled else [])]


def _with_keys(user: User, before: ScramKeys, after: ScramKeys) -> SaveUser:
    keys = tuple(after if each == before else each for each in user.credentials)
    return SaveUser(replace(user, credentials=keys))


def _is_end_of_account(effects: Sequence[PresenceEffect]) -> bool:
    """Whether there is nothing any more for modules to change."""
    return any(isinstance(effect, RemoveAccount) for effect in effects)
