"""Which elements of their own clients may keep, and how many."""

import pytest

from actors.kept_elements import NAME_MAX, KeptOptions, check_name, check_room
from protocols.conditions import StanzaCondition
from protocols.errors import StanzaError
from protocols.xml_element import Element, build_without_budget

FORBIDDEN = StanzaCondition.FORBIDDEN


def named(length: int) -> Element:
    """An element whose whole name, `{urn:…}a`, has this length."""
    return build_without_budget(f"<a xmlns='urn:{'x' * (length - len('{urn:}a'))}'/>".encode())


def test_check_name_takes_a_namespace_of_the_client_s_own_up_to_its_bound() -> None:
    check_name(named(NAME_MAX), ("jabber:",), FORBIDDEN)
    with pytest.raises(StanzaError) as caught:
        check_name(named(NAME_MAX + 1), ("jabber:",), FORBIDDEN)
    assert caught.value.condition is StanzaCondition.NOT_ACCEPTABLE


@pytest.mark.parametrize("xml", ["<a/>", "<a xmlns=''/>", "<a xmlns='jabber:x'/>"])
def test_check_name_refuses_others_as_it_is_told(xml: str) -> None:
    with pytest.raises(StanzaError) as caught:
        check_name(build_without_budget(xml.encode()), ("jabber:",), FORBIDDEN)
    assert caught.value.condition is FORBIDDEN


@pytest.mark.parametrize("too_much", [{"a": b"1234"}, {"a": b"", "b": b"", "c": b""}])
def test_check_room_holds_to_both_bounds(too_much: dict[str, bytes]) -> None:
    options = KeptOptions(bytes_max=3, elements_max=2)
    check_room(options, {"a": b"12", "b": b"3"})
    with pytest.raises(StanzaError) as caught:
        check_room(options, too_much)
    assert caught.value.condition is StanzaCondition.RESOURCE_CONSTRAINT
