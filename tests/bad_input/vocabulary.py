"""Stanzas made of the words that each namespace knows, in any order: mostly wrong, often nearly right."""

from __future__ import annotations

from typing import Final, NamedTuple
from xml.sax.saxutils import escape, quoteattr

from hypothesis import strategies as st

from protocols import namespaces as ns

ACCOUNTS: Final = ("romeo@localhost", "juliet@localhost", "nurse@localhost")
"""Two that are there, and one that is away."""
ADDRESSES: Final = (
    "",
    "localhost",
    "localhost/resource",
    "users.localhost",
    "service.localhost",
    "elsewhere.example",
    "somebody@elsewhere.example",
    "nobody@localhost",
    "romeo@localhost/orchard",
    "juliet@localhost/balcony",
    "juliet@localhost/absent",
    *ACCOUNTS,
)


class Words(NamedTuple):
    """What one namespace consists of: elements, the first of them payloads; attributes; values of its own."""

    elements: str
    attributes: str = ""
    values: str = ""


VOCABULARY: Final = {
    ns.BIND: Words("bind resource jid"),
    ns.SESSION: Words("session optional"),
    ns.ROSTER: Words(
        "query item group", "ver jid name subscription ask approved", "remove both none to true"
    ),
    ns.REGISTER: Words("query username password email instructions registered remove key x"),
    ns.PRIVATE: Words("query storage"),
    ns.LAST: Words("query", "seconds"),
    ns.VERSION: Words("query name version os"),
    ns.TIME: Words("time tzo utc"),
    ns.LEGACY_TIME: Words("query utc tz display"),
    ns.PING: Words("ping"),
    ns.AGENT: Words("query name description transport service register search groupchat"),
    ns.AGENTS: Words("query agent", "jid"),
    ns.BROWSE: Words("query item user service ns", "jid name category type version"),
    ns.AUTOUPDATE: Words("query release beta dev", "priority"),
    ns.DISCO_INFO: Words("query identity feature", "node var category type name"),
    ns.DISCO_ITEMS: Words("query item", "node jid name action", "update remove"),
    ns.AUTH: Words("query username password digest resource sequence token hash"),
    ns.SEARCH: Words("query first last nick email instructions item x", "jid"),
    ns.VCARD_TEMP: Words("vCard FN N FAMILY TEL HOME NUMBER PHOTO TYPE BINVAL EXTVAL GEO LAT LON KEY DESC"),
    ns.VCARD4: Words("vcard fn n text uri tel parameters type pref photo geo org note impp group", "name"),
    ns.OFFLINE_RETRIEVAL: Words("offline item fetch purge", "node action", "view remove 000000000000001"),
    ns.ADDRESS: Words(
        "addresses address", "type jid uri node delivered", "to cc bcc replyto replyroom noreply ofrom"
    ),
    ns.ENVELOPE: Words("x to cc from replyto forwardedby", "jid"),
    ns.EVENT: Words("x offline delivered displayed composing id"),
    ns.EXPIRE: Words("x", "seconds stored"),
    ns.DELAY: Words("delay", "stamp from"),
    ns.LEGACY_DELAY: Words("x", "stamp from"),
    ns.PRIVACY: Words(
        "query list item active default message presence-in presence-out iq",
        "name type value action order",
        "jid group subscription allow deny both none 1 2",
    ),
    ns.BLOCKING: Words("blocklist block unblock item", "jid"),
    ns.VACATION: Words("query start end message"),
    "urn:example:own": Words("query food colour"),
    ns.DATA_FORMS: Words("x field value title reported item", "type var label", "submit form result cancel"),
}
"""By namespace; one is nobody's. One that a module of the server takes requests in must be here."""

_COMMON_VALUES: Final = (
    *ADDRESSES,
    "0",
    "-1",
    "true",
    "set",
    "99999999999999999999",
    "2002-09-10T23:08:25Z",
    "a" * 1_024,
    "é" * 5_000,
    "\N{PILE OF POO}",
    " \t\n",
    "a'b\"c<&>",
)


def _values(words: Words) -> st.SearchStrategy[str]:
    own = [*words.values.split(), *words.elements.split()]
    return st.sampled_from([*own, *_COMMON_VALUES]) | st.text(
        st.characters(codec="utf-8", exclude_categories=["C"]), max_size=10
    )


@st.composite
def elements(draw: st.DrawFn, namespace: str, depth: int = 2, *, is_payload: bool = False) -> str:
    """An element in one namespace, with attributes, text and children of its words, or of another's."""
    words = VOCABULARY[namespace]
    names = words.elements.split()
    name = names[0] if is_payload and draw(st.integers(0, 4)) else draw(st.sampled_from(names))
    values = _values(words)
    attributes = "".join(
        f" {attribute}={quoteattr(draw(values))}"
        for attribute in words.attributes.split()
        if draw(st.booleans())
    )
    content = escape(draw(values)) if draw(st.integers(0, 2)) == 0 else ""
    for _ in range(draw(st.integers(0, 3)) if depth else 0):
        inner = namespace if draw(st.integers(0, 4)) else draw(st.sampled_from(sorted(VOCABULARY)))
        content += draw(elements(inner, depth - 1))
    return f"<{name} xmlns='{namespace}'{attributes}>{content}</{name}>"


@st.composite
def requests(draw: st.DrawFn) -> str:
    """An IQ of type get or set without its start: `' to=…>…</iq>`, so that who sends it can number it."""
    namespace = draw(st.sampled_from(sorted(VOCABULARY)))
    payload = draw(elements(namespace, is_payload=True))
    extra = draw(elements(namespace, 0)) if draw(st.integers(0, 9)) == 0 else ""
    return f"{_to(draw)} type='{draw(st.sampled_from(('get', 'set')))}'>{payload}{extra}</iq>"


@st.composite
def others(draw: st.DrawFn) -> str:
    """A message or presence, with extensions."""
    content = "".join(
        draw(elements(draw(st.sampled_from(sorted(VOCABULARY))), 1)) for _ in range(draw(st.integers(0, 2)))
    )
    if draw(st.booleans()):
        kind = draw(st.sampled_from(("chat", "normal", "headline", "groupchat", "error", "nonsense")))
        return f"<message type='{kind}'{_to(draw)}><body>words</body>{content}</message>"
    kind = draw(
        st.sampled_from(
            ("subscribe", "subscribed", "unsubscribe", "unsubscribed", "probe", "error", "nonsense")
        )
    )
    if draw(st.booleans()):
        return f"<presence><priority>{draw(st.sampled_from(_COMMON_VALUES[11:16]))}</priority></presence>"
    return f"<presence type='{kind}'{_to(draw)}>{content}</presence>"


def _to(draw: st.DrawFn) -> str:
    address = draw(st.sampled_from(ADDRESSES))
    return f" to='{address}'" if address else ""
