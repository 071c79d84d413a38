"""Accounts and records as documents and back: the layout of their two collections.

Users: one document an account, keyed by its bare JID. JIDs hold dots, so they are values in arrays of
subdocuments and never field names. Log: one document a record, keyed by owner and sequence number. Three
texts are there for an index each (`store.mongo.indexes`): `queued`, only while the record is pending;
`inbound`, only where the stanza had a number; `with_jid`, the peer without resource.

What is absent from a record is absent from its document. Every document says by which version of the layout
it was written. What an earlier version wrote reads like what the present one writes, or else
`store.mongo.migrations` has rewritten it before anything is read.
"""

import zlib
from typing import Final, NotRequired, TypedDict

from protocols.privacy_lists import ItemType, Kind, PrivacyItem, PrivacyList
from protocols.sasl.keys import ScramKeys
from store.errors import StoreUnusable
from store.log import SEQ_DIGITS, SEQ_MAX, Direction, LogRecord, OutboundNumber, StanzaNumber
from store.users import RemovedItem, RosterItem, SubscriptionRequest, User, Vacation

SCHEMA_VERSION: Final = 4

# Accounts are listed shelf by shelf, as the embedded engine scans the whole collection for a range of `_id`
# (3 s at 50,000 accounts). At a million accounts a shelf holds 250, some 15 ms.
SHELVES: Final = 4096


class KeysDocument(TypedDict):
    """`ScramKeys`, an element of `credentials`."""

    mechanism: str
    salt: bytes
    iterations: int
    stored_key: bytes
    server_key: bytes


class RosterDocument(TypedDict):
    """`RosterItem`, an element of `roster`."""

    jid: str
    name: NotRequired[str]
    groups: NotRequired[list[str]]
    subscription: str
    ask: NotRequired[bool]
    approved: NotRequired[bool]
    version: int


class RemovedDocument(TypedDict):
    """`RemovedItem`, an element of `removed`."""

    jid: str
    version: int


class RequestDocument(TypedDict):
    """`SubscriptionRequest`, an element of `requests`."""

    jid: str
    stanza: bytes


class PrivacyItemDocument(TypedDict):
    """`PrivacyItem`, an element of a list's `items`."""

    order: int
    allow: bool
    type: NotRequired[str]
    value: NotRequired[str]
    kinds: NotRequired[list[str]]


class PrivacyListDocument(TypedDict):
    """`PrivacyList`, an element of `privacy_lists`."""

    name: str
    items: list[PrivacyItemDocument]


class VacationDocument(TypedDict):
    """`Vacation`."""

    message: str
    start_ms: NotRequired[int]
    end_ms: NotRequired[int]


class UserDocument(TypedDict):
    """`User`."""

    _id: str
    v: int
    rev: int
    shelf: int
    created_ms: int
    credentials: list[KeysDocument]
    roster: list[RosterDocument]
    roster_version: int
    removed: list[RemovedDocument]
    requests: list[RequestDocument]
    log_reserved: int
    last_logout_ms: NotRequired[int]
    last_status: NotRequired[str]
    privacy_lists: NotRequired[list[PrivacyListDocument]]
    default_list: NotRequired[str]
    vacation: NotRequired[VacationDocument]


class NumberDocument(TypedDict):
    """`OutboundNumber`, an element of `outbound`."""

    session: str
    epoch: int
    number: int


class RecordDocument(TypedDict):
    """`LogRecord`."""

    _id: str
    v: int
    owner: str
    seq: int
    stanza_id: str
    peer: str
    with_jid: str
    direction: str
    at_ms: int
    data: bytes
    inbound: NotRequired[str]
    outbound: NotRequired[list[NumberDocument]]
    queued: NotRequired[str]
    kept: NotRequired[bool]


def shelf_of(bare_jid: str) -> int:
    """Return the shelf on which an account is listed."""
    return zlib.crc32(bare_jid.encode()) % SHELVES


