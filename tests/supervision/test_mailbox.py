"""The mailbox: bounds, lanes, what is in hand across deaths, readiness bits, and its one parked reader."""

from collections.abc import Iterable

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from supervision.exit_reason import Normal, Shutdown
from supervision.mailbox import CONTROL_MAX, Mailbox, MailboxStatistics


def filled(messages: Iterable[str], **bounds: int) -> Mailbox[str]:
    mailbox: Mailbox[str] = Mailbox(**bounds)
    for message in messages:
        assert mailbox.post(message)
    return mailbox


def drain(mailbox: Mailbox[str]) -> list[str]:
    """Handle everything as an actor would."""
    handled = []
    while mailbox.queue or mailbox.control:
        handled.append(mailbox.take())
        mailbox.done()
    return handled


def test_post_is_first_in_first_out() -> None:
    assert drain(filled("abc")) == ["a", "b", "c"]


def test_post_is_refused_over_the_bound_in_number() -> None:
    mailbox = filled("abc", messages_max=3)
    assert not mailbox.post("d")
    assert mailbox.refused == 1
    mailbox.take()
    mailbox.done()
    assert mailbox.post("e")
    assert drain(mailbox) == ["b", "c", "e"]


def test_post_is_refused_over_the_bound_in_bytes() -> None:
    mailbox: Mailbox[str] = Mailbox(bytes_max=100)
    assert mailbox.post("a", 60)
    assert not mailbox.post("b", 41)
    assert mailbox.post("c", 40)
    assert mailbox.depth_bytes == 100
    drain(mailbox)
    assert mailbox.depth_bytes == 0


def test_post_is_refused_while_the_reader_does_not_accept() -> None:
    mailbox = filled("a")
    mailbox.is_accepting = False
    assert not mailbox.post("b")
    assert mailbox.post_control("c")
    mailbox.is_accepting = True
    assert mailbox.post("d")


def test_control_lane_overtakes_and_is_open_when_the_queue_is_full() -> None:
    mailbox = filled("ab", messages_max=2)
    assert mailbox.post_control("x")
    assert mailbox.post_control("y")
    assert drain(mailbox) == ["x", "y", "a", "b"]


def test_control_lane_is_bounded_as_well() -> None:
    mailbox: Mailbox[int] = Mailbox()
    assert all(mailbox.post_control(number) for number in range(CONTROL_MAX))
    assert not mailbox.post_control(-1)
    assert mailbox.refused == 1


def test_control_message_does_not_take_the_place_of_the_message_in_hand() -> None:
    mailbox = filled("ab")
    assert mailbox.take() == "a"
    mailbox.post_control("x")
    assert mailbox.in_hand() == "a"
    mailbox.done()
    assert drain(mailbox) == ["x", "b"]


def test_message_in_hand_at_a_death_comes_again_before_all_others() -> None:
    mailbox = filled("ab")
    mailbox.take()
    mailbox.begin()
    mailbox.post_control("x")
    assert mailbox.in_hand() is None
    assert mailbox.take() == "a"
    assert mailbox.attempts == 2
    mailbox.done()
    assert mailbox.attempts == 0
    assert drain(mailbox) == ["x", "b"]


def test_message_in_hand_survives_incarnations_that_never_took_it() -> None:
    mailbox = filled("ab")
    mailbox.post_control("x")
    assert mailbox.take() == "x"
    for _ in range(3):
        mailbox.begin()
    assert mailbox.take() == "x"
    assert mailbox.attempts == 2
    mailbox.done()
    assert drain(mailbox) == ["a", "b"]


def test_falsy_messages_are_messages() -> None:
    """An empty named tuple is a fine message."""
    mailbox: Mailbox[tuple[()]] = Mailbox()
    mailbox.post(())
    assert mailbox.has_work()
    assert mailbox.take() == ()
    assert mailbox.in_hand() == ()


def test_done_without_take_is_a_mistake() -> None:
    with pytest.raises(AssertionError, match="done without take"):
        filled("a").done()


def test_stop_stands_as_first_given_and_is_work() -> None:
    mailbox: Mailbox[str] = Mailbox()
    assert not mailbox.has_work()
    mailbox.request_stop(Normal())
    mailbox.request_stop(Shutdown("later"))
    assert mailbox.stop == Normal()
    assert mailbox.has_work()


def test_begin_forgets_the_stop() -> None:
    mailbox: Mailbox[str] = Mailbox()
    mailbox.request_stop(Normal())
    mailbox.begin()
    assert mailbox.stop is None


def test_signals_are_taken_together() -> None:
    mailbox: Mailbox[str] = Mailbox()
    mailbox.signal(1)
    mailbox.signal(4)
    mailbox.signal(1)
    assert mailbox.has_work()
    assert mailbox.take_signals() == 5
    mailbox.signals_done()
    assert not mailbox.has_work()
    assert mailbox.take_signals() == 0


