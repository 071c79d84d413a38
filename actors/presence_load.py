"""How a presence actor reads what it must know before anything else: the account, and sessions that wait.

Sessions that wait in the database for their clients (since the server's last end) come back as actors when
somebody has something to do with their account.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from actors.offline_queue import FETCHED, read_undelivered
from actors.presence_guards import make_good, may_reach, renew_guards
from actors.presence_rules import parse_priority
from actors.presence_state import OwnResource
from actors.roster_changes import all_changes_since
from actors.session_resumption import give_back
from actors.session_revival import adopt, revive, share
from actors.session_start import start_hibernating
from actors.session_state import SessionState
from actors.store_access import READ_SECONDS_MAX
from protocols.stored_stanza import read_stored
from protocols.stream_queue import LOOKS_MAX, recovered
from store.errors import StoreError, StoreUnavailable
from store.writes import DropSession
from supervision.reply import CallError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from actors.presence_state import PresenceState
    from actors.server import Server
    from store.log import LogRecord
    from store.sessions import SessionRecord
    from store.users import User

LOGGED_MAX: Final = 10_000
"""Numbers of one session that may stand in logs behind its counter; it is counted up long before."""
STANZAS_AT_ONCE: Final = 50
"""Numbers of which the stanzas are read in one piece: at the largest there are, some megabytes."""


class _Waiting(NamedTuple):
    """What the database holds of sessions that wait."""

    records: Sequence[SessionRecord]
    pending: Mapping[int, LogRecord]
    logged: Mapping[str, Mapping[int, str | None]]


async def load(server: Server, state: PresenceState) -> None:
    """Read the account's document, unless it is known, and let its sessions come back.

    Raises:
        StoreUnavailable: the database is away, and nothing has changed.
    """
    if not state.is_loaded:
        await _wait_for_outcomes(server, state)
        before, guards = state.user, state.guards
        state.user = await server.store.read_user(state.jid.bare)
        state.is_loaded = True
        renew_guards(server, state)
        make_good(server, state, before, guards)
    if server.streams.stored_of(state.jid.bare):
        waiting = await _read_waiting(server, state)
        _come_back(server, state, waiting)


async def _wait_for_outcomes(server: Server, state: PresenceState) -> None:
    """What a predecessor sent to the database may still take effect: till that is known nothing read is true.

    Raises:
        StoreUnavailable: it is not known yet.
    """
    while state.outstanding:
        first = state.outstanding[0]
        if not first.is_filled:
            if server.store.is_away:
                raise StoreUnavailable("the database has not answered yet")
            with suppress(CallError, StoreError):  # what it was is not asked here, only that it is over
                await first.wait(READ_SECONDS_MAX)
            if not first.is_filled:
                raise StoreUnavailable("the database has not answered yet")
        state.outstanding.remove(first)


async def _read_waiting(server: Server, state: PresenceState) -> _Waiting:
    user = state.user
    if user is None:
        return _Waiting((), {}, {})
    ids = [each.sm_id for each in server.streams.stored_of(state.jid.bare)]
    with server.ledger_of(state.jid).reading() as gone:  # by a session that is there already
        records = await server.store.read_sessions(ids)
        undelivered = await read_undelivered(server.store, user)
        logged = {record.sm_id: await _read_logged(server, record) for record in records}
    pending = {each.seq: each for each in undelivered if each.seq not in gone}
    return _Waiting(records, pending, logged)


async def _read_logged(server: Server, record: SessionRecord) -> Mapping[int, str | None]:
    """The numbers of a session that stand in logs, behind the first gap each with the id that stands there.

    There the client has to send it again, and might send something else.
    """
    numbers = await server.store.read_logged_numbers(record.sm_id, record.received, LOGGED_MAX)
    logged: dict[int, str | None] = dict.fromkeys(numbers)
    safe = recovered(record.received, sorted({*numbers, *record.dealt}))
    behind = [number for number in numbers if number > safe]
    if behind:
        for after in range(safe, min(behind[-1], safe + LOOKS_MAX), STANZAS_AT_ONCE):
            stanzas = await server.store.read_logged_stanzas(record.sm_id, after, STANZAS_AT_ONCE)
            logged.update((number, read_stored(data, server.names).id) for number, data in stanzas)
    return logged


def _come_back(server: Server, state: PresenceState, waiting: _Waiting) -> None:
    """All at once, and in one step: from here on they live."""
    ledger, user = server.ledger_of(state.jid), state.user
    expiries = {each.sm_id: each.expires_ms for each in server.streams.stored_of(state.jid.bare)}
    revived = [
        revive(
            record,
            waiting.pending,
            waiting.logged[record.sm_id],
            ledger,
            server.names,
            is_journaled=server.is_journaled,
        )
        for record in waiting.records
    ]
    share(revived)
    ledger.revived()
    if user is None:
        for sm_id in expiries:
            server.store.cast(DropSession(sm_id))
    server.streams.take(state.jid.bare)
    now_ms = server.world.now_ms()
    for session in revived:
        assert session.stream is not None
        seconds = (expiries[session.stream.sm_id] - now_ms) / 1000
        if (
            seconds <= 0
            or not _can_go_on(server, session, user)
            or not _start(server, state, session, seconds)
        ):
            server.streams.remove(session.stream.sm_id, state.jid.bare, session.stream.h)
            give_back(server, session)
    renew_guards(server, state)
    _adopt_what_waits(server, state, waiting.pending)
    server.directory.publish(state.jid.bare, state.priorities)


def _adopt_what_waits(server: Server, state: PresenceState, pending: Mapping[int, LogRecord]) -> None:
    """What is no session's goes to the one that would get it if it came now."""
    ledger = server.ledger_of(state.jid)
    best = max(state.priorities.items(), key=lambda each: each[1], default=("", -1))
    if best[1] < 0 or any(FETCHED in notes for notes in state.all_notes.values()):
        return
    session = state.resources[best[0]].session.slot.state
    if isinstance(session, SessionState) and session.stream is not None and session.stream.revived:
        unowned = [pending[seq] for seq in sorted(pending) if not ledger.is_owed(seq)]
        admitted = [record for record in unowned if _is_admitted(server, state, best[0], record)]
        adopt(session, admitted, server.names, server.modules.hooks.late)


def _is_admitted(server: Server, state: PresenceState, resource: str, record: LogRecord) -> bool:
    """Whether the user's gates let a message reach that resource; else it is found again in the queue."""
    return state.guards is None or may_reach(state, read_stored(record.data, server.names), resource)


def _can_go_on(server: Server, session: SessionState, user: User | None) -> bool:
    """Not if its name is taken, or nobody can tell what has changed in the roster that its client knows."""
    if server.directory.session(session.jid) is not None or user is None:
        return False
    version = session.roster_version
    return version is None or all_changes_since(user, version) is not None


def _start(server: Server, state: PresenceState, session: SessionState, seconds: float) -> bool:
    resource = session.jid.resourcepart
    assert resource is not None
    ref = start_hibernating(server, session, seconds)
    if ref is None:
        return False
    presence = session.presence
    priority = 0 if presence is None else parse_priority(presence)
    state.resources[resource] = OwnResource(ref, presence, priority)
    if session.roster_version is not None:
        state.interested[resource] = None
    if session.notes:
        state.notes[resource] = dict(session.notes)
    return True
