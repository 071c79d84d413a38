"""XEP-0199: the server answers for itself and for accounts."""

import pytest

from tests.actors.house import House
from tests.actors.house_client import said

PING = "<iq type='get' id='p1'{to}><ping xmlns='urn:xmpp:ping'/></iq>"


@pytest.mark.parametrize(
    ("to", "sender"),
    [
        ("", " from='romeo@localhost'"),
        (" to='localhost'", " from='localhost'"),
        (" to='romeo@localhost'", " from='romeo@localhost'"),
        (" to='juliet@localhost'", " from='juliet@localhost'"),
    ],
)
async def test_ping_is_answered_by_server_and_accounts(to: str, sender: str) -> None:
    house = House()
    house.befriend("romeo@localhost", "juliet@localhost")
    async with house.open():
        romeo = await house.log_in("romeo@localhost/orchard")
        answer = await romeo.ask(PING.format(to=to))
        assert [answer] == said(f"<iq type='result' id='p1'{sender} to='romeo@localhost/orchard'/>")


@pytest.mark.parametrize("stranger", ["juliet@localhost", "nobody@localhost"])
async def test_ping_of_an_account_that_shares_no_presence_looks_like_one_that_is_not_there(
    stranger: str,
) -> None:
    async with House().open() as house:
        romeo = await house.log_in("romeo@localhost/orchard")
        answer = await romeo.ask(PING.format(to=f" to='{stranger}'"))
        assert [answer] == said(
            f"<iq type='error' id='p1' from='{stranger}' to='romeo@localhost/orchard'>"
            "<error type='cancel' code='503'>"
            "<service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
        )


async def test_ping_of_a_resource_is_for_its_client() -> None:
    house = House()
    house.befriend("romeo@localhost", "juliet@localhost")
    async with house.open():
        romeo = await house.log_in("romeo@localhost/orchard")
        juliet = await house.log_in("juliet@localhost/balcony")
        romeo.send(PING.format(to=" to='juliet@localhost/balcony'"))
        assert await juliet.hears() == said(
            "<iq type='get' id='p1' from='romeo@localhost/orchard' to='juliet@localhost/balcony'>"
            "<ping xmlns='urn:xmpp:ping'/></iq>"
        )
