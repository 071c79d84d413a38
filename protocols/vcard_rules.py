"""What vcard-temp (XEP-0054) and vCard4 (RFC 6350, RFC 6351) both can say, as a table of conversions.

After XEP-0292 §11, which converts one way alone. A conversion gives the other form's spelling of one
property, without namespace, or nothing where the other form has no words for it or nothing is said. What
has been converted there and back is not changed by a second time.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple, final

from protocols.namespaces import VCARD4, VCARD_TEMP
from protocols.xml_text import escape_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from protocols.xml_element import Element

_TEMP: Final = f"{{{VCARD_TEMP}}}"
_FOUR: Final = f"{{{VCARD4}}}"
_DATE: Final = re.compile(r"(?:\d{4}|-)-?\d\d-?\d\d")
_DATE_TIME: Final = re.compile(r"\S+T\d\d\S*")
_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")
_NUMBER: Final = re.compile(r"[+0-9().;=a-z-]+")  # what a tel: URI may hold (RFC 3966 §3)
_SCHEMES: Final = re.compile(r"\A(?:tel:\s*)+")  # some write one where none belongs
_DEGREES: Final = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
_MEDIA_TYPE: Final = re.compile(r"[A-Za-z0-9.+-]+/[A-Za-z0-9.+-]+")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_UNSAFE_IN_URI: Final = re.compile(rb"[^A-Za-z0-9_.~@/!$&'()*+,;=:-]")
_ENCODED: Final = re.compile(rb"%([0-9A-Fa-f]{2})")

_KINDS: Final = {"HOME": "home", "WORK": "work"}
_TEL_KINDS: Final = _KINDS | {
    "TEXT": "text",
    "VOICE": "voice",
    "FAX": "fax",
    "CELL": "cell",
    "VIDEO": "video",
    "PAGER": "pager",
}
_NAME_PARTS: Final = {
    "FAMILY": "surname",
    "GIVEN": "given",
    "MIDDLE": "additional",
    "PREFIX": "prefix",
    "SUFFIX": "suffix",
}
_ADDRESS_PARTS: Final = {
    "POBOX": "pobox",
    "EXTADD": "ext",
    "STREET": "street",
    "LOCALITY": "locality",
    "REGION": "region",
    "PCODE": "code",
    "CTRY": "country",
}
_GUESSES: Final = {
    "iVBOR": "image/png",
    "/9j/": "image/jpeg",
    "R0lG": "image/gif",
    "UklGR": "image/webp",
}
"""Of what kind a picture is by its first bytes, for the many that do not say."""
_ANY_MEDIA: Final = "application/octet-stream"


@final
class Rule(NamedTuple):
    """One property: its names, and what its content becomes; nothing where that cannot be said."""

    temp: str
    four: str
    forth: Callable[[Element], str]
    back: Callable[[Element], str]


def to_vcard4(element: Element) -> str:
    """What a property of vcard-temp is in vCard4; empty if it is nothing there."""
    rule = _BY_TEMP.get(element.tag)
    content = "" if rule is None else rule.forth(element)
    return f"<{rule.four}>{content}</{rule.four}>" if rule is not None and content else ""


def to_temp(element: Element) -> str:
    """What a property of vCard4 is in vcard-temp; empty if it is nothing there."""
    rule = _BY_FOUR.get(element.tag)
    content = "" if rule is None else rule.back(element)
    return f"<{rule.temp}>{content}</{rule.temp}>" if rule is not None and content else ""


# -- pieces


def _temp_text(element: Element, name: str) -> str:
    return (element.findtext(_TEMP + name) or "").strip()


def _four_texts(element: Element, names: Sequence[str]) -> list[str]:
    """The values of a property, those that are not empty."""
    wanted = {_FOUR + name for name in names}
    found = [(child.text or "").strip() for child in element if child.tag in wanted]
    return [text for text in found if text]


def _in(tag: str, text: str) -> str:
    return f"<{tag}>{escape_text(text)}</{tag}>" if text else ""


def _parameters(element: Element, kinds: Mapping[str, str]) -> str:
    types = "".join(_in("text", word) for tag, word in kinds.items() if element.find(_TEMP + tag) is not None)
    preferred = "<pref><integer>1</integer></pref>" if element.find(f"{_TEMP}PREF") is not None else ""
    content = (f"<type>{types}</type>" if types else "") + preferred
    return f"<parameters>{content}</parameters>" if content else ""


def _flags(element: Element, kinds: Mapping[str, str]) -> str:
    parameters = element.find(f"{_FOUR}parameters")
    if parameters is None:
        return ""
    said = parameters.findall(f"{_FOUR}type/{_FOUR}text")
    words = {(each.text or "").strip().lower() for each in said}
    flags = "".join(f"<{tag}/>" for tag, word in kinds.items() if word in words)
    return flags + ("<PREF/>" if parameters.find(f"{_FOUR}pref") is not None else "")


# -- sorts of properties


def _plain(temp: str, four: str, *values: str, choose: Callable[[str], str] | None = None) -> Rule:
    """One text; the value's element in vCard4 is the first named, or that which its looks choose."""

    def forth(element: Element) -> str:
        text = "" if len(element) else (element.text or "").strip()
        return _in(choose(text) if choose else values[0], text)

    def back(element: Element) -> str:
        return escape_text(",".join(_four_texts(element, values)))

    return Rule(temp, four, forth, back)


