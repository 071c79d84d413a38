"""Tests of `protocols.subscription`: all cells of RFC 6121, appendix A, and pre-approval (§3.4)."""

import pytest

from protocols.subscription import (
    PresenceNotice,
    SubscriptionStanza,
    SubscriptionState,
    Transition,
    inbound,
    outbound,
    subscription_state,
)

# The RFC's tables 2 to 9, as they stand there ("S.N." is SHOULD NOT, "M.N." is MUST NOT), with three columns
# added. PUSH: whether what the roster shows (subscription, ask) changes, §3.1 to §3.3. REPLY: the RFC's
# notes on auto-replies. NOTICE: what §3.1.5, §3.2.2 and §3.3.3 have the contact told of our presence; and
# after an auto-reply "subscribed" our presence, for a contact that asks again has lost it.
OUTBOUND_SUBSCRIBE = """
| EXISTING STATE         | ROUTE? | NEW STATE              | PUSH | REPLY        | NOTICE      |
| "None"                 | MUST   | "None + Pending Out"   | yes  |              |             |
| "None + Pending Out"   | MUST   | no state change        |      |              |             |
| "None + Pending In"    | MUST   | "None + Pending Out+In"| yes  |              |             |
| "None + Pending Out+In"| MUST   | no state change        |      |              |             |
| "To"                   | MUST   | no state change        |      |              |             |
| "To + Pending In"      | MUST   | no state change        |      |              |             |
| "From"                 | MUST   | "From + Pending Out"   | yes  |              |             |
| "From + Pending Out"   | MUST   | no state change        |      |              |             |
| "Both"                 | MUST   | no state change        |      |              |             |
"""
OUTBOUND_UNSUBSCRIBE = """
| EXISTING STATE         | ROUTE? | NEW STATE              | PUSH | REPLY        | NOTICE      |
| "None"                 | MUST   | no state change        |      |              |             |
| "None + Pending Out"   | MUST   | "None"                 | yes  |              |             |
| "None + Pending In"    | MUST   | no state change        |      |              |             |
| "None + Pending Out+In"| MUST   | "None + Pending In"    | yes  |              |             |
| "To"                   | MUST   | "None"                 | yes  |              |             |
| "To + Pending In"      | MUST   | "None + Pending In"    | yes  |              |             |
| "From"                 | MUST   | no state change        |      |              |             |
| "From + Pending Out"   | MUST   | "From"                 | yes  |              |             |
| "Both"                 | MUST   | "From"                 | yes  |              |             |
"""
OUTBOUND_SUBSCRIBED = """
| EXISTING STATE         | ROUTE? | NEW STATE              | PUSH | REPLY        | NOTICE      |
| "None"                 | M.N.   | pre-approval           | yes  |              |             |
| "None + Pending Out"   | M.N.   | pre-approval           | yes  |              |             |
| "None + Pending In"    | MUST   | "From"                 | yes  |              | current     |
| "None + Pending Out+In"| MUST   | "From + Pending Out"   | yes  |              | current     |
| "To"                   | M.N.   | pre-approval           | yes  |              |             |
| "To + Pending In"      | MUST   | "Both"                 | yes  |              | current     |
| "From"                 | M.N.   | no state change        |      |              |             |
| "From + Pending Out"   | M.N.   | no state change        |      |              |             |
| "Both"                 | M.N.   | no state change        |      |              |             |
"""
OUTBOUND_UNSUBSCRIBED = """
| EXISTING STATE         | ROUTE? | NEW STATE              | PUSH | REPLY        | NOTICE      |
| "None"                 | S.N.   | no state change        |      |              |             |
| "None + Pending Out"   | S.N.   | no state change        |      |              |             |
| "None + Pending In"    | MUST   | "None"                 |      |              |             |
| "None + Pending Out+In"| MUST   | "None + Pending Out"   |      |              |             |
| "To"                   | S.N.   | no state change        |      |              |             |
| "To + Pending In"      | MUST   | "To"                   |      |              |             |
| "From"                 | MUST   | "None"                 | yes  |              | unavailable |
| "From + Pending Out"   | MUST   | "None + Pending Out"   | yes  |              | unavailable |
| "Both"                 | MUST   | "To"                   | yes  |              | unavailable |
"""
INBOUND_SUBSCRIBE = """
| EXISTING STATE         | DELIVER? | NEW STATE              | PUSH | REPLY        | NOTICE      |
| "None"                 | MUST     | "None + Pending In"    |      |              |             |
| "None + Pending Out"   | MUST     | "None + Pending Out+In"|      |              |             |
| "None + Pending In"    | S.N.     | no state change        |      |              |             |
| "None + Pending Out+In"| S.N.     | no state change        |      |              |             |
| "To"                   | MUST     | "To + Pending In"      |      |              |             |
| "To + Pending In"      | S.N.     | no state change        |      |              |             |
| "From"                 | S.N.     | no state change        |      | subscribed   | current     |
| "From + Pending Out"   | S.N.     | no state change        |      | subscribed   | current     |
| "Both"                 | S.N.     | no state change        |      | subscribed   | current     |
"""
INBOUND_UNSUBSCRIBE = """
| EXISTING STATE         | DELIVER? | NEW STATE              | PUSH | REPLY        | NOTICE      |
| "None"                 | S.N.     | no state change        |      |              |             |
| "None + Pending Out"   | S.N.     | no state change        |      |              |             |
| "None + Pending In"    | MUST     | "None"                 |      | unsubscribed |             |
| "None + Pending Out+In"| MUST     | "None + Pending Out"   |      | unsubscribed |             |
| "To"                   | S.N.     | no state change        |      |              |             |
| "To + Pending In"      | MUST     | "To"                   |      | unsubscribed |             |
| "From"                 | MUST     | "None"                 | yes  | unsubscribed | unavailable |
| "From + Pending Out"   | MUST     | "None + Pending Out"   | yes  | unsubscribed | unavailable |
| "Both"                 | MUST     | "To"                   | yes  | unsubscribed | unavailable |
"""
INBOUND_SUBSCRIBED = """
| EXISTING STATE         | DELIVER? | NEW STATE              | PUSH | REPLY        | NOTICE      |
| "None"                 | S.N.     | no state change        |      |              |             |
| "None + Pending Out"   | MUST     | "To"                   | yes  |              |             |
| "None + Pending In"    | S.N.     | no state change        |      |              |             |
| "None + Pending Out+In"| MUST     | "To + Pending In"      | yes  |              |             |
| "To"                   | S.N.     | no state change        |      |              |             |
| "To + Pending In"      | S.N.     | no state change        |      |              |             |
| "From"                 | S.N.     | no state change        |      |              |             |
| "From + Pending Out"   | MUST     | "Both"                 | yes  |              |             |
| "Both"                 | S.N.     | no state change        |      |              |             |
"""
INBOUND_UNSUBSCRIBED = """
| EXISTING STATE         | DELIVER? | NEW STATE              | PUSH | REPLY        | NOTICE      |
| "None"                 | S.N.     | no state change        |      |              |             |
| "None + Pending Out"   | MUST     | "None"                 | yes  |              |             |
| "None + Pending In"    | S.N.     | no state change        |      |              |             |
| "None + Pending Out+In"| MUST     | "None + Pending In"    | yes  |              |             |
| "To"                   | MUST     | "None"                 | yes  |              |             |
| "To + Pending In"      | MUST     | "None + Pending In"    | yes  |              |             |
| "From"                 | S.N.     | no state change        |      |              |             |
| "From + Pending Out"   | MUST     | "From"                 | yes  |              |             |
| "Both"                 | MUST     | "From"                 | yes  |              |             |
"""
# §3.4.2, where the roster item says approved='true'.
INBOUND_SUBSCRIBE_APPROVED = """
| EXISTING STATE         | DELIVER? | NEW STATE              | PUSH | REPLY        | NOTICE      |
| "None"                 | M.N.     | "From"                 | yes  | subscribed   | current     |
| "None + Pending Out"   | M.N.     | "From + Pending Out"   | yes  | subscribed   | current     |
| "None + Pending In"    | M.N.     | "From"                 | yes  | subscribed   | current     |
| "None + Pending Out+In"| M.N.     | "From + Pending Out"   | yes  | subscribed   | current     |
| "To"                   | M.N.     | "Both"                 | yes  | subscribed   | current     |
| "To + Pending In"      | M.N.     | "Both"                 | yes  | subscribed   | current     |
| "From"                 | M.N.     | no state change        |      | subscribed   | current     |
| "From + Pending Out"   | M.N.     | no state change        |      | subscribed   | current     |
| "Both"                 | M.N.     | no state change        |      | subscribed   | current     |
"""

