"""Presence subscriptions: what each stanza that manages them does in each state (RFC 6121, appendix A).

Used by the presence actor, which owns the roster: it looks up what a stanza that its user sends
(`outbound`) or is sent (`inbound`) means for the roster item of the other party, and carries it out.
The states are seen from the user whose roster it is; the other party is called the contact. A contact
that is not in the roster is in the state "None", or "None + Pending In" while its request is kept.
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final, NamedTuple


class SubscriptionStanza(Enum):
    """The types of presence that manage subscriptions; each value is the name on the wire."""

    SUBSCRIBE = "subscribe"
    SUBSCRIBED = "subscribed"
    UNSUBSCRIBE = "unsubscribe"
    UNSUBSCRIBED = "unsubscribed"


class SubscriptionState(Enum):
    """The nine states of RFC 6121 §A.1, named as there, and how each is kept in a roster item.

    Attributes:
        title: The name in the RFC.
        subscription: The attribute of the roster item: `none`, `to`, `from` or `both`.
        ask: Whether the item says `ask='subscribe'`: our user's request is not yet answered.
        pending_in: Whether the contact's request awaits our user's answer. No client sees this in the
            roster: it sees the request itself.
        to: Whether our user is subscribed to the contact's presence.
        from_: Whether the contact is subscribed to our user's presence.
    """

    NONE = ("None", "none", False, False)
    NONE_PENDING_OUT = ("None + Pending Out", "none", True, False)
    NONE_PENDING_IN = ("None + Pending In", "none", False, True)
    NONE_PENDING_OUT_IN = ("None + Pending Out+In", "none", True, True)
    TO = ("To", "to", False, False)
    TO_PENDING_IN = ("To + Pending In", "to", False, True)
    FROM = ("From", "from", False, False)
    FROM_PENDING_OUT = ("From + Pending Out", "from", True, False)
    BOTH = ("Both", "both", False, False)

    def __init__(self, title: str, subscription: str, ask: bool, pending_in: bool) -> None:
        self.title = title
        self.subscription = subscription
        self.ask = ask
        self.pending_in = pending_in
        self.to = subscription in {"to", "both"}
        self.from_ = subscription in {"from", "both"}


class PresenceNotice(Enum):
    """What the contact has to be told of our user's presence after a transition."""

    NOTHING = "nothing"
    CURRENT = "current"  # the presence of each available resource
    UNAVAILABLE = "unavailable"  # unavailable, from each available resource


class Transition(NamedTuple):
    """What one subscription stanza does.

    To carry it out in the order that RFC 6121 §3 asks for: tell the contact `UNAVAILABLE`; pass the
    stanza on; send the reply; push the roster item; tell the contact the `CURRENT` presence.

    Attributes:
        state: The state from now on.
        approved: Whether the item says `approved='true'` from now on (§3.4).
        passed_on: Whether the stanza goes on: outbound, to the contact; inbound, to our user (a request
            to the available resources and to those that come later, the rest to the interested ones).
        push: Whether the roster item as clients see it changes, so that interested resources get a
            push. An item that is not there yet is made; without a push none is made.
        reply: What goes back to the contact in our user's name.
        notice: What the contact is told of our user's presence.
    """

    state: SubscriptionState
    approved: bool
    passed_on: bool
    push: bool
    reply: SubscriptionStanza | None
    notice: PresenceNotice


class _Cell(NamedTuple):
    """One cell of the RFC's tables: its columns "route?" or "deliver?" and "new state", and its notes."""

    passed_on: bool
    state: SubscriptionState
    reply: SubscriptionStanza | None = None
    approved: bool | None = None  # None: as it was


_Table = Mapping[SubscriptionState, _Cell]
_S = SubscriptionState
_SUBSCRIBED = SubscriptionStanza.SUBSCRIBED
_UNSUBSCRIBED = SubscriptionStanza.UNSUBSCRIBED

