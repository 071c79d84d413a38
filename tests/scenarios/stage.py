"""Plays a script: real clients of a real server do and see what it says, and nothing else."""

from __future__ import annotations

import base64
import hashlib
import itertools
import os
import signal
import time
from copy import deepcopy
from typing import TYPE_CHECKING, Final, assert_never, final

from lxml import etree

from ops.control import ask
from ops.control_protocol import Command, Refusal, Request
from ops.faults import AT_REST
from protocols.namespaces import CLIENT, SASL
from protocols.sasl.zero_knowledge import chain
from tests.scenarios.matching import MismatchError, fill, match_element, shown, spread
from tests.scenarios.script import CRASHES, Verb, Way
from tests.scenarios.wire import Wire, parse_expected
from tests.support.client_certificates import authority
from tests.support.digest_client import answer_digest
from tests.support.raw_client import SECONDS_MAX, RawClient
from tests.support.server import Account

if TYPE_CHECKING:
    from pathlib import Path

    from lxml.etree import _Element as Element

    from tests.scenarios.script import Part, Script, Step
    from tests.support.server import RunningServer

_WAYS: Final = {Way.TLS: "c2s_tls", Way.STARTTLS: "c2s", Way.CLEAR: "c2s"}
_ROUNDS: Final = 2  # of pings: whatever somebody's stanza makes others send has come after the second
_DEATHS: Final = 2  # with the same message in hand: then it is set aside
_PRESENCE: Final = f"{{{CLIENT}}}presence"
_CHALLENGE: Final = f"{{{SASL}}}challenge"
_PING: Final = "<iq type='get' id='{id}' to='{to}'><ping xmlns='urn:xmpp:ping'/></iq>"
_pings = itertools.count(1)


class SceneError(Exception):
    """What happened is not what the script says; tells the line and what came in its place."""


@final
class Actor:
    """One client on the stage.

    Attributes:
        part: Whom it plays.
        account: Its account for this run.
        is_bound: Whether it has a session, and so can be asked whether all is quiet.
        challenge: The last that SASL put to it.
    """

    def __init__(self, part: Part, account: Account, server: RunningServer) -> None:
        self.part = part
        self.account = account
        self.resource = spread(part.resource)
        self.address = f"{account.jid}/{self.resource}"
        self.is_bound = False
        self.challenge = b""
        self._server = server
        self._client: RawClient | None = None
        self._wire = Wire()

    # -- the connection

    def open(self) -> None:
        """Connect, and say nothing yet."""
        self.close()
        certificate = self._certificate() if self.part.has_certificate else None
        self._client = RawClient(self._server, _WAYS[self.part.way], certificate=certificate)
        self._wire = Wire()

    def _certificate(self) -> Path:
        path = self._server.folder / f"{self.account.username}.pem"
        return path if path.exists() else authority().issue(path, self.account.jid)

    def connect(self) -> None:
        """Log in and bind."""
        self.open()
        self.address = self.client.log_in(self.account, self.resource)
        self._wire = Wire(is_inside=True)
        self._wire.feed(self._taken())
        self.is_bound = True

    def start_tls(self) -> None:
        """Encrypt from here on."""
        self.client.start_tls()
        self._wire.restart()

    def close(self) -> None:
        """Drop the connection, if there is one."""
        self.is_bound = False
        if self._client is not None:
            self._client.__exit__(None, None, None)
            self._client = None

    @property
    def client(self) -> RawClient:
        """Its connection.

        Raises:
            SceneError: It has none.
        """
        if self._client is None:
            raise SceneError("it is not connected")
        return self._client

    def send(self, text: str) -> None:
        """Send all of it; a new stream begins where it has a header."""
        if "<stream:stream" in text:
            self._wire.restart()
        self.client.send(text)

    def send_slowly(self, text: str) -> None:
        """Send one byte at a time, each in a packet of its own."""
        if "<stream:stream" in text:
            self._wire.restart()
        for byte in text.encode():
            self.client.send(bytes((byte,)))

    def next(self) -> Element | None:
        """What comes next; None where the server closes the connection.

        Raises:
            SceneError: Nothing comes.
        """
        deadline = time.monotonic() + SECONDS_MAX
        while not self._wire.elements:
            try:
                is_open = self.client._receive(deadline)
            except AssertionError:
                raise SceneError(f"nothing came within {SECONDS_MAX:.0f} s") from None
            except OSError:
                is_open = False
            self._wire.feed(self._taken())
            if not is_open and not self._wire.elements:
                return None
        element = self._wire.elements.popleft()
        if element.tag == _CHALLENGE:
            self.challenge = base64.b64decode(element.text or "")
        return element

    def put_back(self, elements: list[Element]) -> None:
        """These have not been looked at yet."""
        self._wire.elements.extendleft(reversed(elements))

    def take_own_presence(self) -> None:
        """Of what has come, leave all but this client's own presence, which must be there.

        Raises:
            SceneError: It is not.
        """
        for index, element in enumerate(self._wire.elements):
            if element.tag == _PRESENCE and element.get("from") == self.address:
                del self._wire.elements[index]
                return
        raise SceneError("but its own presence did not come")

    @property
    def stream_id(self) -> str:
        """Of the last stream that the server opened."""
        return self._wire.stream_id

    def _taken(self) -> bytes:
        data, self.client.unread = self.client.unread, b""
        return data

    def pong(self, account: Account | None = None) -> None:
        """Wait until the server has done all that this client asked, and what that meant for an account.

        Args:
            account: This client's own, if it is not said.
        """
        id = f"quiet-{next(_pings)}"
        self.send(_PING.format(id=id, to=(account or self.account).jid))
        before: list[Element] = []
        while True:
            element = self.next()
            if element is None:
                raise SceneError("the server closed the connection")
            if element.get("id") == id:
                break
            before.append(element)
        self.put_back(before)


