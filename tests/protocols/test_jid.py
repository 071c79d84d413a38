"""Tests of `protocols.jid` against the rules and examples of RFC 7622."""

import pytest

from protocols.errors import JIDMalformed
from protocols.jid import (
    JID,
    PART_BYTES_MAX,
    jid_from_parts,
    parse_jid,
    prepare_domainpart,
    prepare_localpart,
    prepare_resourcepart,
)

# RFC 7622 §3.5, table 1.
LEGAL = [
    ("juliet@example.com", ("juliet", "example.com", None)),
    ("juliet@example.com/foo", ("juliet", "example.com", "foo")),
    ("juliet@example.com/foo bar", ("juliet", "example.com", "foo bar")),
    ("juliet@example.com/foo@bar", ("juliet", "example.com", "foo@bar")),
    ("foo\\20bar@example.com", ("foo\\20bar", "example.com", None)),
    ("fussball@example.com", ("fussball", "example.com", None)),
    ("fu\xdfball@example.com", ("fu\xdfball", "example.com", None)),
    ("\u03c0@example.com", ("\u03c0", "example.com", None)),
    ("\u03a3@example.com/foo", ("\u03c3", "example.com", "foo")),
    ("\u03c3@example.com/foo", ("\u03c3", "example.com", "foo")),
    ("\u03c2@example.com/foo", ("\u03c2", "example.com", "foo")),
    ("king@example.com/\u265a", ("king", "example.com", "\u265a")),
    ("example.com", (None, "example.com", None)),
    ("example.com/foobar", (None, "example.com", "foobar")),
    ("a.example.com/b@example.net", (None, "a.example.com", "b@example.net")),
]

# RFC 7622 §3.5, table 2, but for its example 18 (a blank at the start of a resourcepart): the profile
# OpaqueString, which decides, allows blanks anywhere.
ILLEGAL = [
    '"juliet"@example.com',
    "foo bar@example.com",
    "@example.com/",
    "henry\u2163@example.com",
    "\u265a@example.com",
    "juliet@",
    "/foobar",
]


def parts(jid: JID) -> tuple[str | None, str, str | None]:
    return jid.localpart, jid.domainpart, jid.resourcepart


@pytest.mark.parametrize(("text", "expected"), LEGAL)
def test_parse_jid_of_the_rfcs_legal_examples_gives_their_parts(
    text: str, expected: tuple[str | None, str, str | None]
) -> None:
    assert parts(parse_jid(text)) == expected


@pytest.mark.parametrize("text", ILLEGAL)
def test_parse_jid_of_the_rfcs_illegal_examples_is_refused(text: str) -> None:
    with pytest.raises(JIDMalformed):
        parse_jid(text)


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("Juliet@Capulet.LIT/Balcony", "juliet@capulet.lit/Balcony"),
        ("ＪＵＬＩＥＴ@capulet.lit", "juliet@capulet.lit"),
        ("juliet@ＣＡＰＵＬＥＴ．lit", "juliet@capulet.lit"),
        ("e\u0301mile@capulet.lit", "\xe9mile@capulet.lit"),
        ("juliet@capulet.lit/e\u0301", "juliet@capulet.lit/\xe9"),
        ("juliet@capulet.lit/a\u3000b", "juliet@capulet.lit/a b"),
        ("juliet@capulet.lit.", "juliet@capulet.lit"),
        ("juliet@capulet.lit./balcony", "juliet@capulet.lit/balcony"),
        ("juliet@xn--fa-hia.de", "juliet@fa\xdf.de"),
        ("juliet@XN--FA-HIA.DE", "juliet@fa\xdf.de"),
        ("juliet@FA\xdf.de", "juliet@fa\xdf.de"),
        ("Юлия@Капулет.рф/Балкон", "юлия@капулет.рф/Балкон"),
        ("a@[0:0:0:0:0:0:0:1]/r", "a@[::1]/r"),
        ("a@[2001:DB8::A]", "a@[2001:db8::a]"),
        ("a@127.0.0.1", "a@127.0.0.1"),
        ("username@mwee.cn/diancan", "username@mwee.cn/diancan"),
        ("a@b/Spark 2.6.3", "a@b/Spark 2.6.3"),
        ("user%example@b/c/d@e", "user%example@b/c/d@e"),
        ("a@b/ c", "a@b/ c"),
    ],
)
def test_parse_jid_returns_the_normal_form(text: str, full: str) -> None:
    assert parse_jid(text).full == full


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@",
        "/",
        "a@/b",
        "a@b/",
        "a@b@c",
        "a b",
        "a@b c",
        "a@b\n",
        "a@b/c\n",
        "a\x00@b",
        "a@b/\x7f",
        "a@b/c\ud800",
        "a@.",
        "a@..",
        "a@b..c",
        "a@.b",
        "a@-b",
        "a@b-",
        "a@b_c.de",
        "a@ab--c.de",
        "a@xn--.de",
        "a@xn--a.de",
        "a@xn---bbk.de",
        "a@b\u3002c",
        "a@b\xadc.de",
        "a@\u0301b",
        "a@[::1",
        "a@[::1]x",
        "a@[fe80::1%eth0]",
        "a@[127.0.0.1]",
        "a@[]",
        "a@\u05d0b",
        "\u05d0b@c",
        "a\uff20b@c",
        "a\u200db@c",
        *[f"a{character}b@c" for character in "\"&':<>"],
    ],
)
def test_parse_jid_of_malformed_text_is_refused(text: str) -> None:
    with pytest.raises(JIDMalformed):
        parse_jid(text)


