"""Each property becomes what the standard says, and nothing where it cannot be said."""

import pytest

from protocols.vcard_rules import RULES, to_temp, to_vcard4
from protocols.xml_element import Element, build_without_budget

BOTH_WAYS = (
    ("<FN>A &amp; B</FN>", "<fn><text>A &amp; B</text></fn>"),
    (
        "<N><FAMILY>Saint-Andre</FAMILY><GIVEN>Peter</GIVEN><MIDDLE>M</MIDDLE></N>",
        "<n><surname>Saint-Andre</surname><given>Peter</given><additional>M</additional></n>",
    ),
    ("<NICKNAME>stpeter</NICKNAME>", "<nickname><text>stpeter</text></nickname>"),
    ("<PHOTO><EXTVAL>http://x/y.jpg</EXTVAL></PHOTO>", "<photo><uri>http://x/y.jpg</uri></photo>"),
    (
        "<PHOTO><TYPE>image/jpeg</TYPE><BINVAL>AAAA</BINVAL></PHOTO>",
        "<photo><uri>data:image/jpeg;base64,AAAA</uri></photo>",
    ),
    ("<BDAY>1966-08-06</BDAY>", "<bday><date>1966-08-06</date></bday>"),
    ("<BDAY>1966-08-06T12:00:00Z</BDAY>", "<bday><date-time>1966-08-06T12:00:00Z</date-time></bday>"),
    ("<BDAY>long ago</BDAY>", "<bday><text>long ago</text></bday>"),
    (
        (
            "<ADR><WORK/><PREF/><EXTADD>Suite 600</EXTADD><STREET>1899 W</STREET><LOCALITY>Denver</LOCALITY>"
            "<REGION>CO</REGION><PCODE>80202</PCODE><CTRY>USA</CTRY></ADR>"
        ),
        (
            "<adr><parameters><type><text>work</text></type><pref><integer>1</integer></pref></parameters>"
            "<ext>Suite 600</ext><street>1899 W</street><locality>Denver</locality>"
            "<region>CO</region><code>80202</code><country>USA</country></adr>"
        ),
    ),
    (
        "<TEL><HOME/><VOICE/><NUMBER>+1-303-555-1212</NUMBER></TEL>",
        (
            "<tel><parameters><type><text>home</text><text>voice</text></type></parameters>"
            "<uri>tel:+1-303-555-1212</uri></tel>"
        ),
    ),
    ("<TEL><NUMBER>0800 REVERSE</NUMBER></TEL>", "<tel><text>0800 REVERSE</text></tel>"),
    (
        "<EMAIL><INTERNET/><WORK/><USERID>a@b</USERID></EMAIL>",
        "<email><parameters><type><text>work</text></type></parameters><text>a@b</text></email>",
    ),
    ("<JABBERID>peter@jabber.org</JABBERID>", "<impp><uri>xmpp:peter@jabber.org</uri></impp>"),
    ("<JABBERID>a b?@x</JABBERID>", "<impp><uri>xmpp:a%20b%3F@x</uri></impp>"),
    ("<TZ>America/Denver</TZ>", "<tz><text>America/Denver</text></tz>"),
    ("<GEO><LAT>39.59</LAT><LON>-105.01</LON></GEO>", "<geo><uri>geo:39.59,-105.01</uri></geo>"),
    ("<TITLE>Director</TITLE>", "<title><text>Director</text></title>"),
    ("<ROLE>Saint</ROLE>", "<role><text>Saint</text></role>"),
    (
        "<LOGO><TYPE>image/png</TYPE><BINVAL>AA==</BINVAL></LOGO>",
        "<logo><uri>data:image/png;base64,AA==</uri></logo>",
    ),
    (
        "<ORG><ORGNAME>XSF</ORGNAME><ORGUNIT>Council</ORGUNIT></ORG>",
        "<org><text>XSF</text><text>Council</text></org>",
    ),
    (
        "<CATEGORIES><KEYWORD>a</KEYWORD><KEYWORD>b</KEYWORD></CATEGORIES>",
        "<categories><text>a</text><text>b</text></categories>",
    ),
    ("<DESC>More</DESC>", "<note><text>More</text></note>"),
    ("<PRODID>-//x</PRODID>", "<prodid><text>-//x</text></prodid>"),
    ("<REV>20260101T000000Z</REV>", "<rev><timestamp>20260101T000000Z</timestamp></rev>"),
    ("<SOUND><BINVAL>AAAA</BINVAL></SOUND>", "<sound><uri>data:audio/basic;base64,AAAA</uri></sound>"),
    ("<UID>urn:uuid:1</UID>", "<uid><uri>urn:uuid:1</uri></uid>"),
    ("<UID>42</UID>", "<uid><text>42</text></uid>"),
    ("<URL>https://stpeter.im/</URL>", "<url><uri>https://stpeter.im/</uri></url>"),
    ("<KEY><CRED>PGP</CRED></KEY>", "<key><text>PGP</text></key>"),
)
"""Mostly of XEP-0292 §12."""


