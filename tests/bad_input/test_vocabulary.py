"""Whatever is said in the words of the namespaces, every request is answered once, and nothing dies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from actors.modules import MODULES
from protocols.stanza import StanzaKind
from tests.actors.house import House
from tests.bad_input.vocabulary import ACCOUNTS, VOCABULARY, others, requests

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.actors.house_client import Client

Turn = tuple[bool, bool, str]
"""Whether romeo says it, whether it is a request, and what."""
TURNS: Final = st.lists(
    st.tuples(st.booleans(), st.just(True), requests()) | st.tuples(st.booleans(), st.just(False), others()),
    min_size=1,
    max_size=12,
)


def test_vocabulary_has_every_request_that_is_handled() -> None:
    iqs = [iq for module in MODULES for iq in module.iqs]
    iqs += [iq for module in MODULES for service in module.services for iq in service.iqs]
    handled = {iq.payload.namespace for iq in iqs if iq.payload}
    assert handled <= VOCABULARY.keys()


@settings(max_examples=40)
@given(turns=TURNS, seed=st.integers(0, 2**16))
def test_every_request_is_answered_once(turns: Sequence[Turn], seed: int) -> None:
    trio.run(_converse, turns, seed, clock=MockClock(autojump_threshold=0))


async def _converse(turns: Sequence[Turn], seed: int) -> None:
    house = House(ACCOUNTS, modules=MODULES, seed=seed, with_delays=True)
    async with house.open():
        romeo = await house.appear("romeo@localhost/orchard")
        juliet = await house.appear("juliet@localhost/balcony")
        asked: dict[str, Client] = {}
        for number, (by_romeo, is_request, text) in enumerate(turns):
            client = romeo if by_romeo else juliet
            if is_request:
                asked[f"q{number}"] = client
            client.send(f"<iq id='q{number}'{text}" if is_request else text)
        await _answer_what_is_asked(house, [romeo, juliet])
        for id_, client in asked.items():
            answers = [each for each in client.stanzas if _is_answer(each.kind, each.type, each.id, id_)]
            assert len(answers) == 1 or not client.is_open, (id_, client.log)
        for client in (romeo, juliet):
            assert client.is_open or not _has_account(house, client), client.error


def _is_answer(kind: StanzaKind, type: str, found: str | None, id: str) -> bool:
    return kind is StanzaKind.IQ and type in {"result", "error"} and found == id


async def _answer_what_is_asked(house: House, clients: Sequence[Client]) -> None:
    """Each client answers what it is asked, as clients do, until nobody asks any more."""
    answered = dict.fromkeys(clients, 0)
    is_news = True
    while is_news:
        is_news = False
        await house.settle()
        for client in clients:
            for asked in client.stanzas[answered[client] :]:
                if asked.kind is StanzaKind.IQ and asked.type in {"get", "set"}:
                    to = f" to='{asked.sender}'" if asked.sender else ""
                    client.send(f"<iq type='result' id='{asked.id}'{to}/>")
                    is_news = True
            answered[client] = len(client.stanzas)


def _has_account(house: House, client: Client) -> bool:
    return house.store.user(client.jid.bare) is not None
