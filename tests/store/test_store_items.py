"""The contract of a store for what accounts keep, held against every driver."""

import pytest

from store.account_items import AccountItem
from store.errors import StoreUnavailable
from store.store import Store
from store.writes import COMMITTED, CreateUser, DeleteUser, DropItem, SaveItem, Write
from tests.store.conftest import FaultyStore
from tests.store.samples import make_user


def thing(owner: str, key: str = "k", kind: str = "private", data: bytes = b"<a/>") -> AccountItem:
    return AccountItem(owner, kind, key, data)


@pytest.mark.parametrize("key", ["", "k", "{urn:x/y}z", "a/b", "ñ 🌹", "\x00"])
def test_item_saved_reads_back_equal(store: Store, name: str, key: str) -> None:
    item = thing(name, key, data=bytes(range(256)))
    assert store.commit([SaveItem(item)]) == [COMMITTED]
    assert store.items(name, "private") == [item]


def test_items_are_those_of_the_kind_and_the_owner_by_key(store: Store, name: str) -> None:
    mine = [thing(name, "a"), thing(name, "b")]
    others = [thing(name, "a", kind="other"), thing(f"{name}2", "a"), thing(name, "/a", kind="priv")]
    store.commit([SaveItem(each) for each in (*others, *reversed(mine))])
    assert store.items(name, "private") == mine
    assert store.items(f"nobody {name}", "private") == []


def test_save_item_replaces_the_one_of_its_name(store: Store, name: str) -> None:
    for data in (b"1", b"2", b"2"):
        assert store.commit([SaveItem(thing(name, data=data))]) == [COMMITTED]
    assert store.items(name, "private") == [thing(name, data=b"2")]


def test_drop_item_takes_it_alone_and_is_committed_again(store: Store, name: str) -> None:
    store.commit([SaveItem(thing(name, each)) for each in "ab"])
    for _ in range(2):
        assert store.commit([DropItem(name, "private", "a"), DropItem(name, "none", "b")]) == [COMMITTED] * 2
    assert store.items(name, "private") == [thing(name, "b")]


def test_delete_user_takes_what_it_kept(store: Store, name: str) -> None:
    store.commit([CreateUser(make_user(name)), SaveItem(thing(name)), SaveItem(thing(f"{name}2"))])
    store.commit([DeleteUser(name)])
    assert store.items(name, "private") == []
    assert store.items(f"{name}2", "private") == [thing(f"{name}2")]


def found(owner: str, key: str, text: str, kind: str = "found") -> AccountItem:
    return AccountItem(owner, kind, key, b"data", text)


def test_found_items_are_those_between_two_texts_of_all_owners(store: Store, name: str) -> None:
    kind = f"kind of {name}"
    texts = ["a", "a b", "aa", "b", "b\u00e9", "b\U0001f339", "c"]
    mine = [found(name, str(number), text, kind) for number, text in enumerate(texts)]
    other = found(f"{name}2", "k", "b", kind)
    hidden = [found(name, "x", "", kind), found(name, "y", "b", f"{kind}2"), found(name, "z", "b", "kind")]
    store.commit([SaveItem(each) for each in (*mine, other, *hidden)])
    assert store.found_items(kind, "b", "b", 10) == [mine[3], other]
    assert store.found_items(kind, "b", "b\U0010ffff", 10) == [mine[3], other, *mine[4:6]]
    assert store.found_items(kind, "a", "b", 10) == [*mine[:4], other]
    assert store.found_items(kind, "a", "b", 2) == mine[:2]
    assert store.found_items(kind, "", "\U0010ffff", 10) == [*mine[:4], other, *mine[4:]]
    assert store.found_items(kind, "d", "e", 10) == []
    assert store.items(name, kind) == [*mine, hidden[0]]


def test_item_is_found_as_it_was_saved_last(store: Store, name: str) -> None:
    kind = f"kind of {name}"
    for text in ("before", "after", ""):
        store.commit([SaveItem(found(name, "k", text, kind))])
        wanted = [found(name, "k", text, kind)] if text else []
        assert store.found_items(kind, "", "z", 10) == wanted
    store.commit([SaveItem(found(name, "k", "dropped", kind)), SaveItem(found(name, "l", "deleted", kind))])
    store.commit([DropItem(name, kind, "k")])
    assert [item.found_by for item in store.found_items(kind, "", "z", 10)] == ["deleted"]
    store.commit([DeleteUser(name)])
    assert store.found_items(kind, "", "z", 10) == []


@pytest.mark.parametrize("is_done", [False, True])
def test_items_of_an_unknown_outcome_are_committed_again(
    faulty: FaultyStore, name: str, is_done: bool
) -> None:
    store = faulty.store
    store.commit([SaveItem(thing(name, "old"))])
    batch: list[Write] = [SaveItem(thing(name, "new")), DropItem(name, "private", "old")]
    (faulty.lose_answer if is_done else faulty.lose_request)()
    with pytest.raises(StoreUnavailable):
        store.commit(batch)
    assert store.commit(batch) == [COMMITTED] * 2
    assert store.items(name, "private") == [thing(name, "new")]