# Tables 2 to 5. The approval that "subscribed" leaves behind where there is no request to approve, and
# that "unsubscribed" takes back, is §3.4; it is kept until then, and so serves later requests as well.
_OUTBOUND: Final[Mapping[SubscriptionStanza, _Table]] = {
    SubscriptionStanza.SUBSCRIBE: {
        _S.NONE: _Cell(True, _S.NONE_PENDING_OUT),
        _S.NONE_PENDING_OUT: _Cell(True, _S.NONE_PENDING_OUT),
        _S.NONE_PENDING_IN: _Cell(True, _S.NONE_PENDING_OUT_IN),
        _S.NONE_PENDING_OUT_IN: _Cell(True, _S.NONE_PENDING_OUT_IN),
        _S.TO: _Cell(True, _S.TO),
        _S.TO_PENDING_IN: _Cell(True, _S.TO_PENDING_IN),
        _S.FROM: _Cell(True, _S.FROM_PENDING_OUT),
        _S.FROM_PENDING_OUT: _Cell(True, _S.FROM_PENDING_OUT),
        _S.BOTH: _Cell(True, _S.BOTH),
    },
    SubscriptionStanza.UNSUBSCRIBE: {
        _S.NONE: _Cell(True, _S.NONE),
        _S.NONE_PENDING_OUT: _Cell(True, _S.NONE),
        _S.NONE_PENDING_IN: _Cell(True, _S.NONE_PENDING_IN),
        _S.NONE_PENDING_OUT_IN: _Cell(True, _S.NONE_PENDING_IN),
        _S.TO: _Cell(True, _S.NONE),
        _S.TO_PENDING_IN: _Cell(True, _S.NONE_PENDING_IN),
        _S.FROM: _Cell(True, _S.FROM),
        _S.FROM_PENDING_OUT: _Cell(True, _S.FROM),
        _S.BOTH: _Cell(True, _S.FROM),
    },
    SubscriptionStanza.SUBSCRIBED: {
        _S.NONE: _Cell(False, _S.NONE, approved=True),
        _S.NONE_PENDING_OUT: _Cell(False, _S.NONE_PENDING_OUT, approved=True),
        _S.NONE_PENDING_IN: _Cell(True, _S.FROM),
        _S.NONE_PENDING_OUT_IN: _Cell(True, _S.FROM_PENDING_OUT),
        _S.TO: _Cell(False, _S.TO, approved=True),
        _S.TO_PENDING_IN: _Cell(True, _S.BOTH),
        _S.FROM: _Cell(False, _S.FROM),
        _S.FROM_PENDING_OUT: _Cell(False, _S.FROM_PENDING_OUT),
        _S.BOTH: _Cell(False, _S.BOTH),
    },
    SubscriptionStanza.UNSUBSCRIBED: {
        _S.NONE: _Cell(False, _S.NONE, approved=False),
        _S.NONE_PENDING_OUT: _Cell(False, _S.NONE_PENDING_OUT, approved=False),
        _S.NONE_PENDING_IN: _Cell(True, _S.NONE, approved=False),
        _S.NONE_PENDING_OUT_IN: _Cell(True, _S.NONE_PENDING_OUT, approved=False),
        _S.TO: _Cell(False, _S.TO, approved=False),
        _S.TO_PENDING_IN: _Cell(True, _S.TO, approved=False),
        _S.FROM: _Cell(True, _S.NONE, approved=False),
        _S.FROM_PENDING_OUT: _Cell(True, _S.NONE_PENDING_OUT, approved=False),
        _S.BOTH: _Cell(True, _S.TO, approved=False),
    },
}

# Tables 6 to 9.
_INBOUND: Final[Mapping[SubscriptionStanza, _Table]] = {
    SubscriptionStanza.SUBSCRIBE: {
        _S.NONE: _Cell(True, _S.NONE_PENDING_IN),
        _S.NONE_PENDING_OUT: _Cell(True, _S.NONE_PENDING_OUT_IN),
        _S.NONE_PENDING_IN: _Cell(False, _S.NONE_PENDING_IN),
        _S.NONE_PENDING_OUT_IN: _Cell(False, _S.NONE_PENDING_OUT_IN),
        _S.TO: _Cell(True, _S.TO_PENDING_IN),
        _S.TO_PENDING_IN: _Cell(False, _S.TO_PENDING_IN),
        _S.FROM: _Cell(False, _S.FROM, reply=_SUBSCRIBED),
        _S.FROM_PENDING_OUT: _Cell(False, _S.FROM_PENDING_OUT, reply=_SUBSCRIBED),
        _S.BOTH: _Cell(False, _S.BOTH, reply=_SUBSCRIBED),
    },
    SubscriptionStanza.UNSUBSCRIBE: {
        _S.NONE: _Cell(False, _S.NONE),
        _S.NONE_PENDING_OUT: _Cell(False, _S.NONE_PENDING_OUT),
        _S.NONE_PENDING_IN: _Cell(True, _S.NONE, reply=_UNSUBSCRIBED),
        _S.NONE_PENDING_OUT_IN: _Cell(True, _S.NONE_PENDING_OUT, reply=_UNSUBSCRIBED),
        _S.TO: _Cell(False, _S.TO),
        _S.TO_PENDING_IN: _Cell(True, _S.TO, reply=_UNSUBSCRIBED),
        _S.FROM: _Cell(True, _S.NONE, reply=_UNSUBSCRIBED),
        _S.FROM_PENDING_OUT: _Cell(True, _S.NONE_PENDING_OUT, reply=_UNSUBSCRIBED),
        _S.BOTH: _Cell(True, _S.TO, reply=_UNSUBSCRIBED),
    },
    SubscriptionStanza.SUBSCRIBED: {
        _S.NONE: _Cell(False, _S.NONE),
        _S.NONE_PENDING_OUT: _Cell(True, _S.TO),
        _S.NONE_PENDING_IN: _Cell(False, _S.NONE_PENDING_IN),
        _S.NONE_PENDING_OUT_IN: _Cell(True, _S.TO_PENDING_IN),
        _S.TO: _Cell(False, _S.TO),
        _S.TO_PENDING_IN: _Cell(False, _S.TO_PENDING_IN),
        _S.FROM: _Cell(False, _S.FROM),
        _S.FROM_PENDING_OUT: _Cell(True, _S.BOTH),
        _S.BOTH: _Cell(False, _S.BOTH),
    },
    SubscriptionStanza.UNSUBSCRIBED: {
        _S.NONE: _Cell(False, _S.NONE),
        _S.NONE_PENDING_OUT: _Cell(True, _S.NONE),
        _S.NONE_PENDING_IN: _Cell(False, _S.NONE_PENDING_IN),
        _S.NONE_PENDING_OUT_IN: _Cell(True, _S.NONE_PENDING_IN),
        _S.TO: _Cell(True, _S.NONE),
        _S.TO_PENDING_IN: _Cell(True, _S.NONE_PENDING_IN),
        _S.FROM: _Cell(False, _S.FROM),
        _S.FROM_PENDING_OUT: _Cell(True, _S.FROM),
        _S.BOTH: _Cell(True, _S.FROM),
    },
}

