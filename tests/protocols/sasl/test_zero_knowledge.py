"""Chains of hashes, as Jabber 1.4 had them."""

import hashlib

import pytest

from protocols.sasl.keys import ScramKeys
from protocols.sasl.zero_knowledge import (
    SEQUENCE,
    ZERO_KNOWLEDGE,
    Link,
    chain,
    derive_chain,
    next_link,
    seeming_link,
    shorten,
)

SALT = bytes(range(16))
CHAIN = derive_chain("r0m30", SALT)


def sha1(text: str) -> str:
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def shown(link: Link, password: str = "r0m30") -> str:
    """What a client of 2000 makes of it."""
    link_hash = sha1(sha1(password) + link.token)
    for _ in range(link.sequence):
        link_hash = sha1(link_hash)
    return link_hash


def of_length(length: int) -> ScramKeys:
    return ScramKeys(ZERO_KNOWLEDGE, CHAIN.salt, length, chain("r0m30", CHAIN.salt.decode(), length), b"")


def test_chain_is_what_a_client_makes_of_it() -> None:
    link = next_link(CHAIN)
    assert link == Link(SEQUENCE - 1, "0001020304050607")
    assert shorten(CHAIN, shown(link)) == of_length(SEQUENCE - 1)


def test_each_link_serves_once() -> None:
    keys = CHAIN
    for _ in range(3):
        link = next_link(keys)
        assert link is not None
        shorter = shorten(keys, shown(link).upper())
        assert shorter is not None
        assert shorten(shorter, shown(link)) is None
        keys = shorter
    assert keys.iterations == SEQUENCE - 3


def test_chain_ends() -> None:
    last = of_length(1)
    link = next_link(last)
    assert link is not None
    assert link.sequence == 0
    over = shorten(last, shown(link))
    assert over == of_length(0)
    assert next_link(over) is None
    assert shorten(over, sha1("r0m30")) is None


@pytest.mark.parametrize("link", ["", "x", "0" * 40, "ж" * 40, "0" * 41, sha1("r0m30") + "\n", "0" * 100_000])
def test_link_that_is_none_is_refused(link: str) -> None:
    assert shorten(CHAIN, link) is None


def test_link_of_another_password_is_refused() -> None:
    link = next_link(CHAIN)
    assert link is not None
    assert shorten(CHAIN, shown(link, "another")) is None


def test_seeming_link_is_the_same_each_time_and_not_for_all() -> None:
    names = [f"nobody-{number}@localhost" for number in range(50)]
    told = [seeming_link(name, b"secret") for name in names]
    assert told == [seeming_link(name, b"secret") for name in names]
    links = [link for link in told if link is not None]
    assert 0 < len(links) < len(names)
    assert all(0 < link.sequence < SEQUENCE and len(link.token) == 16 for link in links)
