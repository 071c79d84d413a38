"""Where a stanza for a local address goes (RFC 6121 §8, RFC 6120 §10.3 and §10.5), as tables.

Used by routing for every stanza: it finds out how the address relates to what is connected (`Address`,
`Resources`), looks up the decision here and carries it out. Blocking and other policies come before.

Where the RFC leaves a choice: what may be stored is stored; what may be dropped or answered with an error
is answered, because here every stanza ends handed on, stored or answered; of several resources those
with the highest priority get a message.
"""

from collections.abc import Iterable, Mapping
from enum import Enum, IntEnum
from typing import Final, TypeVar

from protocols.stanza import StanzaKind

_Resource = TypeVar("_Resource")


class Address(IntEnum):
    """What the address of a stanza is. An `IntEnum`, as its hash is made in C: one is hashed per stanza."""

    NONE = 0  # no 'to' attribute
    DOMAIN = 1  # the server itself, with or without a resource
    BARE = 2  # user@domain
    FULL_MATCH = 3  # user@domain/resource, and that resource is connected, be it available or not
    FULL_NO_MATCH = 4  # user@domain/resource, and there is no such resource


class Resources(IntEnum):
    """What the account that is addressed has. An `IntEnum` for the same reason."""

    NO_ACCOUNT = 0  # there is no such account
    NONE = 1  # no resource is available (resources may be connected that have sent no presence)
    NEGATIVE = 2  # all available resources have a negative priority
    NON_NEGATIVE = 3  # at least one available resource has a priority of zero or more


class Delivery(Enum):
    """What to do with a stanza."""

    TO_RESOURCE = "the connected resource that it names"
    TO_RESOURCE_IF_SHARING = "that resource if it shares presence with the sender, else service-unavailable"
    TO_MOST_AVAILABLE = "the available resources of the highest non-negative priority"
    TO_NON_NEGATIVE = "all available resources of non-negative priority"
    TO_AVAILABLE = "all available resources"
    STORE = "offline storage, or service-unavailable where there is none"
    SERVICE_UNAVAILABLE = "back to the sender as an error: service-unavailable"
    BAD_REQUEST = "back to the sender as an error: bad-request"
    UNSUBSCRIBED = "back to the sender: presence of type unsubscribed"
    IGNORE = "nowhere"
    ACCOUNT = "handled by the server in the name of the account"
    SERVER = "handled by the server in its own name"
    BROADCAST = "everybody who is subscribed to the sender's presence"
    SUBSCRIPTION = "the rules of subscription, for the bare JID"
    PROBE = "the rules of presence probes"


_Row = tuple[Delivery, ...]
_Rows = Mapping[tuple[tuple[Resources, ...], tuple[Address, ...]], _Row]
_Table = Mapping[tuple[str, Address, Resources], Delivery]

# Short names, so that a row of a table is a line.
_R, _SHARE = Delivery.TO_RESOURCE, Delivery.TO_RESOURCE_IF_SHARING
_MOST, _ALL, _AVAIL = Delivery.TO_MOST_AVAILABLE, Delivery.TO_NON_NEGATIVE, Delivery.TO_AVAILABLE
_STORE, _ERROR, _BAD = Delivery.STORE, Delivery.SERVICE_UNAVAILABLE, Delivery.BAD_REQUEST
_IGN, _ACCT, _SERV = Delivery.IGNORE, Delivery.ACCOUNT, Delivery.SERVER
_SUB, _PROBE, _UNSUB, _BCAST = (
    Delivery.SUBSCRIPTION,
    Delivery.PROBE,
    Delivery.UNSUBSCRIBED,
    Delivery.BROADCAST,
)

_ANY = tuple(Resources)
_ACCOUNT = (Resources.NONE, Resources.NEGATIVE, Resources.NON_NEGATIVE)
_AVAILABLE = (Resources.NEGATIVE, Resources.NON_NEGATIVE)
_OFFLINE = (Resources.NONE, Resources.NEGATIVE)
_MISSING = (Resources.NO_ACCOUNT,)
_ONLINE = (Resources.NON_NEGATIVE,)
# RFC 6120 §10.3.1: a message without 'to' is treated as one for the sender's own bare JID.
_BARE_OR_NONE = (Address.BARE, Address.NONE)

# RFC 6121 §8.5.4, table 1, and the column "error" from the text before it.
_MESSAGE_TYPES: Final = ("normal", "chat", "groupchat", "headline", "error")
_MESSAGE_ROWS: Final[_Rows] = {
    (_ANY, (Address.DOMAIN,)): (_SERV, _SERV, _SERV, _SERV, _IGN),
    (_MISSING, _BARE_OR_NONE): (_ERROR, _ERROR, _ERROR, _IGN, _IGN),
    (_MISSING, (Address.FULL_NO_MATCH,)): (_ERROR, _ERROR, _ERROR, _ERROR, _IGN),
    (_OFFLINE, _BARE_OR_NONE): (_STORE, _STORE, _ERROR, _IGN, _IGN),
    (_OFFLINE, (Address.FULL_MATCH,)): (_R, _R, _R, _R, _R),
    (_OFFLINE, (Address.FULL_NO_MATCH,)): (_ERROR, _STORE, _ERROR, _ERROR, _IGN),
    (_ONLINE, _BARE_OR_NONE): (_MOST, _MOST, _ERROR, _ALL, _IGN),
    (_ONLINE, (Address.FULL_MATCH,)): (_R, _R, _R, _R, _R),
    (_ONLINE, (Address.FULL_NO_MATCH,)): (_ERROR, _MOST, _ERROR, _ERROR, _IGN),
}

