"""Things that were found stand in the order of what they were found by."""

from store.account_items import AccountItem, order_found


def test_found_things_are_ordered_by_text_then_owner_then_key() -> None:
    things = [
        AccountItem(owner, "kind", key, b"", text)
        for text, owner, key in (("a", "b@x", "k"), ("b", "a@x", "k"), ("b", "a@x", "l"), ("b", "b@x", "a"))
    ]
    assert sorted([*things[2:], *things[:2]], key=order_found) == things
