"""Tests of `protocols.delivery`: RFC 6121 §8 cell by cell."""

import pytest

from protocols.delivery import Address, Delivery, Resources, classify, decide, most_available, non_negative
from protocols.stanza import StanzaKind

# RFC 6121 §8.5.4, table 1, as it stands there. O: store offline. E: error. S: ignore silently. D: deliver to
# the resource. M: deliver to the most available. A: deliver to all that are not negative. "/": a choice.
TABLE_1 = """
| Condition        | Normal | Chat  | Groupchat | Headline |
| ACCOUNT DOES NOT EXIST                                   |
|  bare            |  S/E   |  S/E  |     E     |    S     |
|  full            |  S/E   |  S/E  |    S/E    |   S/E    |
| ACCOUNT EXISTS, BUT NO ACTIVE RESOURCES                  |
|  bare            |  O/E   |  O/E  |     E     |    S     |
|  full (no match) |  S/E   |  O/E  |    S/E    |   S/E    |
| 1+ NEGATIVE RESOURCES BUT ZERO NON-NEGATIVE RESOURCES    |
|  bare            |  O/E   |  O/E  |     E     |    S     |
|  full match      |   D    |   D   |     D     |    D     |
|  full no match   |  S/E   |  O/E  |    S/E    |   S/E    |
| 1 NON-NEGATIVE RESOURCE                                  |
|  bare            |   D    |   D   |     E     |    D     |
|  full match      |   D    |   D   |     D     |    D     |
|  full no match   |  S/E   |   D   |    S/E    |   S/E    |
| 1+ NON-NEGATIVE RESOURCES                                |
|  bare            |  M/A   |  M/A* |     E     |    A     |
|  full match      |   D    |  D/A* |     D     |    D     |
|  full no match   |  S/E   |  M/A* |    S/E    |   S/E    |
"""

RESOURCES = {
    "ACCOUNT DOES NOT EXIST": Resources.NO_ACCOUNT,
    "ACCOUNT EXISTS, BUT NO ACTIVE RESOURCES": Resources.NONE,
    "1+ NEGATIVE RESOURCES BUT ZERO NON-NEGATIVE RESOURCES": Resources.NEGATIVE,
    "1 NON-NEGATIVE RESOURCE": Resources.NON_NEGATIVE,
    "1+ NON-NEGATIVE RESOURCES": Resources.NON_NEGATIVE,
}
ADDRESSES = {
    "bare": Address.BARE,
    "full": Address.FULL_NO_MATCH,
    "full (no match)": Address.FULL_NO_MATCH,
    "full no match": Address.FULL_NO_MATCH,
    "full match": Address.FULL_MATCH,
}
# Which of the RFC's choices are taken, for an address without and with a matching resource. Where there is
# but one resource of non-negative priority, it is the most available and it is all of them.
CHOICES = {
    "S": {Delivery.IGNORE},
    "E": {Delivery.SERVICE_UNAVAILABLE},
    "S/E": {Delivery.SERVICE_UNAVAILABLE},
    "O/E": {Delivery.STORE},
    "A": {Delivery.TO_NON_NEGATIVE},
    "M/A": {Delivery.TO_MOST_AVAILABLE},
    "M/A*": {Delivery.TO_MOST_AVAILABLE},
    "D/A*": {Delivery.TO_RESOURCE},
    "D": {Delivery.TO_RESOURCE, Delivery.TO_MOST_AVAILABLE, Delivery.TO_NON_NEGATIVE},
}
MESSAGE_TYPES = ("normal", "chat", "groupchat", "headline")
PRESENCE_TYPES = (
    "",
    "unavailable",
    "error",
    "subscribe",
    "subscribed",
    "unsubscribe",
    "unsubscribed",
    "probe",
)
EXISTING = (Resources.NONE, Resources.NEGATIVE, Resources.NON_NEGATIVE)


