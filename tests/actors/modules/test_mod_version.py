"""XEP-0092: which software this is, and on what it runs if that may be told."""

import platform
from importlib.metadata import version

from actors.modules.mod_version import VersionOptions
from tests.actors.house import House
from tests.actors.house_client import said

ASK = "<iq type='{type}' id='v1' to='{to}'><query xmlns='jabber:iq:version'/></iq>"


def result(more: str = "") -> list[str]:
    return said(
        "<iq type='result' id='v1' from='localhost' to='romeo@localhost/orchard'>"
        "<query xmlns='jabber:iq:version'><name>Trouper</name>"
        f"<version>{version('trouper')}</version>{more}</query></iq>"
    )


async def test_version_is_told_without_the_system() -> None:
    async with House().open() as house:
        romeo = await house.log_in("romeo@localhost/orchard")
        assert [await romeo.ask(ASK.format(type="get", to="localhost"))] == result()


async def test_version_is_told_with_the_system_where_that_is_wanted() -> None:
    async with House(options={"version": VersionOptions(show_os=True)}).open() as house:
        romeo = await house.log_in("romeo@localhost/orchard")
        answer = await romeo.ask(ASK.format(type="get", to="localhost"))
        assert [answer] == result(f"<os>{platform.system()}</os>")


async def test_version_cannot_be_set() -> None:
    async with House().open() as house:
        romeo = await house.log_in("romeo@localhost/orchard")
        assert 'code="405"' in await romeo.ask(ASK.format(type="set", to="localhost"))


async def test_version_of_a_client_is_its_own_to_tell() -> None:
    async with House().open() as house:
        romeo = await house.log_in("romeo@localhost/orchard")
        garden = await house.log_in("romeo@localhost/garden")
        romeo.send(ASK.format(type="get", to="romeo@localhost/garden"))
        (request,) = await garden.hears()
        assert 'xmlns="jabber:iq:version"' in request