# What replaces the cells of table 6 for a contact who is approved in advance: its note 1 and §3.4.2. In
# the states with "Pending In" the approval came first and answered the request, so they do not arise from
# the tables; an item written by other hands (an import) is answered in the same way.
_INBOUND_SUBSCRIBE_APPROVED: Final[_Table] = {
    _S.NONE: _Cell(False, _S.FROM, reply=_SUBSCRIBED),
    _S.NONE_PENDING_OUT: _Cell(False, _S.FROM_PENDING_OUT, reply=_SUBSCRIBED),
    _S.NONE_PENDING_IN: _Cell(False, _S.FROM, reply=_SUBSCRIBED),
    _S.NONE_PENDING_OUT_IN: _Cell(False, _S.FROM_PENDING_OUT, reply=_SUBSCRIBED),
    _S.TO: _Cell(False, _S.BOTH, reply=_SUBSCRIBED),
    _S.TO_PENDING_IN: _Cell(False, _S.BOTH, reply=_SUBSCRIBED),
    _S.FROM: _Cell(False, _S.FROM, reply=_SUBSCRIBED),
    _S.FROM_PENDING_OUT: _Cell(False, _S.FROM_PENDING_OUT, reply=_SUBSCRIBED),
    _S.BOTH: _Cell(False, _S.BOTH, reply=_SUBSCRIBED),
}

_STATES: Final[Mapping[tuple[str, bool, bool], SubscriptionState]] = MappingProxyType(
    {(state.subscription, state.ask, state.pending_in): state for state in SubscriptionState}
)


def subscription_state(subscription: str, *, ask: bool, pending_in: bool) -> SubscriptionState:
    """Return the state that a roster item is in.

    Raises:
        KeyError: No such state exists (for instance, `both` with a request pending).
    """
    return _STATES[subscription, ask, pending_in]


def outbound(state: SubscriptionState, stanza: SubscriptionStanza, *, approved: bool) -> Transition:
    """Return what a stanza sent by our user does (§A.2).

    Args:
        state: The state of the contact's roster item.
        stanza: What our user's client sends to the contact.
        approved: Whether our user has approved the contact's request in advance.
    """
    return _transition(state, approved, _OUTBOUND[stanza][state])


def inbound(state: SubscriptionState, stanza: SubscriptionStanza, *, approved: bool) -> Transition:
    """Return what a stanza sent to our user does (§A.3).

    Args:
        state: The state of the contact's roster item.
        stanza: What the contact's server sends.
        approved: Whether our user has approved the contact's request in advance.
    """
    if approved and stanza is SubscriptionStanza.SUBSCRIBE:
        return _transition(state, approved, _INBOUND_SUBSCRIBE_APPROVED[state])
    return _transition(state, approved, _INBOUND[stanza][state])


def _transition(state: SubscriptionState, approved: bool, cell: _Cell) -> Transition:
    """Add to a cell what follows from it."""
    still_approved = approved if cell.approved is None else cell.approved
    return Transition(
        state=cell.state,
        approved=still_approved,
        passed_on=cell.passed_on,
        push=_as_seen(cell.state, still_approved) != _as_seen(state, approved),
        reply=cell.reply,
        notice=_notice(state, cell),
    )


def _as_seen(state: SubscriptionState, approved: bool) -> tuple[str, bool, bool]:
    """Return the attributes of the roster item that clients see."""
    return state.subscription, state.ask, approved


def _notice(before: SubscriptionState, cell: _Cell) -> PresenceNotice:
    """Return what the contact must be told: §3.1.5, §3.2.2 and §3.3.3.

    A contact that asks although it is subscribed has lost its record of that, and of our user's presence.
    """
    if before.from_ and not cell.state.from_:
        return PresenceNotice.UNAVAILABLE
    gained = cell.state.from_ and not before.from_
    if gained or cell.reply is SubscriptionStanza.SUBSCRIBED:
        return PresenceNotice.CURRENT
    return PresenceNotice.NOTHING
