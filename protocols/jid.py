"""XMPP addresses (RFC 7622): the value `JID` and the way from a text to one.

Used by everything that routes, stores or compares addresses. A `JID` is always in normal form, so two
are the same address exactly if they are equal, and `full` and `bare` can serve as keys.
"""

import ipaddress
import re
from functools import lru_cache
from typing import Final, NoReturn, final

import idna
from precis_i18n import get_profile

from protocols.errors import JIDMalformed

# RFC 7622 §3.2, §3.3, §3.4: for each part, counted in bytes of UTF-8 once it is in normal form.
PART_BYTES_MAX: Final = 1023
# A part with more characters than this as it came is refused unseen, to bound the work on it: nothing so
# long fits, because composing (NFC) makes at the very most three characters into two bytes.
_PART_CHARACTERS_MAX: Final = 2 * PART_BYTES_MAX
# RFC 1035 §2.3.4, in the form with ASCII letters only.
_LABEL_BYTES_MAX: Final = 63
# Parsed addresses remembered: those of the busy sessions of a large server, and some 8 MB. Texts longer
# than any usual address are not remembered, lest a hostile peer fill the memory with them.
_REMEMBERED_MAX: Final = 16_384
_REMEMBERED_CHARACTERS_MAX: Final = 256

# ASCII that is already in normal form. The rules leave printable ASCII alone, but for upper case in the
# first two parts, blanks and `"&'/:<>@` (§3.3.1) in the localpart and all but letters, digits, single
# inner hyphens and dots in the domainpart (two hyphens in a row may mean an A-label: not decided here).
_LOCALPART: Final = r"[!#-%(-.0-9;=?A-Z\[-~]"
_NORMAL_LOCALPART: Final = _LOCALPART.replace("A-Z", "")
_NORMAL_DOMAINPART: Final = r"[a-z0-9]++(?:[.-][a-z0-9]++)*+"
_RESOURCEPART: Final = r"[ -~]"

_NORMAL_JID: Final = re.compile(
    rf"(?:({_NORMAL_LOCALPART}{{1,{PART_BYTES_MAX}}}+)@)?+"
    rf"(?=[^/]{{1,{_LABEL_BYTES_MAX}}}+(?:/|\Z))({_NORMAL_DOMAINPART})"
    rf"(?:/({_RESOURCEPART}{{1,{PART_BYTES_MAX}}}+))?+"
)
_ASCII_LOCALPART: Final = re.compile(rf"{_LOCALPART}++")
_ASCII_RESOURCEPART: Final = re.compile(rf"{_RESOURCEPART}++")
_ASCII_LABEL: Final = re.compile(r"(?!..--)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
_LOCALPART_FORBIDDEN: Final = re.compile(r"[\"&'/:<>@]")

_USERNAME: Final = get_profile("UsernameCaseMapped")
_OPAQUE_STRING: Final = get_profile("OpaqueString")

_set = object.__setattr__


@final
class JID:
    """An XMPP address in normal form: immutable, hashable, equal by value.

    Made by `parse_jid` and `jid_from_parts`, which check and normalise; the constructor takes parts that
    are in normal form already.

    Attributes:
        localpart: The name before the `@`, if there is one.
        domainpart: The domain, IPv4 address or IPv6 address in brackets.
        resourcepart: What follows the first `/`, if there is one.
        bare: The address without resource, as text.
        full: The whole address, as text; the same as `bare` where there is no resource.
    """

    __slots__ = ("_bare_jid", "bare", "domainpart", "full", "localpart", "resourcepart")

    localpart: str | None
    domainpart: str
    resourcepart: str | None
    bare: str
    full: str
    _bare_jid: "JID | None"  # made when first asked for

    def __init__(self, localpart: str | None, domainpart: str, resourcepart: str | None = None) -> None:
        bare = domainpart if localpart is None else f"{localpart}@{domainpart}"
        _set(self, "localpart", localpart)
        _set(self, "domainpart", domainpart)
        _set(self, "resourcepart", resourcepart)
        _set(self, "bare", bare)
        _set(self, "full", bare if resourcepart is None else f"{bare}/{resourcepart}")
        _set(self, "_bare_jid", None)

    @property
    def is_bare(self) -> bool:
        """Whether there is no resource."""
        return self.resourcepart is None

    @property
    def bare_jid(self) -> "JID":
        """The address without resource."""
        if self.resourcepart is None:
            return self  # not kept in the field: an object that refers to itself is freed late
        known = self._bare_jid
        if known is None:
            known = JID(self.localpart, self.domainpart)
            _set(self, "_bare_jid", known)
        return known

    def with_resource(self, resourcepart: str) -> "JID":
        """Return the address of that resource of the same account or service.

        Raises:
            JIDMalformed: The text is no resourcepart.
        """
        return JID(self.localpart, self.domainpart, prepare_resourcepart(resourcepart))

    def __str__(self) -> str:
        return self.full

    def __repr__(self) -> str:
        return f"JID({self.full!r})"

    def __hash__(self) -> int:
        return hash(self.full)

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, JID) and self.full == other.full)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a JID is immutable: cannot set {name}")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a JID is immutable: cannot delete {name}")


