"""slixmpp as a test's client: it keeps all that it receives until somebody expects it.

slixmpp runs on asyncio while the test runner gives coroutines to Trio; `on_asyncio` makes a plain test of a
coroutine.
"""

from __future__ import annotations

import asyncio
import functools
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, ParamSpec, final
from xml.etree import ElementTree as ET

from slixmpp import JID, ClientXMPP, Iq, Message, Presence
from slixmpp.exceptions import IqError
from slixmpp.stanza import StreamError

from tests.support.raw_client import SECONDS_MAX

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from slixmpp.xmlstream import StanzaBase

    from tests.support.server import Account, RunningServer

P = ParamSpec("P")

PING: Final = "<ping xmlns='urn:xmpp:ping'/>"
ROSTER: Final = "{jabber:iq:roster}"

_PLUGINS: Final = ("xep_0030", "xep_0092", "xep_0199", "xep_0203")
_KEPT: Final = (Message, Presence, Iq, StreamError)


def on_asyncio(test: Callable[P, Coroutine[object, object, None]]) -> Callable[P, None]:
    """Run a coroutine as a test, with all that it started ended when it returns."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


class Contact(NamedTuple):
    """An item of a roster, without what it does not say."""

    subscription: str
    name: str | None = None
    groups: tuple[str, ...] = ()
    ask: str | None = None
    approved: str | None = None


def contacts(iq: StanzaBase) -> dict[str, Contact]:
    """The items that a roster result or push holds, by address."""
    return {
        item.attrib["jid"]: Contact(
            item.attrib["subscription"],
            item.get("name"),
            tuple(group.text or "" for group in item),
            item.get("ask"),
            item.get("approved"),
        )
        for item in iq.xml.iterfind(f"{ROSTER}query/{ROSTER}item")
    }


@final
class Client(ClientXMPP):
    """One client; use `connected` or `online`.

    Args:
        server: Whom to connect to.
        account: Who logs in.
        resource: What to bind; the server chooses where it is empty.
        mechanism: The SASL mechanism to insist on, if any.
        way: Which of the server's ports: `c2s` with STARTTLS, or `c2s_tls`.
        managed: Whether its own stream management is on.
    """

    def __init__(
        self,
        server: RunningServer,
        account: Account,
        resource: str = "",
        *,
        mechanism: str | None = None,
        way: str = "c2s",
        managed: bool = False,
    ) -> None:
        jid = JID(account.jid)
        if resource:
            jid.resource = resource
        super().__init__(jid, account.password, sasl_mech=mechanism, ssl_context=server.client_context())
        self.enable_direct_tls = way == "c2s_tls"
        self.enable_starttls = way == "c2s"
        self.auto_authorize = None
        self.auto_subscribe = False
        for plugin in _PLUGINS:
            self.register_plugin(plugin)
        if managed:
            self.register_plugin("xep_0198")
        self._ready = "sm_enabled" if managed else "session_start"
        self._port = server.ports[way]
        self._kept: list[StanzaBase] = []
        self._news = asyncio.Condition()
        self._telling: set[asyncio.Task[None]] = set()
        self.ended = asyncio.Event()
        self.add_filter("in", self._keep)
        self.add_event_handler("disconnected", lambda _reason: self._end())

    def _keep(self, stanza: StanzaBase) -> StanzaBase:
        is_answer = isinstance(stanza, Iq) and stanza["type"] in {"result", "error"}
        if isinstance(stanza, _KEPT) and not is_answer:
            self._kept.append(stanza)
            self._tell()
        return stanza

    def _end(self) -> None:
        self.ended.set()
        self._tell()

    def _tell(self) -> None:
        async def tell() -> None:
            async with self._news:
                self._news.notify_all()

        task = asyncio.ensure_future(tell())
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    # -- coming and going

    @property
    def mechanism(self) -> str:
        """By which it has logged in."""
        used = self.plugin["feature_mechanisms"].mech
        assert used is not None
        return str(used.name)

    async def log_in(self) -> None:
        """Connect, authenticate and bind; raises what failed."""
        done: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()

        def tell(refusal: str | None) -> None:
            if not done.done():
                done.set_result(refusal)

        self.add_event_handler(self._ready, lambda _event: tell(None))
        self.add_event_handler("failed_auth", lambda failure: tell(failure["condition"]))
        self.add_event_handler("disconnected", lambda reason: tell(f"disconnected: {reason}"))
        self.connect("127.0.0.1", self._port)
        refusal = await asyncio.wait_for(done, SECONDS_MAX)
        if refusal is not None:
            raise LoginRefused(refusal)

    async def become_available(self, priority: int = 0) -> None:
        """Send initial presence and wait until the server has dealt with it, which its echo tells."""
        self.send_presence(ppriority=priority)
        await self.expect(lambda each: isinstance(each, Presence) and each["from"] == self.boundjid)

    async def leave(self) -> None:
        """Close the stream in good order."""
        if self.is_connected():
            await self.disconnect(wait=SECONDS_MAX)
        await self.wait_ended()

    def break_off(self) -> None:
        """Lose the connection without a word."""
        self.abort()

    async def come_back(self) -> None:
        """Connect again and have the session resumed; fails if a new one begins instead."""
        done: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        def tell(what: str) -> None:
            if not done.done():
                done.set_result(what)

        for event in ("session_resumed", "sm_failed", "session_start", "failed_auth"):
            self.add_event_handler(event, lambda _event, what=event: tell(what), disposable=True)
        self.ended.clear()
        self.connect("127.0.0.1", self._port)
        assert await asyncio.wait_for(done, SECONDS_MAX) == "session_resumed"

    async def wait_ended(self) -> None:
        """Wait until the connection is gone."""
        await asyncio.wait_for(self.ended.wait(), SECONDS_MAX)

    # -- what has come

    async def expect(self, is_it: Callable[[StanzaBase], bool]) -> StanzaBase:
        """The first stanza received and not yet expected that is like this, once it is there."""
        found: StanzaBase | None = None

        def look() -> bool:
            nonlocal found
            found = next((each for each in self._kept if is_it(each)), None)
            return found is not None or self.ended.is_set()

        async with self._news:
            try:
                await asyncio.wait_for(self._news.wait_for(look), SECONDS_MAX)
            except TimeoutError:
                raise AssertionError(f"in vain; what came is {self._shown()}") from None
        assert found is not None, f"the stream ended first; what came is {self._shown()}"
        self._kept.remove(found)
        return found

    async def next(self) -> StanzaBase:
        """Whatever came first."""
        return await self.expect(lambda _any: True)

    async def message(self) -> Message:
        """The next message."""
        found = await self.expect(lambda each: isinstance(each, Message))
        assert isinstance(found, Message)
        return found

    async def presence(self, type: str, sender: str) -> Presence:
        """The next presence of this type (`available` for none) from a sender, bare or full."""
        found = await self.expect(
            lambda each: (
                isinstance(each, Presence)
                and each.xml.get("type", "available") == type
                and sender in {each["from"].full, each["from"].bare}
            )
        )
        assert isinstance(found, Presence)
        return found

    async def push(self) -> Contact:
        """The item in the next roster push, which comes from nobody but the account itself."""
        found = await self.expect(lambda each: isinstance(each, Iq) and each["type"] == "set")
        assert found["from"].full in {"", self.boundjid.bare}
        (contact,) = contacts(found).values()
        return contact

    async def roster_items(self) -> dict[str, Contact]:
        """Ask for the roster; returns it by address. From then on the client gets pushes."""
        return contacts(await self.request("<query xmlns='jabber:iq:roster'/>"))

    async def stream_error(self) -> str:
        """The condition of the stream error that ends the stream."""
        found = await self.expect(lambda each: isinstance(each, StreamError))
        await self.wait_ended()
        return str(found["condition"])

    @property
    def unexpected(self) -> list[StanzaBase]:
        """What has come and nobody has expected; see `settle`."""
        return list(self._kept)

    def forget(self) -> None:
        """Expect nothing of what has come so far."""
        self._kept.clear()

    def _shown(self) -> str:
        return "\n".join(str(each) for each in self._kept) or "nothing"

    # -- asking

    async def request(
        self, payload: str, *, to: str | None = None, type: Literal["get", "set"] = "get"
    ) -> Iq:
        """Send an IQ with this payload; returns the result.

        Raises:
            IqError: the answer is an error.
        """
        iq = self.make_iq(ito=to, itype=type)
        for child in ET.fromstring(f"<x>{payload}</x>"):
            iq.xml.append(child)
        answer: Iq = await iq.send(timeout=SECONDS_MAX)  # type: ignore[no-untyped-call] # it has no types
        return answer

    async def refusal(
        self, payload: str, *, to: str | None = None, type: Literal["get", "set"] = "get"
    ) -> str:
        """Send an IQ that must be refused; returns the condition."""
        try:
            answer = await self.request(payload, to=to, type=type)
        except IqError as error:
            return str(error.condition)
        raise AssertionError(f"this was answered: {answer}")

    async def settle(self) -> None:
        """Wait until the account has dealt with all that came to it, and all that it caused has arrived.

        The account's own actor answers this ping behind whatever it was given before.
        """
        await self.request(PING, to=self.boundjid.bare)

    async def has_reached(self, jid: str) -> None:
        """Wait until another account has dealt with what this client had sent to it before.

        Its own actor answers this ping, or refuses it, behind all that.
        """
        with suppress(IqError):
            await self.request(PING, to=jid)


class LoginRefused(Exception):
    """The server did not let the client in."""


@asynccontextmanager
async def connected(
    server: RunningServer,
    account: Account,
    resource: str = "",
    *,
    mechanism: str | None = None,
    way: str = "c2s",
    managed: bool = False,
) -> AsyncIterator[Client]:
    """A client that has bound a resource and has not sent presence."""
    client = Client(server, account, resource, mechanism=mechanism, way=way, managed=managed)
    try:
        await client.log_in()
        client.forget()
        yield client
    finally:
        await client.leave()


@asynccontextmanager
async def online(
    server: RunningServer, account: Account, resource: str = "", *, priority: int = 0, managed: bool = False
) -> AsyncIterator[Client]:
    """A client that has asked for its roster and is available."""
    async with connected(server, account, resource, managed=managed) as client:
        await client.roster_items()
        await client.become_available(priority)
        yield client


async def befriend(one: Client, other: Client) -> None:
    """Subscribe both to each other; both are available and forget what that brought."""
    for asking, asked in ((one, other), (other, one)):
        asking.send_presence_subscription(pto=asked.boundjid.bare)
        await asked.presence("subscribe", asking.boundjid.bare)
        asked.send_presence_subscription(pto=asking.boundjid.bare, ptype="subscribed")
        await asking.presence("available", asked.boundjid.full)
    for client in (one, other):
        await client.settle()
        client.forget()