def record_key(owner: str, seq: int) -> str:
    """Return the `_id` of a record; a bare JID holds no slash, so no two records share one."""
    return f"{owner}/{seq:0{SEQ_DIGITS}}"


def inbound_key(inbound: StanzaNumber, owner: str) -> str:
    """Return the text that is unique for a stanza in an owner's log; sorts by session, then by number."""
    return f"{inbound.session}/{inbound.number:0{SEQ_DIGITS}}/{owner}"


def inbound_window(session: str, after: int, up_to: int) -> dict[str, str]:
    """Return the filter for `inbound` that finds a session's numbers, the lower end excluded.

    It finds others as well where one session's name is the beginning of another's.
    """
    # The zero is the character after the slash: behind all keys that begin with the number and a slash.
    start, end = (f"{session}/{min(number, SEQ_MAX):0{SEQ_DIGITS}}0" for number in (after, up_to))
    return {"$gt": start, "$lt": end}


def inbound_from_key(key: str) -> StanzaNumber:
    """Return the session and number in the text that `inbound_key` made."""
    session, number, _owner = key.rsplit("/", 2)
    return StanzaNumber(session, int(number))


def document_from_user(user: User) -> UserDocument:
    """Return the document to store for an account."""
    document = UserDocument(
        _id=user.bare_jid,
        v=SCHEMA_VERSION,
        rev=user.rev,
        shelf=shelf_of(user.bare_jid),
        created_ms=user.created_ms,
        credentials=[_document_from_keys(keys) for keys in user.credentials],
        roster=[_document_from_item(item) for item in user.roster],
        roster_version=user.roster_version,
        removed=[RemovedDocument(jid=item.jid, version=item.version) for item in user.removed],
        requests=[RequestDocument(jid=request.jid, stanza=request.stanza) for request in user.requests],
        log_reserved=user.log_reserved,
    )
    if user.last_logout_ms is not None:
        document["last_logout_ms"] = user.last_logout_ms
    if user.last_status is not None:
        document["last_status"] = user.last_status
    if user.privacy_lists:
        document["privacy_lists"] = [_document_from_list(each) for each in user.privacy_lists]
    if user.default_list is not None:
        document["default_list"] = user.default_list
    if user.vacation is not None:
        document["vacation"] = _document_from_vacation(user.vacation)
    return document


def user_from_document(document: UserDocument) -> User:
    """Return the account in a document.

    Raises:
        StoreUnusable: If a newer program wrote it.
    """
    check_version(document["_id"], document["v"])
    return User(
        bare_jid=document["_id"],
        rev=document["rev"],
        created_ms=document["created_ms"],
        credentials=keys_from_documents(document["credentials"]),
        roster=tuple(_item_from_document(item) for item in document["roster"]),
        roster_version=document["roster_version"],
        removed=tuple(RemovedItem(item["jid"], item["version"]) for item in document["removed"]),
        requests=tuple(SubscriptionRequest(item["jid"], item["stanza"]) for item in document["requests"]),
        log_reserved=document["log_reserved"],
        last_logout_ms=document.get("last_logout_ms"),
        last_status=document.get("last_status"),
        privacy_lists=tuple(_list_from_document(item) for item in document.get("privacy_lists", ())),
        default_list=document.get("default_list"),
        vacation=_vacation_from_document(document.get("vacation")),
    )


def keys_from_documents(documents: list[KeysDocument]) -> tuple[ScramKeys, ...]:
    """Return the keys of an account's `credentials`."""
    return tuple(ScramKeys(**document) for document in documents)