def temp(content: str) -> Element:
    return next(iter(build_without_budget(f"<vCard xmlns='vcard-temp'>{content}</vCard>".encode())))


def four(content: str) -> Element:
    vcard = f"<vcard xmlns='urn:ietf:params:xml:ns:vcard-4.0'>{content}</vcard>"
    return next(iter(build_without_budget(vcard.encode())))


@pytest.mark.parametrize(("old", "new"), BOTH_WAYS)
def test_property_becomes_its_like_and_comes_back(old: str, new: str) -> None:
    assert to_vcard4(temp(old)) == new
    assert to_temp(four(new)) == old


def test_every_rule_is_shown() -> None:
    shown = {temp(old).tag.removeprefix("{vcard-temp}") for old, _ in BOTH_WAYS}
    assert shown | {"NOTE"} == {rule.temp for rule in RULES}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<NOTE>x</NOTE>", "<note><text>x</text></note>"),
        (
            "<PHOTO><BINVAL> /9j/\n AA </BINVAL></PHOTO>",
            "<photo><uri>data:image/jpeg;base64,/9j/AA</uri></photo>",
        ),
        (
            "<PHOTO><TYPE>JPEG, really</TYPE><BINVAL>AAAA</BINVAL></PHOTO>",
            "<photo><uri>data:application/octet-stream;base64,AAAA</uri></photo>",
        ),
        ("<EMAIL><X400/><USERID>a</USERID></EMAIL>", "<email><text>a</text></email>"),
        ("<ORG><ORGUNIT>Council</ORGUNIT></ORG>", "<org><text></text><text>Council</text></org>"),
        ("<FN> a\n</FN>", "<fn><text>a</text></fn>"),
    ],
)
def test_property_of_vcard_temp_becomes(old: str, new: str) -> None:
    assert to_vcard4(temp(old)) == new


@pytest.mark.parametrize(
    ("new", "old"),
    [
        ("<nickname><text>a</text><text>b</text></nickname>", "<NICKNAME>a,b</NICKNAME>"),
        (
            (
                "<tel><parameters><type><text>CELL</text><text>x</text></type><pref>2</pref></parameters>"
                "<text>1</text></tel>"
            ),
            "<TEL><CELL/><PREF/><NUMBER>1</NUMBER></TEL>",
        ),
        ("<bday><time>12:00</time></bday>", "<BDAY>12:00</BDAY>"),
        ("<n><surname>a</surname><surname>b</surname></n>", "<N><FAMILY>a,b</FAMILY></N>"),
    ],
)
def test_property_of_vcard4_becomes(new: str, old: str) -> None:
    assert to_temp(four(new)) == old


@pytest.mark.parametrize(
    "old",
    [
        *("<FN/>", "<FN> </FN>", "<FN>a<b/></FN>", "<CLASS><PUBLIC/></CLASS>", "<MAILER>m</MAILER>"),
        *("<LABEL><LINE>a</LINE></LABEL>", "<AGENT><EXTVAL>u</EXTVAL></AGENT>", "<N><FAMILY/></N>"),
        *("<TEL><WORK/><NUMBER/></TEL>", "<TEL>1</TEL>", "<EMAIL/>", "<ADR><HOME/></ADR>", "<JABBERID/>"),
        *("<GEO><LAT>1</LAT></GEO>", "<GEO><LAT>a</LAT><LON>1</LON></GEO>", "<ORG><ORGNAME/></ORG>"),
        *("<PHOTO><BINVAL>!</BINVAL></PHOTO>", "<PHOTO><EXTVAL>data:x</EXTVAL></PHOTO>", "<PHOTO/>"),
        *("<FN xmlns='urn:x'>a</FN>", "<fn>a</fn>", "<KEY/>", "<CATEGORIES/>"),
    ],
)
def test_what_vcard4_cannot_say_becomes_nothing(old: str) -> None:
    assert to_vcard4(temp(old)) == ""


@pytest.mark.parametrize(
    "new",
    [
        *(
            "<fn/>",
            "<fn>a</fn>",
            "<kind><text>group</text></kind>",
            "<lang><language-tag>en</language-tag></lang>",
        ),
        *("<impp><uri>sip:a@b</uri></impp>", "<impp><uri>xmpp:a@b?message</uri></impp>", "<impp/>"),
        *("<geo><uri>geo:1</uri></geo>", "<geo><uri>geo:1,2;u=3</uri></geo>", "<geo><uri>1,2</uri></geo>"),
        *("<photo><uri>data:,a</uri></photo>", "<photo><uri>data:;base64,AA</uri></photo>", "<photo/>"),
        *(
            "<tel/>",
            "<email/>",
            "<org><text/></org>",
            "<key><uri>u:x</uri></key>",
            "<adr><parameters/></adr>",
        ),
        *("<group name='g'><fn><text>a</text></fn></group>", "<fn xmlns='urn:x'><text>a</text></fn>"),
    ],
)
def test_what_vcard_temp_cannot_say_becomes_nothing(new: str) -> None:
    assert to_temp(four(new)) == ""
