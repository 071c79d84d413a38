"""One client: logs in, chats with its partner under stream management (XEP-0198), comes back when it is lost.

It keeps what the server has not acknowledged and sends it again from h+1 after a resumption. Where that is
refused it begins a new session and sends its unacknowledged messages again under the same ids. It is written
to be dull: one task reads, one writes, one talks.
"""

from base64 import b64encode
from random import Random
from typing import Final, NamedTuple, final

import trio

from ops.chaos.cast import Addresses, Part
from ops.chaos.elements import Element
from ops.chaos.ledger import Ledger, MessageId
from ops.chaos.stream_management import Managed, Outgoing, Violation
from ops.chaos.tally import Tally
from ops.chaos.wire import ConnectionLost, Place, Wire, connect

NEGOTIATION_SECONDS_MAX: Final = 30.0
SILENT_SECONDS_MAX: Final = 30.0
"""A server that does not answer `<r/>` for so long has lost the connection."""
REQUEST_EVERY: Final = 5
"""Stanzas behind each of which an acknowledgement is asked for; and once a second where any is owed."""
UNACKNOWLEDGED_MAX: Final = 100
"""A client with more unacknowledged waits before it says more; this bounds everything it keeps."""
ASK_EVERY: Final = 10
"""Messages behind each of which it asks its own account something, which its presence actor answers."""
SHOW_EVERY: Final = 25
"""Messages behind each of which it sends its presence anew."""
BACK_OFF_SECONDS: Final = (0.05, 2.0)
_TICK_SECONDS: Final = 1.0

_CLIENT: Final = "xmlns='jabber:client'"
_SM: Final = "xmlns='urn:xmpp:sm:3'"
_SASL: Final = "urn:ietf:params:xml:ns:xmpp-sasl"
_BIND: Final = "urn:ietf:params:xml:ns:xmpp-bind"
CUT_BY_US: Final = "cut by the harness"
_TEMPORARY: Final = frozenset({"resource-constraint", "internal-server-error", "remote-server-timeout"})
"""Reasons for `<failed/>` behind which the session may still be there: the client tries again later."""


@final
class Clock:
    """Seconds since the clients began to chat."""

    def __init__(self) -> None:
        self.began = trio.current_time()

    def restart(self) -> None:
        """They begin now."""
        self.began = trio.current_time()

    def now(self) -> float:
        """See the class."""
        return trio.current_time() - self.began


class Stage(NamedTuple):
    """What all clients of a run share.

    Attributes:
        place: Where the server is.
        parts: Who takes part, by number.
        password: Of all their accounts.
        seed: Of the run.
        pace: Messages a second from each.
        ledger: Where messages are written down.
        tally: Where everything else is.
        gate: How many may negotiate at a time.
        clock: Of the run.
    """

    place: Place
    parts: tuple[Part, ...]
    password: str
    seed: int
    pace: float
    ledger: Ledger
    tally: Tally
    gate: trio.CapacityLimiter
    clock: Clock


