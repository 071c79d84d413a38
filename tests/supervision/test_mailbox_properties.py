"""The mailbox against the simplest model of itself: two lists and an index."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from supervision.mailbox import Mailbox

MESSAGES_MAX, BYTES_MAX = 4, 100


class MailboxMachine(RuleBasedStateMachine):
    """Posts, handles and dies in any order; nothing is lost, doubled or reordered within its lane."""

    def __init__(self) -> None:
        super().__init__()
        self.mailbox: Mailbox[int] = Mailbox(MESSAGES_MAX, BYTES_MAX)
        self.queue: list[tuple[int, int]] = []
        self.control: list[tuple[int, int]] = []
        self.lane: list[tuple[int, int]] | None = None  # where the unfinished message is
        self.is_handling = False
        self.attempts = 0
        self.count = 0

    @rule(size=st.integers(0, 120))
    def post(self, size: int) -> None:
        self.count += 1
        fits = len(self.queue) < MESSAGES_MAX and sum(each for _, each in self.queue) + size <= BYTES_MAX
        assert self.mailbox.post(self.count, size) is fits
        if fits:
            self.queue.append((self.count, size))

    @rule()
    def post_control(self) -> None:
        self.count += 1
        assert self.mailbox.post_control(self.count)
        self.control.append((self.count, 0))

    @precondition(lambda self: (self.queue or self.control) and not self.is_handling)
    @rule()
    def take(self) -> None:
        self.lane = self.lane or self.control or self.queue
        self.is_handling = True
        self.attempts += 1
        assert self.mailbox.take() == self.lane[0][0]

    @precondition(lambda self: self.is_handling)
    @rule()
    def done(self) -> None:
        assert self.lane is not None
        self.mailbox.done()
        self.lane.pop(0)
        self.lane, self.is_handling, self.attempts = None, False, 0

    @rule()
    def die_and_begin(self) -> None:
        self.mailbox.begin()
        self.is_handling = False

    @invariant()
    def agrees(self) -> None:
        assert list(self.mailbox.queue) == self.queue
        assert list(self.mailbox.control or ()) == self.control
        assert self.mailbox.depth_bytes == sum(size for _, size in self.queue)
        assert self.mailbox.attempts == self.attempts
        assert self.mailbox.in_hand() == (self.lane[0][0] if self.lane and self.is_handling else None)
        assert self.mailbox.has_work() == bool(self.queue or self.control)


MailboxMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
TestMailbox = MailboxMachine.TestCase
