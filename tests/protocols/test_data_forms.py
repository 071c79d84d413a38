"""Forms are written as the standard has them, and read when they are sent back filled in."""

import pytest

from protocols.conditions import StanzaCondition
from protocols.data_forms import Field, form, results, submitted
from protocols.errors import StanzaError
from protocols.xml_element import build_without_budget

X = "<x xmlns='jabber:x:data'"


def test_form_has_its_type_its_text_and_its_fields() -> None:
    fields = [Field("a", "A & B", is_required=True), Field("b", "B", "text-private", "<1>"), Field("c", "")]
    assert form("urn:x", "T<", "I&", fields) == (
        f"{X} type='form'><title>T&lt;</title><instructions>I&amp;</instructions>"
        "<field type='hidden' var='FORM_TYPE'><value>urn:x</value></field>"
        "<field type='text-single' label='A &amp; B' var='a'><required/></field>"
        "<field type='text-private' label='B' var='b'><value>&lt;1&gt;</value></field>"
        "<field type='text-single' var='c'></field></x>"
    )


def test_results_are_a_table() -> None:
    columns = [Field("a", "A"), Field("jid", "Address", "jid-single")]
    assert results("urn:x", columns, [{"a": "1&", "jid": "a@x", "b": "unseen"}, {"jid": "b@x"}]) == (
        f"{X} type='result'><field type='hidden' var='FORM_TYPE'><value>urn:x</value></field>"
        "<reported><field type='text-single' label='A' var='a'></field>"
        "<field type='jid-single' label='Address' var='jid'></field></reported>"
        "<item><field var='a'><value>1&amp;</value></field><field var='jid'><value>a@x</value></field></item>"
        "<item><field var='a'><value></value></field><field var='jid'><value>b@x</value></field></item></x>"
    )


@pytest.mark.parametrize(
    ("payload", "fields"),
    [
        ("<q/>", None),
        ("<q><x type='submit'/></q>", None),
        (f"<q>{X} type='submit'/></q>", {}),
        (
            (
                f"<q>{X} type='submit'><field var='a'><value>1</value><value>2</value></field>"
                "<field var='b'/><field><value>3</value></field></x></q>"
            ),
            {"a": "1", "b": "", "": "3"},
        ),
    ],
)
def test_submitted_form_has_its_fields(payload: str, fields: dict[str, str] | None) -> None:
    assert submitted(build_without_budget(payload.encode())) == fields


@pytest.mark.parametrize("type", ["", " type='form'", " type='cancel'", " type='result'"])
def test_form_that_was_not_filled_in_is_no_request(type: str) -> None:
    with pytest.raises(StanzaError) as caught:
        submitted(build_without_budget(f"<q>{X}{type}/></q>".encode()))
    assert caught.value.condition is StanzaCondition.BAD_REQUEST
