"""Changes to a roster, their versions, and what a client is told that has an older one."""

from typing import Any

import pytest

from actors.roster_changes import (
    REMOVED_MAX,
    build_push,
    changes_since,
    find_item,
    find_request,
    item_xml,
    push_for,
    removed_xml,
    state_of,
    with_item,
    with_transition,
    without_item,
)
from protocols.jid import parse_jid
from protocols.subscription import SubscriptionStanza, SubscriptionState, inbound, outbound
from store.users import RosterItem, SubscriptionRequest, User


def make_user(*items: RosterItem, **fields: Any) -> User:
    user = User(bare_jid="romeo@localhost", rev=1, created_ms=0, **fields)
    for item in items:
        user = with_item(user, item)
    return user


JULIET = RosterItem("juliet@localhost", name="Juliet", groups=("Friends",), subscription="both")
NURSE = RosterItem("nurse@localhost", subscription="from")


# -- items


def test_with_item_counts_the_version_up_and_notes_it() -> None:
    user = make_user(JULIET, NURSE)
    assert user.roster_version == 2
    assert [item.version for item in user.roster] == [1, 2]
    changed = with_item(user, JULIET._replace(name="J."))
    assert changed.roster_version == 3
    assert find_item(changed, JULIET.jid) == JULIET._replace(name="J.", version=3)
    assert len(changed.roster) == 2


def test_without_item_forgets_its_request_too_and_remembers_the_removal() -> None:
    requests = (SubscriptionRequest(JULIET.jid, b"<presence/>"), SubscriptionRequest("x@y", b""))
    user = without_item(make_user(JULIET, NURSE, requests=requests), JULIET.jid)
    assert find_item(user, JULIET.jid) is None
    assert find_request(user, JULIET.jid) is None
    assert find_request(user, "x@y") is not None
    assert user.roster_version == 3
    assert [(each.jid, each.version) for each in user.removed] == [(JULIET.jid, 3)]


@pytest.mark.parametrize(
    ("item", "xml"),
    [
        (
            JULIET,
            "<item jid='juliet@localhost' subscription='both' name='Juliet'><group>Friends</group></item>",
        ),
        (RosterItem("a@b", ask=True), "<item jid='a@b' subscription='none' ask='subscribe'/>"),
        (RosterItem("a@b", approved=True), "<item jid='a@b' subscription='none' approved='true'/>"),
        (
            RosterItem("a@b", name="<'&>", groups=("<1>", "2")),
            (
                "<item jid='a@b' subscription='none' name='&lt;&apos;&amp;&gt;'>"
                "<group>&lt;1&gt;</group><group>2</group></item>"
            ),
        ),
    ],
)
def test_item_xml_is_what_clients_see(item: RosterItem, xml: str) -> None:
    assert item_xml(item) == xml


def test_push_for_tells_of_the_item_or_its_removal() -> None:
    user = make_user(NURSE)
    item = "<item jid='nurse@localhost' subscription='from'/>"
    assert push_for(user, NURSE.jid) == f"<query xmlns='jabber:iq:roster' ver='1'>{item}</query>".encode()
    removed = "<item jid='nurse@localhost' subscription='remove'/>"
    user = without_item(user, NURSE.jid)
    assert push_for(user, NURSE.jid) == f"<query xmlns='jabber:iq:roster' ver='2'>{removed}</query>".encode()


def test_build_push_comes_from_nobody() -> None:
    push = build_push(parse_jid("romeo@localhost/orchard"), "p1", b"<query/>")
    assert push.data == b"<iq to='romeo@localhost/orchard' type='set' id='p1'><query/></iq>"


# -- versions (RFC 6121 §2.6)


def test_changes_since_the_present_version_are_none() -> None:
    assert changes_since(make_user(), 0) == []
    assert changes_since(make_user(JULIET, NURSE), 2) == []


def test_changes_since_an_older_version_are_in_the_order_in_which_they_were_made() -> None:
    user = make_user(JULIET, NURSE, RosterItem("a@b"), RosterItem("c@d"))
    user = without_item(user, "a@b")
    user = with_item(user, JULIET._replace(name="J."))
    juliet = find_item(user, JULIET.jid)
    assert juliet is not None
    assert changes_since(user, 4) == [(5, removed_xml("a@b")), (6, item_xml(juliet))]
    assert changes_since(user, 5) == [(6, item_xml(juliet))]


