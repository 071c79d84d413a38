"""RFC 3921 §3: whoever asks for a session has one."""

import pytest

from tests.actors.house import House
from tests.actors.house_client import said

SESSION = "<iq type='{type}' id='s1'{to}><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>"


@pytest.mark.parametrize(("to", "sender"), [("", "romeo@localhost"), (" to='localhost'", "localhost")])
async def test_session_is_there_already(to: str, sender: str) -> None:
    async with House().open() as house:
        romeo = await house.log_in("romeo@localhost/orchard")
        answer = await romeo.ask(SESSION.format(type="set", to=to))
        assert [answer] == said(f"<iq type='result' id='s1' from='{sender}' to='romeo@localhost/orchard'/>")


async def test_session_cannot_be_got() -> None:
    async with House().open() as house:
        romeo = await house.log_in("romeo@localhost/orchard")
        assert "service-unavailable" in await romeo.ask(SESSION.format(type="get", to=""))
