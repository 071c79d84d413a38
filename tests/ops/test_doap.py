"""Tests of `ops.doap`: the file is current, well-formed, and names what modules declare."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from actors.module import Module, Xep
from actors.modules import MODULES
from ops import doap

DOAP = "{http://usefulinc.com/ns/doap#}"
XMPP = "{https://linkmauve.fr/ns/xmpp-doap#}"
RESOURCE = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}resource"
PROJECT = {"description": "this & that", "license": "Apache-2.0"}


def test_file_is_current() -> None:
    """If this fails, run `make docs` and commit what it wrote."""
    assert doap.PAGE.read_text(encoding="utf-8") == doap.render(MODULES, doap.read_project())


def test_every_standard_is_named_once() -> None:
    tree = ElementTree.fromstring(doap.render(MODULES, PROJECT))
    named = [
        each.get(RESOURCE, "") for each in tree.iter() if each.tag in {f"{DOAP}implements", f"{XMPP}xep"}
    ]
    numbers = [number.removeprefix("RFC ") for number in {xep.number for m in MODULES for xep in m.xeps}]
    for number in numbers:
        assert sum(number in address for address in named) == 1, number


def test_parts_by_several_modules_are_told_together() -> None:
    modules = [
        Module(name="one", summary="", xeps=(Xep("0001", "1.0", "this", is_partial=True),)),
        Module(name="two", summary="", xeps=(Xep("0001", "1.0", "<that>"), Xep("RFC 1", "1969"))),
    ]
    assert [(xep.number, len(by)) for xep, by in doap.standards(modules)] == [("RFC 1", 1), ("0001", 2)]
    (xep,) = ElementTree.fromstring(doap.render(modules, PROJECT)).iter(f"{XMPP}SupportedXep")
    assert [child.text for child in xep[1:]] == ["complete", "1.0", "this; <that>"]


def test_standard_of_neither_kind_is_a_fault() -> None:
    with pytest.raises(AssertionError, match="neither a number"):
        doap.render([Module(name="one", summary="", xeps=(Xep("XEP 1", "1.0"),))], PROJECT)


def test_main_writes_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doap, "PAGE", tmp_path / "docs" / "trouper.doap")
    doap.main()
    assert doap.PAGE.read_text(encoding="utf-8") == doap.render(MODULES, doap.read_project())
