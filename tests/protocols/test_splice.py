"""Tests of `protocols.splice`."""

from xml.etree import ElementTree

import pytest

from protocols import splice

ATTRIBUTES = {
    b"<a/>": None,
    b"<a x='1'/>": b"1",
    b'<a x="1"/>': b"1",
    b"<a y='x=2' x='1'>": b"1",
    b"<a y=' x=\"2\"' x = '1' >": b"1",
    b"<a p:x='2' x='1'>": b"1",
    b"<a xx='2'\n\tx\n=\n'1'>": b"1",
    b"<a><b x='1'/></a>": None,
    b"<a> x='1'</a>": None,
    b"<a y='>' x=''/>": b"",
    b"<p:a x='1'/>": b"1",
}


@pytest.mark.parametrize("data", ATTRIBUTES)
def test_find_attribute_finds_that_of_the_root_only(data: bytes) -> None:
    span = splice.find_attribute(data, b"x")
    assert (None if span is None else span.value) == ATTRIBUTES[data]


def test_without_attribute_cuts_it_with_the_blanks_before_it() -> None:
    assert splice.without_attribute(b"<a y='1'  x='2' z='3'/>", b"x") == b"<a y='1' z='3'/>"


def test_without_attribute_that_is_not_there_changes_nothing() -> None:
    assert splice.without_attribute(b"<a y='1'/>", b"x") == b"<a y='1'/>"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"<a/>", b"<a x='1'/>"),
        (b"<a>t</a>", b"<a x='1'>t</a>"),
        (b"<p:a\ny='2'/>", b"<p:a x='1'\ny='2'/>"),
    ],
)
def test_with_attributes_puts_them_behind_the_name(data: bytes, expected: bytes) -> None:
    assert splice.with_attributes(data, b" x='1'") == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"<a/>", b"<a><c/></a>"),
        (b"<p:a y='1' />", b"<p:a y='1' ><c/></p:a>"),
        (b"<a></a>", b"<a><c/></a>"),
        (b"<a><b/>t</a >", b"<a><b/>t<c/></a >"),
        (b"<a><a>/></a></a>", b"<a><a>/></a><c/></a>"),
    ],
)
def test_with_child_puts_it_last(data: bytes, expected: bytes) -> None:
    assert splice.with_child(data, b"<c/>") == expected


@pytest.mark.parametrize(
    "data",
    [
        b"<a xmlns='u'/>",
        b'<a x="1" xmlns="u"/>',
        b"<a x='xmlns=' xmlns = 'u'/>",
        b"<a xmlns:p='v' xmlns='u'>t</a>",
        b"<a xmlnsx='1' xmlns=''/>",
    ],
)
def test_with_default_namespace_leaves_one_that_is_declared(data: bytes) -> None:
    assert splice.with_default_namespace(data, "new") == data


@pytest.mark.parametrize(
    "data",
    [
        b"<a/>",
        b"<a x=' xmlns=2'/>",
        b"<a xmlns:p='v'/>",
        b"<a><b xmlns='u'/></a>",
        b"<a> xmlns='u'</a>",
        b"<a xmlnsx='1'/>",
    ],
)
def test_with_default_namespace_declares_it_where_none_is(data: bytes) -> None:
    assert ElementTree.fromstring(splice.with_default_namespace(data, "new")).tag == "{new}a"


@pytest.mark.parametrize(
    ("data", "end"), [(b"<a>x</a>", 3), (b"<a b='>'/>x", 10), (b'<a b=">" c=\'">"\'>', 17), (b"<a\n>", 4)]
)
def test_tag_end_is_behind_the_tag(data: bytes, end: int) -> None:
    assert splice.tag_end(data) == end


@pytest.mark.parametrize("value", ["plain", "a'b\"<&>\n", "\N{SNOWMAN}", "x" * 1_000, ""])
def test_attribute_is_read_back_as_it_was(value: str) -> None:
    element = b"<a" + splice.attribute("x", value) + b"/>"
    assert ElementTree.fromstring(element).get("x") == value


def test_attribute_remembers_short_values_only() -> None:
    """A peer cannot fill the memory with long addresses that it makes up."""
    remembered = splice._remembered_attribute
    before = remembered.cache_info().currsize
    splice.attribute("test-long", "y" * 257)
    assert remembered.cache_info().currsize == before
    splice.attribute("test-short", "y" * 256)
    assert remembered.cache_info().currsize == min(before + 1, splice._REMEMBERED_MAX)


@pytest.mark.parametrize(
    ("data", "children"),
    [
        (b"<a/>", []),
        (b"<a>text</a>", []),
        (b"<a><b/></a>", [b"<b/>"]),
        (b"<a x='>'>t<b ><b/></b ><c y='/>'/>t</a>", [b"<b ><b/></b >", b"<c y='/>'/>"]),
        (b"<a><![CDATA[<b/>]]><b>\xc3\xa9<![CDATA[</b>]]></b>&lt;</a>", [b"<b>\xc3\xa9<![CDATA[</b>]]></b>"]),
        (b"<p:a><q:b q:x='1'></q:b></p:a>", [b"<q:b q:x='1'></q:b>"]),
    ],
)
def test_child_ends_are_those_of_children_and_not_of_what_is_in_them(
    data: bytes, children: list[bytes]
) -> None:
    assert [data[begin:end] for begin, end in splice.child_ends(data)] == children
