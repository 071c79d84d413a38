"""The presence actor of one user: the only writer of the account's document.

It owns roster, subscriptions, resources and priorities, publishes the route to the resources, answers
requests to the account through modules, and takes the messages that no session can. For each message it
first awaits what must be awaited (the document, a module's handler, the commit of what changes), then
carries out all effects in one step.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Final, final

from actors import presence_rules as rules
from actors import routing
from actors.presence_effects import (
    Answer,
    DropResource,
    Forget,
    KeepMessage,
    MakeUser,
    NoteInterested,
    NotePending,
    NoteResource,
    PresenceEffect,
    Publish,
    PushRoster,
    Refuse,
    SaveUser,
    Send,
    SendToSession,
    SetReply,
    Settle,
)
from actors.presence_messages import (
    CreateAccount,
    DeleteAccount,
    DescribeUser,
    OwnPresence,
    OwnSubscription,
    Passivate,
    Planned,
    PresenceMessage,
    Routed,
    SessionBound,
    SessionEnded,
    SetCredentials,
)
from actors.presence_state import OwnResource, PresenceState
from actors.session_messages import CloseStream
from protocols.conditions import StanzaCondition, StreamCondition
from protocols.delivery import Delivery
from protocols.errors import StanzaError
from protocols.jid import JID
from protocols.stanza import Stanza, StanzaKind, build_iq, build_iq_result
from store.errors import StoreUnavailable
from store.log import Direction, LogRecord
from store.users import User
from store.writes import Committed, CreateUser, DeleteUser, InsertRecord, ReplaceUser, Write
from supervision.actor import Actor
from supervision.child_spec import ChildSpec, Restart

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from actors.module import AccountContext, Module
    from actors.server import Server
    from protocols.sasl.keys import ScramKeys
    from supervision.reply import Reply
    from supervision.slot import Slot

IDLE_SECONDS: Final = 60.0
"""How long an actor stays with no session, so that a reconnecting client finds it warm."""
SEQ_BLOCK: Final = 100
"""Numbers reserved in the log at a time: one write of the document for so many messages."""
MESSAGES_MAX: Final = 5_000
"""Messages that may wait; a log-in with a thousand contacts brings as many probes at once."""

_STORE_AWAY: Final = StanzaError(
    StanzaCondition.RESOURCE_CONSTRAINT, "the database is away; try again in a moment"
)
_NO_ACCOUNT: Final = StanzaError(StanzaCondition.SERVICE_UNAVAILABLE)


class StaleDocumentError(Exception):
    """The store holds another revision of the document than this actor: somebody else wrote it."""


@final
class Presence(Actor[PresenceMessage, PresenceEffect]):
    """See the module's docstring; made by `start_presence`."""

    awaits: ClassVar[frozenset[type]] = frozenset(
        {
            *(SessionBound, SessionEnded, OwnPresence, OwnSubscription, Routed),
            *(CreateAccount, SetCredentials, DeleteAccount, DescribeUser),
        }
    )

    def __init__(self, slot: Slot[PresenceMessage], server: Server) -> None:
        super().__init__(slot)
        self._server = server
        assert isinstance(slot.state, PresenceState)
        self._state = slot.state

    # -- prepare: everything that must be awaited

    async def prepare(self, message: PresenceMessage) -> PresenceMessage:
        """Plan the effects of a message and commit those that change the account."""
        try:
            await self._load()
            effects = await self._plan(message)
            await self._commit(effects, message)
        except StoreUnavailable:
            effects = self._without_store(message)
        except StanzaError as error:
            effects = [Refuse(error)]
        return Planned(message, effects)

    async def _load(self) -> None:
        state = self._state
        if not state.is_loaded:
            state.user = await self._server.store.read_user(state.jid.bare)
            state.is_loaded = True

    async def _plan(self, message: PresenceMessage) -> Sequence[PresenceEffect]:
        match message:
            case SessionBound():
                return self._session_bound(message)
            case SessionEnded(jid, session, directed):
                return self._session_ended(jid, session, directed)
            case OwnPresence():
                return await self._own_presence(message)
            case OwnSubscription(stanza):
                return rules.send_subscription(self._state, self._existing_user(), stanza)
            case Routed():
                return await self._routed(message)
            case CreateAccount(keys, at_ms, reply):
                return self._create(keys, at_ms, reply)
            case SetCredentials(keys, reply):
                user = self._state.user
                save = [] if user is None else [SaveUser(replace(user, credentials=keys))]
                return [*save, SetReply(reply, user is not None)]
            case DeleteAccount(reply):
                exists = self._state.user is not None
                return [*([Forget()] if exists else []), SetReply(reply, exists)]
            case DescribeUser(reply):
                return [SetReply(reply, self._state.user)]
            case _:
                raise AssertionError(f"{message} needs no preparation")

    def _create(
        self, keys: tuple[ScramKeys, ...], at_ms: int, reply: Reply[bool]
    ) -> Sequence[PresenceEffect]:
        if self._state.user is not None:
            return [SetReply(reply, value=False)]
        user = User(bare_jid=self._state.jid.bare, rev=1, created_ms=at_ms, credentials=keys)
        return [MakeUser(user), SetReply(reply, value=True)]

    def _existing_user(self) -> User:
        if self._state.user is None:
            raise _NO_ACCOUNT
        return self._state.user

    def _without_store(self, message: PresenceMessage) -> Sequence[PresenceEffect]:
        """The database is away: what needs it is refused for now, what does not goes on."""
        match message:
            case SessionBound():
                return self._session_bound(message)
            case SessionEnded(jid, session, directed):
                return self._session_ended(jid, session, directed)
            case _:
                return [Refuse(_STORE_AWAY)]

    # -- sessions and presence

    def _session_bound(self, message: SessionBound) -> list[PresenceEffect]:
        resource = message.jid.resourcepart
        assert resource is not None
        replaced = (
            rules.end_resource(self._state, message.jid, ()) if resource in self._state.resources else []
        )
        return [*replaced, NoteResource(resource, message.session, None)]

    def _session_ended(self, jid: JID, session: object, directed: Sequence[JID]) -> list[PresenceEffect]:
        own = self._state.resources.get(jid.resourcepart or "")
        if own is None or own.session is not session:
            return []  # another session has the name by now, and its binding has told of the end of this one
        return rules.end_resource(self._state, jid, directed)

    async def _own_presence(self, message: OwnPresence) -> Sequence[PresenceEffect]:
        stanza, state = message.stanza, self._state
        assert stanza.sender is not None
        resource = stanza.sender.resourcepart
        own = state.resources.get(resource or "")
        if resource is None or own is None or own.session is not message.session:
            return []  # the session has been replaced meanwhile
        if stanza.type == "unavailable":
            gone = rules.become_unavailable(state, resource, own, stanza, message.directed)
            return [*gone, NoteResource(resource, own.session, None), Publish()]
        priority = rules.parse_priority(stanza)
        if own.presence is None:
            effects = rules.become_available(state, resource, own, stanza, priority)
        else:
            effects = rules.update_presence(state, resource, own, stanza, priority)
        took_none_before = own.presence is None or own.priority < 0
        if priority >= 0 and took_none_before and state.user is not None:
            effects += await self._server.modules.run_available(self._account(state.user), own.session)
        return [*effects, Publish()]

    # -- what was routed here

    async def _routed(self, message: Routed) -> Sequence[PresenceEffect]:
        stanza, state = message.stanza, self._state
        entry = self._server.directory.entry(state.jid.bare)
        delivery = routing.decide_for_user(entry, stanza, exists=state.user is not None)
        match delivery:
            case Delivery.STORE:
                return await self._undelivered(message)
            case Delivery.ACCOUNT:
                return await self._account_request(stanza)
            case Delivery.SUBSCRIPTION:
                return self._subscription(stanza)
            case Delivery.PROBE:
                return rules.answer_probe(state, stanza)
            case Delivery.TO_RESOURCE_IF_SHARING if not self._shares_with(stanza):
                return [Refuse(_NO_ACCOUNT)]
            case _:
                assert stanza.to is not None
                return [_as_effect(each) for each in routing.deliver(entry, stanza.to, stanza, delivery)]

    def _shares_with(self, stanza: Stanza) -> bool:
        return stanza.sender is not None and rules.shares_presence(self._state, stanza.sender)

    async def _undelivered(self, message: Routed) -> Sequence[PresenceEffect]:
        account = self._account(self._existing_user())
        effects = await self._server.modules.run_undelivered(account, message.stanza)
        return [Refuse(_NO_ACCOUNT)] if effects is None else effects

    def _subscription(self, stanza: Stanza) -> Sequence[PresenceEffect]:
        user = self._existing_user()
        is_new = (
            stanza.type == "subscribe"
            and len(user.requests) >= self._server.settings.limits.subscription_requests_max
        )
        if is_new:
            raise StanzaError(StanzaCondition.RESOURCE_CONSTRAINT)
        return rules.receive_subscription(self._state, user, stanza)

    async def _account_request(self, stanza: Stanza) -> Sequence[PresenceEffect]:
        if stanza.type in {"result", "error"}:
            return []
        return await self._server.modules.run_account_iq(self._account(self._existing_user()), stanza)

    # -- commit

    async def _commit(self, effects: Sequence[PresenceEffect], cause: PresenceMessage) -> None:
        """Make the changes last before anybody is told of them.

        Tried again after a crash it changes nothing.
        """
        writes = [write for effect in effects for write in await self._writes_for(effect, cause)]
        if writes:
            await self._write(tuple(writes))

    async def _write(self, writes: tuple[Write, ...]) -> None:
        outcomes = await self._server.store.commit(writes)
        refused = [outcome for outcome in outcomes if not isinstance(outcome, Committed)]
        if refused:
            self._state.is_loaded = False
            raise StaleDocumentError(f"{self._state.jid}: {refused[0]}")

    async def _writes_for(self, effect: PresenceEffect, cause: PresenceMessage) -> list[Write]:
        match effect:
            case SaveUser(user):
                return [ReplaceUser(replace(user, rev=user.rev + 1), user.rev)]
            case MakeUser(user):
                return [CreateUser(user)]
            case KeepMessage(stanza) if isinstance(cause, Routed):
                return [InsertRecord(await self._record(stanza, cause))]
            case Forget():
                return [DeleteUser(self._state.jid.bare)]
            case _:
                return []

    async def _record(self, stanza: Stanza, cause: Routed) -> LogRecord:
        state = self._state
        assert state.user is not None
        if state.next_seq is None or state.next_seq > state.user.log_reserved:
            await self._reserve(state.user)
        assert state.next_seq is not None
        return LogRecord(
            owner=state.jid.bare,
            seq=state.next_seq,
            stanza_id=cause.stanza_id,
            peer="" if stanza.sender is None else stanza.sender.full,
            direction=Direction.IN,
            at_ms=cause.at_ms,
            data=stanza.data,
            pending=True,
        )

    async def _reserve(self, user: User) -> None:
        """Reserve the next block of log numbers; they may be used once that is committed."""
        state = self._state
        first = user.log_reserved + 1
        reserved = replace(user, log_reserved=user.log_reserved + SEQ_BLOCK)
        await self._write((ReplaceUser(replace(reserved, rev=user.rev + 1), user.rev),))
        state.user = replace(reserved, rev=reserved.rev + 1)
        state.next_seq = first

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
                self._apply_one(effect, message.message)
            if isinstance(message.message, Routed):
                self._server.directory.entry(self._state.jid.bare).waiting -= 1
        self._set_passivation()

    def _apply_one(self, effect: PresenceEffect, cause: PresenceMessage) -> None:
        match effect:
            case Send(stanza):
                routing.send(self._server, stanza)
            case SendToSession(session, stanza):
                routing.carry_out(self._server, routing.ToSession(session, stanza))
            case Answer(payload):
                self._answer(cause, payload)
            case Refuse(error):
                self._refuse(cause, error)
            case PushRoster(payload):
                self._push(payload)
            case Settle(write):
                self._server.store.cast(write)
            case SetReply(reply, value):
                reply.set(value)
            case Publish():
                self._server.directory.publish(self._state.jid.bare, self._state.priorities)
            case _:
                self._note(effect, cause)

    def _note(self, effect: PresenceEffect, cause: PresenceMessage) -> None:
        """Those that change what this actor knows."""
        state = self._state
        match effect:
            case SaveUser(user):
                state.user = replace(user, rev=user.rev + 1)
            case MakeUser(user):
                state.user = user
            case KeepMessage():
                state.note_kept()
            case NotePending(number):
                state.pending_count = number
            case NoteResource(resource, session, presence, priority):
                state.resources[resource] = OwnResource(session, presence, priority)
            case DropResource(resource):
                state.drop(resource)
            case NoteInterested():
                sender = cause.stanza.sender if isinstance(cause, Routed) else None
                if sender is not None and sender.resourcepart in state.resources:
                    state.interested.add(sender.resourcepart)
            case Forget():
                self._forget()
            case _:
                raise AssertionError(f"nobody carries out {effect}")

    def _answer(self, cause: PresenceMessage, payload: bytes) -> None:
        assert isinstance(cause, Routed)
        routing.send(self._server, build_iq_result(cause.stanza, payload))

    def _refuse(self, cause: PresenceMessage, error: StanzaError) -> None:
        match cause:
            case Routed(stanza) | OwnPresence(stanza=stanza) | OwnSubscription(stanza):
                routing.send_back(self._server, stanza, error)
            case (
                CreateAccount(reply=reply)
                | SetCredentials(reply=reply)
                | DeleteAccount(reply=reply)
                | DescribeUser(reply=reply)
            ):
                reply.fail(StoreUnavailable(error.text or "the database is away"))

    def _push(self, payload: bytes) -> None:
        state = self._state
        for resource in state.interested:
            own = state.resources.get(resource)
            if own is not None:
                token = self._server.world.new_token()
                to = JID(state.jid.localpart, state.jid.domainpart, resource)
                push = build_iq(to=to, sender=None, type="set", id=token, payload=payload)
                routing.carry_out(self._server, routing.ToSession(own.session, push))

    def _forget(self) -> None:
        state = self._state
        state.user = None
        for own in state.resources.values():
            own.session.tell(CloseStream(StreamCondition.NOT_AUTHORIZED, "the account has been deleted"))

    def set_aside(self, message: PresenceMessage, error: BaseException) -> Sequence[PresenceEffect]:
        """Refuse what killed this actor; a session's end is never refused but done without frills."""
        failure = StanzaError(StanzaCondition.INTERNAL_SERVER_ERROR)
        effects: list[PresenceEffect] = [Refuse(failure)]
        if isinstance(message, SessionEnded) and message.jid.resourcepart is not None:
            effects = [DropResource(message.jid.resourcepart), Publish()]
        super().set_aside(message, error)
        return (Planned(message, effects),)  # type: ignore[return-value]  # as in `decide`

    def broken(self, _error: BaseException) -> None:
        """The document is read anew; the resources stand, since only sessions could tell of them again."""
        self._state.is_loaded = False
        self._state.next_seq = None
        self._state.pending_count = None

    # -- going to sleep

    def _set_passivation(self) -> None:
        state = self._state
        if state.resources or state.passivation is not None:
            return
        state.passivation = self.slot.send_after(IDLE_SECONDS, Passivate())

    def _passivate(self) -> None:
        """One step: with nothing waiting and nobody here the slot closes; a later message opens another."""
        self._state.passivation = None
        if not self._state.resources and not self.mailbox.queue:
            self.retire()

    # -- contexts

    def _account(self, user: User) -> Callable[[Module], AccountContext]:
        return self._server.modules.account_context(self._state, user)


