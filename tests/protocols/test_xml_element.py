"""Tests of `protocols.xml_element`, above all that made-up names take no memory."""

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from lxml import etree

from protocols.xml_element import NAME_BYTES_MAX, Element, NameBudget, build_without_budget, element_bytes

ROOT = Path(__file__).resolve().parents[2]


def is_lxml(element: Element) -> bool:
    return isinstance(element, etree._Element)


def test_build_within_the_budget_is_by_lxml() -> None:
    budget = NameBudget(frozenset(), 3)
    assert is_lxml(budget.build(b"<a b='c'><d/></a>"))
    assert budget.names_left == 0


def test_build_past_the_budget_is_by_expat_and_costs_nothing() -> None:
    budget = NameBudget(frozenset(), 2)
    assert not is_lxml(budget.build(b"<a b='c'><d/></a>"))
    assert budget.names_left == 2
    assert is_lxml(budget.build(b"<a/>"))


def test_build_of_known_names_goes_on_when_the_budget_is_spent() -> None:
    budget = NameBudget(frozenset({"query", "xmlns", "jabber:iq:roster"}), 1)
    budget.build(b"<x/>")
    assert is_lxml(budget.build(b"<query xmlns='jabber:iq:roster'/>"))
    assert is_lxml(budget.build(b"<x/>"))
    assert not is_lxml(budget.build(b"<y/>"))


@pytest.mark.parametrize(
    "data",
    [
        b"<new/>",
        b"<p><new/></p>",
        b"<p new='1'/>",
        b"<p q='>' new = '1'/>",
        b"<p xmlns='new'/>",
        b'<p xmlns:q="new"/>',
        b"<p xmlns:new='q'/>",
        b"<p xmlns:q='p'><q:new/></p>",
        b"<p><![CDATA[<p q=']]><new/><p q='1'/></p>",
        b"<p><![CDATA[<p q='>]]><p/><p new='1'/></p>",
        b"<p>  \t <p/></p>",
        b"<p><p/>\n\n</p>",
        b"<%b/>" % (b"p" * (NAME_BYTES_MAX + 1)),
    ],
)
def test_build_counts_all_that_lxml_would_keep(data: bytes) -> None:
    budget = NameBudget(frozenset({"p", "q", "xmlns", "xmlns:q", "1", ">"}), 0)
    assert not is_lxml(budget.build(data))


@pytest.mark.parametrize(
    "data", [b"<p>new text</p>", b"<p q='new value'/>", b"<p>a > b = 'c'</p>", b"<p/>\n"]
)
def test_build_does_not_count_what_lxml_forgets(data: bytes) -> None:
    assert is_lxml(NameBudget(frozenset({"p", "q"}), 0).build(data))


def test_build_where_lxml_refuses_is_by_expat() -> None:
    """Nothing that the stream let through can fail to be read: lxml allows 256 levels, expat any depth."""
    data = b"<a>" * 300 + b"</a>" * 300
    assert not is_lxml(NameBudget(frozenset({"a"}), 0).build(data))


@pytest.mark.parametrize("build", [NameBudget(frozenset(), 100).build, build_without_budget])
def test_build_by_either_library_reads_the_same(build: type) -> None:
    data = "<a xmlns='u' b='1' xml:lang='en'>t<c>é</c>tail<c/><d xmlns='v'><c xmlns='u'/></d></a>".encode()
    element: Element = build(data)
    assert element.tag == "{u}a"
    assert element.text == "t"
    assert element.tail is None
    assert dict(element.attrib) == {"b": "1", "{http://www.w3.org/XML/1998/namespace}lang": "en"}
    assert (element.get("b"), element.get("x")) == ("1", None)
    assert [child.tag for child in element] == ["{u}c", "{u}c", "{v}d"]
    assert len(element) == 3
    first = element.find("{u}c")
    assert first is not None
    assert (first.text, first.tail) == ("é", "tail")
    assert element.find("{u}x") is None
    assert len(element.findall("{u}c")) == 2
    assert len(element.findall(".//{u}c")) == 3
    assert element.findtext("{u}c") == "é"
    assert [found.tag for found in element.iter("{u}c")] == ["{u}c"] * 3
    assert len(list(element.iter())) == 5


GROWTH = """
import random, sys
from protocols.xml_element import NameBudget

made_up = {
    "elements": lambda n: f"<e{n}/>",
    "attributes": lambda n: f"<e a{n}='1'/>",
    "namespaces": lambda n: f"<e xmlns='urn:{n}'/>",
    "prefixes": lambda n: f"<e xmlns:p{n}='u'/>",
    "blanks": lambda n: "<e>" + f"{n:040b}".replace("0", " ").replace("1", "\\t") + "</e>",
    "cdata": lambda n: f"<![CDATA[<e a=']]><c{n}/><e a=''/>",
    "long": lambda n: f"<e{n:0300}/>",
}[sys.argv[1]]

def resident_kilobytes():
    with open("/proc/self/statm") as statistics:
        return int(statistics.read().split()[1]) * 4

def parse(start, count):
    for first in range(start, start + count, 50):
        data = "".join(made_up(n) for n in range(first, first + 50))
        assert len(budget.build(f"<a>{data}</a>".encode())) >= 50

budget = NameBudget(frozenset(), 1_000)
parse(0, 2_000)
before = resident_kilobytes()
parse(2_000, 100_000)
print(resident_kilobytes() - before)
"""


@pytest.mark.parametrize(
    "kind", ["elements", "attributes", "namespaces", "prefixes", "blanks", "cdata", "long"]
)
def test_build_of_a_hundred_thousand_made_up_names_takes_no_memory(kind: str) -> None:
    """Without the budget lxml would keep 5 to 20 MB of them for ever, and more with each."""
    run = subprocess.run(
        [sys.executable, "-c", GROWTH, kind], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert int(run.stdout) < 1_000


SPELLED = [
    b"<a xmlns='urn:a' b='c'/>",
    b"<x:a xmlns:x='urn:a' x:b='1' xml:lang='de' c='&lt;&#10;&quot;'>t &amp; <b xmlns=''/> u<x:c/>v</x:a>",
    b"<a><b xmlns='urn:b'><c xmlns='jabber:client'>1</c></b>2</a>",
]


@pytest.mark.parametrize("data", SPELLED)
@pytest.mark.parametrize("namespace", ["", "jabber:client"])
def test_element_bytes_spell_the_same(data: bytes, namespace: str) -> None:
    for built in (NameBudget(frozenset(), 100).build(data), build_without_budget(data)):
        around = f"<r xmlns='{namespace}'>{element_bytes(built, namespace).decode()}</r>"
        (again,) = etree.fromstring(around)
        assert canonical(again) == canonical(etree.fromstring(data))


def canonical(element: etree._Element) -> str:
    """The same for whatever is spelt with other prefixes only."""
    text = etree.tostring(element, encoding="unicode", with_tail=False)
    return ElementTree.canonicalize(text, rewrite_prefixes=True)


def test_element_bytes_name_a_namespace_where_it_changes() -> None:
    built = build_without_budget(b"<a xmlns='urn:a'><b/><c xmlns='urn:c'/></a>")
    assert element_bytes(built) == b'<a xmlns="urn:a"><b/><c xmlns="urn:c"/></a>'
    assert element_bytes(built, "urn:a") == b'<a><b/><c xmlns="urn:c"/></a>'
