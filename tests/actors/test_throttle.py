"""A window that slides for each address."""

from actors.throttle import ADDRESSES_MAX, Throttle


class Clock:
    """Turned by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_throttle_blocks_at_the_bound_and_only_that_address() -> None:
    throttle = Throttle(3, 60.0, Clock())
    for _ in range(2):
        throttle.count("192.0.2.1")
    assert not throttle.is_blocked("192.0.2.1")
    throttle.count("192.0.2.1")
    assert throttle.is_blocked("192.0.2.1")
    assert not throttle.is_blocked("192.0.2.2")


def test_throttle_lets_go_when_the_oldest_is_out_of_the_window() -> None:
    clock = Clock()
    throttle = Throttle(2, 60.0, clock)
    throttle.count("a")
    clock.now += 50
    throttle.count("a")
    clock.now += 9.9
    assert throttle.is_blocked("a")
    clock.now += 0.2
    assert not throttle.is_blocked("a")
    throttle.count("a")
    assert throttle.is_blocked("a")


def test_throttle_forgets_the_address_counted_longest_ago() -> None:
    throttle = Throttle(1, 60.0, Clock())
    throttle.count("first")
    throttle.count("second")
    for number in range(ADDRESSES_MAX - 2):
        throttle.count(f"{number}")
    throttle.count("first")
    throttle.count("one more")
    assert throttle.is_blocked("first")
    assert not throttle.is_blocked("second")
