"""jabber:iq:autoupdate: a client that the configuration knows is told its newest version, others nothing."""

import pytest

from actors.modules import mod_autoupdate
from actors.modules.mod_autoupdate import AutoupdateOptions, Release
from tests.actors.house import House
from tests.actors.house_client import said

WINJAB = Release("winjab", "0.9.1.1", "https://example.com/?a=1&b=2")


def ask(to: str, type: str = "get") -> str:
    return f"<iq type='{type}' id='u' to='{to}'><query xmlns='jabber:iq:autoupdate'/></iq>"


def house(*clients: Release) -> House:
    options = {"autoupdate": AutoupdateOptions(clients=clients)}
    return House(modules=(mod_autoupdate.MODULE,), options=options)


async def test_autoupdate_tells_the_newest_version_of_the_client_addressed() -> None:
    async with house(Release("exodus", "1", "http://e"), WINJAB).open() as here:
        romeo = await here.log_in("romeo@localhost/orchard")
        assert [await romeo.ask(ask("localhost/winjab"))] == said(
            "<iq type='result' id='u' from='localhost/winjab' to='romeo@localhost/orchard'>"
            "<query xmlns='jabber:iq:autoupdate'><release priority='optional'><ver>0.9.1.1</ver><desc/>"
            "<url>https://example.com/?a=1&amp;b=2</url></release></query></iq>"
        )


@pytest.mark.parametrize("to", ["localhost", "localhost/WinJab", "localhost/exodus", "romeo@localhost"])
async def test_autoupdate_knows_no_other_client(to: str) -> None:
    async with house(WINJAB).open() as here:
        romeo = await here.log_in("romeo@localhost/orchard")
        assert "<service-unavailable " in await romeo.ask(ask(to))


async def test_autoupdate_cannot_be_set() -> None:
    async with house(WINJAB).open() as here:
        romeo = await here.log_in("romeo@localhost/orchard")
        assert 'code="405"' in await romeo.ask(ask("localhost/winjab", "set"))


def test_autoupdate_as_it_ships_is_not_there() -> None:
    assert not mod_autoupdate.MODULE.on_by_default


def test_release_is_read_as_it_is_written() -> None:
    assert Release.parse(str(WINJAB)) == WINJAB
    assert Release.parse(" winjab  0.9.1.1 \thttps://example.com/?a=1&b=2") == WINJAB


@pytest.mark.parametrize("text", ["", "winjab", "winjab 1", "winjab 1 ftp://x", "winjab 1 http://x y"])
def test_release_that_is_not_whole_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="newest version"):
        Release.parse(text)
