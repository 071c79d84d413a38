"""Order: what one client sends to one user arrives as it was sent, whatever the addresses (RFC 6120 §10.1).

The hard cases are those in which the path changes between two messages: from the account's actor, which
stores or decides, to the session directly.
"""

import itertools
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.raw_client import BIND, RawClient
from tests.support.server import Account, RunningServer

ROUNDS = 25
"""How often the recipient comes while messages are under way; each is another interleaving."""
PAIRS = 20
"""Messages to the bare and at once to the full address, in one round."""
PAIRS_UNDER_WAY = 8


BIND_AND_BECOME_AVAILABLE = (
    f"<iq type='set' id='bind'><bind xmlns='{BIND}'><resource>x</resource></bind></iq><presence/>"
)


def chat(to: str, number: int) -> str:
    return f"<message to='{to}' type='chat'><body>{number}.</body></message>"


def numbers(received: bytes) -> list[int]:
    return [int(each) for each in re.findall(rb"<body>(\d+)\.</body>", received)]


def alternately(account: Account, count: int, first: int = 0) -> str:
    """Numbered messages, by turns to the bare address and to the resource."""
    addresses = itertools.cycle((account.jid, f"{account.jid}/x"))
    return "".join(chat(next(addresses), number) for number in range(first, first + count))


class Flow(list[int]):
    """The numbers of messages sent, by turns to the bare address and to the resource, until it is stopped.

    The recipient's account has to have dealt with a pair some pairs later, so that a flow meets whatever
    happens meanwhile in the middle and does not outgrow what may wait for one account.
    """

    def __init__(self, sender: RawClient, account: Account, first: int) -> None:
        super().__init__()
        self._sender, self._account, self._first = sender, account, first
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        ping = f"<iq type='get' to='{self._account.jid}' id='flow'><ping xmlns='urn:xmpp:ping'/></iq>"
        for pair in itertools.count():
            first = self._first + 2 * pair
            self._sender.send(alternately(self._account, 2, first) + ping)
            self.extend((first, first + 1))
            if pair >= PAIRS_UNDER_WAY:
                self._sender.read_until(rb"<iq [^>]*id='flow'[^>]*>")
            if self._enough.is_set():
                break
        for _ in range(min(pair + 1, PAIRS_UNDER_WAY)):
            self._sender.read_until(rb"<iq [^>]*id='flow'[^>]*>")

    def stop(self) -> None:
        """Send no more; what has been sent is all here when this returns."""
        self._enough.set()
        self._thread.join()


@contextmanager
def flowing(sender: RawClient, account: Account, first: int) -> Iterator[Flow]:
    """A flow that is stopped in the end, whatever happens."""
    flow = Flow(sender, account, first)
    try:
        yield flow
    finally:
        flow.stop()


@pytest.mark.parametrize("cut", [True, False])
def test_order_of_bare_then_full_address_holds(server: RunningServer, cut: bool) -> None:
    """Sent in one piece, or each message in a piece of its own."""
    account = server.account()
    with RawClient(server, "c2s_tls") as recipient, RawClient(server, "c2s_tls") as sender:
        recipient.log_in(account, "x")
        recipient.become_available()
        sender.log_in(server.account())
        total = 2 * PAIRS * ROUNDS
        if cut:
            for number in range(0, total, 2):
                sender.send(alternately(account, 2, number))
        else:
            sender.send(alternately(account, total))
        received = recipient.read_until(rb"<body>%d\.</body>" % (total - 1))
        assert numbers(received) == list(range(total))


