"""The answer to one call."""

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from supervision.reply import CallError, DeadlineExceeded, Reply


async def test_reply_that_is_there_is_returned_at_once() -> None:
    reply: Reply[int] = Reply()
    reply.set(7)
    assert await reply.wait(1) == 7


async def test_reply_wakes_the_one_who_waits() -> None:
    reply: Reply[int] = Reply()
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def ask() -> None:
            assert await reply.wait(1) == 7

        await wait_all_tasks_blocked()
        reply.set(7)


async def test_reply_none_is_an_answer() -> None:
    reply: Reply[None] = Reply()
    filled = [reply.is_filled]
    reply.set(None)
    filled.append(reply.is_filled)
    await reply.wait(1)
    assert filled == [False, True]


async def test_reply_first_answer_stands() -> None:
    reply: Reply[int] = Reply()
    reply.set(1)
    reply.set(2)
    reply.fail(ValueError("three"))
    assert await reply.wait(1) == 1
    assert reply.late == 2


async def test_reply_failed_is_raised_where_it_is_waited_for() -> None:
    reply: Reply[int] = Reply()
    reply.fail(LookupError("nobody"))
    with pytest.raises(LookupError, match="nobody"):
        await reply.wait(1)
    with pytest.raises(LookupError, match="nobody"):
        reply.result()


def test_reply_result_before_there_is_one_is_a_mistake() -> None:
    with pytest.raises(AssertionError, match="no answer yet"):
        Reply[int]().result()


async def test_reply_that_does_not_come_in_time_is_a_deadline_exceeded(autojump_clock: MockClock) -> None:
    reply: Reply[int] = Reply()
    with pytest.raises(DeadlineExceeded, match="no answer within 5 s"):
        await reply.wait(5)
    assert trio.current_time() == 5
    assert issubclass(DeadlineExceeded, CallError)


async def test_reply_after_the_deadline_raises_nothing_in_the_server(autojump_clock: MockClock) -> None:
    reply: Reply[int] = Reply()
    with pytest.raises(DeadlineExceeded):
        await reply.wait(5)
    reply.set(7)
    reply.fail(ValueError("late"))
    assert reply.late == 1


async def test_reply_to_a_cancelled_caller_is_there_for_its_successor() -> None:
    """A new incarnation waits for what its predecessor had asked for."""
    reply: Reply[int] = Reply()
    with trio.move_on_after(0):
        await reply.wait(5)
    reply.set(7)
    assert await reply.wait(5) == 7


async def test_reply_that_comes_as_the_deadline_passes_is_returned(mock_clock: MockClock) -> None:
    """Whichever is first wins; nothing is lost in between."""
    reply: Reply[int] = Reply()
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def ask() -> None:
            assert await reply.wait(5) == 7

        await wait_all_tasks_blocked()
        reply.set(7)
        mock_clock.jump(10)


def test_reply_tells_a_function_once() -> None:
    told: list[int] = []
    reply: Reply[int] = Reply()
    reply.on_filled = lambda: told.append(reply.result())
    reply.set(7)
    reply.set(8)
    assert told == [7]