STATES = {state.title: state for state in SubscriptionState}
Cell = tuple[SubscriptionState, Transition]


def cells(table: str) -> list[Cell]:
    """Read a table: for each existing state what is to happen."""
    return [
        read_row(*(cell.strip() for cell in row.strip("|").split("|"))) for row in table.split("\n")[2:-1]
    ]


def read_row(existing: str, passed_on: str, new: str, push: str, reply: str, notice: str) -> Cell:
    before = STATES[existing.strip('"')]
    stays = new in {"no state change", "pre-approval"}
    return before, Transition(
        state=before if stays else STATES[new.strip('"')],
        approved=new == "pre-approval",
        passed_on={"MUST": True, "S.N.": False, "M.N.": False}[passed_on],
        push=push == "yes",
        reply=SubscriptionStanza(reply) if reply else None,
        notice=PresenceNotice(notice or "nothing"),
    )


def test_tables_have_72_cells() -> None:
    tables = [
        *(OUTBOUND_SUBSCRIBE, OUTBOUND_UNSUBSCRIBE, OUTBOUND_SUBSCRIBED, OUTBOUND_UNSUBSCRIBED),
        *(INBOUND_SUBSCRIBE, INBOUND_UNSUBSCRIBE, INBOUND_SUBSCRIBED, INBOUND_UNSUBSCRIBED),
    ]
    assert [len({state for state, _ in cells(table)}) for table in tables] == [9] * 8


