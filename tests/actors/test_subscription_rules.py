"""What subscriptions cause (RFC 6121 §3), around the tables of appendix A."""

from typing import Any

import pytest

from actors import subscription_rules as rules
from actors.presence_effects import SaveUser
from actors.presence_state import PresenceState
from protocols.errors import StanzaError
from protocols.jid import parse_jid
from store.users import RosterItem, SubscriptionRequest, User
from tests.actors.presence_support import ROMEO, in_words, make_state, presence

JULIET = parse_jid("juliet@x")
RESOURCES = {"here": 0, "asleep": None}
REQUEST = SubscriptionRequest(
    "juliet@x", b"<presence from='juliet@x' to='romeo@localhost' type='subscribe'/>"
)
TO_JULIET = "romeo@localhost -> juliet@x"
FROM_JULIET = "juliet@x -> romeo@localhost"
HERE_TO_JULIET = "romeo@localhost/here -> juliet@x"


def state_with(item: RosterItem | None = None, **fields: Any) -> tuple[PresenceState, User]:
    state = make_state(RESOURCES, () if item is None else (item,), **fields)
    state.interested["asleep"] = None
    assert state.user is not None
    return state, state.user


def sends(type: str, item: RosterItem | None = None, **fields: Any) -> list[str]:
    state, user = state_with(item, **fields)
    stanza = presence(f"<presence from='{ROMEO}/here' to='juliet@x/r' type='{type}'/>")
    return in_words(rules.send_subscription(state, user, stanza))


def receives(type: str, item: RosterItem | None = None, **fields: Any) -> list[str]:
    state, user = state_with(item, **fields)
    stanza = presence(f"<presence from='juliet@x/r' to='{ROMEO}' type='{type}'/>")
    return in_words(rules.receive_subscription(state, user, stanza, requests_max=3))


def saved(subscription: str, *, ask: bool = False, approved: bool = False) -> str:
    return f"save {[('juliet@x', subscription, ask, approved)]}"


# -- what the user's client sends


def test_subscribe_makes_an_item_that_asks() -> None:
    assert sends("subscribe") == [saved("none", ask=True), f"send subscribe {TO_JULIET}", "push"]


def test_subscribed_grants_a_request_and_shows_the_present_presence() -> None:
    assert sends("subscribed", requests=(REQUEST,)) == [
        saved("from"),
        f"send subscribed {TO_JULIET}",
        "push",
        f"send available {HERE_TO_JULIET}",
    ]


def test_subscribed_in_advance_is_kept_and_told_to_nobody_else() -> None:
    assert sends("subscribed") == [saved("none", approved=True), "push"]


def test_unsubscribed_withdraws_presence_before_it_says_so() -> None:
    assert sends("unsubscribed", RosterItem("juliet@x", subscription="both")) == [
        saved("to"),
        f"send unavailable {HERE_TO_JULIET}",
        f"send unsubscribed {TO_JULIET}",
        "push",
    ]


def test_unsubscribed_refuses_a_request_without_a_trace() -> None:
    assert sends("unsubscribed", requests=(REQUEST,)) == ["save []", f"send unsubscribed {TO_JULIET}"]


def test_unsubscribe_gives_up_and_pushes() -> None:
    assert sends("unsubscribe", RosterItem("juliet@x", subscription="to")) == [
        saved("none"),
        f"send unsubscribe {TO_JULIET}",
        "push",
    ]


def test_subscription_to_oneself_is_a_bad_request() -> None:
    state, user = state_with()
    stanza = presence(f"<presence from='{ROMEO}/here' to='{ROMEO}' type='subscribe'/>")
    with pytest.raises(StanzaError, match="bad-request"):
        rules.send_subscription(state, user, stanza)


# -- what comes from the contact


def test_request_is_for_the_available_resources_and_kept() -> None:
    state, user = state_with()
    stanza = presence(
        "<presence from='juliet@x/r' to='romeo@localhost' type='subscribe'><status>me!</status></presence>"
    )
    effects = rules.receive_subscription(state, user, stanza, requests_max=3)
    assert in_words(effects) == ["save []", f"give here: subscribe {FROM_JULIET}"]
    (save,) = [effect for effect in effects if isinstance(effect, SaveUser)]
    (request,) = save.user.requests
    assert request.jid == "juliet@x"
    assert presence(request.stanza.decode()).sender == JULIET
    assert b"<status>me!</status>" in request.stanza


