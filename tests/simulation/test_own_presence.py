"""What a client makes of the answers to its presence: which one it appears with, and what to repeat."""

from tests.simulation.own_presence import OwnPresence


def begun(*said: tuple[str, str | None]) -> OwnPresence:
    own = OwnPresence()
    own.begin()
    for id_, status in said:
        own.say(id_, status)
    return own


def test_client_appears_with_its_first_presence_and_with_none_behind_that() -> None:
    own = begun(("1", "here"), ("2", "busy"))
    assert [own.show("here"), own.show("busy")] == [True, False]
    assert own.shown == "busy"


def test_client_appears_with_the_first_that_is_not_refused() -> None:
    own = begun(("1", "here"), ("2", "busy"), ("3", "back"))
    own.refuse("1")
    assert [own.show("busy"), own.show("back")] == [True, False]


def test_client_appears_anew_behind_having_been_unavailable() -> None:
    own = begun(("1", "here"), ("2", None), ("3", "back"))
    assert [own.show("here"), own.show("back")] == [True, True]


def test_client_whose_unavailability_was_refused_does_not_appear_anew() -> None:
    own = begun(("1", "here"), ("2", None), ("3", "back"))
    own.show("here")
    own.refuse("2")
    assert not own.show("back")


def test_client_that_resumes_before_it_was_shown_anything_knows_what_it_is_told() -> None:
    own = begun(("1", "here"))
    own.resume()
    assert not own.show("here")


def test_client_was_told_all_anew_by_a_server_that_began_since_it_was_unavailable() -> None:
    own = OwnPresence()
    own.begin()
    for number, (id_, status) in enumerate([("1", "here"), ("2", None), ("3", "back"), ("4", "busy")], 1):
        own.say(id_, status, number)
    own.resume(forgotten=3)
    assert not own.show("busy")


def test_client_is_still_to_appear_behind_what_the_server_before_did_not_deal_with() -> None:
    own = OwnPresence()
    own.begin()
    for number, (id_, status) in enumerate([("1", "here"), ("2", None), ("3", "back")], 1):
        own.say(id_, status, number)
    own.resume(forgotten=1)
    assert own.show("back")


def test_only_what_was_said_last_is_to_be_repeated() -> None:
    own = begun(("1", "here"), ("2", "busy"))
    assert (own.is_last("1"), own.is_last("2")) == (False, True)


def test_what_was_shown_holds_no_more_when_the_last_thing_said_is_refused() -> None:
    """A crash may have forgotten it, so that it was said again."""
    own = begun(("1", "here"))
    own.show("here")
    own.refuse("0")
    assert own.shown == "here"
    own.refuse("1")
    assert own.shown is None
