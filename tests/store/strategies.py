"""Accounts, records and sessions of all shapes, for property tests."""

from hypothesis import strategies as st

from protocols.privacy_lists import ItemType, Kind, PrivacyItem, PrivacyList
from protocols.sasl.keys import ScramKeys
from store.log import SEQ_MAX, Direction, LogRecord, OutboundNumber, StanzaNumber
from store.sessions import OpenRequest, QueueEntry, SessionRecord
from store.users import RemovedItem, RosterItem, SubscriptionRequest, User, Vacation

# Anything UTF-8 can say: the XML parser has refused what it cannot.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
BARE_JIDS = st.builds("{}@{}".format, TEXTS, TEXTS).map(lambda text: text.replace("/", "."))
NUMBERS = st.integers(0, SEQ_MAX)
SEQS = st.integers(1, SEQ_MAX)
BYTES = st.binary(max_size=8)

SCRAM_KEYS = st.builds(ScramKeys, TEXTS, BYTES, NUMBERS, BYTES, BYTES)
ROSTER_ITEMS = st.builds(
    RosterItem,
    jid=BARE_JIDS,
    name=st.none() | TEXTS,
    groups=st.lists(TEXTS, max_size=3).map(tuple),
    subscription=st.sampled_from(["none", "to", "from", "both"]),
    ask=st.booleans(),
    approved=st.booleans(),
    version=NUMBERS,
)
_KINDS = st.frozensets(st.sampled_from(Kind))
PRIVACY_ITEMS = st.builds(
    PrivacyItem, NUMBERS, st.booleans(), st.just(ItemType.ANYBODY), st.just(""), _KINDS
) | st.builds(
    PrivacyItem,
    NUMBERS,
    st.booleans(),
    st.sampled_from([type_ for type_ in ItemType if type_ is not ItemType.ANYBODY]),
    TEXTS,
    _KINDS,
)
USERS = st.builds(
    User,
    bare_jid=BARE_JIDS,
    rev=NUMBERS,
    created_ms=NUMBERS,
    credentials=st.lists(SCRAM_KEYS, max_size=2).map(tuple),
    roster=st.lists(ROSTER_ITEMS, max_size=3).map(tuple),
    roster_version=NUMBERS,
    removed=st.lists(st.builds(RemovedItem, BARE_JIDS, NUMBERS), max_size=2).map(tuple),
    requests=st.lists(st.builds(SubscriptionRequest, BARE_JIDS, BYTES), max_size=2).map(tuple),
    log_reserved=NUMBERS,
    last_logout_ms=st.none() | NUMBERS,
    last_status=st.none() | TEXTS,
    privacy_lists=st.lists(
        st.builds(PrivacyList, TEXTS, st.lists(PRIVACY_ITEMS, max_size=2).map(tuple)), max_size=2
    ).map(tuple),
    default_list=st.none() | TEXTS,
    vacation=st.none() | st.builds(Vacation, TEXTS, st.none() | NUMBERS, st.none() | NUMBERS),
)
STANZA_NUMBERS = st.builds(StanzaNumber, TEXTS, NUMBERS)
RECORDS = st.builds(
    LogRecord,
    owner=BARE_JIDS,
    seq=SEQS,
    stanza_id=TEXTS,
    peer=st.builds("{}/{}".format, BARE_JIDS, TEXTS),
    direction=st.sampled_from(Direction),
    at_ms=NUMBERS,
    data=BYTES,
    inbound=st.none() | STANZA_NUMBERS,
    outbound=st.lists(st.builds(OutboundNumber, TEXTS, NUMBERS, NUMBERS), max_size=3).map(tuple),
    pending=st.booleans(),
    kept=st.booleans(),
)
QUEUE_ENTRIES = (
    SEQS.map(QueueEntry)
    | BYTES.map(lambda data: QueueEntry(data=data))
    | st.tuples(NUMBERS, NUMBERS).map(lambda place: QueueEntry(place=place))
    | st.tuples(BYTES, NUMBERS, NUMBERS).map(lambda it: QueueEntry(data=it[0], place=it[1:]))
)
SESSIONS = st.builds(
    SessionRecord,
    sm_id=TEXTS,
    jid=st.builds("{}/{}".format, BARE_JIDS, TEXTS),
    lang=st.none() | TEXTS,
    received=NUMBERS,
    acked=NUMBERS,
    epoch=NUMBERS,
    base=NUMBERS,
    handled=st.lists(NUMBERS, max_size=3).map(tuple),
    dealt=st.lists(NUMBERS, max_size=3).map(tuple),
    entries=st.lists(QUEUE_ENTRIES, max_size=3).map(tuple),
    elsewhere=st.lists(NUMBERS, max_size=3).map(tuple),
    is_exact=st.booleans(),
    presence=st.none() | BYTES,
    directed=st.lists(TEXTS, max_size=3).map(tuple),
    roster_version=st.none() | NUMBERS,
    notes=st.lists(st.tuples(TEXTS, TEXTS), max_size=2).map(tuple),
    requests=st.lists(
        st.builds(OpenRequest, TEXTS, TEXTS, st.none() | st.integers(0, 2**40)), max_size=3
    ).map(tuple),
    resume_seconds=st.floats(0, 1e9),
    hibernated_ms=st.none() | NUMBERS,
)
