"""XEP-0090: the time is told in the old form, and cannot be set."""

import re
from datetime import UTC, datetime

import pytest

from tests.actors.house import House
from tests.actors.house_client import said

ASK = "<iq type='{type}' id='t1' to='{to}'><query xmlns='jabber:iq:time'>{content}</query></iq>"


async def test_legacy_time_is_told_in_utc() -> None:
    async with House().open() as house:
        romeo = await house.log_in("romeo@localhost/orchard")
        answer = await romeo.ask(ASK.format(type="get", to="localhost", content=""))
        (utc,) = re.findall("<utc>(.*)</utc>", answer)
        moment = datetime.strptime(utc, "%Y%m%dT%H:%M:%S").replace(tzinfo=UTC)
        assert 0 <= house.server.world.now_ms() - moment.timestamp() * 1000 < 2000
        display = f"{moment:%Y-%m-%d %H:%M:%S} UTC"
        assert [answer] == said(
            "<iq type='result' id='t1' from='localhost' to='romeo@localhost/orchard'>"
            f"<query xmlns='jabber:iq:time'><utc>{utc}</utc><tz>UTC</tz>"
            f"<display>{display}</display></query></iq>"
        )


@pytest.mark.parametrize("content", ["", "<utc>20020910T17:58:35</utc>"])
async def test_legacy_time_cannot_be_set(content: str) -> None:
    async with House().open() as house:
        romeo = await house.log_in("romeo@localhost/orchard")
        assert 'code="405"' in await romeo.ask(ASK.format(type="set", to="localhost", content=content))


async def test_legacy_time_of_an_account_is_nobody_s_to_tell() -> None:
    async with House().open() as house:
        romeo = await house.log_in("romeo@localhost/orchard")
        answer = await romeo.ask(ASK.format(type="get", to="romeo@localhost", content=""))
        assert "<service-unavailable " in answer
