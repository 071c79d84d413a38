"""Tests of `ops.chaos.ledger`: made-up histories with loss, doubles and disorder, found and nothing else.

Clients 0 and 1 talk to each other; 2 and 3 are one account, and 0 writes to them as well.
"""

import pytest

from ops.chaos.ledger import Balance, Ledger, MessageId, parse_id

ACCOUNTS = {0: "romeo", 1: "juliet", 2: "nurse", 3: "nurse"}


class History:
    """A history, written down in short."""

    def __init__(self) -> None:
        self.ledger = Ledger(ACCOUNTS)

    def sent(self, *numbers: int, to: int = 1, acknowledged: bool = True) -> "History":
        for number in numbers:
            self.ledger.sent(MessageId(0, to, number), float(number))
            if acknowledged:
                self.ledger.acknowledged(MessageId(0, to, number))
        return self

    def received(self, *numbers: int, by: int = 1, to: int = 1) -> "History":
        for number in numbers:
            self.ledger.received(by, f"0:{to}:{number}", float(number))
        return self

    def refused(self, *numbers: int) -> "History":
        for number in numbers:
            self.ledger.refused(f"0:1:{number}")
        return self

    def again(self, *numbers: int) -> "History":
        for number in numbers:
            self.ledger.sent_again(MessageId(0, 1, number))
        return self

    def resumption_refused(self, client: int) -> "History":
        self.ledger.resumption_refused(client)
        return self

    @property
    def balance(self) -> Balance:
        return self.ledger.balance()


def names(*numbers: int, to: int = 1) -> tuple[MessageId, ...]:
    return tuple(MessageId(0, to, number) for number in numbers)


def test_balance_of_nothing_holds() -> None:
    assert History().balance.holds
    assert History().ledger.is_settled


def test_balance_where_all_arrive_once_in_order_holds() -> None:
    history = History().sent(1, 2, 3).received(1, 2, 3)
    balance = history.balance
    assert balance.holds
    assert (balance.sent, balance.acknowledged, balance.delivered) == (3, 3, 3)
    assert history.ledger.is_settled


def test_message_acknowledged_and_never_seen_is_lost() -> None:
    history = History().sent(1, 2, 3).received(1, 3)
    assert history.balance.lost == names(2)
    assert not history.balance.holds
    assert not history.ledger.is_settled
    assert history.balance._replace(lost=()).holds


def test_message_neither_acknowledged_nor_seen_is_owed() -> None:
    balance = History().sent(1, 2).sent(3, acknowledged=False).received(1, 2).balance
    assert (balance.owed, balance.lost) == (names(3), ())
    assert not balance.holds


def test_message_seen_before_it_was_acknowledged_is_delivered() -> None:
    balance = History().sent(1, acknowledged=False).received(1).balance
    assert balance.holds
    assert (balance.acknowledged, balance.delivered) == (0, 1)


def test_message_twice_at_one_client_is_doubled_once() -> None:
    history = History().sent(1, 2).received(1, 2, 2, 2)
    assert history.balance.doubled == names(2)
    assert not history.balance.holds
    assert history.balance._replace(doubled=()).holds


def test_message_twice_far_apart_is_doubled_and_not_out_of_order() -> None:
    balance = History().sent(1, 2, 3).received(1, 2, 3, 1).balance
    assert (balance.doubled, balance.disordered) == (names(1), ())


def test_message_behind_a_later_one_is_out_of_order() -> None:
    history = History().sent(1, 2, 3).received(1, 3, 2)
    assert history.balance.disordered == names(2)
    assert not history.balance.holds
    assert history.balance._replace(disordered=()).holds


def test_every_message_behind_a_later_one_is_out_of_order() -> None:
    assert History().sent(1, 2, 3).received(3, 1, 2).balance.disordered == names(1, 2)


def test_order_is_per_sender() -> None:
    history = History().sent(1, 2)
    history.ledger.sent(MessageId(2, 1, 1), 0.0)
    history.received(1, 2)
    history.ledger.received(1, "2:1:1", 0.0)
    assert history.balance.holds


def test_message_to_an_account_may_arrive_at_each_of_its_clients() -> None:
    history = History().sent(1, 2, to=2).received(1, 2, by=2, to=2).received(1, 2, by=3, to=2)
    assert history.balance.holds
    assert history.balance.delivered == 2


