"""Managed sessions without an actor: Juliet's, with what she is owed, and her account's log."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from actors.fates import FateLog
from actors.ledger import Books, Ledger, logged_parcel
from actors.outlet import NO_OUTLET
from actors.session_revival import revive
from actors.session_state import Entry, ManagedStream, SessionState
from actors.store_access import StoreAccess
from protocols.jid import parse_jid
from protocols.stanza import Stanza, build_iq, build_message
from protocols.xml_element import NameBudget
from store.log import LogRecord, OutboundNumber, StanzaNumber
from tests.actors.house_world import InlinePool
from tests.store.samples import make_record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from store.sessions import SessionRecord

JULIET, BALCONY = parse_jid("juliet@localhost"), parse_jid("juliet@localhost/balcony")
ORCHARD = parse_jid("romeo@localhost/orchard")
NAMES = NameBudget(frozenset(), 1_000)


def make_ledger() -> Ledger:
    """Of Juliet; nothing is ever written."""
    books = Books(
        store=StoreAccess(InlinePool()),
        fates=FateLog(0, lambda: 0),
        away_seconds=5.0,
        note=lambda _note: None,
        now_ms=lambda: 0,
        new_token=lambda: "token",
        in_flight={},
    )
    return Ledger(JULIET.bare, books, lambda: None, lambda: None)


def chat(text: str) -> Stanza:
    """A message for Juliet."""
    content = f"<body>{text}</body>".encode()
    return build_message(to=BALCONY, sender=ORCHARD, type="chat", content=content)


def result(id_: str) -> Stanza:
    """The answer to a request of hers."""
    return build_iq(to=BALCONY, sender=ORCHARD, type="result", id=id_)


@final
class Account:
    """Juliet's log, and her sessions."""

    def __init__(self) -> None:
        self.ledger = make_ledger()
        self.pending: dict[int, LogRecord] = {}

    def session(self, sm_id: str = "sm", *, is_journaled: bool = True) -> SessionState:
        """A session that has just had its stream managed."""
        state = SessionState(BALCONY, NO_OUTLET, None, "it")
        state.stream = ManagedStream(sm_id, self.ledger, 300.0, is_journaled=is_journaled)
        return state

    def owe(self, state: SessionState, stanza: Stanza) -> Entry:
        """Have a stanza for the client that nothing else holds."""
        assert state.stream is not None
        entry = Entry(stanza)
        state.stream.outgoing.append(entry)
        return entry

    def owe_logged(self, stanza: Stanza, *states: SessionState) -> None:
        """Have a message for these of her clients, in the log as the next number."""
        seq = len(self.pending) + 1
        origin = StanzaNumber("orchard", seq)
        parcel = logged_parcel(self.ledger, seq, 0, origin, outstanding=len(states))
        places = []
        for state in states:
            assert state.stream is not None
            outgoing = state.stream.outgoing
            position = outgoing.append(Entry(stanza, parcel))
            places.append(OutboundNumber(state.stream.sm_id, outgoing.epoch, position))
        self.pending[seq] = make_record(
            JULIET.bare, seq, data=stanza.data, inbound=origin, outbound=tuple(places), pending=True
        )

    def revive(self, record: SessionRecord, logged: Mapping[int, str | None] | None = None) -> SessionState:
        """A session that comes back after the end of everything; see `restarted`."""
        return revive(record, self.pending, logged or {}, self.ledger, NAMES, is_journaled=True)

    def restarted(self) -> Account:
        """The same account in the next process, which knows nothing but the log."""
        account = Account()
        account.pending = dict(self.pending)
        return account


def write(state: SessionState, count: int, acked: int = 0) -> None:
    """Write so many more stanzas to the client, which acknowledges up to a wire number."""
    assert state.stream is not None
    for _ in range(count):
        assert state.stream.outgoing.next() is not None
    state.stream.outgoing.acknowledge(acked)
