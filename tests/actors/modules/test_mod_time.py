"""XEP-0202: the time is told, in UTC, and cannot be set."""

import re
from datetime import datetime

import pytest

from tests.actors.house import House
from tests.actors.house_client import said

ASK = "<iq type='{type}' id='t1' to='{to}'><time xmlns='urn:xmpp:time'>{content}</time></iq>"


def _ms(moment: str) -> float:
    assert moment.endswith("Z")
    return datetime.fromisoformat(moment).timestamp() * 1000


async def test_time_is_told_in_utc() -> None:
    async with House().open() as house:
        romeo = await house.log_in("romeo@localhost/orchard")
        answer = await romeo.ask(ASK.format(type="get", to="localhost", content=""))
        (utc,) = re.findall("<utc>(.*)</utc>", answer)
        assert 0 <= house.server.world.now_ms() - _ms(utc) < 1000
        assert [answer] == said(
            "<iq type='result' id='t1' from='localhost' to='romeo@localhost/orchard'>"
            f"<time xmlns='urn:xmpp:time'><tzo>+00:00</tzo><utc>{utc}</utc>"
            "</time></iq>"
        )


@pytest.mark.parametrize("content", ["", "<utc>2006-12-19T17:58:35Z</utc>"])
async def test_time_cannot_be_set(content: str) -> None:
    async with House().open() as house:
        romeo = await house.log_in("romeo@localhost/orchard")
        assert 'code="405"' in await romeo.ask(ASK.format(type="set", to="localhost", content=content))


async def test_time_of_another_name_is_not_known() -> None:
    async with House().open() as house:
        romeo = await house.log_in("romeo@localhost/orchard")
        answer = await romeo.ask("<iq type='get' id='t' to='localhost'><clock xmlns='urn:xmpp:time'/></iq>")
        assert "<service-unavailable " in answer


async def test_time_of_an_account_is_nobody_s_to_tell() -> None:
    async with House().open() as house:
        romeo = await house.log_in("romeo@localhost/orchard")
        answer = await romeo.ask(ASK.format(type="get", to="romeo@localhost", content=""))
        assert "<service-unavailable " in answer