def _choose_date(text: str) -> str:
    if _DATE.fullmatch(text):
        return "date"
    return "date-time" if _DATE_TIME.fullmatch(text) else "text"


def _choose_uri(text: str) -> str:
    return "uri" if _URI.fullmatch(text) else "text"


def _parts(temp: str, four: str, parts: Mapping[str, str], kinds: Mapping[str, str]) -> Rule:
    """Several texts, each with a name of its own."""

    def forth(element: Element) -> str:
        content = "".join(_in(new, _temp_text(element, old)) for old, new in parts.items())
        return content and _parameters(element, kinds) + content

    def back(element: Element) -> str:
        content = "".join(_in(old, ",".join(_four_texts(element, (new,)))) for old, new in parts.items())
        return content and _flags(element, kinds) + content

    return Rule(temp, four, forth, back)


def _media(temp: str, four: str, kind: str) -> Rule:
    """A picture or a sound, or where there is one (§11.4: as a data: URI, RFC 2397)."""

    def forth(element: Element) -> str:
        place = "".join(_temp_text(element, "EXTVAL").split())
        data = "".join(_temp_text(element, "BINVAL").split())
        if place.startswith("data:") or not (place or _BASE64.fullmatch(data)):
            return ""
        said = _temp_text(element, "TYPE")
        media_type = said if _MEDIA_TYPE.fullmatch(said) else _guess(data, kind)
        return _in("uri", place or f"data:{media_type};base64,{data}")

    def back(element: Element) -> str:
        uri = "".join("".join(_four_texts(element, ("uri",))[:1]).split())
        if not uri.startswith("data:"):
            return _in("EXTVAL", uri)
        media_type, base64, data = uri.removeprefix("data:").partition(";base64,")
        if not (base64 and _BASE64.fullmatch(data) and _MEDIA_TYPE.fullmatch(media_type)):
            return ""
        return (_in("TYPE", media_type) if kind == _ANY_MEDIA else "") + _in("BINVAL", data)

    return Rule(temp, four, forth, back)


def _guess(data: str, kind: str) -> str:
    return next((guess for start, guess in _GUESSES.items() if data.startswith(start)), kind)


# -- properties like no other


def _name_of_address(element: Element) -> str:
    text = (element.text or "").strip()
    encoded = _UNSAFE_IN_URI.sub(lambda match: b"%%%02X" % ord(match[0]), text.encode())
    return _in("uri", f"xmpp:{encoded.decode()}") if text else ""


def _address_of_name(element: Element) -> str:
    """Of an instant messaging address, if it is one of ours and no more than an address (RFC 5122)."""
    uri = "".join(_four_texts(element, ("uri",))[:1])
    address = uri.removeprefix("xmpp:")
    if address == uri or {"?", "#"} & {*address}:
        return ""
    decoded = _ENCODED.sub(lambda match: bytes([int(match[1], 16)]), address.encode())
    return escape_text(decoded.decode(errors="replace").strip())


def _position(element: Element) -> str:
    degrees = (_temp_text(element, "LAT"), _temp_text(element, "LON"))
    return _in("uri", f"geo:{','.join(degrees)}") if all(map(_DEGREES.fullmatch, degrees)) else ""