@pytest.mark.parametrize(("before", "expected"), cells(OUTBOUND_SUBSCRIBE))
def test_outbound_subscribe(before: SubscriptionState, expected: Transition) -> None:
    assert outbound(before, SubscriptionStanza.SUBSCRIBE, approved=False) == expected


@pytest.mark.parametrize(("before", "expected"), cells(OUTBOUND_UNSUBSCRIBE))
def test_outbound_unsubscribe(before: SubscriptionState, expected: Transition) -> None:
    assert outbound(before, SubscriptionStanza.UNSUBSCRIBE, approved=False) == expected


@pytest.mark.parametrize(("before", "expected"), cells(OUTBOUND_SUBSCRIBED))
def test_outbound_subscribed(before: SubscriptionState, expected: Transition) -> None:
    assert outbound(before, SubscriptionStanza.SUBSCRIBED, approved=False) == expected


@pytest.mark.parametrize(("before", "expected"), cells(OUTBOUND_UNSUBSCRIBED))
def test_outbound_unsubscribed(before: SubscriptionState, expected: Transition) -> None:
    assert outbound(before, SubscriptionStanza.UNSUBSCRIBED, approved=False) == expected


@pytest.mark.parametrize(("before", "expected"), cells(INBOUND_SUBSCRIBE))
def test_inbound_subscribe(before: SubscriptionState, expected: Transition) -> None:
    assert inbound(before, SubscriptionStanza.SUBSCRIBE, approved=False) == expected


@pytest.mark.parametrize(("before", "expected"), cells(INBOUND_UNSUBSCRIBE))
def test_inbound_unsubscribe(before: SubscriptionState, expected: Transition) -> None:
    assert inbound(before, SubscriptionStanza.UNSUBSCRIBE, approved=False) == expected


