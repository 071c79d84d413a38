"""Properties of `protocols.jid`: normal forms are stable, and the short way agrees with the long one."""

from hypothesis import example, given, settings
from hypothesis import strategies as st
from precis_i18n import get_profile

from protocols import jid as module
from protocols.errors import JIDMalformed
from protocols.jid import JID, parse_jid

# Letters of all kinds, what changes when it is mapped or composed, what separates, and some of anything.
LETTERS = st.sampled_from("abzAZ09-._~éÉßΣσςİıǅＡａ．＠／ﾊﾞㅏ가e\u0301\u0308\u200d·l٠אب字ÅKﬁ\u3000 @/:[]xn")
TEXTS = st.text(LETTERS | st.characters(), max_size=12)
ASCII_TEXTS = st.text(st.characters(max_codepoint=0x7F), max_size=12)
JID_TEXTS = st.one_of(
    TEXTS,
    st.builds("{}@{}".format, TEXTS, TEXTS),
    st.builds("{}/{}".format, TEXTS, TEXTS),
    st.builds("{}@{}/{}".format, TEXTS, TEXTS, TEXTS),
    st.builds("{}@{}/{}".format, ASCII_TEXTS, ASCII_TEXTS, ASCII_TEXTS),
    st.builds("{}@{}/{}".format, TEXTS, st.sampled_from(["a.b", "xn--fa-hia.de", "[::1]"]), TEXTS),
)


def parsed(text: str) -> JID | None:
    try:
        return parse_jid(text)
    except JIDMalformed:
        return None


def parsed_by_the_long_way(text: str) -> JID | None:
    try:
        return module._parse_by_rules(text)
    except JIDMalformed:
        return None


@given(JID_TEXTS)
@settings(max_examples=300, deadline=None)
@example("İ@b")
@example("ΑΣ@b")
@example("a@ΑΣ.gr")
@example("a@ﾊﾞ.jp/ﾊﾞ")
def test_normal_form_parses_to_itself(text: str) -> None:
    jid = parsed(text)
    if jid is not None:
        again = parse_jid(str(jid))
        assert again == jid
        assert (again.localpart, again.domainpart, again.resourcepart) == (
            jid.localpart,
            jid.domainpart,
            jid.resourcepart,
        )
        assert parse_jid(jid.bare) == jid.bare_jid


@given(JID_TEXTS)
@settings(max_examples=300, deadline=None)
@example("a@b--c")
@example("a@" + "b" * 64)
@example("a@b.c\n")
@example("a@b/c\n")
@example("a@" + "b" * 63 + "/" + "c" * 1023)
def test_short_way_agrees_with_the_long_one(text: str) -> None:
    assert parsed(text) == parsed_by_the_long_way(text)


@given(JID_TEXTS)
@settings(max_examples=300, deadline=None)
def test_parts_of_a_jid_are_within_their_limits_and_hold_no_separator(text: str) -> None:
    jid = parsed(text)
    if jid is not None:
        for part in (jid.localpart, jid.domainpart, jid.resourcepart):
            assert part is None or 1 <= len(part.encode()) <= 1023
        assert not set(jid.localpart or "") & set("\"&'/:<>@")
        assert not set(jid.domainpart) & set("/@ ")


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7F), min_size=1, max_size=20))
@settings(max_examples=300, deadline=None)
def test_ascii_parts_are_what_precis_makes_of_them(text: str) -> None:
    """The short way for ASCII is a shortcut, not another rule."""
    for name, prepare in (
        ("UsernameCaseMapped", module.prepare_localpart),
        ("OpaqueString", module.prepare_resourcepart),
    ):
        try:
            expected = get_profile(name).enforce(text)
        except UnicodeError:
            expected = None
        if name == "UsernameCaseMapped" and set(text) & set("\"&'/:<>@"):
            expected = None
        try:
            prepared = prepare(text)
        except JIDMalformed:
            prepared = None
        assert prepared == expected
