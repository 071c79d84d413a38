"""Every driver answers alike, whatever it is asked, and retries change nothing."""

import itertools

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from store.log import LogRecord, StanzaNumber
from store.memory.driver import MemoryStore
from store.mongo.driver import MongoStore
from store.store import Store
from store.users import User
from store.writes import (
    CreateUser,
    DeleteUser,
    InsertRecord,
    ReplaceUser,
    SettleRecords,
    Write,
    batch_length,
)
from tests.store.samples import make_record, make_user

OWNERS = ("a", "b")
SEQS_MAX = 6

_runs = itertools.count(1)

owners = st.sampled_from(OWNERS)
seqs = st.integers(1, SEQS_MAX)
revs = st.integers(0, 3)
statuses = st.sampled_from([None, "here", "there"])
stanzas = st.none() | st.builds(StanzaNumber, st.just("session"), st.integers(1, 3))
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
writes = st.one_of(
    st.builds(CreateUser, users),
    users.map(lambda user: ReplaceUser(user, user.rev - 1)),
    st.builds(DeleteUser, owners),
    st.builds(InsertRecord, records),
    st.builds(SettleRecords, owners, st.frozensets(seqs, min_size=1).map(tuple), st.booleans()),
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
            return InsertRecord(record._replace(owner=name(record.owner)))
        case SettleRecords(owner, seqs, keep):
            return SettleRecords(name(owner), seqs, keep)


def _with_name(user: User, bare_jid: str) -> User:
    return make_user(bare_jid, rev=user.rev, last_status=user.last_status, log_reserved=user.log_reserved)


def contents(store: Store, run: int) -> list[object]:
    """Return all that can be read of this run's accounts."""
    found: list[User | LogRecord | list[LogRecord] | None] = []
    for owner in (f"{owner}@run{run}" for owner in OWNERS):
        found.append(store.user(owner))
        found.append(store.pending(owner, 0, SEQS_MAX, SEQS_MAX))
        found += [store.record(owner, seq) for seq in range(1, SEQS_MAX + 1)]
    return [*found]


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
