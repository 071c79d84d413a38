"""Data forms (XEP-0004) with fields of one line each, told what they are by a hidden FORM_TYPE (XEP-0068)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, final

from protocols.conditions import StanzaCondition
from protocols.errors import StanzaError
from protocols.namespaces import DATA_FORMS
from protocols.xml_text import escape_attribute, escape_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from protocols.xml_element import Element

_X: Final = f"{{{DATA_FORMS}}}x"
_FIELD: Final = f"{{{DATA_FORMS}}}field"
_VALUE: Final = f"{{{DATA_FORMS}}}value"


@final
class Field(NamedTuple):
    """One line of a form; `value` is what is filled in already."""

    name: str
    label: str
    type: str = "text-single"
    value: str = ""
    is_required: bool = False


def form(form_type: str, title: str, instructions: str, fields: Iterable[Field]) -> str:
    """A form to be filled in."""
    shown = "".join(map(_field, [Field("FORM_TYPE", "", "hidden", form_type), *fields]))
    return (
        f"<x xmlns='{DATA_FORMS}' type='form'><title>{escape_text(title)}</title>"
        f"<instructions>{escape_text(instructions)}</instructions>{shown}</x>"
    )


def results(form_type: str, columns: Sequence[Field], rows: Iterable[Mapping[str, str]]) -> str:
    """What was found, as a table (XEP-0004 §3.4)."""
    head = "".join(_field(column) for column in columns)
    items = "".join(
        "<item>"
        + "".join(f"<field var='{name}'>{_value(row.get(name, ''))}</field>" for name, *_ in columns)
        + "</item>"
        for row in rows
    )
    shown = _field(Field("FORM_TYPE", "", "hidden", form_type))
    return f"<x xmlns='{DATA_FORMS}' type='result'>{shown}<reported>{head}</reported>{items}</x>"


def submitted(payload: Element) -> Mapping[str, str] | None:
    """The first values of the fields of the form in an element, by name; None if there is no form.

    Raises:
        StanzaError: the form is not one that was filled in.
    """
    found = payload.find(_X)
    if found is None:
        return None
    if found.get("type") != "submit":
        raise StanzaError(StanzaCondition.BAD_REQUEST, "a form is sent back with the type submit")
    return {field.get("var") or "": field.findtext(_VALUE) or "" for field in found.findall(_FIELD)}


def _field(field: Field) -> str:
    label = f" label='{escape_attribute(field.label)}'" if field.label else ""
    value = _value(field.value) if field.value else ""
    required = "<required/>" if field.is_required else ""
    return f"<field type='{field.type}'{label} var='{field.name}'>{required}{value}</field>"


def _value(text: str) -> str:
    return f"<value>{escape_text(text)}</value>"