@pytest.mark.parametrize("ahead", [0, 1, 5])
def test_order_holds_while_recipient_becomes_available(server: RunningServer, ahead: int) -> None:
    """Its first presence meets a sender in full flow; some messages wait for it already."""
    account = server.account()
    with RawClient(server, "c2s_tls") as sender:
        sender.log_in(server.account())
        for _ in range(ROUNDS // 3):
            waiting = list(range(0, 2 * ahead, 2))
            sender.send("".join(chat(account.jid, number) for number in waiting))
            with RawClient(server, "c2s_tls") as recipient:
                recipient.log_in(account, "x")
                with flowing(sender, account, 2 * ahead) as flow:
                    early = numbers(recipient.read_until(rb"</message>"))
                    recipient.send("<presence/>")
                    received = early + _receive_until_past(recipient, early[0] + PAIRS)
                expected = [*waiting, *flow]
                received += _receive(recipient, len(expected) - len(received))
                assert _explanation(received, expected) > 0
                _leave(recipient)


def test_order_holds_while_recipient_logs_in(server: RunningServer) -> None:
    """Its login meets a sender in full flow: messages for an account with nobody there, and then somebody."""
    account = server.account()
    with RawClient(server, "c2s_tls") as sender:
        sender.log_in(server.account())
        for _ in range(ROUNDS // 3):
            with flowing(sender, account, 0) as flow, RawClient(server, "c2s_tls") as recipient:
                recipient.authenticate(account)
                recipient.send(BIND_AND_BECOME_AVAILABLE)
                received = _receive_until_past(recipient, PAIRS)
                flow.stop()
                received += _receive(recipient, len(flow) - len(received))
                assert _explanation(received, list(flow)) > 0
                _leave(recipient)


def test_order_for_account_holds_while_recipient_comes_and_goes(server: RunningServer) -> None:
    """What was stored meanwhile comes before what is sent after, strictly."""
    account = server.account()
    with RawClient(server, "c2s_tls") as recipient, RawClient(server, "c2s_tls") as sender:
        recipient.log_in(account, "x")
        sender.log_in(server.account())
        expected = list(range(ROUNDS * PAIRS))
        for first in expected[::PAIRS]:
            recipient.send("<presence/>")
            sender.send("".join(chat(account.jid, first + number) for number in range(PAIRS)))
            recipient.send("<presence type='unavailable'/>")
        recipient.send("<presence/>")
        assert _receive(recipient, len(expected)) == expected


def _receive(recipient: RawClient, count: int) -> list[int]:
    return [number for _ in range(count) for number in numbers(recipient.read_until(rb"</body>"))]


def _receive_until_past(recipient: RawClient, number: int) -> list[int]:
    """Everything up to the first message that came as it was sent, behind this number."""
    received: list[int] = []
    while not (received and received[-1] > number and received[-2:-1] == [received[-1] - 1]):
        received += _receive(recipient, 1)
    return received


def _leave(client: RawClient) -> None:
    client.send("</stream:stream>")
    assert numbers(client.read_to_end()) == [], "something came twice"


def _explanation(received: list[int], sent: list[int]) -> int:
    """The number of messages sent before the recipient was available, by what explains all that came.

    The recipient was bound, then available, each at one moment between two of the messages. What came before
    the first moment was stored; between the two what was for the account was stored and what was for the
    resource delivered; at the second all that was stored was delivered; from there on each as it came.
    """
    assert sorted(received) == sent, f"lost or doubled: {received}"
    bound = sent.index(received[0]) if received[0] % 2 else None
    for available in range(len(sent), -1, -1):
        early = [] if bound is None else [number for number in sent[bound:available] if number % 2]
        stored = sorted(set(sent[:available]) - set(early))
        if received == early + stored + sent[available:]:
            return available
    raise AssertionError(f"nothing explains {received}")


def test_order_holds_between_messages_and_requests(server: RunningServer) -> None:
    """A request to the resource, too, stays between the messages around it."""
    account = server.account()
    with RawClient(server, "c2s_tls") as recipient, RawClient(server, "c2s_tls") as sender:
        recipient.log_in(account, "x")
        recipient.become_available()
        sender.log_in(account, "y")
        expected = []
        for number in range(ROUNDS):
            sender.send(
                chat(account.jid if number % 2 else f"{account.jid}/x", number)
                + f"<iq type='get' to='{account.jid}/x' id='{number}'><q xmlns='urn:example:q'/></iq>"
            )
            expected += [b"message", b"iq"]
        received = recipient.read_until(rb"<iq [^>]*id='%d'.*?</iq>" % (ROUNDS - 1))
        assert re.findall(rb"<(message|iq) ", received) == expected


def test_order_holds_between_subscriptions_and_messages(server: RunningServer) -> None:
    """RFC 6120 §10.1 asks for order among all stanzas of one sender to one recipient."""
    account, contact = server.account(), server.account()
    with RawClient(server, "c2s_tls") as recipient, RawClient(server, "c2s_tls") as sender:
        recipient.log_in(account, "x")
        recipient.become_available()
        sender.log_in(contact)
        sender.send(f"<presence to='{account.jid}' type='subscribe'/>{chat(account.jid, 1)}")
        received = recipient.read_until(rb"</message>")
        assert b"type='subscribe'" in received
