"""What presence causes (RFC 6121 §4), as effects in their order."""

from typing import Any

import pytest

from actors import presence_rules as rules
from actors.presence_effects import NoteResource, SaveUser, Send
from protocols.errors import StanzaError
from protocols.jid import parse_jid
from store.users import RosterItem, SubscriptionRequest
from tests.actors.presence_support import ROMEO, in_words, make_state, presence

ITEMS = (
    RosterItem("none@x", subscription="none"),
    RosterItem("to@x", subscription="to"),
    RosterItem("from@x", subscription="from"),
    RosterItem("both@x", subscription="both"),
)
HERE = presence(f"<presence from='{ROMEO}/here'><priority>1</priority></presence>")
GONE = presence(f"<presence from='{ROMEO}/here' type='unavailable'><status>bye</status></presence>")


# -- priority (§4.7.2.3)


@pytest.mark.parametrize(
    ("child", "priority"),
    [
        ("", 0),
        ("<priority>0</priority>", 0),
        ("<priority>127</priority>", 127),
        ("<priority>-128</priority>", -128),
        ("<priority> 5 </priority>", 5),
        ("<status>my priority</status>", 0),
    ],
)
def test_parse_priority_is_what_it_says_or_zero(child: str, priority: int) -> None:
    assert rules.parse_priority(presence(f"<presence>{child}</presence>")) == priority


@pytest.mark.parametrize("text", ["128", "-129", "high", "", "1.5", "1" * 5000])
def test_parse_priority_out_of_bounds_is_a_bad_request(text: str) -> None:
    with pytest.raises(StanzaError, match="bad-request"):
        rules.parse_priority(presence(f"<presence><priority>{text}</priority></presence>"))


# -- who hears of whom


def test_subscribers_are_those_with_from_or_both() -> None:
    user = make_state({}, ITEMS).user
    assert user is not None
    assert [str(jid) for jid in rules.subscribers(user)] == ["from@x", "both@x"]
    assert [str(jid) for jid in rules.subscribed_to(user)] == ["to@x", "both@x"]
    assert rules.is_subscriber(user, "from@x")
    assert not rules.is_subscriber(user, "to@x")
    assert not rules.is_subscriber(user, "stranger@x")


@pytest.mark.parametrize(
    ("asker", "shares"),
    [
        ("from@x/r", True),
        ("both@x", True),
        ("to@x", False),
        ("stranger@x", False),
        ("romeo@localhost/other", True),
    ],
)
def test_shares_presence_with_subscribers_and_oneself(asker: str, shares: bool) -> None:
    assert rules.shares_presence(make_state({}, ITEMS), parse_jid(asker)) is shares


def test_shares_presence_without_an_account_with_nobody() -> None:
    state = make_state({}, ITEMS)
    state.user = None
    assert not rules.shares_presence(state, parse_jid("both@x"))


# -- available


def test_become_available_tells_and_asks_each_once() -> None:
    """One presence for each subscriber, one probe for each contact subscribed to (§4.2.2)."""
    requests = (SubscriptionRequest("nurse@x", b"<presence from='nurse@x' to='romeo@localhost'/>"),)
    state = make_state({"here": None, "there": 0, "asleep": None}, ITEMS, requests=requests)
    effects = rules.become_available(state, "here", state.resources["here"], HERE, 1)
    here = "romeo@localhost/here"
    assert in_words(effects) == [
        f"send available {here} -> from@x",
        f"send available {here} -> both@x",
        f"give there: available {here} -> romeo@localhost",
        f"give here: available {here} -> romeo@localhost",
        "give here: available romeo@localhost/there -> romeo@localhost",
        f"send probe {here} -> to@x",
        f"send probe {here} -> both@x",
        "give here: subscribe nurse@x -> romeo@localhost",
        "note here 1",
    ]


def test_become_available_of_a_client_that_was_so_before_a_crash_makes_it_forget_first() -> None:
    """The crash has forgotten that it was; it believes in whom it saw then."""
    state = make_state({"here": None}, ITEMS)
    own = state.resources["here"]._replace(is_stale=True)
    effects = rules.become_available(state, "here", own, HERE, 1)
    assert "give here: unavailable romeo@localhost -> romeo@localhost/here" in in_words(effects)
    probes = [each.stanza for each in effects if isinstance(each, Send) and each.stanza.type == "probe"]
    assert {probe.id for probe in probes} == {rules.ANEW}
    assert isinstance(effects[-1], NoteResource)
    assert not effects[-1].is_stale


def test_update_presence_sends_no_probes() -> None:
    state = make_state({"here": 0, "there": 0}, ITEMS)
    effects = rules.update_presence(state, "here", state.resources["here"], HERE, 1)
    here = "romeo@localhost/here"
    assert in_words(effects) == [
        f"send available {here} -> from@x",
        f"send available {here} -> both@x",
        f"give there: available {here} -> romeo@localhost",
        f"give here: available {here} -> romeo@localhost",
        "note here 1",
    ]


def test_presence_of_a_user_whose_document_could_not_be_read_goes_to_the_own_resources() -> None:
    state = make_state({"here": 0, "there": 0})
    state.user = None
    effects = rules.update_presence(state, "here", state.resources["here"], HERE, 1)
    assert in_words(effects) == [
        "give there: available romeo@localhost/here -> romeo@localhost",
        "give here: available romeo@localhost/here -> romeo@localhost",
        "note here 1",
    ]


# -- unavailable (§4.5, §4.6.3)


