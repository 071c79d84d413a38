"""Every driver answers alike, whatever it is asked, and retries change nothing."""

import itertools
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from store.account_items import AccountItem
from store.log import StanzaNumber
from store.memory.driver import MemoryStore
from store.mongo.driver import MongoStore
from store.store import Store
from store.users import User
from store.writes import (
    CreateUser,
    DeleteUser,
    DropItem,
    DropSession,
    InsertRecord,
    ReplaceUser,
    SaveItem,
    SaveSession,
    SettleRecords,
    Write,
    batch_length,
)
from tests.store.samples import make_record, make_session, make_user

OWNERS = ("a", "b")
SESSIONS = ("session", "other")
KINDS = ("first", "second")
SEQS_MAX = 6

_runs = itertools.count(1)

owners = st.sampled_from(OWNERS)
seqs = st.integers(1, SEQS_MAX)
revs = st.integers(0, 3)
statuses = st.sampled_from([None, "here", "there"])
session_ids = st.sampled_from(SESSIONS)
stanzas = st.none() | st.builds(StanzaNumber, session_ids, st.integers(1, 3))
users = st.builds(
    lambda owner, rev, status: make_user(owner, rev=rev, last_status=status, log_reserved=SEQS_MAX),
    owners,
    revs,
    statuses,
)
records = st.builds(
    lambda owner, seq, stanza, pending: make_record(owner, seq, inbound=stanza, pending=pending),
    owners,
    seqs,
    stanzas,
    st.booleans(),
)
sessions = st.builds(
    lambda sm_id, owner, received: make_session(sm_id, jid=f"{owner}/r", received=received),
    session_ids,
    owners,
    st.integers(0, 3),
)
kinds = st.sampled_from(KINDS)
keys = st.sampled_from(["a", "b"])
writes = st.one_of(
    st.builds(CreateUser, users),
    users.map(lambda user: ReplaceUser(user, user.rev - 1)),
    st.builds(DeleteUser, owners),
    st.builds(InsertRecord, records),
    st.builds(SettleRecords, owners, st.frozensets(seqs, min_size=1).map(tuple), st.booleans()),
    st.builds(SaveSession, sessions),
    st.builds(DropSession, session_ids),
    st.builds(
        SaveItem,
        st.builds(
            AccountItem, owners, kinds, keys, st.sampled_from([b"1", b"2"]), st.sampled_from(["", "x", "xy"])
        ),
    ),
    st.builds(DropItem, owners, kinds, keys),
)


def renamed(write: Write, run: int) -> Write:
    """Return the write for accounts of this run alone, as databases remember."""

    def name(owner: str) -> str:
        return f"{owner}@run{run}"

    match write:
        case CreateUser(user):
            return CreateUser(_with_name(user, name(user.bare_jid)))
        case ReplaceUser(user, rev):
            return ReplaceUser(_with_name(user, name(user.bare_jid)), rev)
        case DeleteUser(owner):
            return DeleteUser(name(owner))
        case InsertRecord(record):
            inbound = record.inbound and record.inbound._replace(session=name(record.inbound.session))
            return InsertRecord(record._replace(owner=name(record.owner), inbound=inbound))
        case SettleRecords(owner, seqs, keep):
            return SettleRecords(name(owner), seqs, keep)
        case SaveSession(session):
            jid = f"{name(session.bare_jid)}/r"
            return SaveSession(replace(session, sm_id=name(session.sm_id), jid=jid))
        case DropSession(sm_id):
            return DropSession(name(sm_id))
        case SaveItem(item):
            return SaveItem(item._replace(owner=name(item.owner), kind=f"{item.kind}{run}"))
        case DropItem(owner, kind, key):
            return DropItem(name(owner), f"{kind}{run}", key)


def _with_name(user: User, bare_jid: str) -> User:
    return make_user(bare_jid, rev=user.rev, last_status=user.last_status, log_reserved=user.log_reserved)


def contents(store: Store, run: int) -> list[object]:
    """Return all that can be read of this run's accounts."""
    found: list[object] = []
    for owner in (f"{owner}@run{run}" for owner in OWNERS):
        found.append(store.user(owner))
        found.append(store.pending(owner, 0, SEQS_MAX, SEQS_MAX))
        found += [store.record(owner, seq) for seq in range(1, SEQS_MAX + 1)]
        found += [store.items(owner, f"{kind}{run}") for kind in KINDS]
    found += [store.found_items(f"{kind}{run}", "x", "xy", 9) for kind in KINDS]
    sm_ids = [f"{sm_id}@run{run}" for sm_id in SESSIONS]
    found.append(store.session_records(sm_ids))
    found.append([summary for summary in store.sessions() if summary.sm_id in sm_ids])
    found += [store.logged_numbers(sm_id, after, 2) for sm_id in sm_ids for after in range(3)]
    found += [store.logged_stanzas(sm_id, after, 2) for sm_id in sm_ids for after in range(3)]
    return found


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(writes, max_size=12), st.data())
def test_drivers_agree_and_retries_change_nothing(
    mongo_store: MongoStore, drawn: list[Write], data: st.DataObject
) -> None:
    run = next(_runs)
    memory = MemoryStore()
    memory.open()
    queue = [renamed(write, run) for write in drawn]
    while queue:
        length = data.draw(st.integers(1, batch_length(queue)), label="batch length")
        batch, queue = queue[:length], queue[length:]
        outcomes = memory.commit(batch)
        assert mongo_store.commit(batch) == outcomes
        before = contents(memory, run)
        assert memory.commit(batch) == outcomes
        assert mongo_store.commit(batch) == outcomes
        assert contents(memory, run) == before
        assert contents(mongo_store, run) == before
