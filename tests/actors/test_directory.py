"""Names, routes, and that neither outlives its owner."""

from typing import Any, cast

from actors.directory import NOWHERE, Directory, make_route
from actors.gates import UNKNOWN
from protocols.delivery import Resources
from protocols.jid import parse_jid
from supervision.ref import Ref

ORCHARD = parse_jid("romeo@localhost/orchard")
GARDEN = parse_jid("romeo@localhost/garden")


def ref() -> Ref[Any]:
    """A reference; the directory looks at nothing but which one it is."""
    return cast("Ref[Any]", object())


def test_claim_is_found_until_it_is_released() -> None:
    directory, session = Directory(), ref()
    assert directory.claim(ORCHARD, session) is None
    assert directory.session(ORCHARD) is session
    assert directory.session(GARDEN) is None
    assert directory.session(ORCHARD.bare_jid) is None
    assert [name for name, _ in directory.sessions()] == ["romeo@localhost/orchard"]
    directory.release(ORCHARD, session)
    assert directory.session(ORCHARD) is None
    assert directory.users == {}


def test_claim_of_a_taken_name_returns_who_had_it_and_whose_release_means_nothing() -> None:
    directory, old, new = Directory(), ref(), ref()
    directory.claim(ORCHARD, old)
    assert directory.claim(ORCHARD, new) is old
    directory.release(ORCHARD, old)
    assert directory.session(ORCHARD) is new


def test_publish_makes_the_route_of_the_sessions_that_are_there() -> None:
    directory, orchard, garden = Directory(), ref(), ref()
    directory.claim(ORCHARD, orchard)
    directory.claim(GARDEN, garden)
    directory.publish("romeo@localhost", {"orchard": 1, "garden": 5, "gone": 9})
    route = directory.entry("romeo@localhost").route
    assert route.priorities == {"orchard": 1, "garden": 5}
    assert route.resources is Resources.NON_NEGATIVE
    assert route.most_available == (garden,)
    assert route.non_negative == route.available == (orchard, garden)


def test_route_keeps_away_from_negative_priorities() -> None:
    sessions = {"a": ref(), "b": ref()}
    route = make_route(sessions, {"a": -1, "b": -5})
    assert route.resources is Resources.NEGATIVE
    assert route.most_available == route.non_negative == ()
    assert route.available == tuple(sessions.values())
    mixed = make_route(sessions, {"a": 0, "b": -5})
    assert mixed.most_available == mixed.non_negative == (sessions["a"],)


def test_route_prefers_all_of_the_highest_priority() -> None:
    sessions = {"a": ref(), "b": ref(), "c": ref()}
    route = make_route(sessions, {"a": 3, "b": 1, "c": 3})
    assert route.most_available == (sessions["a"], sessions["c"])


def test_route_of_nobody_is_nowhere() -> None:
    assert make_route({}, {"a": 1}) is NOWHERE


def test_release_takes_the_resource_out_of_the_route_at_once() -> None:
    directory, orchard, garden = Directory(), ref(), ref()
    directory.claim(ORCHARD, orchard)
    directory.claim(GARDEN, garden)
    directory.publish("romeo@localhost", {"orchard": 5, "garden": 1})
    directory.release(ORCHARD, orchard)
    assert directory.entry("romeo@localhost").route.most_available == (garden,)


def test_claim_takes_the_resource_out_of_the_route_until_the_new_session_is_available() -> None:
    directory, old, new = Directory(), ref(), ref()
    directory.claim(ORCHARD, old)
    directory.publish("romeo@localhost", {"orchard": 5})
    directory.claim(ORCHARD, new)
    assert directory.entry("romeo@localhost").route is NOWHERE


def test_presence_ended_leaves_nothing_to_wait_for() -> None:
    directory, session, presence = Directory(), ref(), ref()
    directory.claim(ORCHARD, session)
    entry = directory.entry("romeo@localhost")
    entry.presence = presence
    entry.waiting = 3
    directory.publish("romeo@localhost", {"orchard": 0})
    directory.presence_ended("romeo@localhost", ref())
    assert entry.presence is presence
    directory.presence_ended("romeo@localhost", presence)
    after = directory.entry("romeo@localhost")
    assert (after.presence, after.waiting, after.route) == (None, 0, NOWHERE)
    directory.release(ORCHARD, session)
    assert directory.users == {}


def test_guards_of_a_user_are_unknown_until_they_are_published_and_when_their_actor_has_ended() -> None:
    directory, session, presence = Directory(unknown=UNKNOWN), ref(), ref()
    directory.claim(ORCHARD, session)
    entry = directory.entry("romeo@localhost")
    assert [entry.guards] == [UNKNOWN]
    entry.presence = presence
    directory.publish_guards("romeo@localhost", None)
    assert [entry.guards] == [None]
    directory.presence_ended("romeo@localhost", presence)
    assert [entry.guards] == [UNKNOWN]


def test_narrowed_entry_has_the_same_sessions_and_fewer_of_them_available() -> None:
    directory, orchard, garden = Directory(), ref(), ref()
    directory.claim(ORCHARD, orchard)
    directory.claim(GARDEN, garden)
    directory.publish("romeo@localhost", {"orchard": 5, "garden": 1})
    entry = directory.entry("romeo@localhost")
    narrowed = entry.narrowed({"garden"})
    assert (narrowed.sessions, narrowed.route.most_available) == (entry.sessions, (garden,))
    assert entry.route.most_available == (orchard,)


def test_presence_ended_of_nobody_known_is_nothing() -> None:
    Directory().presence_ended("romeo@localhost", ref())