def read_table() -> list[tuple[Resources, Address, str, str]]:
    cells: list[tuple[Resources, Address, str, str]] = []
    resources = Resources.NO_ACCOUNT
    for row in TABLE_1.strip().splitlines()[1:]:
        name, *choices = (cell.strip() for cell in row.strip("|").split("|"))
        if choices:
            for type, choice in zip(MESSAGE_TYPES, choices, strict=True):
                cells.append((resources, ADDRESSES[name], type, choice))
        else:
            resources = RESOURCES[name]
    return cells


def test_table_1_has_52_cells() -> None:
    assert len(read_table()) == 13 * 4


@pytest.mark.parametrize(("resources", "address", "type", "choice"), read_table())
def test_message_goes_where_table_1_says(
    resources: Resources, address: Address, type: str, choice: str
) -> None:
    delivery = decide(StanzaKind.MESSAGE, type, address, resources)

    assert delivery in CHOICES[choice]
    assert (delivery is Delivery.TO_RESOURCE) == (address is Address.FULL_MATCH)


@pytest.mark.parametrize("type", ["", "x", "NORMAL"])
@pytest.mark.parametrize("resources", Resources)
@pytest.mark.parametrize("address", [Address.BARE, Address.FULL_NO_MATCH, Address.NONE, Address.DOMAIN])
def test_message_without_known_type_is_normal(type: str, resources: Resources, address: Address) -> None:
    """§5.2.2."""
    assert decide(StanzaKind.MESSAGE, type, address, resources) is decide(
        StanzaKind.MESSAGE, "normal", address, resources
    )


@pytest.mark.parametrize("resources", Resources)
@pytest.mark.parametrize("address", [Address.BARE, Address.FULL_NO_MATCH, Address.NONE, Address.DOMAIN])
def test_message_error_without_matching_resource_is_ignored(resources: Resources, address: Address) -> None:
    """§8.5.2.1.1, §8.5.2.2.1, §8.5.3.2.1."""
    assert decide(StanzaKind.MESSAGE, "error", address, resources) is Delivery.IGNORE


@pytest.mark.parametrize("resources", EXISTING)
@pytest.mark.parametrize("type", [*MESSAGE_TYPES, "error", "", "x"])
def test_message_to_a_matching_resource_is_delivered(resources: Resources, type: str) -> None:
    """§8.5.3.1: to a connected resource too, be it available or not."""
    assert decide(StanzaKind.MESSAGE, type, Address.FULL_MATCH, resources) is Delivery.TO_RESOURCE


@pytest.mark.parametrize("resources", Resources)
@pytest.mark.parametrize("type", [*MESSAGE_TYPES, "error", "", "x"])
def test_message_without_to_goes_to_the_senders_bare_jid(resources: Resources, type: str) -> None:
    """RFC 6120 §10.3.1."""
    assert decide(StanzaKind.MESSAGE, type, Address.NONE, resources) is decide(
        StanzaKind.MESSAGE, type, Address.BARE, resources
    )


# §8.5.1 to §8.5.3; the type "error" is not named there and goes where plain presence goes.
PRESENCE = {
    (Address.BARE, Resources.NO_ACCOUNT): "ignore ignore ignore ignore ignore ignore ignore unsubscribed",
    (
        Address.FULL_NO_MATCH,
        Resources.NO_ACCOUNT,
    ): "ignore ignore ignore ignore ignore ignore ignore unsubscribed",
    (Address.BARE, Resources.NONE): "ignore ignore ignore rules rules rules rules probe",
    (Address.BARE, Resources.NEGATIVE): "all all all rules rules rules rules probe",
    (Address.BARE, Resources.NON_NEGATIVE): "all all all rules rules rules rules probe",
    (Address.FULL_MATCH, Resources.NONE): "it it it rules rules rules rules probe",
    (Address.FULL_MATCH, Resources.NEGATIVE): "it it it rules rules rules rules probe",
    (Address.FULL_MATCH, Resources.NON_NEGATIVE): "it it it rules rules rules rules probe",
    (Address.FULL_NO_MATCH, Resources.NONE): "ignore ignore ignore rules ignore ignore ignore probe",
    (Address.FULL_NO_MATCH, Resources.NEGATIVE): "ignore ignore ignore rules ignore ignore ignore probe",
    (Address.FULL_NO_MATCH, Resources.NON_NEGATIVE): "ignore ignore ignore rules ignore ignore ignore probe",
}
PRESENCE_WORDS = {
    "ignore": Delivery.IGNORE,
    "unsubscribed": Delivery.UNSUBSCRIBED,
    "rules": Delivery.SUBSCRIPTION,
    "probe": Delivery.PROBE,
    "all": Delivery.TO_AVAILABLE,
    "it": Delivery.TO_RESOURCE,
}