def test_signals_asked_for_again_are_new_ones() -> None:
    mailbox: Mailbox[str] = Mailbox()
    mailbox.signal(1)
    mailbox.take_signals()
    mailbox.signal(2)
    assert mailbox.take_signals() == 2


def test_signals_in_hand_at_a_death_are_there_again() -> None:
    mailbox: Mailbox[str] = Mailbox()
    mailbox.signal(1)
    mailbox.take_signals()
    mailbox.signal(2)
    mailbox.begin()
    assert mailbox.signals == 3


def test_signals_set_while_others_are_dealt_with_are_kept() -> None:
    mailbox: Mailbox[str] = Mailbox()
    mailbox.signal(1)
    mailbox.take_signals()
    mailbox.signal(1)
    mailbox.signals_done()
    assert mailbox.take_signals() == 1


def test_room_is_told_once_when_half_of_the_queue_is_free() -> None:
    told: list[str] = []
    mailbox = filled("abcd", messages_max=4)
    mailbox.on_room = lambda: told.append("room")
    for expected in ([], ["room"], ["room"]):
        mailbox.take()
        mailbox.done()
        assert told == expected
    assert mailbox.on_room is None


def test_room_waits_for_bytes_as_well() -> None:
    told: list[str] = []
    mailbox: Mailbox[str] = Mailbox(bytes_max=100)
    mailbox.post("a", 10)
    mailbox.post("b", 80)
    mailbox.on_room = lambda: told.append("room")
    mailbox.take()
    mailbox.done()
    assert told == []
    mailbox.take()
    mailbox.done()
    assert told == ["room"]


def test_room_is_told_when_the_mailbox_closes_so_that_nobody_waits_for_ever() -> None:
    told: list[bool] = []
    mailbox = filled("ab", messages_max=2)
    mailbox.on_room = lambda: told.append(mailbox.post("c"))
    mailbox.close()
    assert told == [False]


def test_close_returns_what_was_never_handled_with_the_message_in_hand() -> None:
    mailbox = filled("ab")
    mailbox.post_control("x")
    mailbox.take()
    assert mailbox.close() == ["x", "a", "b"]
    assert mailbox.in_hand() is None
    assert mailbox.statistics() == MailboxStatistics(0, 0, 0, 0, is_open=False)
    assert mailbox.close() == []


def test_closed_mailbox_refuses_everything() -> None:
    mailbox: Mailbox[str] = Mailbox()
    mailbox.close()
    assert not mailbox.post("a")
    assert not mailbox.post_control("b")
    assert mailbox.refused == 2


def test_statistics_are_a_frozen_look() -> None:
    mailbox: Mailbox[str] = Mailbox(messages_max=1)
    mailbox.post("a", 7)
    mailbox.post("b")
    mailbox.post_control("x")
    assert mailbox.statistics() == MailboxStatistics(1, 7, 1, 1, is_open=True)


@pytest.mark.parametrize("how", ["post", "post_control", "signal", "stop", "wake"])
async def test_parked_reader_is_woken(how: str) -> None:
    mailbox: Mailbox[str] = Mailbox()
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def read() -> None:
            await mailbox.wait()

        await wait_all_tasks_blocked()
        match how:
            case "post":
                mailbox.post("a")
            case "post_control":
                mailbox.post_control("a")
            case "signal":
                mailbox.signal(1)
            case "stop":
                mailbox.request_stop(Normal())
            case _:
                mailbox.wake()
        mailbox.post("b")  # a second wake in the same tick must not reschedule twice


async def test_cancelled_reader_is_forgotten() -> None:
    """A post to it must not reschedule a task that is gone."""
    mailbox: Mailbox[str] = Mailbox()
    with trio.move_on_after(0):
        await mailbox.wait()
    assert mailbox.post("a")
    assert mailbox.take() == "a"


async def test_empty_mailbox_whose_reader_is_parked_has_no_queue_of_its_own() -> None:
    mailbox, other = filled("a"), Mailbox[str]()
    mailbox.post_control("x")
    drain(mailbox)
    with trio.move_on_after(0):
        await mailbox.wait()
    assert mailbox.control is None
    assert mailbox.queue is other.queue
    mailbox.post("b")
    assert list(other.queue) == []
    assert drain(mailbox) == ["b"]


async def test_waiting_with_something_in_the_queue_loses_nothing() -> None:
    """Supervisors and the like wait for one thing while others arrive."""
    mailbox = filled("ab")
    mailbox.post_control("x")
    with trio.move_on_after(0):
        await mailbox.wait()
    assert drain(mailbox) == ["x", "a", "b"]