# RFC 6121 §8.5.1 to §8.5.3. They are silent on the type "error", which goes where plain presence goes (a
# refused request for subscription comes back to the bare JID: §3.1.2). A probe without 'to' means
# nothing, but §4.3 forbids an error for it.
_PRESENCE_TYPES: Final = (
    *("", "unavailable", "error"),
    *("subscribe", "subscribed", "unsubscribe", "unsubscribed", "probe"),
)
_PRESENCE_ROWS: Final[_Rows] = {
    (_ANY, (Address.NONE,)): (_BCAST, _BCAST, _IGN, _BAD, _BAD, _BAD, _BAD, _IGN),
    (_ANY, (Address.DOMAIN,)): (_SERV, _SERV, _IGN, _SERV, _SERV, _SERV, _SERV, _SERV),
    (_MISSING, (Address.BARE, Address.FULL_NO_MATCH)): (_IGN, _IGN, _IGN, _IGN, _IGN, _IGN, _IGN, _UNSUB),
    ((Resources.NONE,), (Address.BARE,)): (_IGN, _IGN, _IGN, _SUB, _SUB, _SUB, _SUB, _PROBE),
    (_AVAILABLE, (Address.BARE,)): (_AVAIL, _AVAIL, _AVAIL, _SUB, _SUB, _SUB, _SUB, _PROBE),
    (_ACCOUNT, (Address.FULL_MATCH,)): (_R, _R, _R, _SUB, _SUB, _SUB, _SUB, _PROBE),
    (_ACCOUNT, (Address.FULL_NO_MATCH,)): (_IGN, _IGN, _IGN, _SUB, _IGN, _IGN, _IGN, _PROBE),
}

# RFC 6121 §8.5 and RFC 6120 §10.3.3. Nothing is answered to a result or an error (RFC 6120 §8.2.3).
_IQ_TYPES: Final = ("get", "set", "result", "error")
_IQ_ROWS: Final[_Rows] = {
    (_ANY, (Address.NONE,)): (_ACCT, _ACCT, _ACCT, _ACCT),
    (_ANY, (Address.DOMAIN,)): (_SERV, _SERV, _SERV, _SERV),
    (_MISSING, (Address.BARE, Address.FULL_NO_MATCH)): (_ERROR, _ERROR, _IGN, _IGN),
    (_ACCOUNT, (Address.BARE,)): (_ACCT, _ACCT, _ACCT, _ACCT),
    (_ACCOUNT, (Address.FULL_MATCH,)): (_SHARE, _SHARE, _R, _R),
    (_ACCOUNT, (Address.FULL_NO_MATCH,)): (_ERROR, _ERROR, _IGN, _IGN),
}


def _spread(types: tuple[str, ...], rows: _Rows) -> _Table:
    """Return a table with one entry per cell, so that a decision is one look-up."""
    return {
        (type, address, resources): delivery
        for (resource_kinds, addresses), row in rows.items()
        for resources in resource_kinds
        for address in addresses
        for type, delivery in zip(types, row, strict=True)
    }


_MESSAGES: Final = _spread(_MESSAGE_TYPES, _MESSAGE_ROWS)
_PRESENCES: Final = _spread(_PRESENCE_TYPES, _PRESENCE_ROWS)
_IQS: Final = _spread(_IQ_TYPES, _IQ_ROWS)


def decide(kind: StanzaKind, type: str, address: Address, resources: Resources) -> Delivery:
    """Return where a stanza goes.

    Args:
        kind: Message, presence or IQ.
        type: Its type attribute, empty where there is none.
        address: What it is addressed to.
        resources: What the account addressed has; without 'to', the sender's. For `DOMAIN` any will do.
    """
    if kind is StanzaKind.MESSAGE:
        if type not in _MESSAGE_TYPES:
            type = "normal"  # none, or one that nobody knows: RFC 6121 §5.2.2
        return _MESSAGES[type, address, resources]
    types, table = (_PRESENCE_TYPES, _PRESENCES) if kind is StanzaKind.PRESENCE else (_IQ_TYPES, _IQS)
    if type not in types:
        return Delivery.BAD_REQUEST  # RFC 6121 §4.7.1, RFC 6120 §8.2.3
    return table[type, address, resources]


def classify(priorities: Iterable[int]) -> Resources:
    """Return what an existing account has, given the priorities of its available resources."""
    highest = max(priorities, default=None)
    if highest is None:
        return Resources.NONE
    return Resources.NON_NEGATIVE if highest >= 0 else Resources.NEGATIVE


def most_available(priorities: Mapping[_Resource, int]) -> list[_Resource]:
    """Return the resources that get a message for the bare JID: all of the highest non-negative priority."""
    highest = max(priorities.values(), default=-1)
    if highest < 0:
        return []
    return [resource for resource, priority in priorities.items() if priority == highest]


def non_negative(priorities: Mapping[_Resource, int]) -> list[_Resource]:
    """Return the resources of non-negative priority."""
    return [resource for resource, priority in priorities.items() if priority >= 0]