def parse_jid(text: str) -> JID:
    """Return the address that `text` means, in normal form.

    Raises:
        JIDMalformed: The text is no address.
    """
    if len(text) <= _REMEMBERED_CHARACTERS_MAX:
        return _parse_remembered(text)
    return _parse(text)


def jid_from_parts(localpart: str | None, domainpart: str, resourcepart: str | None = None) -> JID:
    """Return the address of these parts, none of which need be in normal form.

    For parts that come separately (a user name, a resource to bind), where joining and parsing them could
    find other boundaries than were meant.

    Raises:
        JIDMalformed: One of them is not what it should be.
    """
    return JID(
        None if localpart is None else prepare_localpart(localpart),
        prepare_domainpart(domainpart),
        None if resourcepart is None else prepare_resourcepart(resourcepart),
    )


def prepare_localpart(text: str) -> str:
    """Return a localpart in normal form (§3.3: the PRECIS profile UsernameCaseMapped).

    Raises:
        JIDMalformed: The text is no localpart.
    """
    _check_characters(text, "localpart")
    if _ASCII_LOCALPART.fullmatch(text):
        prepared = text.lower()
    else:
        try:
            prepared = _USERNAME.enforce(text)
        except UnicodeError as error:
            raise JIDMalformed(f"localpart {text!r}: {error.reason}") from error  # type: ignore[attr-defined]  # untyped library
        if _LOCALPART_FORBIDDEN.search(prepared):
            raise JIDMalformed(f"localpart {text!r} has one of \" & ' / : < > @")
    return _checked_bytes(prepared, "localpart")


def prepare_domainpart(text: str) -> str:
    """Return a domainpart in normal form (§3.2): an IP address, or a name with U-labels (IDNA 2008).

    Raises:
        JIDMalformed: The text is no domainpart.
    """
    _check_characters(text, "domainpart")
    if text.startswith("["):
        return _prepare_ipv6(text)
    mapped = _map_domain(text).removesuffix(".")
    prepared = ".".join([_prepare_label(label) for label in mapped.split(".")])
    return _checked_bytes(prepared, "domainpart")


def prepare_resourcepart(text: str) -> str:
    """Return a resourcepart in normal form (§3.4: the PRECIS profile OpaqueString).

    Raises:
        JIDMalformed: The text is no resourcepart.
    """
    _check_characters(text, "resourcepart")
    prepared = text
    if not _ASCII_RESOURCEPART.fullmatch(text):
        try:
            prepared = _OPAQUE_STRING.enforce(text)
        except UnicodeError as error:
            raise JIDMalformed(f"resourcepart {text!r}: {error.reason}") from error  # type: ignore[attr-defined]  # untyped library
    return _checked_bytes(prepared, "resourcepart")


def _parse(text: str) -> JID:
    match = _NORMAL_JID.fullmatch(text)
    if match is not None:
        return JID(*match.groups())
    return _parse_by_rules(text)


_parse_remembered = lru_cache(_REMEMBERED_MAX)(_parse)


def _parse_by_rules(text: str) -> JID:
    """Take the text apart as §3.1 says: at the first slash, then at the first at-sign before it."""
    address, slash, resourcepart = text.partition("/")
    localpart, at, domainpart = address.partition("@")
    if not at:
        localpart, domainpart = "", address
    return jid_from_parts(localpart if at else None, domainpart, resourcepart if slash else None)


def _map_domain(text: str) -> str:
    """Map width and case, then compose: the steps that §3.2.3 asks for before the labels are checked."""
    if text.isascii():
        return text.lower()
    mapped = _USERNAME.case_mapping_rule(_USERNAME.width_mapping_rule(text))
    return _USERNAME.normalization_rule(mapped)


def _prepare_label(label: str) -> str:
    if _ASCII_LABEL.fullmatch(label) and len(label) <= _LABEL_BYTES_MAX:
        return label
    try:
        unicode_label = idna.ulabel(label)
        idna.alabel(unicode_label)
    except (idna.IDNAError, UnicodeError) as error:
        raise JIDMalformed(f"domain label {label!r}: {error}") from error
    return unicode_label


def _prepare_ipv6(text: str) -> str:
    """Return an IPv6 literal in its one canonical spelling (RFC 5952); a zone means nothing to a peer."""
    try:
        if not text.endswith("]") or "%" in text:
            raise JIDMalformed(f"domainpart {text!r} is no IPv6 address in brackets")
        return f"[{ipaddress.IPv6Address(text[1:-1]).compressed}]"
    except ipaddress.AddressValueError as error:
        raise JIDMalformed(f"domainpart {text!r}: {error}") from error


def _check_characters(text: str, part: str) -> None:
    if not text:
        raise JIDMalformed(f"empty {part}")
    if len(text) > _PART_CHARACTERS_MAX:
        raise JIDMalformed(f"{part} of {len(text)} characters is too long")


def _checked_bytes(prepared: str, part: str) -> str:
    if len(prepared) > PART_BYTES_MAX or len(prepared.encode()) > PART_BYTES_MAX:
        raise JIDMalformed(f"{part} of more than {PART_BYTES_MAX} bytes")
    return prepared