def test_changes_since_before_the_first_removal_are_known() -> None:
    """The removal does not send every client that was away back to the whole roster."""
    user = without_item(make_user(JULIET, NURSE, RosterItem("a@b")), "a@b")
    assert changes_since(user, 3) == [(4, removed_xml("a@b"))]


def test_changes_since_a_contact_was_removed_and_added_again_tell_both() -> None:
    user = with_item(without_item(make_user(JULIET, NURSE), JULIET.jid), JULIET)
    assert changes_since(user, 2) == [(3, removed_xml(JULIET.jid)), (4, item_xml(JULIET))]


def test_changes_since_a_version_to_come_are_not_known() -> None:
    assert changes_since(make_user(JULIET), 2) is None


def test_changes_since_more_than_the_roster_are_not_worth_telling() -> None:
    user = make_user(JULIET, NURSE, RosterItem("a@b"))
    for jid in ("a@b", NURSE.jid):
        user = without_item(user, jid)
    assert changes_since(user, 3) is None


def test_changes_since_a_removal_that_was_forgotten_are_not_known() -> None:
    contacts = [RosterItem(f"{number}@localhost") for number in range(3 * REMOVED_MAX)]
    user = make_user(*contacts)
    full = user.roster_version
    for item in contacts[: REMOVED_MAX - 1]:
        user = without_item(user, item.jid)
    assert len(changes_since(user, full) or ()) == REMOVED_MAX - 1
    user = without_item(user, contacts[REMOVED_MAX].jid)
    assert len(changes_since(user, full) or ()) == REMOVED_MAX
    user = without_item(user, contacts[REMOVED_MAX + 1].jid)
    assert len(user.removed) == REMOVED_MAX
    assert changes_since(user, full) is None, "the first removal has been forgotten"
    assert len(changes_since(user, full + 1) or ()) == REMOVED_MAX


# -- subscriptions


def test_state_of_a_contact_is_made_of_item_and_request() -> None:
    request = SubscriptionRequest(JULIET.jid, b"")
    assert state_of(make_user(), JULIET.jid) is SubscriptionState.NONE
    assert state_of(make_user(requests=(request,)), JULIET.jid) is SubscriptionState.NONE_PENDING_IN
    asking = make_user(RosterItem(JULIET.jid, ask=True), requests=(request,))
    assert state_of(asking, JULIET.jid) is SubscriptionState.NONE_PENDING_OUT_IN
    assert state_of(make_user(JULIET), JULIET.jid) is SubscriptionState.BOTH


def test_with_transition_keeps_the_first_request_until_it_is_answered() -> None:
    ask = inbound(SubscriptionState.NONE, SubscriptionStanza.SUBSCRIBE, approved=False)
    user = with_transition(make_user(), JULIET.jid, ask, b"first")
    assert user.requests == (SubscriptionRequest(JULIET.jid, b"first"),)
    assert user.roster == ()
    own = outbound(state_of(user, JULIET.jid), SubscriptionStanza.SUBSCRIBE, approved=False)
    user = with_transition(user, JULIET.jid, own, b"the user's own")
    assert user.requests == (SubscriptionRequest(JULIET.jid, b"first"),)
    grant = outbound(state_of(user, JULIET.jid), SubscriptionStanza.SUBSCRIBED, approved=False)
    user = with_transition(user, JULIET.jid, grant, b"")
    assert user.requests == ()
    assert state_of(user, JULIET.jid) is SubscriptionState.FROM_PENDING_OUT


def test_with_transition_that_clients_do_not_see_changes_no_version() -> None:
    user = make_user(NURSE)
    again = inbound(SubscriptionState.FROM, SubscriptionStanza.SUBSCRIBE, approved=False)
    assert with_transition(user, NURSE.jid, again, b"") is user
    stranger = inbound(SubscriptionState.NONE, SubscriptionStanza.UNSUBSCRIBED, approved=False)
    assert with_transition(user, "x@y", stranger, b"") is user


def test_with_transition_makes_an_item_for_an_approval_in_advance() -> None:
    approve = outbound(SubscriptionState.NONE, SubscriptionStanza.SUBSCRIBED, approved=False)
    user = with_transition(make_user(), "x@y", approve, b"")
    assert user.roster == (RosterItem("x@y", approved=True, version=1),)
