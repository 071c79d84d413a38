"""What a presence actor does to make changes last before anybody is told of them.

What has been sent to the database is noted in the slot: a successor waits for the same outcome. Tried again
it changes nothing: the document is guarded by its revision, a message by its number.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, final

from actors.presence_effects import ForgetItem, KeepItem, KeepMessage, MakeUser, RemoveAccount, SaveUser
from actors.presence_messages import Routed
from actors.presence_state import Submission
from store.account_items import AccountItem
from store.errors import Conflict, ConflictKind, StoreUnavailable
from store.log import Direction, LogRecord, StanzaNumber
from store.writes import Committed, CreateUser, DeleteUser, DropItem, InsertRecord, ReplaceUser, SaveItem
from supervision.child_spec import INFINITY
from supervision.reply import CallError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.presence_effects import PresenceEffect
    from actors.presence_messages import PresenceMessage
    from actors.presence_state import PresenceState
    from actors.server import Server
    from protocols.stanza import Stanza
    from store.users import User
    from store.writes import Outcome, Write
    from supervision.reply import Reply

SEQ_BLOCK: Final = 500
"""Numbers reserved in the log at a time: one write of the document for so many messages."""


class StaleDocumentError(Exception):
    """The store holds another revision of the document than this actor: somebody else wrote it."""


@final
class PresenceCommit:
    """One for each incarnation."""

    def __init__(self, server: Server, state: PresenceState) -> None:
        self._server = server
        self._state = state

    async def submit(self, effects: Sequence[PresenceEffect], cause: PresenceMessage) -> Submission | None:
        """Send those of the effects that change the account to the database; None if there are none.

        Raises:
            StoreUnavailable: the database is away, and nothing was changed.
            StaleDocumentError: the document will be read anew.
        """
        writes = [write for effect in effects for write in await self._writes_for(effect, cause)]
        if not writes:
            return None
        return Submission(cause, effects, self._submit(tuple(writes)))

    def _submit(self, writes: tuple[Write, ...]) -> Reply[list[Outcome]]:
        state, reply = self._state, self._server.store.submit(writes)
        state.outstanding = [*(each for each in state.outstanding if not each.is_filled), reply]
        return reply

    async def wait(self, outcomes: Reply[list[Outcome]]) -> None:
        """Wait until everything is committed, for as long as that is not known.

        Raises:
            StoreUnavailable: the database is away, and nothing was changed.
            StaleDocumentError: the document will be read anew.
        """
        try:
            reached = await outcomes.wait(INFINITY)
        except CallError as error:  # the batcher died of it, and nothing was changed
            self._state.submitted = None
            raise StoreUnavailable("the writer of the database failed") from error
        refused = [each for each in reached if not _has_effect(each)]
        if refused:
            self._state.forget_document()
            raise StaleDocumentError(f"{self._state.jid}: {refused[0]}")

    async def _writes_for(self, effect: PresenceEffect, cause: PresenceMessage) -> list[Write]:
        match effect:
            case SaveUser(user):
                return [ReplaceUser(replace(user, rev=user.rev + 1), user.rev)]
            case MakeUser(user):
                return [CreateUser(user)]
            case KeepMessage(stanza) if isinstance(cause, Routed):
                return [InsertRecord(await self._record(stanza, cause))]
            case KeepItem():
                return [SaveItem(AccountItem(self._state.jid.bare, *effect))]
            case ForgetItem(kind, key):
                return [DropItem(self._state.jid.bare, kind, key)]
            case RemoveAccount():
                return [DeleteUser(self._state.jid.bare)]
            case _:
                return []

    async def _record(self, stanza: Stanza, cause: Routed) -> LogRecord:
        state, receipt = self._state, stanza.receipt
        assert state.user is not None
        ledger = self._server.ledger_of(state.jid)
        if ledger.left <= 0:
            await self.reserve(state.user)
        origin = None if receipt is None else StanzaNumber(receipt.sm_id, receipt.number)
        state.kept_seq = ledger.take_seq()
        return LogRecord(
            owner=state.jid.bare,
            seq=state.kept_seq,
            stanza_id=cause.stanza_id,
            peer="" if stanza.sender is None else stanza.sender.full,
            direction=Direction.IN,
            at_ms=cause.at_ms,
            data=stanza.data,
            inbound=origin,
            pending=True,
        )

    async def note_guest(self) -> None:
        """Write down that the account is a guest's; there is none yet.

        Raises:
            StoreUnavailable: the database is away, and nothing was changed.
        """
        name, guests = self._state.jid.bare, self._server.guests
        await self.wait(self._submit((guests.notice_of(name),)))
        guests.add(name)

    async def reserve(self, user: User) -> None:
        """Reserve the next block of log numbers; they may be used once that is committed.

        Raises:
            StoreUnavailable: the database is away, and nothing was changed.
            StaleDocumentError: the document will be read anew.
        """
        state = self._state
        first = user.log_reserved + 1
        reserved = replace(user, log_reserved=user.log_reserved + SEQ_BLOCK)
        await self.wait(self._submit((ReplaceUser(replace(reserved, rev=user.rev + 1), user.rev),)))
        state.user = replace(reserved, rev=reserved.rev + 1)
        self._server.ledger_of(state.jid).reserved(first, reserved.log_reserved)


def _has_effect(outcome: Outcome) -> bool:
    """Whether what was to be written stands there; a stanza that was sent again has met its own record."""
    if isinstance(outcome, Committed):
        return True
    reason = outcome.reason
    return isinstance(reason, Conflict) and reason.kind is ConflictKind.REPEATED
