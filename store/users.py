"""What belongs to one account: credentials, roster, requests for subscription, and a few marks.

Read as a whole and replaced as a whole (`store.writes.ReplaceUser`), by one writer: the account's presence
actor. Addresses are kept as normalised text; the roster follows RFC 6121 §2, its versions §2.6.
"""

from dataclasses import dataclass
from typing import NamedTuple

from protocols.privacy_lists import PrivacyList
from protocols.sasl.keys import ScramKeys


class RosterItem(NamedTuple):
    """One contact of an account.

    Attributes:
        jid: The contact's bare JID.
        name: The name the user gave it, if any.
        groups: The groups the user put it into.
        subscription: 'none', 'to', 'from' or 'both', as on the wire.
        ask: Whether a request of the user's awaits the contact's answer ('Pending Out').
        approved: Whether a request of the contact's is granted in advance (RFC 6121 §3.4).
        version: The `roster_version` that last changed this item.
    """

    jid: str
    name: str | None = None
    groups: tuple[str, ...] = ()
    subscription: str = "none"
    ask: bool = False
    approved: bool = False
    version: int = 0


class RemovedItem(NamedTuple):
    """A contact that is no more, kept so that a client can be told what went since its version of the roster.

    The owner of the list bounds it; a client whose version is older than all of it gets the whole roster.
    """

    jid: str
    version: int


class SubscriptionRequest(NamedTuple):
    """A contact's request that awaits the user's answer ('Pending In'); not shown in the roster."""

    jid: str
    stanza: bytes


class Vacation(NamedTuple):
    """What is told to who writes meanwhile; moments are in milliseconds since 1970.

    Attributes:
        message: What is told.
        start_ms: From when on; at once if None.
        end_ms: Until when; for ever if None.
    """

    message: str
    start_ms: int | None = None
    end_ms: int | None = None

    def is_on(self, now_ms: int) -> bool:
        """Whether it is told at this moment."""
        has_begun = self.start_ms is None or self.start_ms <= now_ms
        return has_begun and (self.end_ms is None or now_ms < self.end_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """The document of one account.

    Attributes:
        bare_jid: The account's address, its key.
        rev: Rises by one with each replacement and guards it.
        credentials: The password as salted keys, strongest first; empty if the account cannot log in.
        created_ms: When the account was made, in milliseconds since 1970.
        roster: The contacts.
        roster_version: Rises with each change to the roster.
        removed: The contacts removed last, a bounded number of them.
        requests: Requests for subscription not answered yet.
        log_reserved: The highest sequence number of the log that may have been handed out. A number may be
            used only once the document that reserves it is committed, so that no crash hands it out twice.
        last_logout_ms: When the last session ended, if one ever did.
        last_status: The status text of the last unavailable presence, if it had one.
        privacy_lists: What may reach the user and what may not, each list by a name (XEP-0016).
        default_list: The name of the one that holds where a session has not chosen another, if any does.
        vacation: What is told to who writes while nobody is there, if anything is.
    """

    bare_jid: str
    rev: int
    created_ms: int
    credentials: tuple[ScramKeys, ...] = ()
    roster: tuple[RosterItem, ...] = ()
    roster_version: int = 0
    removed: tuple[RemovedItem, ...] = ()
    requests: tuple[SubscriptionRequest, ...] = ()
    log_reserved: int = 0
    last_logout_ms: int | None = None
    last_status: str | None = None
    privacy_lists: tuple[PrivacyList, ...] = ()
    default_list: str | None = None
    vacation: Vacation | None = None
