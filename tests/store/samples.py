"""Accounts, records and sessions that tests are about."""

from typing import Any

from protocols.privacy_lists import ItemType, Kind, PrivacyItem, PrivacyList
from protocols.sasl.keys import ScramKeys
from store.log import Direction, LogRecord, OutboundNumber, StanzaNumber
from store.sessions import OpenRequest, QueueEntry, SessionRecord
from store.users import RemovedItem, RosterItem, SubscriptionRequest, User, Vacation

KEYS = (
    ScramKeys("SCRAM-SHA-256", b"salt of 16 bytes", 4096, b"s" * 32, b"S" * 32),
    ScramKeys("SCRAM-SHA-1", b"salt of 16 bytes", 4096, b"k" * 20, b"K" * 20),
)


def make_user(bare_jid: str, **fields: Any) -> User:
    """Return an account with next to nothing."""
    return User(**{"bare_jid": bare_jid, "rev": 1, "created_ms": 1_700_000_000_000, **fields})


def make_full_user(bare_jid: str, **fields: Any) -> User:
    """Return an account with everything that one may have."""
    everything = {
        "credentials": KEYS,
        "roster": (
            RosterItem("romeo@example.net", "Rømeo", ("Friends", "Montague"), "both", version=3),
            RosterItem("nurse@example.com", subscription="from", ask=True, version=4),
            RosterItem("paris.of.verona@example.com", None, (), "none", approved=True, version=5),
        ),
        "roster_version": 6,
        "removed": (RemovedItem("tybalt@example.com", 6),),
        "requests": (SubscriptionRequest("friar@example.com", b"<presence type='subscribe'/>"),),
        "log_reserved": 200,
        "last_logout_ms": 1_700_000_100_000,
        "last_status": "",
        "privacy_lists": (
            PrivacyList(
                "my list",
                (
                    PrivacyItem(1, is_allowed=False, type=ItemType.JID, value="tybalt@example.com"),
                    PrivacyItem(2, is_allowed=True, kinds=frozenset({Kind.IQ, Kind.PRESENCE_OUT})),
                ),
            ),
            PrivacyList("empty", ()),
        ),
        "default_list": "my list",
        "vacation": Vacation("Away.", 1_700_000_000_000, 1_700_000_200_000),
    }
    return make_user(bare_jid, **{**everything, **fields})


def make_record(owner: str, seq: int, **fields: Any) -> LogRecord:
    """Return a message that was delivered as it came."""
    plain = {
        "owner": owner,
        "seq": seq,
        "stanza_id": f"id-{seq}",
        "peer": "romeo@example.net/orchard",
        "direction": Direction.IN,
        "at_ms": 1_700_000_000_000 + seq,
        "data": f"<message id='{seq}'><body>ñ</body></message>".encode(),
    }
    return LogRecord(**{**plain, **fields})


def make_full_record(owner: str, seq: int, **fields: Any) -> LogRecord:
    """Return a record with everything that one may have."""
    everything = {
        "inbound": StanzaNumber("session/with a slash", seq),
        "outbound": (OutboundNumber("first", 0, 7), OutboundNumber("second", 3, 2**32 + 1)),
        "pending": True,
        "kept": True,
    }
    return make_record(owner, seq, **{**everything, **fields})


def make_session(sm_id: str, **fields: Any) -> SessionRecord:
    """Return a session that has only begun."""
    return SessionRecord(
        **{"sm_id": sm_id, "jid": "juliet@example.com/balcony", "resume_seconds": 300.0, **fields}
    )


def make_full_session(sm_id: str, **fields: Any) -> SessionRecord:
    """Return a session with everything that one may have."""
    everything = {
        "lang": "de",
        "received": 12,
        "acked": 2**32 + 1,
        "epoch": 3,
        "base": 2**32 + 1,
        "handled": (3, 2**33),
        "dealt": (5, 9),
        "entries": (
            QueueEntry(seq=7),
            QueueEntry(data=b"<iq id='\xc3\xb1'/>"),
            QueueEntry(data=b"<iq id='2'/>", is_answered=True),
            QueueEntry(seq=2**32 + 2),
            QueueEntry(place=(2, 2**32 + 1)),
            QueueEntry(data=b"<message/>", place=(2, 3)),
        ),
        "elsewhere": (0, 1),
        "is_exact": True,
        "presence": b"<presence from='juliet@example.com/balcony'/>",
        "directed": ("romeo@example.net/a.b", "room.with.dots@example.net"),
        "roster_version": 0,
        "notes": (("privacy.active", "a.b"), ("blocking", "")),
        "requests": (OpenRequest("a1", "romeo@example.net/orchard"), OpenRequest("", "", 7)),
        "resume_seconds": 0.5,
        "hibernated_ms": 1_700_000_000_000,
    }
    return make_session(sm_id, **{**everything, **fields})