@pytest.mark.parametrize(("before", "expected"), cells(INBOUND_SUBSCRIBED))
def test_inbound_subscribed(before: SubscriptionState, expected: Transition) -> None:
    assert inbound(before, SubscriptionStanza.SUBSCRIBED, approved=False) == expected


@pytest.mark.parametrize(("before", "expected"), cells(INBOUND_UNSUBSCRIBED))
def test_inbound_unsubscribed(before: SubscriptionState, expected: Transition) -> None:
    assert inbound(before, SubscriptionStanza.UNSUBSCRIBED, approved=False) == expected


@pytest.mark.parametrize(("before", "expected"), cells(INBOUND_SUBSCRIBE_APPROVED))
def test_inbound_subscribe_approved_in_advance_is_answered_by_the_server(
    before: SubscriptionState, expected: Transition
) -> None:
    transition = inbound(before, SubscriptionStanza.SUBSCRIBE, approved=True)

    assert transition == expected._replace(approved=True)


@pytest.mark.parametrize("before", SubscriptionState)
def test_outbound_unsubscribed_withdraws_an_approval(before: SubscriptionState) -> None:
    """§3.2.2: it goes on exactly where it would without the approval, and the roster shows the change."""
    withdrawn = outbound(before, SubscriptionStanza.UNSUBSCRIBED, approved=True)
    without = outbound(before, SubscriptionStanza.UNSUBSCRIBED, approved=False)

    assert withdrawn == without._replace(push=True)
    assert not withdrawn.approved


@pytest.mark.parametrize("before", SubscriptionState)
def test_outbound_subscribed_for_an_approved_contact_without_request_changes_nothing(
    before: SubscriptionState,
) -> None:
    transition = outbound(before, SubscriptionStanza.SUBSCRIBED, approved=True)

    assert transition.approved
    assert transition.push == before.pending_in


@pytest.mark.parametrize("before", SubscriptionState)
@pytest.mark.parametrize("stanza", SubscriptionStanza)
def test_approval_outlives_all_but_outbound_unsubscribed(
    before: SubscriptionState, stanza: SubscriptionStanza
) -> None:
    assert inbound(before, stanza, approved=True).approved
    assert outbound(before, stanza, approved=True).approved == (stanza is not SubscriptionStanza.UNSUBSCRIBED)


@pytest.mark.parametrize("before", SubscriptionState)
@pytest.mark.parametrize("stanza", SubscriptionStanza)
def test_two_rosters_that_agree_go_on_agreeing(before: SubscriptionState, stanza: SubscriptionStanza) -> None:
    """Whatever is sent from one to the other, with all replies, each side's view mirrors the other's."""
    mine, theirs = before, mirrored(before)

    sent = outbound(mine, stanza, approved=False)
    mine = sent.state
    if sent.passed_on:
        received = inbound(theirs, stanza, approved=False)
        theirs = received.state
        if received.reply is not None:
            mine = inbound(mine, received.reply, approved=False).state

    assert theirs is mirrored(mine)


def mirrored(state: SubscriptionState) -> SubscriptionState:
    """Return the state that the other party is in."""
    swapped = {"none": "none", "to": "from", "from": "to", "both": "both"}[state.subscription]
    return subscription_state(swapped, ask=state.pending_in, pending_in=state.ask)


# The life of a subscription as older servers did it, step by step: which state a stanza leads to and
# what the roster shows of it.


def test_first_request_is_shown_as_asked() -> None:
    sent = outbound(SubscriptionState.NONE, SubscriptionStanza.SUBSCRIBE, approved=False)

    assert (sent.state.subscription, sent.state.ask, sent.push) == ("none", True, True)


def test_first_request_received_is_kept_but_not_shown_in_the_roster() -> None:
    received = inbound(SubscriptionState.NONE, SubscriptionStanza.SUBSCRIBE, approved=False)

    assert received.state.pending_in
    assert received.passed_on
    assert not received.push


