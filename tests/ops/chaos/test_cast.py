"""Tests of `ops.chaos.cast`: who talks to whom."""

from collections import Counter

import pytest

from ops.chaos.cast import Addresses, Way, cast


@pytest.mark.parametrize("clients", [2, 8, 10, 14, 200])
def test_cast_pairs_everybody_with_one_who_answers(clients: int) -> None:
    parts = cast(clients, "c")
    assert [part.number for part in parts] == list(range(clients))
    for part in parts:
        partner = parts[part.partner]
        assert partner.partner == part.number
        assert partner.account != part.account


def test_cast_has_no_two_clients_of_one_address() -> None:
    parts = cast(200, "c")
    assert len({(part.account, part.resource) for part in parts}) == 200


def test_cast_has_accounts_with_several_clients_that_write_to_both_sorts_of_address() -> None:
    clients = Counter(part.account for part in cast(20, "c"))
    assert sorted(clients.values()) == [1] * 12 + [2] * 4
    assert all(part.addresses is Addresses.IN_TURNS for part in cast(20, "c") if clients[part.account] == 2)


def test_cast_comes_by_every_way_and_writes_to_every_sort_of_address() -> None:
    parts = cast(40, "c")
    assert {part.way for part in parts} == set(Way)
    assert {part.addresses for part in parts} == set(Addresses)


def test_cast_comes_by_the_ways_that_are_open() -> None:
    assert {part.way for part in cast(20, "c", frozenset({Way.TLS}))} == {Way.TLS}


def test_cast_names_accounts_by_the_prefix() -> None:
    assert all(part.account.startswith("left-") for part in cast(10, "left-"))