@final
class Client:
    """See the module's docstring."""

    def __init__(self, part: Part, stage: Stage) -> None:
        self.part = part
        self._stage = stage
        self._random = Random(f"client {stage.seed} {part.number}")  # noqa: S311 - to be repeated
        self._managed: Managed | None = None
        self._left: list[Outgoing] = []  # messages of a session that is gone, to be sent again
        self._wire: Wire | None = None
        self._outbox: list[str] = []
        self._news = trio.Event()
        self._number = 0
        self._sent_since_request = 0
        self._requested_at: float | None = None
        self._questions: set[str] = set()
        self._stalled_until = 0.0
        self._lost: tuple[str, float] | None = None
        self._is_talking = False
        self._is_leaving = False
        self.is_online = False

    # -- what the harness does to it

    def cut(self) -> bool:
        """Reset its connection; false if there is none."""
        if self._wire is None or not self.is_online:
            return False
        self._lost = ("cut", self._stage.clock.now())
        self._wire.cut()
        return True

    def stall(self, seconds: float) -> bool:
        """Have it read nothing for a while; false if it is not there."""
        self._stalled_until = trio.current_time() + seconds
        return self.is_online

    def begin_to_talk(self) -> None:
        """Send messages from now on."""
        self._is_talking = True

    def fall_silent(self) -> None:
        """Say nothing new from now on, and finish what has begun."""
        self._is_talking = False

    def leave(self) -> None:
        """End the stream in order."""
        self._is_leaving = True
        if self._wire is not None and self.is_online:
            self._put(self._wire.farewell)

    @property
    def owes_nothing(self) -> bool:
        """Whether the server has acknowledged all that it sent."""
        return self.is_online and not (self._managed is not None and self._managed.unacknowledged)

    # -- life

    async def run(self) -> None:
        """Be there until told to leave."""
        failures = 0
        while not self._is_leaving:
            try:
                wire = await self._enter()
            except ConnectionLost as lost:
                self._stage.tally.refused_attempts[str(lost)] += 1
                failures += 1
                await self._back_off(failures)
                continue
            failures = 0
            try:
                await self._converse(wire)
            except* ConnectionLost as lost:
                if not self._is_leaving:
                    why = f"by the server: {lost.exceptions[0]}" if self._lost is None else CUT_BY_US
                    self._stage.tally.closed[why] += 1
            finally:
                self.is_online, self._wire = False, None
                with trio.CancelScope(shield=True):
                    await wire.abandon()

    async def _back_off(self, failures: int) -> None:
        least, most = BACK_OFF_SECONDS
        await trio.sleep(min(least * 2**failures, most) * self._random.uniform(0.5, 1.0))

    async def _enter(self) -> Wire:
        """Everything up to a session, resumed or new.

        Raises:
            ConnectionLost: It did not come to that.
        """
        async with self._stage.gate:
            with trio.move_on_after(NEGOTIATION_SECONDS_MAX):
                wire = await connect(self._stage.place, self.part.way)
                try:
                    await self._log_in(wire)
                    await self._begin(wire)
                except BaseException:
                    await wire.abandon()
                    raise
                return wire
        raise ConnectionLost("the negotiation took too long")

    async def _log_in(self, wire: Wire) -> None:
        await wire.open_stream()
        response = b64encode(f"\0{self.part.account}\0{self._stage.password}".encode()).decode()
        await wire.send(f"<auth xmlns='{_SASL}' mechanism='PLAIN'>{response}</auth>")
        answer = await wire.next()
        if answer.name != "success":
            condition = answer.children[0].name if answer.children else answer.name
            raise ConnectionLost(f"log-in refused: {condition}")

    async def _begin(self, wire: Wire) -> None:
        features = await wire.open_stream()
        self._outbox, self._requested_at = [], None
        if self._managed is not None and await self._resume(wire, self._managed):
            return
        await self._bind(wire)
        self._managed = await self._enable(wire) if features.find("sm") is not None else None
        self._send(f"<presence {_CLIENT}/>")
        left, self._left = self._left, []
        for data, message in left:
            if message is not None:
                self._stage.ledger.sent_again(message)
                self._send(data, message)

    async def _resume(self, wire: Wire, managed: Managed) -> bool:
        """Take up the session again; false if it is gone.

        Raises:
            ConnectionLost: Later, perhaps.
        """
        if managed.id is not None:
            await wire.send(f"<resume {_SM} previd='{managed.id}' h='{managed.handled}'/>")
            answer = await wire.next()
            if answer.name == "resumed":
                self._acknowledge(answer)
                self._outbox += [outgoing.data for outgoing in managed.unacknowledged]
                self._stage.tally.resumed += 1
                return True
            reason = answer.children[0].name if answer.children else answer.name
            if reason in _TEMPORARY:
                raise ConnectionLost(f"resumption refused for now: {reason}")
            if "h" in answer.attributes:
                self._acknowledge(answer)
        else:
            reason = "not offered"
        self._stage.tally.not_resumed[reason] += 1
        self._stage.tally.unanswerable += len(self._questions)
        self._questions.clear()
        self._stage.ledger.resumption_refused(self.part.number)
        self._left, self._managed = list(managed.unacknowledged), None
        return False

    async def _bind(self, wire: Wire) -> None:
        resource = f"<bind xmlns='{_BIND}'><resource>{self.part.resource}</resource></bind>"
        await wire.send(f"<iq {_CLIENT} type='set' id='bind'>{resource}</iq>")
        answer = await wire.next()
        if answer.attributes.get("type") != "result":
            error = answer.find("error")
            condition = error.children[0].name if error is not None and error.children else answer.name
            raise ConnectionLost(f"binding refused: {condition}")

    async def _enable(self, wire: Wire) -> Managed | None:
        await wire.send(f"<enable {_SM} resume='true'/>")
        answer = await wire.next()
        if answer.name != "enabled":
            raise ConnectionLost(f"stream management refused: {answer.name}")
        return Managed(answer.attributes.get("id"))

    # -- a session with its connection

    async def _converse(self, wire: Wire) -> None:
        self._wire, self.is_online = wire, True
        self._note_recovery()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._read, wire)
            nursery.start_soon(self._write, wire)
            nursery.start_soon(self._tick)
            nursery.start_soon(self._talk)

    def _note_recovery(self) -> None:
        if self._lost is not None:
            (kind, since), self._lost = self._lost, None
            self._stage.tally.recoveries.append((kind, self._stage.clock.now() - since))

    async def _read(self, wire: Wire) -> None:
        while True:
            if self._stalled_until > trio.current_time():
                await trio.sleep_until(self._stalled_until)
            for element in await wire.receive():
                self._hear(element)

    async def _write(self, wire: Wire) -> None:
        while True:
            if not self._outbox:
                self._news = trio.Event()
                await self._news.wait()
            texts, self._outbox = self._outbox, []
            await wire.send(*texts)

    async def _tick(self) -> None:
        """Ask for what is owed; notice a server that does not answer."""
        while True:
            await trio.sleep(_TICK_SECONDS)
            managed, now = self._managed, trio.current_time()
            if self._requested_at is not None and now - self._requested_at > SILENT_SECONDS_MAX:
                self._stage.tally.violation(f"client {self.part.number}: no answer to <r/>")
                raise ConnectionLost("silent")
            if managed is not None and managed.unacknowledged and self._requested_at is None:
                self._request()

    async def _talk(self) -> None:
        while True:
            await trio.sleep(self._random.expovariate(self._stage.pace))
            is_patient = self._managed is not None and len(self._managed.unacknowledged) >= UNACKNOWLEDGED_MAX
            if self._is_talking and not is_patient and not self._stage.ledger.is_full:
                self._say()

    # -- what it says

    def _say(self) -> None:
        """The next message to the partner, and now and then something else."""
        self._number += 1
        id = MessageId(self.part.number, self.part.partner, self._number)
        self._stage.ledger.sent(id, self._stage.clock.now())
        body = f"<body>{self._number} is what I say</body>"
        self._send(f"<message {_CLIENT} to='{self._address()}' type='chat' id='{id}'>{body}</message>", id)
        if self._number % ASK_EVERY == 0:
            question = f"q{self._number}"
            self._questions.add(question)
            self._stage.tally.asked += 1
            account = f"{self.part.account}@{self._stage.place.domain}"
            ping = "<ping xmlns='urn:xmpp:ping'/>"
            self._send(f"<iq {_CLIENT} type='get' id='{question}' to='{account}'>{ping}</iq>")
        if self._number % SHOW_EVERY == 0:
            self._send(f"<presence {_CLIENT}><status>{self._number}</status></presence>")

    def _address(self) -> str:
        partner = self._stage.parts[self.part.partner]
        bare = f"{partner.account}@{self._stage.place.domain}"
        addresses = self.part.addresses
        is_bare = addresses is Addresses.BARE or (addresses is Addresses.IN_TURNS and self._number % 2 == 0)
        return bare if is_bare else f"{bare}/{partner.resource}"

    def _send(self, data: str, message: MessageId | None = None) -> None:
        """A stanza goes out, and is kept until it is acknowledged."""
        self._put(data)
        if self._managed is None:
            return
        self._managed.sent(Outgoing(data, message))
        self._sent_since_request += 1
        if self._sent_since_request >= REQUEST_EVERY:
            self._request()

    def _request(self) -> None:
        self._put(f"<r {_SM}/>")
        self._sent_since_request = 0
        if self._requested_at is None:
            self._requested_at = trio.current_time()

    def _put(self, text: str) -> None:
        self._outbox.append(text)
        self._news.set()

    # -- what it hears

    def _hear(self, element: Element) -> None:
        match element.name:
            case "message" | "presence" | "iq":
                self._take(element)
                if self._managed is not None:
                    self._managed.received()
            case "a":
                self._requested_at = None
                self._acknowledge(element)
            case "r" if self._managed is not None:
                self._put(f"<a {_SM} h='{self._managed.handled}'/>")
            case other:
                self._stage.tally.violation(f"client {self.part.number}: nobody asked for <{other}/>")

    def _take(self, stanza: Element) -> None:
        type_, id = stanza.attributes.get("type"), stanza.attributes.get("id", "")
        match stanza.name, type_:
            case "message", "error":
                self._stage.ledger.refused(id)
            case "message", _:
                self._stage.ledger.received(self.part.number, id, self._stage.clock.now())
            case "iq", "result" | "error" if id in self._questions:
                self._questions.remove(id)
                self._stage.tally.answered += 1
            case "iq", "get":
                sender = stanza.attributes.get("from", self._stage.place.domain)
                self._send(f"<iq {_CLIENT} type='result' id='{id}' to='{sender}'/>")
            case _:  # somebody's presence, or what is pushed to every client
                pass

    def _acknowledge(self, element: Element) -> None:
        """Heed an h.

        Raises:
            ConnectionLost: It is impossible, and nothing can be built on it.
        """
        assert self._managed is not None
        try:
            covered = self._managed.acknowledge(int(element.attributes.get("h", "")))
        except (Violation, ValueError) as error:
            self._stage.tally.violation(f"client {self.part.number}: {element.name}: {error}")
            raise ConnectionLost("impossible h") from error
        for outgoing in covered:
            if outgoing.message is not None:
                self._stage.ledger.acknowledged(outgoing.message)
