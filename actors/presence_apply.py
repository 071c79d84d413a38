"""How a presence actor carries out what was planned for a message: posts, answers, notes what it knows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, final

from actors import routing, subscription_rules
from actors.fates import MessageFate
from actors.gates import is_exempt
from actors.ledger import logged_parcel
from actors.presence_effects import (
    Answer,
    DropResource,
    DropWaiting,
    EndSessions,
    ForgetItem,
    HandOver,
    KeepItem,
    KeepMessage,
    KeepNote,
    KeepPresence,
    MakeUser,
    NoteInterested,
    NotePending,
    NoteResource,
    OfferToSession,
    PassResume,
    PresenceEffect,
    Publish,
    PushRoster,
    Refuse,
    RemoveAccount,
    SaveUser,
    Send,
    SendToSession,
    SetReply,
    Show,
    TellLoggedOut,
    TellRoster,
    TryLater,
)
from actors.presence_guards import make_good, may_be_shown, may_reach, renew_guards
from actors.presence_messages import (
    Again,
    Announce,
    CreateAccount,
    DeleteAccount,
    DescribeUser,
    LoggedOut,
    OwnPresence,
    OwnSubscription,
    PassOn,
    PresenceMessage,
    QueueGrew,
    ReplaceKeys,
    ResumeStored,
    Routed,
    SetCredentials,
    SetDisabled,
)
from actors.presence_state import NOTHING_PENDING, OwnResource, PresenceState
from actors.roster_changes import all_changes_since, build_push, roster_xml
from actors.session_messages import (
    CloseStream,
    Deliver,
    DeliverIfDirected,
    HandedOver,
    NoteKept,
    ResumeRefused,
    RosterKnown,
)
from protocols.conditions import StanzaCondition, StreamCondition
from protocols.errors import StanzaError
from protocols.jid import JID
from protocols.stanza import Stanza, StanzaKind, build_iq_result
from store.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.offline_queue import Waiting
    from actors.server import Server
    from store.users import User
    from supervision.slot import Slot

RETRY_SECONDS: Final = 1.0
"""Before a message is taken up again for which the database was away."""

_NO_ACCOUNT: Final = StanzaError(StanzaCondition.SERVICE_UNAVAILABLE)


@final
class PresenceApply:
    """One for each incarnation."""

    def __init__(self, server: Server, state: PresenceState, slot: Slot[PresenceMessage]) -> None:
        self._server = server
        self._state = state
        self._slot = slot

    def apply(self, effect: PresenceEffect, cause: PresenceMessage) -> None:
        """Carry out one effect of a message."""
        match effect:
            case Send(stanza):
                self._send(stanza)
            case SendToSession():
                self._send_to_session(effect)
            case OfferToSession(session, stanza):
                if not session.cast(DeliverIfDirected(stanza), stanza.size):
                    self.refuse(cause, _NO_ACCOUNT)
            case Answer(payload):
                assert isinstance(cause, Routed)
                self._send(build_iq_result(cause.stanza, payload))
            case Refuse(error):
                self.refuse(cause, error)
            case PushRoster(payload):
                self._push(payload)
            case TellLoggedOut(status):
                self._slot.ref.tell(LoggedOut(self._server.world.now_ms(), status))
            case SetReply(reply, value):
                reply.set(value)
            case Publish():
                self._server.directory.publish(self._state.jid.bare, self._state.priorities)
            case HandOver() | DropWaiting() | PassResume() | TryLater() | TellRoster():
                self._apply_to_session(effect)
            case _:
                self._note(effect, cause)

    def _apply_to_session(self, effect: HandOver | DropWaiting | PassResume | TryLater | TellRoster) -> None:
        """Those by which a session gets what it missed."""
        match effect:
            case HandOver():
                self._hand_over(effect)
            case DropWaiting(messages):
                ledger = self._server.ledger_of(self._state.jid)
                for each in messages:
                    ledger.take_off(each.seq, each.at_ms, each.origin)
            case PassResume():
                self._pass_resume(effect)
            case TryLater(message):
                if isinstance(message, Again) and message.stanza.receipt is not None:
                    message.stanza.receipt.hold()
                self._slot.send_after(RETRY_SECONDS, message)
            case TellRoster(resource, version):
                self._tell_roster(resource, version)

    def _note(self, effect: PresenceEffect, cause: PresenceMessage) -> None:
        """Those that change what this actor knows of the user's sessions."""
        state = self._state
        match effect:
            case NoteResource(resource):
                state.resources[resource] = OwnResource(*effect[1:])
                if not effect.is_stale:
                    state.kept.pop(resource, None)  # this is newer, or just that
            case KeepPresence(resource, said):
                state.kept[resource] = said
                self._slot.send_after(RETRY_SECONDS, Announce(resource, said))
            case DropResource(resource):
                state.drop(resource)
                if state.guards is not None:
                    renew_guards(self._server, state)
            case NoteInterested():
                self._note_interested(cause)
            case Show(stanza):
                self._show(stanza, cause)
            case KeepNote():
                self._keep_note(effect, cause)
            case _:
                self._note_account(effect, cause)

    def _note_account(self, effect: PresenceEffect, cause: PresenceMessage) -> None:
        """Those that change what it knows of the account."""
        state = self._state
        match effect:
            case SaveUser(user):
                self._note_user(replace(user, rev=user.rev + 1))
            case MakeUser(user):
                self._note_user(user)
            case KeepMessage(stanza):
                state.note_kept(stanza.size)
                stanza_id = cause.stanza_id if isinstance(cause, Routed) else None
                self._server.fates.note(MessageFate.STORED, stanza, seq=state.kept_seq, detail=stanza_id)
            case NotePending(size):
                state.pending = size
            case RemoveAccount():
                self._remove_account()
            case EndSessions():
                self._end_sessions("the account has been disabled")
            case KeepItem() | ForgetItem():
                pass  # it has been committed, and nothing of it is known here
            case _:
                raise AssertionError(f"nobody carries out {effect}")

    def _note_user(self, user: User) -> None:
        state = self._state
        before, guards = state.user, state.guards
        state.user = user
        renew_guards(self._server, state)
        make_good(self._server, state, before, guards)

    def _show(self, stanza: Stanza, cause: PresenceMessage) -> None:
        """In the lane that refuses nothing, since nobody is to be told of a refusal."""
        sender = cause.stanza.sender if isinstance(cause, Routed) else None
        resource = "" if sender is None else sender.resourcepart or ""
        own = self._state.resources.get(resource)
        if own is not None and may_reach(self._state, stanza, resource):
            own.session.tell(Deliver(stanza))

    def _send_to_session(self, effect: SendToSession) -> None:
        if self._state.guards is None or self._may_have(effect):
            routing.carry_out(self._server, routing.ToSession(*effect))

    def _may_have(self, effect: SendToSession) -> bool:
        """Whether a session may have somebody's presence, which may be kept from before he was shut out.

        All else has passed the gates when it was routed here, and who sent it is to hear what becomes of it.
        """
        stanza, state = effect.stanza, self._state
        if stanza.kind is not StanzaKind.PRESENCE:
            return True
        found = (name for name, own in state.resources.items() if own.session is effect.session)
        return may_reach(state, stanza, next(found, None))

    def _keep_note(self, effect: KeepNote, cause: PresenceMessage) -> None:
        """What its session knows of it is for its document only."""
        state = self._state
        sender = cause.stanza.sender if isinstance(cause, Routed) else None
        resource = "" if sender is None else sender.resourcepart or ""
        own = state.resources.get(resource)
        if own is None:
            return
        notes = {key: value for key, value in state.notes.get(resource, {}).items() if key != effect.key}
        state.notes[resource] = notes if effect.value is None else {**notes, effect.key: effect.value}
        own.session.tell(NoteKept(effect.key, effect.value))
        guards = state.guards
        renew_guards(self._server, state)
        make_good(self._server, state, state.user, guards)

    def _note_interested(self, cause: PresenceMessage) -> None:
        """Behind the answer, so that the session knows which stanza brings its client up to date."""
        state = self._state
        sender = cause.stanza.sender if isinstance(cause, Routed) else None
        own = None if sender is None else state.resources.get(sender.resourcepart or "")
        if sender is None or sender.resourcepart is None or own is None:
            return
        state.interested[sender.resourcepart] = None
        if state.user is not None:
            own.session.cast(RosterKnown(state.user.roster_version))

    def _send(self, stanza: Stanza) -> None:
        """To a session of this very user without queueing behind what others have for it."""
        if self._state.guards is not None and not may_be_shown(self._state, stanza):
            return
        self._tell(stanza, is_free=is_exempt(self._state.jid.bare, stanza.sender))

    def _tell(self, stanza: Stanza, *, is_free: bool = True) -> None:
        """The same past the user's gates, if it need not pass them."""
        to = stanza.to
        own = None
        if to is not None and to.bare == self._state.jid.bare and (is_free or self._state.guards is None):
            own = self._server.directory.session(to)
        if own is None:
            routing.send(self._server, stanza)
        else:
            routing.carry_out(self._server, routing.ToSession(own, stanza))

    def _hand_over(self, effect: HandOver) -> None:
        """In the lane that refuses nothing, so that all arrive; the queue does not have them from here on.

        A session that has just ended leaves them to whoever is there when that has been heard of.
        """
        own = self._state.resources.get(effect.resource)
        if own is None or not own.session.is_alive:
            self._slot.send_after(RETRY_SECONDS, QueueGrew())
            return
        ledger = self._server.ledger_of(self._state.jid)
        waiting = tuple(each for each in effect.messages if not ledger.is_owed(each.seq))
        messages = waiting if self._state.guards is None else self._admitted(effect.resource, waiting)
        parcels = tuple(logged_parcel(ledger, each.seq, each.at_ms, each.origin) for each in messages)
        if own.session.tell(HandedOver(messages, parcels)):
            self._state.pending = NOTHING_PENDING if messages == waiting else None
            return
        for parcel in parcels:
            ledger.given_up(parcel)

    def _admitted(self, resource: str, waiting: Sequence[Waiting]) -> tuple[Waiting, ...]:
        """Those of the messages from the offline queue that may reach a resource by now.

        The others leave the queue, or are left in it for another resource if it might take them.
        """
        state, admitted = self._state, []
        for each in waiting:
            if may_reach(state, each.stanza, resource):
                admitted.append(each)
            elif not may_reach(state, each.stanza, None):
                self._server.ledger_of(state.jid).take_off(each.seq, each.at_ms, each.origin)
        return tuple(admitted)

    def _pass_resume(self, effect: PassResume) -> None:
        live = self._server.streams.live(effect.sm_id)
        if live is None or not live.session.tell(effect.message):
            ended = self._server.streams.ended(effect.sm_id)
            h = None if ended is None else ended.h
            effect.message.reply.set(ResumeRefused(StanzaCondition.ITEM_NOT_FOUND, h))

    def _tell_roster(self, resource: str, version: int) -> None:
        state, own = self._state, self._state.resources.get(resource)
        if own is None or state.user is None:
            return
        to = JID(state.jid.localpart, state.jid.domainpart, resource)
        for changed, item in all_changes_since(state.user, version) or ():
            push = build_push(to, self._server.world.new_token(), roster_xml(changed, [item]))
            routing.carry_out(self._server, routing.ToSession(own.session, push))
        own.session.cast(RosterKnown(state.user.roster_version))

    def refuse(self, cause: PresenceMessage, error: StanzaError) -> None:
        """Tell whoever sent a message that nothing comes of it."""
        match cause:
            case (
                Routed(stanza)
                | OwnPresence(stanza=stanza)
                | OwnSubscription(stanza)
                | PassOn(stanza)
                | Again(stanza)
            ):
                answer = routing.refusal(stanza, error)
                if answer is not None:
                    self._server.fates.note(MessageFate.REFUSED, answer)
                    self._tell(answer)
            case (
                CreateAccount(reply=reply)
                | SetCredentials(reply=reply)
                | ReplaceKeys(reply=reply)
                | SetDisabled(reply=reply)
                | DeleteAccount(reply=reply)
                | DescribeUser(reply=reply)
            ):
                reply.fail(StoreUnavailable(error.text or "the database is away"))
            case ResumeStored(reply=reply):
                reply.set(ResumeRefused(error.condition))
            case Announce(resource, said) if self._state.kept.get(resource) is said:
                del self._state.kept[resource]
                self.refuse(said, error)

    def _push(self, payload: bytes) -> None:
        state = self._state
        for resource in state.interested:
            own = state.resources.get(resource)
            if own is not None:
                token = self._server.world.new_token()
                to = JID(state.jid.localpart, state.jid.domainpart, resource)
                push = build_push(to, token, payload)
                routing.carry_out(self._server, routing.ToSession(own.session, push))
                if state.user is not None:
                    own.session.cast(RosterKnown(state.user.roster_version))

    def _remove_account(self) -> None:
        """Take leave of everybody, then of the clients, behind whatever is on its way to them."""
        state = self._state
        if state.user is not None:
            for leave in subscription_rules.leave_everybody(state, state.user):
                routing.send(self._server, leave.stanza)
        state.user = state.pending = None
        renew_guards(self._server, state)
        self._server.forget_ledger(state.jid)
        self._server.guests.strike_out(state.jid.bare)
        self._end_sessions("the account has been deleted")

    def _end_sessions(self, text: str) -> None:
        close = CloseStream(StreamCondition.NOT_AUTHORIZED, text)
        for own in self._state.resources.values():
            if not own.session.cast(close):
                own.session.tell(close)
