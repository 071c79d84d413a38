"""Two accounts on one server: whatever they ask of each other, they end up of one mind."""

from collections import deque
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors import subscription_rules as rules
from actors.presence_effects import PresenceEffect, SaveUser, Send
from actors.presence_state import OwnResource, PresenceState
from actors.roster_changes import state_of
from protocols.errors import StanzaError
from protocols.jid import parse_jid
from protocols.stanza import Stanza
from protocols.subscription import SubscriptionState
from store.users import User
from tests.actors.presence_support import FakeSession, presence

NAMES = ("romeo@localhost", "juliet@localhost")
STEPS = st.lists(
    st.tuples(
        st.sampled_from(NAMES),
        st.sampled_from(["subscribe", "subscribed", "unsubscribe", "unsubscribed"]),
    ),
    max_size=12,
)


class Pair:
    """Both presence actors' rules, with one queue between them, as stanzas travel in order."""

    def __init__(self) -> None:
        self.states = {name: self.make(name) for name in NAMES}
        self.seen = dict.fromkeys(NAMES, False)  # whether each has last heard that the other is there
        self.waiting: deque[Stanza] = deque()

    def make(self, name: str) -> PresenceState:
        state = PresenceState(parse_jid(name))
        state.user = User(bare_jid=name, rev=1, created_ms=0)
        state.resources["r"] = OwnResource(FakeSession("r"), presence(f"<presence from='{name}/r'/>"), 0)  # type: ignore[arg-type]  # nothing is sent to it
        return state

    def user(self, name: str) -> User:
        user = self.states[name].user
        assert user is not None
        return user

    def carry_out(self, name: str, effects: list[PresenceEffect]) -> None:
        for effect in effects:
            match effect:
                case SaveUser(user):
                    self.states[name].user = replace(user, rev=user.rev + 1)
                case Send(stanza):
                    self.waiting.append(stanza)
                case _:
                    pass  # for the own clients

    def say(self, name: str, type: str) -> None:
        other = NAMES[1 - NAMES.index(name)]
        stanza = presence(f"<presence from='{name}/r' to='{other}' type='{type}'/>")
        self.carry_out(name, rules.send_subscription(self.states[name], self.user(name), stanza))

    def settle(self) -> None:
        for _ in range(1_000):
            if not self.waiting:
                return
            self.receive(self.waiting.popleft())
        raise AssertionError("they answer each other for ever")

    def receive(self, stanza: Stanza) -> None:
        assert stanza.to is not None
        name = stanza.to.bare
        if stanza.type in {"", "unavailable"}:
            self.seen[name] = not stanza.type
            return
        received = rules.receive_subscription(self.states[name], self.user(name), stanza, requests_max=1)
        self.carry_out(name, received)


def assert_of_one_mind(pair: Pair) -> None:
    for name, other in (NAMES, NAMES[::-1]):
        mine, theirs = state_of(pair.user(name), other), state_of(pair.user(other), name)
        assert mine.to == theirs.from_
        assert mine.ask == theirs.pending_in
        assert pair.seen[name] == mine.to, "presence known is presence granted"


@given(STEPS)
@settings(max_examples=300)
def test_two_accounts_agree_when_everything_has_arrived(steps: list[tuple[str, str]]) -> None:
    pair = Pair()
    for name, type in steps:
        pair.say(name, type)
        pair.settle()
        assert_of_one_mind(pair)


@given(STEPS)
@settings(max_examples=300)
def test_two_accounts_that_cross_each_other_never_see_what_was_not_granted(
    steps: list[tuple[str, str]],
) -> None:
    """Stanzas that cross on the way may leave a request open, but no presence leaks and nobody loops."""
    pair = Pair()
    for name, type in steps:
        pair.say(name, type)
    pair.settle()
    for name, other in (NAMES, NAMES[::-1]):
        granted = state_of(pair.user(other), name).from_
        assert granted or not pair.seen[name]


@given(STEPS)
@settings(max_examples=100)
def test_an_account_that_goes_leaves_no_presence_behind(steps: list[tuple[str, str]]) -> None:
    pair = Pair()
    for name, type in steps:
        pair.say(name, type)
        pair.settle()
    going, staying = NAMES
    for effect in rules.leave_everybody(pair.states[going], pair.user(going)):
        pair.receive(effect.stanza)
    assert state_of(pair.user(staying), going) is SubscriptionState.NONE
    assert not pair.seen[staying]


def test_request_to_a_full_list_leaves_the_asker_asking() -> None:
    pair = Pair()
    request = presence(f"<presence from='x@y' to='{NAMES[1]}' type='subscribe'/>")
    pair.receive(request)
    pair.say(NAMES[0], "subscribe")
    with pytest.raises(StanzaError, match="resource-constraint"):
        pair.settle()
    assert state_of(pair.user(NAMES[0]), NAMES[1]).ask