def _as_effect(effect: routing.RoutingEffect) -> PresenceEffect:
    """A routing decision as an effect of this actor's."""
    match effect:
        case routing.ToSession(session, stanza):
            return SendToSession(session, stanza)
        case routing.Back(stanza):
            return Send(stanza)
        case _:
            raise AssertionError(f"{effect} leads back here")


def start_presence(server: Server, jid: JID) -> Slot[PresenceMessage]:
    """Start the presence actor of a user and note it in the directory.

    Raises:
        NotAcceptingError: the server has its maximum of users at work, or is stopping.
    """
    bare = jid.bare_jid

    spec = ChildSpec(
        f"{bare.bare}#{server.next_number()}",
        lambda slot: Presence(slot, server),
        Restart.TRANSIENT,
        messages_max=MESSAGES_MAX,
        abandoned=lambda left: _abandoned(server, left),
    )
    slot = server.users.start_child(spec)
    slot.keep(lambda: PresenceState(bare))
    slot.on_close(lambda ended, _reason: server.directory.presence_ended(bare.bare, ended.ref))
    server.directory.entry(bare.bare).presence = slot.ref
    return slot


def _abandoned(server: Server, left: Sequence[PresenceMessage]) -> None:
    """What the actor did not come to is refused for now; nothing vanishes in silence."""
    for message in left:
        if isinstance(message, Routed) and message.stanza.kind is not StanzaKind.PRESENCE:
            routing.send_back(server, message.stanza, _STORE_AWAY)
