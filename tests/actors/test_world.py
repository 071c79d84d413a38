"""Tests of `actors.world`: what the real one gives."""

from __future__ import annotations

import re
import threading
import time
from typing import Final

import trio

from actors.world import READERS_MAX, real_world
from protocols.sasl.keys import SALT_BYTES

SECONDS_MAX: Final = 10.0
"""Bounds failure only."""


def test_real_world_now_is_the_time_of_day_in_milliseconds() -> None:
    before = time.time()
    now_ms = real_world().now_ms()
    assert int(before * 1_000) <= now_ms <= time.time() * 1_000


def test_real_world_tokens_are_twenty_plain_characters_and_never_the_same() -> None:
    """They stand unescaped in attributes, stream ids and nonces; RFC 5802 forbids a comma there."""
    tokens = {real_world().new_token() for _ in range(1_000)}
    assert len(tokens) == 1_000
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{20}", token) for token in tokens)


def test_real_world_salts_are_of_full_length_and_never_the_same() -> None:
    salts = {real_world().new_salt() for _ in range(1_000)}
    assert len(salts) == 1_000
    assert {len(salt) for salt in salts} == {SALT_BYTES}


async def test_real_world_writer_does_one_thing_at_a_time() -> None:
    """Batches are committed in turn; two at a time could overtake each other."""
    world = real_world()
    replies = [world.writer.submit(threading.get_ident) for _ in range(20)]
    assert len({await reply.wait(SECONDS_MAX) for reply in replies}) == 1


async def test_real_world_readers_work_side_by_side() -> None:
    """Each waits for all others: with one thread less they never come together."""
    world = real_world()
    together = threading.Barrier(READERS_MAX, timeout=SECONDS_MAX)
    replies = [world.readers.submit(together.wait) for _ in range(READERS_MAX)]
    assert sorted([await reply.wait(2 * SECONDS_MAX) for reply in replies]) == list(range(READERS_MAX))


async def test_real_world_hashing_does_not_wait_for_the_database() -> None:
    world = real_world()
    gate = threading.Event()
    busy = [pool.submit(gate.wait) for pool in (world.writer, *[world.readers] * READERS_MAX)]
    assert await world.hashing.submit(lambda: "hashed").wait(SECONDS_MAX) == "hashed"
    gate.set()
    with trio.fail_after(SECONDS_MAX):
        for reply in busy:
            await reply.wait(SECONDS_MAX)
