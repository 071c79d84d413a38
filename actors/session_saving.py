"""The part of a managed session that writes its document, by which its client may resume it after a crash.

Used by `managed_session`. The document is written when an acknowledgement is wanted for stanzas that left
nothing in the log, and when what the session owes its client is written down anew (a mark). What cannot be
written just now is written later; what never can be costs the session what depends on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, final

import trio

from actors.session_messages import SaveDue, SaveOutcome, SessionSaved
from actors.session_record import session_record
from protocols.conditions import StanzaCondition
from protocols.stream_management import enabled
from store.errors import StoreError
from store.writes import Refused, SaveSession
from supervision.reply import CallError

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.server import Server
    from actors.session_messages import CloseStream
    from actors.session_state import ManagedStream, SessionState
    from store.writes import Outcome
    from supervision.reply import Reply
    from supervision.slot import Slot

SAVE_AGAIN_SECONDS: Final = 1.0
"""Before a document is written again that the database had no room for: as long as others wait for it."""


@final
class SessionNotSaved(NamedTuple):
    """Noted when a session's document can never be written as it is."""

    jid: str
    why: str


class Saving:
    """One for each incarnation of a session."""

    def __init__(
        self, server: Server, slot: Slot[Any], state: SessionState, close: Callable[[CloseStream], None]
    ) -> None:
        self.server = server
        self.slot = slot
        self.state = state
        self.close = close

    def write(self, nonza: bytes) -> None:
        """Say something that is no stanza, if there is somebody to hear it."""
        if not self.state.is_hibernating:
            outlet = self.state.outlet
            outlet.append(outlet.framing.nonza(nonza))

    def confirm(self, stream: ManagedStream) -> None:
        """Tell the client that its stream is managed; stanzas count for it from behind that on."""
        seconds = stream.resume_seconds
        self.write(enabled(stream.sm_id, int(seconds)) if seconds else enabled(None, None))

    # -- the session's document

    def save(self, stream: ManagedStream) -> None:
        """Write the session's document as it is now, one try at a time."""
        if stream.saving:
            stream.must_save = True
            return
        if stream.revived is not None:
            return  # what the database holds is what is known, until the client says more
        stream.saving, stream.must_save, stream.saved_at = True, False, trio.current_time()
        stream.handled = [seq for seq in stream.handled if stream.ledger.is_owed(seq)]
        counter, epoch, ref = stream.incoming.done, stream.outgoing.epoch, self.slot.ref
        reply = self.server.store.log(SaveSession(session_record(self.state, stream, counter)))

        sm_id = stream.sm_id

        def told() -> None:
            ref.tell(SessionSaved(sm_id, counter, epoch, self._outcome(reply)))

        if reply.is_filled:
            told()
        else:
            reply.on_filled = told

    def _outcome(self, reply: Reply[list[Outcome]]) -> SaveOutcome:
        try:
            (outcome,) = reply.result()
        except (StoreError, CallError):
            return SaveOutcome.NOT_NOW
        except Exception as error:  # noqa: BLE001 - whatever it was, the same document will meet it again
            return self._never(error)
        return self._never(outcome) if isinstance(outcome, Refused) else SaveOutcome.JOURNALED

    def _never(self, why: object) -> SaveOutcome:
        self.server.note(SessionNotSaved(self.state.jid.full, repr(why)))
        return SaveOutcome.NEVER

    def saved(self, message: SessionSaved) -> None:
        """The document has been written, or not."""
        stream = self.state.stream
        if stream is None or stream.sm_id != message.sm_id:
            return  # of a stream that is not managed after all
        stream.saving = False
        match message.outcome:
            case SaveOutcome.JOURNALED:
                self._journaled(stream, message)
            case SaveOutcome.NOT_NOW:
                self.slot.send_after(SAVE_AGAIN_SECONDS, SaveDue())
            case SaveOutcome.NEVER:
                self._cannot_be_saved(stream)

    def _journaled(self, stream: ManagedStream, message: SessionSaved) -> None:
        if not stream.is_saved:
            stream.is_saved = True
            stream.stop_holding()
            self.confirm(stream)
        stream.incoming.journaled(message.counter)
        if message.epoch == stream.outgoing.epoch:
            _open(stream)
            self.marked(stream)
        if stream.must_save:
            self.save(stream)
        self.tell_more()

    def _cannot_be_saved(self, stream: ManagedStream) -> None:
        """A fault of ours.

        What has been written down before still holds. Messages from the offline queue are delivered, as all
        others where the log has a fault. Whoever waits for the document to go on waits no more.
        """
        stream.must_save = False
        if stream.is_saved:
            _open(stream)
            self.not_marked(stream)
        else:
            self.give_up(stream, StanzaCondition.INTERNAL_SERVER_ERROR)

    def save_again(self) -> None:
        """There may be room by now."""
        if self.state.stream is not None:
            self.save(self.state.stream)

    def give_up(self, stream: ManagedStream, condition: StanzaCondition) -> None:
        """The stream cannot be managed after all; see `managed_session`."""

    def not_marked(self, stream: ManagedStream) -> None:
        """What is owed to the client cannot be written down; see `session_resumption`."""

    def marked(self, stream: ManagedStream) -> None:
        """What is owed to the client has been written down; see `session_resumption`."""

    def go_on(self, stream: ManagedStream) -> None:
        """More of what the client has sent may be safe; see `session_resumption`."""

    def hold_over(self) -> None:
        """No more time to wait for that; see `session_resumption`."""

    def tell_more(self) -> None:
        """More of what the client has sent may be safe; see `managed_session`."""


def _open(stream: ManagedStream) -> None:
    """Let the messages from the offline queue that waited for the document be written."""
    opening, stream.opening = stream.opening, []
    for parcel in opening:
        parcel.open()
