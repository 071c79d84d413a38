"""Conversions there and back change nothing more, and no form loses what the other did not change."""

from hypothesis import given
from hypothesis import strategies as st

from protocols.vcard import Card, with_temp, with_vcard4
from protocols.vcard_rules import RULES, to_temp, to_vcard4
from protocols.xml_element import Element, build_without_budget, element_bytes
from protocols.xml_text import escape_text

KINDS = ("HOME", "WORK", "PREF")
MEDIA = ("EXTVAL", "BINVAL", "TYPE")
TEMP_PARTS = {
    "N": ("FAMILY", "GIVEN", "MIDDLE"),
    "ADR": (*KINDS, "STREET", "PCODE"),
    "TEL": (*KINDS, "CELL", "NUMBER"),
    "EMAIL": (*KINDS, "X400", "USERID"),
    "GEO": ("LAT", "LON"),
    "ORG": ("ORGNAME", "ORGUNIT"),
    "CATEGORIES": ("KEYWORD",),
    "KEY": ("CRED", "TYPE"),
    "PHOTO": MEDIA,
    "LOGO": MEDIA,
    "SOUND": MEDIA,
    "LABEL": (*KINDS, "LINE"),
}
"""Of properties that are more than a text."""
FOUR_PARTS = {
    "n": ("surname", "given"),
    "adr": ("street", "code"),
    "bday": ("date", "date-time", "text"),
    "rev": ("timestamp",),
    "tz": ("text", "utc-offset"),
    "lang": ("language-tag",),
}
"""Of properties whose values are called otherwise than text and uri."""
texts = st.one_of(
    st.sampled_from(["a", "1.5", "-7", "x:y", "AA==", "image/png", "1966-08-06", "xmpp:a@b", "tel:1"]),
    st.sampled_from(["geo:1,2", "data:image/png;base64,AA==", "data:,x", "a,b", "xmpp:%00", "\r", "a b", ""]),
    st.text(max_size=6),
)
written = texts.map(escape_text)


def content(names: tuple[str, ...]) -> st.SearchStrategy[str]:
    """Some parts of these names."""
    part = st.builds(lambda name, text: f"<{name}>{text}</{name}>", st.sampled_from(names), written)
    return st.lists(part, max_size=5).map("".join)


def in_temp(name: str) -> st.SearchStrategy[str]:
    inside = content(TEMP_PARTS[name]) if name in TEMP_PARTS else written
    return inside.map(lambda text: f"<{name}>{text}</{name}>")


def in_vcard4(name: str) -> st.SearchStrategy[str]:
    inside = content(FOUR_PARTS.get(name, ("text", "uri")))
    return st.builds(lambda before, rest: f"<{name}>{before}{rest}</{name}>", parameters, inside)


parameters = st.sampled_from(
    [
        "",
        "<parameters><type><text>home</text><text>CELL</text></type></parameters>",
        "<parameters><pref><integer>3</integer></pref><altid><text>1</text></altid></parameters>",
    ]
)
temp_properties = st.sampled_from([*(rule.temp for rule in RULES), "MAILER", "LABEL"]).flatmap(in_temp)
four_properties = st.sampled_from([*(rule.four for rule in RULES), "kind", "lang"]).flatmap(in_vcard4)
temps = st.lists(temp_properties, max_size=4).map("".join)
fours = st.lists(four_properties, max_size=4).map("".join)


def temp(properties: str) -> Element:
    return build_without_budget(f"<vCard xmlns='vcard-temp'>{properties}</vCard>".encode())


def four(properties: str) -> Element:
    return build_without_budget(
        f"<vcard xmlns='urn:ietf:params:xml:ns:vcard-4.0'>{properties}</vcard>".encode()
    )


def properties(form: bytes) -> list[bytes]:
    return sorted(element_bytes(child) for child in build_without_budget(form))


@given(temp_properties)
def test_property_of_vcard_temp_is_the_same_after_a_second_time(content: str) -> None:
    once = to_vcard4(temp(content)[0])  # type: ignore[index] # expat's element is a sequence
    if once:
        assert to_vcard4(temp(to_temp(four(once)[0]))[0]) == once  # type: ignore[index] # as above


@given(four_properties)
def test_property_of_vcard4_is_the_same_after_a_second_time(content: str) -> None:
    once = to_temp(four(content)[0])  # type: ignore[index] # expat's element is a sequence
    if once:
        assert to_temp(four(to_vcard4(temp(once)[0]))[0]) == once  # type: ignore[index] # as above


@given(temps, fours)
def test_vcard4_survives_a_client_that_sets_vcard_temp_as_it_found_it(old: str, new: str) -> None:
    card = with_vcard4(with_temp(Card(), temp(old)), four(new))
    again = with_temp(card, build_without_budget(card.temp))
    assert properties(again.vcard4) == properties(card.vcard4)
    assert again.temp == element_bytes(build_without_budget(card.temp))


@given(fours, temps)
def test_vcard_temp_survives_a_client_that_sets_vcard4_as_it_found_it(new: str, old: str) -> None:
    card = with_temp(with_vcard4(Card(), four(new)), temp(old))
    again = with_vcard4(card, build_without_budget(card.vcard4))
    assert properties(again.temp) == properties(card.temp)
    assert again.vcard4 == element_bytes(build_without_budget(card.vcard4))