def document_from_record(record: LogRecord) -> RecordDocument:
    """Return the document to store for a record."""
    key = record_key(record.owner, record.seq)
    document = RecordDocument(
        _id=key,
        v=SCHEMA_VERSION,
        owner=record.owner,
        seq=record.seq,
        stanza_id=record.stanza_id,
        peer=record.peer,
        with_jid=record.with_jid,
        direction=record.direction.value,
        at_ms=record.at_ms,
        data=record.data,
    )
    if record.inbound is not None:
        document["inbound"] = inbound_key(record.inbound, record.owner)
    if record.outbound:
        document["outbound"] = [
            NumberDocument(session=session, epoch=epoch, number=number)
            for session, epoch, number in record.outbound
        ]
    if record.pending:
        document["queued"] = key
    if record.kept:
        document["kept"] = True
    return document


def record_from_document(document: RecordDocument) -> LogRecord:
    """Return the record in a document.

    Raises:
        StoreUnusable: If a newer program wrote it.
    """
    check_version(document["_id"], document["v"])
    return LogRecord(
        owner=document["owner"],
        seq=document["seq"],
        stanza_id=document["stanza_id"],
        peer=document["peer"],
        direction=Direction(document["direction"]),
        at_ms=document["at_ms"],
        data=document["data"],
        inbound=inbound_from_key(document["inbound"]) if "inbound" in document else None,
        outbound=tuple(
            OutboundNumber(entry["session"], entry["epoch"], entry["number"])
            for entry in document.get("outbound", ())
        ),
        pending="queued" in document,
        kept=document.get("kept", False),
    )


def _document_from_keys(keys: ScramKeys) -> KeysDocument:
    return KeysDocument(
        mechanism=keys.mechanism,
        salt=keys.salt,
        iterations=keys.iterations,
        stored_key=keys.stored_key,
        server_key=keys.server_key,
    )


def _document_from_item(item: RosterItem) -> RosterDocument:
    document = RosterDocument(jid=item.jid, subscription=item.subscription, version=item.version)
    if item.name is not None:
        document["name"] = item.name
    if item.groups:
        document["groups"] = list(item.groups)
    if item.ask:
        document["ask"] = True
    if item.approved:
        document["approved"] = True
    return document


def _item_from_document(document: RosterDocument) -> RosterItem:
    return RosterItem(
        jid=document["jid"],
        name=document.get("name"),
        groups=tuple(document.get("groups", ())),
        subscription=document["subscription"],
        ask=document.get("ask", False),
        approved=document.get("approved", False),
        version=document["version"],
    )


def _document_from_list(privacy_list: PrivacyList) -> PrivacyListDocument:
    items = [_document_from_rule(item) for item in privacy_list.items]
    return PrivacyListDocument(name=privacy_list.name, items=items)


def _document_from_rule(item: PrivacyItem) -> PrivacyItemDocument:
    document = PrivacyItemDocument(order=item.order, allow=item.is_allowed)
    if item.type is not ItemType.ANYBODY:
        document["type"] = item.type.value
        document["value"] = item.value
    if item.kinds:
        document["kinds"] = sorted(kind.value for kind in item.kinds)
    return document


def _document_from_vacation(vacation: Vacation) -> VacationDocument:
    document = VacationDocument(message=vacation.message)
    if vacation.start_ms is not None:
        document["start_ms"] = vacation.start_ms
    if vacation.end_ms is not None:
        document["end_ms"] = vacation.end_ms
    return document


def _vacation_from_document(document: VacationDocument | None) -> Vacation | None:
    return None if document is None else Vacation(**document)


def _list_from_document(document: PrivacyListDocument) -> PrivacyList:
    items = (
        PrivacyItem(
            item["order"],
            item["allow"],
            ItemType(item.get("type", "")),
            item.get("value", ""),
            frozenset(map(Kind, item.get("kinds", ()))),
        )
        for item in document["items"]
    )
    return PrivacyList(document["name"], tuple(items))


def check_version(key: str, version: int) -> None:
    """Raise `StoreUnusable` if a newer program wrote the document."""
    if version > SCHEMA_VERSION:
        raise StoreUnusable(
            f"document {key} has layout {version}, this program knows {SCHEMA_VERSION}: was it upgraded and "
            "then put back?"
        )
