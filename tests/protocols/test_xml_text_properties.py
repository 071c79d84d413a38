"""Properties of `protocols.xml_text`: what is escaped comes out of a parser as it went in."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from protocols.xml_text import escape_attribute, escape_text

ANY_TEXT = st.text(st.characters() | st.sampled_from("<>&'\"\t\n\r\x00\x0b\ufffe\U0001f600"))
NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@given(ANY_TEXT)
@settings(deadline=None)
def test_escaped_text_parses_to_the_text(text: str) -> None:
    element = etree.fromstring(f"<a>{escape_text(text)}</a>")

    assert (element.text or "") == NOT_XML.sub("\ufffd", text)


@given(ANY_TEXT)
@settings(deadline=None)
def test_escaped_attribute_parses_to_the_text_in_either_quotes(text: str) -> None:
    escaped = escape_attribute(text)
    element = etree.fromstring(f"""<a b='{escaped}' c="{escaped}"/>""")

    assert element.get("b") == element.get("c") == NOT_XML.sub("\ufffd", text)