@pytest.mark.parametrize(
    ("address", "resources", "type", "word"),
    [
        (address, resources, type, word)
        for (address, resources), words in PRESENCE.items()
        for type, word in zip(PRESENCE_TYPES, words.split(), strict=True)
    ],
)
def test_presence_goes_where_the_rfc_says(
    address: Address, resources: Resources, type: str, word: str
) -> None:
    assert decide(StanzaKind.PRESENCE, type, address, resources) is PRESENCE_WORDS[word]


@pytest.mark.parametrize("resources", Resources)
@pytest.mark.parametrize(
    ("type", "expected"),
    [
        ("", Delivery.BROADCAST),
        ("unavailable", Delivery.BROADCAST),
        ("error", Delivery.IGNORE),
        ("probe", Delivery.IGNORE),
        ("subscribe", Delivery.BAD_REQUEST),
        ("subscribed", Delivery.BAD_REQUEST),
        ("unsubscribe", Delivery.BAD_REQUEST),
        ("unsubscribed", Delivery.BAD_REQUEST),
    ],
)
def test_presence_without_to_is_broadcast_or_makes_no_sense(
    resources: Resources, type: str, expected: Delivery
) -> None:
    """RFC 6120 §10.3.2; RFC 6121 §4.3 forbids an error for a probe."""
    assert decide(StanzaKind.PRESENCE, type, Address.NONE, resources) is expected


# §8.5.1, §8.5.2.1.3, §8.5.2.2.3, §8.5.3.1, §8.5.3.2.3; nothing answers a result or an error.
IQ = {
    (Address.BARE, Resources.NO_ACCOUNT): "error error ignore ignore",
    (Address.FULL_NO_MATCH, Resources.NO_ACCOUNT): "error error ignore ignore",
    (Address.BARE, Resources.NONE): "account account account account",
    (Address.BARE, Resources.NEGATIVE): "account account account account",
    (Address.BARE, Resources.NON_NEGATIVE): "account account account account",
    (Address.FULL_MATCH, Resources.NONE): "sharing sharing it it",
    (Address.FULL_MATCH, Resources.NEGATIVE): "sharing sharing it it",
    (Address.FULL_MATCH, Resources.NON_NEGATIVE): "sharing sharing it it",
    (Address.FULL_NO_MATCH, Resources.NONE): "error error ignore ignore",
    (Address.FULL_NO_MATCH, Resources.NEGATIVE): "error error ignore ignore",
    (Address.FULL_NO_MATCH, Resources.NON_NEGATIVE): "error error ignore ignore",
}
IQ_WORDS = {
    "error": Delivery.SERVICE_UNAVAILABLE,
    "ignore": Delivery.IGNORE,
    "account": Delivery.ACCOUNT,
    "sharing": Delivery.TO_RESOURCE_IF_SHARING,
    "it": Delivery.TO_RESOURCE,
}


@pytest.mark.parametrize(
    ("address", "resources", "type", "word"),
    [
        (address, resources, type, word)
        for (address, resources), words in IQ.items()
        for type, word in zip(("get", "set", "result", "error"), words.split(), strict=True)
    ],
)
def test_iq_goes_where_the_rfc_says(address: Address, resources: Resources, type: str, word: str) -> None:
    assert decide(StanzaKind.IQ, type, address, resources) is IQ_WORDS[word]