@pytest.mark.parametrize("letter", ["a", "A", "\xe9", "字"])
def test_parse_jid_counts_the_bytes_of_each_part(letter: str) -> None:
    """1023 bytes of UTF-8 pass, one more is refused, however many characters that is."""
    length = len(letter.encode())
    fits = letter * (PART_BYTES_MAX // length) + "a" * (PART_BYTES_MAX % length)

    assert len((parse_jid(f"{fits}@b").localpart or "").encode()) == 1023
    assert len((parse_jid(f"a@b/{fits}").resourcepart or "").encode()) == 1023
    for text in (f"{fits}a@b", f"a@b/{fits}a"):
        with pytest.raises(JIDMalformed):
            parse_jid(text)


def test_parse_jid_counts_the_bytes_of_the_domainpart() -> None:
    fits = ".".join(["a" * 63] * 15 + ["b" * 61, "c"])

    assert len(parse_jid(f"a@{fits}").domainpart) == 1023
    with pytest.raises(JIDMalformed):
        parse_jid(f"a@{fits}d")


def test_parse_jid_with_all_parts_at_their_limit_is_3071_bytes() -> None:
    domain = ".".join(["a" * 63] * 15 + ["b" * 61, "c"])

    assert len(parse_jid(f"{'a' * 1023}@{domain}/{'a' * 1023}").full) == 3071


def test_parse_jid_counts_bytes_after_normalisation() -> None:
    """What composes to 1023 bytes fits, though it is longer as it comes."""
    text = "u\u0308\u0304" * 511 + "a"  # three characters, five bytes, composed to one of two bytes

    assert len(text.encode()) > PART_BYTES_MAX
    assert parse_jid(f"{text}@b").localpart == "\u01d6" * 511 + "a"


def test_parse_jid_of_a_huge_text_is_refused_without_looking_at_it() -> None:
    for text in ("e\u0301" * 10**6 + "@b", "a@" + "é" * 10**6, "a@b/" + "\u3000" * 10**6):
        with pytest.raises(JIDMalformed, match="too long"):
            parse_jid(text)


@pytest.mark.parametrize("label", ["a" * 63, "ü" * 57])
def test_domain_label_at_the_limit_passes_and_above_is_refused(label: str) -> None:
    assert parse_jid(f"{label}.de").domainpart == f"{label}.de"
    with pytest.raises(JIDMalformed):
        parse_jid(f"{label}{label[0]}.de")


def test_parse_jid_of_the_same_text_returns_the_same_value() -> None:
    """Busy addresses are parsed once."""
    assert parse_jid("romeo@montague.lit/orchard") is parse_jid("romeo@montague.lit/orchard")


def test_parse_jid_of_an_unusually_long_text_is_not_remembered() -> None:
    text = "a" * 1000 + "@b"

    assert parse_jid(text) == parse_jid(text)
    assert parse_jid(text) is not parse_jid(text)


def test_jid_without_resource_is_bare() -> None:
    jid = parse_jid("juliet@capulet.lit")

    assert jid.is_bare
    assert jid.bare_jid is jid
    assert (jid.bare, jid.full, str(jid)) == ("juliet@capulet.lit",) * 3


def test_jid_with_resource_knows_its_bare_jid() -> None:
    jid = parse_jid("juliet@capulet.lit/balcony")

    assert not jid.is_bare
    assert jid.bare == "juliet@capulet.lit"
    assert jid.full == str(jid) == "juliet@capulet.lit/balcony"
    assert jid.bare_jid == parse_jid("juliet@capulet.lit")
    assert jid.bare_jid is jid.bare_jid


def test_jid_with_resource_takes_another() -> None:
    jid = parse_jid("juliet@capulet.lit/balcony").with_resource("e\u0301")

    assert jid == parse_jid("juliet@capulet.lit/\xe9")
    with pytest.raises(JIDMalformed):
        jid.with_resource("")


def test_jid_equals_only_jids_of_the_same_text() -> None:
    jid = JID("juliet", "capulet.lit", "balcony")

    assert jid == JID("juliet", "capulet.lit", "balcony")
    assert hash(jid) == hash(JID("juliet", "capulet.lit", "balcony"))
    assert jid != JID("juliet", "capulet.lit")
    assert jid != "juliet@capulet.lit/balcony"


def test_jid_shows_its_text() -> None:
    assert repr(JID("juliet", "capulet.lit")) == "JID('juliet@capulet.lit')"


def test_jid_cannot_be_changed() -> None:
    jid = JID("juliet", "capulet.lit")

    with pytest.raises(AttributeError):
        jid.localpart = "nurse"
    with pytest.raises(AttributeError):
        del jid.localpart


def test_jid_from_parts_never_moves_a_boundary() -> None:
    assert jid_from_parts("Juliet", "Capulet.lit", "a@b/c").full == "juliet@capulet.lit/a@b/c"
    assert jid_from_parts(None, "capulet.lit").full == "capulet.lit"
    for localpart, domainpart in [("a@b", "c"), ("a", "b/c"), ("a/b", "c"), ("", "c"), ("a", "")]:
        with pytest.raises(JIDMalformed):
            jid_from_parts(localpart, domainpart)
    with pytest.raises(JIDMalformed):
        jid_from_parts("a", "b", "")


def test_prepare_of_a_part_normalises_it() -> None:
    assert prepare_localpart("Juliet") == "juliet"
    assert prepare_domainpart("Capulet.LIT.") == "capulet.lit"
    assert prepare_resourcepart("Balcony") == "Balcony"