def test_become_unavailable_tells_subscribers_own_resources_and_the_directed() -> None:
    state = make_state({"here": 0, "there": 0}, ITEMS)
    directed = [parse_jid("room@x/nick"), parse_jid("both@x/r"), parse_jid("a@x")]
    effects = rules.become_unavailable(state, state.resources["here"], GONE, directed)
    here = "romeo@localhost/here"
    assert in_words(effects) == [
        f"send unavailable {here} -> from@x",
        f"send unavailable {here} -> both@x",
        f"give there: unavailable {here} -> romeo@localhost",
        f"send unavailable {here} -> a@x",
        f"send unavailable {here} -> room@x/nick",
    ]


def test_become_unavailable_without_having_been_available_tells_the_directed_alone() -> None:
    state = make_state({"here": None, "there": 0}, ITEMS)
    effects = rules.become_unavailable(state, state.resources["here"], GONE, [parse_jid("both@x/r")])
    assert in_words(effects) == ["send unavailable romeo@localhost/here -> both@x/r"]


def test_become_unavailable_as_the_last_resource_is_a_logout() -> None:
    state = make_state({"here": 0, "asleep": None})
    effects = rules.become_unavailable(state, state.resources["here"], GONE, ())
    assert in_words(effects) == ["logged out: bye"]


def test_end_resource_says_what_the_client_did_not() -> None:
    state = make_state({"here": 0}, ITEMS)
    effects = rules.end_resource(state, parse_jid("romeo@localhost/here"), ())
    assert in_words(effects) == [
        "send unavailable romeo@localhost/here -> from@x",
        "send unavailable romeo@localhost/here -> both@x",
        "logged out: None",
        "drop here",
        "publish",
    ]


def test_take_back_names_the_resource_that_has_gone() -> None:
    old = rules.gone(parse_jid("romeo@localhost/old"))
    effects = rules.take_back(old, [parse_jid("b@x"), parse_jid("a@x")])
    assert in_words(effects) == [
        "send unavailable romeo@localhost/old -> a@x",
        "send unavailable romeo@localhost/old -> b@x",
    ]


def test_note_logout_is_for_when_nobody_came_meanwhile() -> None:
    (effect,) = rules.note_logout(make_state({"asleep": None}), 1_000, "bye")
    assert isinstance(effect, SaveUser)
    assert (effect.user.last_logout_ms, effect.user.last_status) == (1_000, "bye")
    assert rules.note_logout(make_state({"here": -1}), 1_000, "bye") == []


@pytest.mark.parametrize(
    ("status", "remembered"),
    [("", None), ("<status/>", None), (f"<status>{'x' * 2000}</status>", "x" * 1023)],
)
def test_status_that_is_remembered_is_cut(status: str, remembered: str | None) -> None:
    state = make_state({"r": 0})
    last = presence(f"<presence from='{ROMEO}/r' type='unavailable'>{status}</presence>")
    effects = rules.become_unavailable(state, state.resources["r"], last, ())
    assert in_words(effects) == [f"logged out: {remembered}"]


# -- probes (§4.3.2)


def probe(asker: str) -> list[str]:
    state = make_state({"here": 0, "there": -1, "asleep": None}, ITEMS)
    asked = presence(f"<presence from='{asker}' to='{ROMEO}' type='probe'/>")
    return in_words(rules.answer_probe(state, asked))


def test_answer_probe_tells_subscribers_of_every_available_resource() -> None:
    assert probe("both@x/r") == [
        "send available romeo@localhost/here -> both@x/r",
        "send available romeo@localhost/there -> both@x/r",
    ]


def test_answer_probe_anew_takes_back_whatever_was_told_before() -> None:
    state = make_state({"here": 0}, ITEMS)
    asked = presence(f"<presence from='both@x/r' to='{ROMEO}' type='probe' id='{rules.ANEW}'/>")
    assert in_words(rules.answer_probe(state, asked)) == [
        "send unavailable romeo@localhost -> both@x/r",
        "send available romeo@localhost/here -> both@x/r",
    ]


def test_see_again_forgets_the_other_resources_and_asks_contacts_anew() -> None:
    state = make_state({"here": 0, "there": 0}, ITEMS)
    effects = rules.see_again(state, "here", state.resources["here"], HERE.sender or ROMEO)
    assert in_words(effects) == [
        "give here: unavailable romeo@localhost -> romeo@localhost/here",
        "give here: available romeo@localhost/there -> romeo@localhost",
        "send probe romeo@localhost/here -> to@x",
        "send probe romeo@localhost/here -> both@x",
    ]
    assert {each.stanza.id for each in effects if isinstance(each, Send)} == {rules.ANEW}


@pytest.mark.parametrize("asker", ["to@x/r", "stranger@x/r"])
def test_answer_probe_tells_others_that_they_are_not_subscribed(asker: str) -> None:
    assert probe(asker) == [f"send unsubscribed romeo@localhost -> {asker.partition('/')[0]}"]


@pytest.mark.parametrize(
    ("fields", "xml"),
    [
        ({}, "<presence from='romeo@localhost' to='both@x/r' type='unavailable'/>"),
        (
            {"last_logout_ms": 0, "last_status": "zzz <&>"},
            (
                "<presence from='romeo@localhost' to='both@x/r' type='unavailable'>"
                "<status>zzz &lt;&amp;&gt;</status>"
                "<delay xmlns='urn:xmpp:delay' from='romeo@localhost' stamp='1970-01-01T00:00:00.000Z'/>"
                "</presence>"
            ),
        ),
    ],
)
def test_answer_probe_of_somebody_away_tells_since_when(fields: dict[str, Any], xml: str) -> None:
    state = make_state({"asleep": None}, ITEMS, **fields)
    asked = presence(f"<presence from='both@x/r' to='{ROMEO}' type='probe'/>")
    (answer,) = rules.answer_probe(state, asked)
    assert isinstance(answer, Send)
    assert answer.stanza.data == xml.encode()