def test_request_that_waits_already_is_not_shown_again() -> None:
    assert receives("subscribe", requests=(REQUEST,)) == []


def test_request_of_a_subscriber_is_granted_again() -> None:
    assert receives("subscribe", RosterItem("juliet@x", subscription="from")) == [
        f"send subscribed {TO_JULIET}",
        f"send available {HERE_TO_JULIET}",
    ]


def test_request_approved_in_advance_is_granted_without_a_question() -> None:
    assert receives("subscribe", RosterItem("juliet@x", approved=True)) == [
        saved("from", approved=True),
        f"send subscribed {TO_JULIET}",
        "push",
        f"send available {HERE_TO_JULIET}",
    ]


def test_grant_is_for_the_interested_resources() -> None:
    assert receives("subscribed", RosterItem("juliet@x", ask=True)) == [
        saved("to"),
        f"give asleep: subscribed {FROM_JULIET}",
        "push",
    ]


def test_refusal_clears_what_was_asked() -> None:
    assert receives("unsubscribed", RosterItem("juliet@x", ask=True)) == [
        saved("none"),
        f"give asleep: unsubscribed {FROM_JULIET}",
        "push",
    ]


def test_grant_that_nobody_asked_for_is_nothing() -> None:
    assert receives("subscribed") == []
    assert receives("unsubscribed") == []


def test_unsubscribe_ends_the_presence_of_this_user() -> None:
    assert receives("unsubscribe", RosterItem("juliet@x", subscription="from")) == [
        saved("none"),
        f"send unavailable {HERE_TO_JULIET}",
        f"give asleep: unsubscribe {FROM_JULIET}",
        f"send unsubscribed {TO_JULIET}",
        "push",
    ]


# -- bounds of what is kept


OTHERS = tuple(SubscriptionRequest(f"{number}@x", b"") for number in range(3))


def test_request_beyond_the_bound_is_refused() -> None:
    with pytest.raises(StanzaError, match="resource-constraint"):
        receives("subscribe", requests=OTHERS)


@pytest.mark.parametrize(
    "item", [RosterItem("juliet@x", subscription="from"), RosterItem("juliet@x", approved=True)]
)
def test_request_that_need_not_be_kept_is_not_refused(item: RosterItem) -> None:
    assert f"send subscribed {TO_JULIET}" in receives("subscribe", item, requests=OTHERS)


def test_request_too_long_to_be_kept_is_refused() -> None:
    state, user = state_with()
    stanza = presence(
        f"<presence from='juliet@x/r' to='{ROMEO}' type='subscribe'>"
        f"<status>{'x' * rules.REQUEST_BYTES_MAX}</status></presence>"
    )
    with pytest.raises(StanzaError, match="not-acceptable"):
        rules.receive_subscription(state, user, stanza, requests_max=3)


# -- the end of a contact, and of an account


@pytest.mark.parametrize(
    ("item", "told"),
    [
        (RosterItem("juliet@x"), []),
        (RosterItem("juliet@x", ask=True), ["unsubscribe romeo@localhost"]),
        (RosterItem("juliet@x", subscription="to"), ["unsubscribe romeo@localhost"]),
        (
            RosterItem("juliet@x", subscription="from"),
            ["unavailable romeo@localhost/here", "unsubscribed romeo@localhost"],
        ),
        (
            RosterItem("juliet@x", subscription="both"),
            [
                "unsubscribe romeo@localhost",
                "unavailable romeo@localhost/here",
                "unsubscribed romeo@localhost",
            ],
        ),
    ],
)
def test_end_subscriptions_goes_both_ways(item: RosterItem, told: list[str]) -> None:
    state, user = state_with(item)
    ends = rules.end_subscriptions(ROMEO, state.priorities, user, JULIET)
    assert in_words(ends) == [f"send {each} -> juliet@x" for each in told]


def test_leave_everybody_answers_requests_too() -> None:
    state, user = state_with(RosterItem("nurse@x", subscription="to"), requests=(REQUEST,))
    assert in_words(rules.leave_everybody(state, user)) == [
        "send unsubscribe romeo@localhost -> nurse@x",
        f"send unsubscribed {TO_JULIET}",
    ]