def test_approval_gives_from_and_sends_presence() -> None:
    sent = outbound(SubscriptionState.NONE_PENDING_IN, SubscriptionStanza.SUBSCRIBED, approved=False)

    assert (sent.state, sent.push, sent.notice) == (SubscriptionState.FROM, True, PresenceNotice.CURRENT)


def test_approval_received_gives_to_and_ends_asking() -> None:
    received = inbound(SubscriptionState.NONE_PENDING_OUT, SubscriptionStanza.SUBSCRIBED, approved=False)

    assert (received.state, received.state.ask, received.push) == (SubscriptionState.TO, False, True)


def test_subscription_the_other_way_gives_both() -> None:
    asked = outbound(SubscriptionState.FROM, SubscriptionStanza.SUBSCRIBE, approved=False)
    assert (asked.state.subscription, asked.state.ask) == ("from", True)

    request = inbound(SubscriptionState.TO, SubscriptionStanza.SUBSCRIBE, approved=False)
    assert (request.state.subscription, request.passed_on) == ("to", True)

    granted = outbound(request.state, SubscriptionStanza.SUBSCRIBED, approved=False)
    assert (granted.state, granted.push) == (SubscriptionState.BOTH, True)

    accepted = inbound(asked.state, SubscriptionStanza.SUBSCRIBED, approved=False)
    assert (accepted.state, accepted.push) == (SubscriptionState.BOTH, True)


def test_refusal_ends_asking_and_is_shown() -> None:
    """The roster must not stay "pending" for ever after a refusal."""
    refused = inbound(SubscriptionState.NONE_PENDING_OUT, SubscriptionStanza.UNSUBSCRIBED, approved=False)

    assert (refused.state.subscription, refused.state.ask, refused.push) == ("none", False, True)
    assert refused.passed_on


def test_mutual_pre_approval_gives_both_without_a_question() -> None:
    mine = outbound(SubscriptionState.NONE, SubscriptionStanza.SUBSCRIBED, approved=False)
    theirs = outbound(SubscriptionState.NONE, SubscriptionStanza.SUBSCRIBED, approved=False)

    my_state = outbound(mine.state, SubscriptionStanza.SUBSCRIBE, approved=mine.approved).state
    received = inbound(theirs.state, SubscriptionStanza.SUBSCRIBE, approved=theirs.approved)
    assert received.reply is SubscriptionStanza.SUBSCRIBED
    my_state = inbound(my_state, received.reply, approved=mine.approved).state

    their_state = outbound(received.state, SubscriptionStanza.SUBSCRIBE, approved=received.approved).state
    answer = inbound(my_state, SubscriptionStanza.SUBSCRIBE, approved=mine.approved)
    assert answer.reply is SubscriptionStanza.SUBSCRIBED
    their_state = inbound(their_state, answer.reply, approved=theirs.approved).state

    assert (answer.state, their_state) == (SubscriptionState.BOTH, SubscriptionState.BOTH)
    assert not received.passed_on
    assert not answer.passed_on


@pytest.mark.parametrize("state", SubscriptionState)
def test_state_is_found_by_what_is_stored_of_it(state: SubscriptionState) -> None:
    assert subscription_state(state.subscription, ask=state.ask, pending_in=state.pending_in) is state


@pytest.mark.parametrize(
    ("subscription", "ask", "pending_in"),
    [
        ("both", True, False),
        ("both", False, True),
        ("to", True, False),
        ("from", False, True),
        ("x", False, False),
    ],
)
def test_state_that_does_not_exist_is_not_found(subscription: str, ask: bool, pending_in: bool) -> None:
    with pytest.raises(KeyError):
        subscription_state(subscription, ask=ask, pending_in=pending_in)


def test_directions_of_a_state_follow_its_subscription() -> None:
    assert [state.title for state in SubscriptionState if state.to] == ["To", "To + Pending In", "Both"]
    assert [state.title for state in SubscriptionState if state.from_] == [
        "From",
        "From + Pending Out",
        "Both",
    ]
