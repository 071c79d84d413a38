"""Writes docs/trouper.doap, what the project says of itself to programs (XEP-0453): `make docs`.

The standards are those that the modules declare; the rest is the package's own description. A test holds the
file against what this would write.
"""

import re
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape

from actors.module import Module, Xep
from actors.modules import MODULES

_ROOT: Final = Path(__file__).resolve().parents[1]
PAGE: Final = _ROOT / "docs" / "trouper.doap"

_NUMBER: Final = re.compile(r"(RFC )?(\d+)")
_PROJECT: Final = """\
<?xml version='1.0' encoding='UTF-8'?>
<!-- Generated from pyproject.toml and actors/modules/ by `make docs`; change it there. -->
<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#' xmlns='http://usefulinc.com/ns/doap#'
         xmlns:xmpp='https://linkmauve.fr/ns/xmpp-doap#'>
  <Project xml:lang='en'>
    <name>Trouper</name>
    <shortdesc>{description}</shortdesc>
    <license rdf:resource='https://spdx.org/licenses/{license}'/>
    <programming-language>Python</programming-language>
    <os>Linux</os>
    <category rdf:resource='https://linkmauve.fr/ns/xmpp-doap#category-server'/>
{standards}
  </Project>
</rdf:RDF>
"""
_RFC: Final = "    <implements rdf:resource='https://www.rfc-editor.org/info/rfc{number}'/>"
_XEP: Final = """\
    <implements>
      <xmpp:SupportedXep>
        <xmpp:xep rdf:resource='https://xmpp.org/extensions/xep-{number}.html'/>
        <xmpp:status>{status}</xmpp:status>
        <xmpp:version>{version}</xmpp:version>{note}
      </xmpp:SupportedXep>
    </implements>"""


def standards(modules: Sequence[Module]) -> Iterator[tuple[Xep, Sequence[Module]]]:
    """Each standard once, RFCs first, in the order of their numbers, and the modules that implement it.

    Several modules may implement parts of one; their notes are then said together.
    """
    found: dict[str, list[tuple[Module, Xep]]] = {}
    for module in modules:
        for xep in module.xeps:
            found.setdefault(xep.number, []).append((module, xep))
    for number in sorted(found, key=_in_order):
        declared = [xep for _, xep in found[number]]
        notes = "; ".join(xep.note for xep in declared if xep.note)
        partial = all(xep.is_partial for xep in declared)
        yield Xep(number, declared[0].version, notes, partial), [module for module, _ in found[number]]


def _in_order(number: str) -> tuple[bool, str]:
    return not number.startswith("RFC"), number


def render(modules: Sequence[Module], project: dict[str, Any]) -> str:
    """Returns the whole file.

    Args:
        modules: The modules there are.
        project: The table `project` of pyproject.toml.
    """
    declared = "\n".join(_implements(standard) for standard, _ in standards(modules))
    return _PROJECT.format(
        description=escape(project["description"]), license=project["license"], standards=declared
    )


def _implements(standard: Xep) -> str:
    match = _NUMBER.fullmatch(standard.number)
    assert match is not None, f"{standard.number} is neither a number of a XEP nor of an RFC"
    if match[1]:
        return _RFC.format(number=match[2])
    note = f"\n        <xmpp:note>{escape(standard.note)}</xmpp:note>" if standard.note else ""
    status = "partial" if standard.is_partial else "complete"
    return _XEP.format(number=standard.number, status=status, version=standard.version, note=note)


def read_project() -> dict[str, Any]:
    """The table `project` of pyproject.toml."""
    project: dict[str, Any] = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project


def main() -> None:
    """Writes the file."""
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(render(MODULES, read_project()), encoding="utf-8")
    print(f"wrote {PAGE}")


if __name__ == "__main__":
    main()