def test_message_twice_at_one_client_of_several_is_doubled() -> None:
    history = History().sent(1, to=2).received(1, by=2, to=2).received(1, 1, by=3, to=2)
    assert history.balance.doubled == names(1, to=2)


def test_message_out_of_order_at_one_client_of_several_is_found() -> None:
    history = History().sent(1, 2, to=2).received(1, 2, by=2, to=2).received(2, 1, by=3, to=2)
    assert history.balance.disordered == names(1, to=2)


def test_message_that_was_refused_is_not_lost() -> None:
    history = History().sent(1, 2).received(1).refused(2)
    assert history.balance.holds
    assert history.balance.refused == 1
    assert history.balance.refused_and_delivered == 0
    assert history.ledger.is_settled


def test_message_that_was_refused_and_arrives_is_told_apart() -> None:
    history = History().sent(1).received(1).refused(1)
    assert history.balance.refused_and_delivered == 1
    assert history.ledger.settled_count == 1


@pytest.mark.parametrize("text", ["", "0:1:9", "x:y:z", "0:1", "0:1:-1", "<0:1:1>"])
def test_message_that_nobody_sent_is_a_stray(text: str) -> None:
    history = History().sent(1).received(1)
    history.ledger.received(1, text, 0.0)
    assert history.balance.strays == (text,)
    assert not history.balance.holds


def test_message_at_somebody_else_is_a_stray_and_not_delivered() -> None:
    balance = History().sent(1).received(1, by=2).balance
    assert (balance.strays, balance.lost) == (("0:1:1",), names(1))


def test_error_about_what_nobody_sent_is_a_stray() -> None:
    assert History().refused(5).balance.strays == ("0:1:5",)


# -- behind a resumption that was refused


def test_double_of_a_message_that_was_sent_again_is_counted_apart() -> None:
    balance = History().sent(1, 2).again(2).received(1, 2, 2).balance
    assert (balance.doubled, balance.perhaps_doubled, balance.sent_again) == ((), 1, 1)
    assert balance.holds


def test_double_of_another_message_is_not_excused_by_that() -> None:
    assert History().sent(1, 2).again(2).received(1, 1, 2).balance.doubled == names(1)


def test_double_across_a_refused_resumption_of_the_receiver_is_counted_apart() -> None:
    balance = History().sent(1).received(1).resumption_refused(1).received(1).balance
    assert (balance.doubled, balance.perhaps_doubled) == ((), 1)


def test_double_across_a_refused_resumption_of_somebody_else_is_doubled() -> None:
    assert History().sent(1).received(1).resumption_refused(0).received(1).balance.doubled == names(1)


def test_double_before_or_after_a_refused_resumption_is_doubled() -> None:
    assert History().sent(1).received(1, 1).resumption_refused(1).balance.doubled == names(1)
    assert History().sent(1).resumption_refused(1).received(1, 1).balance.doubled == names(1)


def test_third_delivery_is_not_excused_by_one_refused_resumption() -> None:
    history = History().sent(1).received(1).resumption_refused(1).received(1, 1)
    assert history.balance.doubled == names(1)


def test_disorder_of_a_message_that_was_sent_again_is_counted_apart() -> None:
    balance = History().sent(1, 2).again(1).received(2, 1).balance
    assert (balance.disordered, balance.perhaps_disordered) == ((), 1)


def test_loss_is_never_excused() -> None:
    history = History().sent(1).again(1).resumption_refused(0).resumption_refused(1)
    assert history.balance.lost == names(1)


# -- figures


def test_throughput_counts_first_deliveries_by_second() -> None:
    ledger = History().sent(1, 2).received(1, 2, 2).ledger
    assert dict(ledger.sent_by_second) == {1: 1, 2: 1}
    assert dict(ledger.delivered_by_second) == {1: 1, 2: 1}


def test_counts_so_far_are_those_of_the_balance() -> None:
    ledger = History().sent(1, 2, 3).sent(4, acknowledged=False).received(1, 2, 2).refused(3).ledger
    ledger.acknowledged(MessageId(0, 1, 1))  # a second time
    assert (ledger.sent_count, ledger.acknowledged_count, ledger.settled_count) == (4, 3, 3)
    assert not ledger.is_settled
    assert not ledger.is_full


def test_parse_id_reads_what_it_writes() -> None:
    assert parse_id(str(MessageId(12, 13, 57))) == MessageId(12, 13, 57)
    assert parse_id("12:13") is None