@pytest.mark.parametrize("resources", Resources)
@pytest.mark.parametrize("type", ["get", "set", "result", "error"])
def test_iq_without_to_is_handled_for_the_senders_account(resources: Resources, type: str) -> None:
    """RFC 6120 §10.3.3."""
    assert decide(StanzaKind.IQ, type, Address.NONE, resources) is Delivery.ACCOUNT


@pytest.mark.parametrize("resources", Resources)
@pytest.mark.parametrize(
    ("kind", "type"),
    [
        *((StanzaKind.MESSAGE, type) for type in MESSAGE_TYPES),
        *((StanzaKind.PRESENCE, type) for type in PRESENCE_TYPES if type != "error"),
        *((StanzaKind.IQ, type) for type in ("get", "set", "result", "error")),
    ],
)
def test_stanza_to_the_domain_is_handled_by_the_server(
    kind: StanzaKind, type: str, resources: Resources
) -> None:
    assert decide(kind, type, Address.DOMAIN, resources) is Delivery.SERVER


@pytest.mark.parametrize("kind", [StanzaKind.MESSAGE, StanzaKind.PRESENCE])
def test_error_to_the_domain_is_ignored(kind: StanzaKind) -> None:
    assert decide(kind, "error", Address.DOMAIN, Resources.NONE) is Delivery.IGNORE


@pytest.mark.parametrize("address", Address)
@pytest.mark.parametrize(
    ("kind", "type"), [(StanzaKind.IQ, ""), (StanzaKind.IQ, "chat"), (StanzaKind.PRESENCE, "available")]
)
def test_presence_or_iq_of_unknown_type_is_a_bad_request(
    kind: StanzaKind, type: str, address: Address
) -> None:
    """RFC 6121 §4.7.1, RFC 6120 §8.2.3."""
    assert decide(kind, type, address, Resources.NON_NEGATIVE) is Delivery.BAD_REQUEST


@pytest.mark.parametrize("resources", Resources)
@pytest.mark.parametrize("address", Address)
@pytest.mark.parametrize(
    ("kind", "type"),
    [
        *((StanzaKind.MESSAGE, type) for type in (*MESSAGE_TYPES, "error")),
        *((StanzaKind.PRESENCE, type) for type in PRESENCE_TYPES),
        *((StanzaKind.IQ, type) for type in ("get", "set", "result", "error")),
    ],
)
def test_every_possible_stanza_has_a_decision_and_no_error_answers_an_error(
    kind: StanzaKind, type: str, address: Address, resources: Resources
) -> None:
    if address is Address.FULL_MATCH and resources is Resources.NO_ACCOUNT:
        with pytest.raises(KeyError):  # no account, so no resource of it can match: the caller's mistake
            decide(kind, type, address, resources)
        return
    delivery = decide(kind, type, address, resources)

    if type in {"error", "result"}:
        assert delivery not in {Delivery.SERVICE_UNAVAILABLE, Delivery.BAD_REQUEST}


@pytest.mark.parametrize(
    ("priorities", "expected"),
    [
        ([], Resources.NONE),
        ([-1], Resources.NEGATIVE),
        ([-128, -1], Resources.NEGATIVE),
        ([0], Resources.NON_NEGATIVE),
        ([-1, 127], Resources.NON_NEGATIVE),
    ],
)
def test_classify_looks_for_a_priority_of_zero_or_more(priorities: list[int], expected: Resources) -> None:
    assert classify(priorities) is expected


@pytest.mark.parametrize(
    ("priorities", "expected"),
    [
        ({}, []),
        ({"balcony": -1}, []),
        ({"balcony": 0}, ["balcony"]),
        ({"balcony": 2, "chamber": 1}, ["balcony"]),
        ({"balcony": 1, "chamber": 1, "garden": 0}, ["balcony", "chamber"]),
        ({"balcony": -1, "chamber": 0}, ["chamber"]),
    ],
)
def test_most_available_are_all_of_the_highest_priority(
    priorities: dict[str, int], expected: list[str]
) -> None:
    assert most_available(priorities) == expected


def test_non_negative_are_all_but_the_negative() -> None:
    assert non_negative({"balcony": 2, "chamber": 0, "garden": -1}) == ["balcony", "chamber"]