@final
class Stage:
    """One run of one script."""

    def __init__(self, script: Script, server: RunningServer) -> None:
        self._script = script
        self._server = server
        accounts = {
            part.account: self._account(part)
            for part in sorted(script.parts.values(), key=lambda it: it.name)
        }
        self._actors = {
            name: Actor(part, accounts[part.account], server) for name, part in script.parts.items()
        }
        self._taken: dict[str, str] = {}
        self._stopped: int | None = None

    def _account(self, part: Part) -> Account:
        name = part.account if part.is_by_that_name else f"{part.account}-{self._server.unique()}"
        if part.is_registered:
            return self._server.account(name, part.keeps)
        return Account(f"{name}@{self._server.domain}", f"secret of {name}")

    def play(self) -> None:
        """Play it to its end; then nothing may be left that anybody received.

        Raises:
            SceneError: It does not go as written.
        """
        try:
            for step in self._script.steps:
                self._guarded(step)
            self._end_quiet()
        finally:
            self._let_database_go_on()
            for actor in self._actors.values():
                actor.close()

    def _guarded(self, step: Step) -> None:
        try:
            self._do(step)
        except (SceneError, MismatchError, Refusal, AssertionError, OSError, etree.XMLSyntaxError) as error:
            raise SceneError(f"line {step.line}, {step.who} {step.verb.value} {error}") from error

    def _end_quiet(self) -> None:
        try:
            self._settle()
            for name, actor in self._actors.items():
                if actor.is_bound:
                    self._expect_nothing(name)
        except (SceneError, AssertionError, OSError) as error:
            raise SceneError(f"at the end: {error}") from error

    def _do(self, step: Step) -> None:  # noqa: C901, PLR0912, PLR0915 - a table of what can happen
        match step.verb:
            case Verb.CONNECTS:
                self._actors[step.who].connect()
            case Verb.BECOMES_AVAILABLE:
                self._become_available(self._actors[step.who])
            case Verb.BECOME_CONTACTS:
                self._become_contacts(self._actors[step.who], self._actors[step.text])
            case Verb.OPENS:
                self._actors[step.who].open()
            case Verb.STARTS_TLS:
                self._actors[step.who].start_tls()
            case Verb.SENDS:
                self._actors[step.who].send(fill(step.text, self._values(step.who)))
            case Verb.SENDS_SLOWLY:
                self._actors[step.who].send_slowly(fill(step.text, self._values(step.who)))
            case Verb.SENDS_BYTES:
                self._actors[step.who].client.send(bytes.fromhex(step.text))
            case Verb.RECEIVES:
                self._receive(step)
            case Verb.RECEIVES_ANY_ORDER:
                self._receive_any_order(step)
            case Verb.RECEIVES_NOTHING:
                self._settle()
                self._expect_nothing(step.who)
            case Verb.IGNORES:
                self._settle()
                self._actors[step.who]._wire.elements.clear()
            case Verb.IS_DISCONNECTED:
                self._expect_end(self._actors[step.who])
            case Verb.LEAVES:
                self._actors[step.who].send("</stream:stream>")
                self._actors[step.who].client.read_to_end()
                self._actors[step.who].close()
            case Verb.IS_CUT_OFF:
                self._actors[step.who].close()
            case Verb.IS_SHUT_OUT | Verb.IS_LET_IN:
                command = Command.USER_DISABLE if step.verb is Verb.IS_SHUT_OUT else Command.USER_ENABLE
                ask(self._server.data_dir, Request(command, {"jid": self._actors[step.who].account.jid}))
            case Verb.LOSES_SESSION_ACTOR | Verb.LOSES_CONNECTION_ACTOR | Verb.FAILS_SESSION_ACTOR:
                self._crash(*CRASHES[step.verb], self._actors[step.who])
            case Verb.STANDS:
                self._check_state(step.text)
            case Verb.RESTARTS:
                self._server.stop()
                self._server.restart()
            case Verb.DATABASE_STOPS:
                self._stopped = self._server.database_pid
                os.kill(self._stopped, signal.SIGSTOP)
            case Verb.DATABASE_GOES_ON:
                self._let_database_go_on()
            case _:
                assert_never(step.verb)

    def _check_state(self, expected: str) -> None:
        """What the tree shows of the connection that was made last."""
        tree = ask(self._server.data_dir, Request(Command.TREE, {}))
        assert isinstance(tree, dict), "a tree is an object"
        (connections,) = (child for child in tree["children"] if child["id"] == "connections")
        newest = max(connections["children"], key=lambda child: int(child["id"].rpartition("#")[2]))
        if newest["phase"] != expected:
            raise SceneError(f"{expected}, but at {newest['phase']}")

    def _let_database_go_on(self) -> None:
        if self._stopped is not None:
            os.kill(self._stopped, signal.SIGCONT)
            self._stopped = None

    def _crash(self, kind: str, at: str, actor: Actor) -> None:
        """Have what serves this client die; connections are not named, so with one of them all do.

        With a message in hand it dies as often as it takes to set that aside.
        """
        match = actor.address if kind == "session" else ""
        fault = Request(Command.FAULT, {"kind": kind, "at": at, "match": match, "pick": None})
        for _ in range(1 if at == AT_REST else _DEATHS):
            answer = ask(self._server.data_dir, fault)
            if at == AT_REST and (not isinstance(answer, dict) or not answer["killed"]):
                raise SceneError(f"but there was no such {kind}")

    def _values(self, who: str) -> dict[str, str]:
        """What `{name}` stands for: facts about every client, and what has been taken from what came."""
        values = {"domain": self._server.domain, **self._taken}
        has_link = {"sequence", "token"} <= self._taken.keys()
        for name, actor in self._actors.items():
            if has_link:
                length = int(self._taken["sequence"])
                values[f"{name}.hash"] = chain(actor.account.password, self._taken["token"], length).decode()
            if b"md5-sess" in actor.challenge:
                answer = answer_digest(actor.account, actor.challenge.decode())
                values[f"{name}.md5"] = base64.b64encode(answer).decode()
            digest = hashlib.sha1((actor.stream_id + actor.account.password).encode(), usedforsecurity=False)
            credentials = f"\0{actor.account.username}\0{actor.account.password}".encode()
            values |= {
                name: actor.address,
                f"{name}.bare": actor.account.jid,
                f"{name}.authzid": base64.b64encode(actor.account.jid.encode()).decode(),
                f"{name}.user": actor.account.username,
                f"{name}.password": actor.account.password,
                f"{name}.stream": actor.stream_id,
                f"{name}.digest": digest.hexdigest(),
                f"{name}.plain": base64.b64encode(credentials).decode(),
            }
        return values

    def _keep(self, values: dict[str, str]) -> None:
        known = self._values("")
        self._taken |= {name: value for name, value in values.items() if known.get(name) != value}

    def _become_available(self, actor: Actor) -> None:
        actor.send("<presence/>")
        actor.pong()
        actor.take_own_presence()

    def _become_contacts(self, *both: Actor) -> None:
        """Each asks the other, and agrees beforehand; nobody looks at what that causes."""
        for actor, other in (both, both[::-1]):
            for type in ("subscribed", "subscribe"):
                actor.send(f"<presence to='{other.account.jid}' type='{type}'/>")
        self._settle()
        for actor in self._actors.values():
            actor._wire.elements.clear()

    def _receive(self, step: Step) -> None:
        values = self._values(step.who)
        for expected in parse_expected(step.text):
            actual = self._next(step.who, shown(expected))
            try:
                match_element(expected, self._plain(step.who, expected, actual), values)
            except MismatchError as error:
                raise SceneError(f"{shown(expected)}\nbut got\n{shown(actual)}\n{error}") from None
        self._keep(values)

    def _receive_any_order(self, step: Step) -> None:
        values = self._values(step.who)
        left = parse_expected(step.text)
        while left:
            actual = self._next(step.who, shown(left[0]))
            try:
                del left[self._first_match(step.who, left, actual, values)]
            except MismatchError as error:
                wanted = "\n".join(map(shown, left))
                raise SceneError(f"{wanted}\nbut got\n{shown(actual)}\n{error}") from None
        self._keep(values)

    def _first_match(self, who: str, expected: list[Element], actual: Element, values: dict[str, str]) -> int:
        """Which of the expected elements this one is; if none, tells why not the first of its name."""
        why: MismatchError | None = None
        for index, one in enumerate(expected):
            tried = dict(values)
            try:
                match_element(one, self._plain(who, one, actual), tried)
            except MismatchError as error:
                if why is None or one.tag == actual.tag:
                    why = error
            else:
                values.update(tried)
                return index
        assert why is not None, "something was expected"
        raise why

    def _plain(self, who: str, expected: Element, actual: Element) -> Element:
        """The same without addresses that mean no more than their absence, which a script need not write.

        To a client without `to` is to itself, and without `from` it is from its own account (RFC 6120 §8.1).
        """
        actor = self._actors[who]
        plain = deepcopy(actual)
        for name, own in (("to", {actor.address, actor.account.jid}), ("from", {actor.account.jid})):
            if name not in expected.attrib and plain.get(name) in own:
                del plain.attrib[name]
        return plain

    def _next(self, who: str, wanted: str) -> Element:
        try:
            actual = self._actors[who].next()
        except SceneError as error:
            raise SceneError(f"{wanted}\nbut {error}") from None
        if actual is None:
            raise SceneError(f"{wanted}\nbut the server closed the connection")
        return actual

    def _settle(self) -> None:
        """Wait until whatever was said has had its consequences."""
        bound = [actor for actor in self._actors.values() if actor.is_bound]
        away = {actor.account for actor in self._actors.values()} - {actor.account for actor in bound}
        for _ in range(_ROUNDS):
            for actor in bound:
                for account in (*sorted(away), actor.account):
                    actor.pong(account)

    def _expect_nothing(self, who: str) -> None:
        elements = self._actors[who]._wire.elements
        if elements:
            raise SceneError(f"{who} got\n" + "\n".join(map(shown, elements)))

    def _expect_end(self, actor: Actor) -> None:
        element = actor.next()
        if element is not None:
            raise SceneError(f"but got\n{shown(element)}")
        actor.close()