def _degrees(element: Element) -> str:
    uri = "".join(_four_texts(element, ("uri",))[:1])
    degrees = uri.removeprefix("geo:").split(",")
    fits = uri.startswith("geo:") and len(degrees) == len("12") and all(map(_DEGREES.fullmatch, degrees))
    return _in("LAT", degrees[0]) + _in("LON", degrees[1]) if fits else ""


def _call(element: Element) -> str:
    number = _SCHEMES.sub("", _temp_text(element, "NUMBER"))
    is_uri = _NUMBER.fullmatch(number) is not None
    content = _in("uri", f"tel:{number}") if is_uri else _in("text", number)
    return content and _parameters(element, _TEL_KINDS) + content


def _number(element: Element) -> str:
    value = "".join(_four_texts(element, ("uri", "text"))[:1])
    content = _in("NUMBER", _SCHEMES.sub("", value))
    return content and _flags(element, _TEL_KINDS) + content


def _mail(element: Element) -> str:
    content = _in("text", _temp_text(element, "USERID"))
    return content and _parameters(element, _KINDS) + content


def _user_id(element: Element) -> str:
    content = _in("USERID", "".join(_four_texts(element, ("text",))[:1]))
    return content and "<INTERNET/>" + _flags(element, _KINDS) + content


def _organisation(element: Element) -> str:
    """Name and units; the name is the first of the texts, even if it is empty (RFC 6350 §6.6.4)."""
    units = [(each.text or "").strip() for each in element.findall(f"{_TEMP}ORGUNIT")]
    name, units = _temp_text(element, "ORGNAME"), [unit for unit in units if unit]
    if not (name or units):
        return ""
    return f"<text>{escape_text(name)}</text>" + "".join(_in("text", unit) for unit in units)


def _units(element: Element) -> str:
    texts = [(each.text or "").strip() for each in element.findall(f"{_FOUR}text")]
    if not any(texts):
        return ""
    return f"<ORGNAME>{escape_text(texts[0])}</ORGNAME>" + "".join(_in("ORGUNIT", unit) for unit in texts[1:])


def _categories(element: Element) -> str:
    words = [(each.text or "").strip() for each in element.findall(f"{_TEMP}KEYWORD")]
    return "".join(_in("text", word) for word in words)


def _keywords(element: Element) -> str:
    return "".join(_in("KEYWORD", word) for word in _four_texts(element, ("text",)))


def _credential(element: Element) -> str:
    return _in("text", _temp_text(element, "CRED"))


def _key(element: Element) -> str:
    return _in("CRED", "".join(_four_texts(element, ("text",))[:1]))


RULES: Final = (
    _plain("FN", "fn", "text"),
    _parts("N", "n", _NAME_PARTS, {}),
    _plain("NICKNAME", "nickname", "text"),
    _media("PHOTO", "photo", _ANY_MEDIA),
    _plain("BDAY", "bday", "date", "date-time", "time", "text", choose=_choose_date),
    _parts("ADR", "adr", _ADDRESS_PARTS, _KINDS),
    Rule("TEL", "tel", _call, _number),
    Rule("EMAIL", "email", _mail, _user_id),
    Rule("JABBERID", "impp", _name_of_address, _address_of_name),
    _plain("TZ", "tz", "text", "utc-offset", "uri"),
    Rule("GEO", "geo", _position, _degrees),
    _plain("TITLE", "title", "text"),
    _plain("ROLE", "role", "text"),
    _media("LOGO", "logo", _ANY_MEDIA),
    Rule("ORG", "org", _organisation, _units),
    Rule("CATEGORIES", "categories", _categories, _keywords),
    _plain("DESC", "note", "text"),
    _plain("NOTE", "note", "text"),
    _plain("PRODID", "prodid", "text"),
    _plain("REV", "rev", "timestamp"),
    _media("SOUND", "sound", "audio/basic"),
    _plain("UID", "uid", "uri", "text", choose=_choose_uri),
    _plain("URL", "url", "uri"),
    Rule("KEY", "key", _credential, _key),
)
"""In the order of XEP-0054 §9. Of two that become the same in vCard4 the first is what that becomes again."""

_BY_TEMP: Final = {_TEMP + rule.temp: rule for rule in RULES}
_BY_FOUR: Final = {_FOUR + rule.four: rule for rule in reversed(RULES)}
