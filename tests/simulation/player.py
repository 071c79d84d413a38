"""One simulated person with a client: chats, asks, edits the roster, comes and goes, and keeps the books.

What it does is drawn from the seed; what happens to its connection is done to it.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, final
from xml.etree import ElementTree

from protocols.namespaces import DISCO_INFO, PING, ROSTER
from protocols.stanza import StanzaKind
from tests.simulation.acts import WEIGHTS, Act
from tests.simulation.ledger import Answer, End, Gap, Message, Request
from tests.simulation.network import LATENCY_SECONDS_MAX, UNNOTICED_SECONDS_MAX
from tests.simulation.own_presence import OwnPresence, status_of
from tests.simulation.stream import ClientStream, Phase, Said

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from protocols.jid import JID
    from protocols.stanza import Stanza
    from tests.simulation.agenda import Agenda
    from tests.simulation.ledger import Ledger
    from tests.simulation.network import Line
    from tests.simulation.verdict import RosterView

BETWEEN_ACTS_SECONDS = 3.5
"""On the average, of one client."""
RECONNECT_SECONDS_MAX = 4.0
AWAY_SECONDS_MAX = 30.0
STALL_SECONDS_MAX = 15.0
PADDING_BYTES_MAX = 300


@final
class Player:
    """See the module's docstring.

    Attributes:
        status: What its last available presence said; None while it is unavailable.
        known: The presence it knows of: full address to status.
        roster: Its roster, once it knows it.
        comes_back: Whether it connects again by itself.
    """

    def __init__(
        self,
        jid: JID,
        troupe: Troupe,
        *,
        wants_management: bool,
    ) -> None:
        self.jid = jid
        self.name = jid.full
        self.status: str | None = None
        self.priority = 0
        self.known: dict[str, str] = {}
        self.roster: RosterView | None = None
        self.comes_back = True
        self._troupe = troupe
        self._agenda = troupe.agenda
        self._random = troupe.random
        self._ledger = troupe.ledger
        self._own = OwnPresence()
        self._presence_number = 0  # of the stanza that said its presence
        self._went_at = 0.0
        self._was_ready = False
        self._ends_known = 0  # of servers
        self._number = 0
        self._behind_goodbye: list[Callable[[], None]] = []
        self.stream = ClientStream(
            jid, troupe.connect, self, troupe.ledger, troupe.random, wants_management=wants_management
        )

    # -- coming and going

    @property
    def is_ready(self) -> bool:
        """Whether it is connected and has a session."""
        return self.stream.phase is Phase.READY

    def come(self) -> None:
        """Connect, and try again later if that fails."""
        if self.stream.phase is Phase.OFFLINE and self.comes_back and not self.stream.open():
            self._come_later()

    def _come_later(self, seconds_max: float = RECONNECT_SECONDS_MAX) -> None:
        self._agenda.after(self._random.uniform(0.1, seconds_max), self.come)

    def went_offline(self, *, is_orderly: bool, is_lost: bool) -> None:
        """See `Role`."""
        self._note_going()
        if is_orderly:
            self._end(is_orderly=True, seconds=1.0, since=self._went_at)
        elif is_lost:
            self._end(is_orderly=False, seconds=UNNOTICED_SECONDS_MAX + 1, since=self._went_at)
        if is_orderly or is_lost:
            self.status = None
        if not self.comes_back:
            self._abandon()
        self._come_later(AWAY_SECONDS_MAX if is_orderly else RECONNECT_SECONDS_MAX)

    def was_unmanaged(self) -> None:
        """See `Role`: what the server writes until it learns of the end is lost, as what was not read."""
        now, line = self._agenda.now, self.stream.line
        since = now - UNNOTICED_SECONDS_MAX
        if line is not None and line.unread_since is not None:
            since = min(since, line.unread_since)
        gap = Gap(since - LATENCY_SECONDS_MAX, now + UNNOTICED_SECONDS_MAX + 1)
        self._ledger.gaps[self.jid.bare].append(gap)

    def _note_going(self) -> None:
        if self._was_ready:
            self._was_ready = False
            self._went_at = self._agenda.now

    def _end(self, *, is_orderly: bool, seconds: float, since: float) -> None:
        """The session is no more: the server learned of that not before `since`, and will in `seconds`."""
        before = self._agenda.now + seconds
        self._ledger.ended(End(self.name, self.stream.session, since, before, is_orderly))
        self._changed()

    def _changed(self) -> None:
        self._ledger.changes[self.jid.bare].append(self._agenda.now)

    def began(self) -> None:
        """See `Role`. What came behind a goodbye comes again: nobody has acknowledged it."""
        self._was_ready = True
        self._ledger.began[self.name, self.stream.session] = self._agenda.now
        self._behind_goodbye.clear()
        self._ends_known = self._ledger.servers_ended
        self._own.begin()
        self.known.clear()
        self.roster = None
        self.status = None
        self.ask_for_roster()
        self._say_presence()

    def resumed(self) -> None:
        """See `Role`. If there was a goodbye, it was not heard: what came behind it is acknowledged now."""
        self._was_ready = True
        behind, self._behind_goodbye = self._behind_goodbye, []
        for arrived in behind:
            arrived()
        management, ends = self.stream.management, self._ledger.servers_ended
        has_ended, self._ends_known = ends > self._ends_known, ends
        self._own.resume(management.confirmed if has_ended and management is not None else 0)

    def lost(self, unconfirmed: list[Said]) -> None:
        """See `Role`: what was not confirmed is said again as soon as the new session begins."""
        self._end(is_orderly=False, seconds=1.0, since=self._went_at - UNNOTICED_SECONDS_MAX)
        again = [said for said in unconfirmed if said.message is not None]
        for said in again:
            assert said.message is not None
            self._ledger.messages[said.message].is_resent = True
        self._agenda.after(0.0, lambda: self._say_again(again))

    def _say_again(self, again: list[Said]) -> None:
        for said in again:
            if self.is_ready:
                self._ledger.counts["messages sent again"] += 1
                self.stream.say(said.data.decode(), said.message)

    def confirmed(self, message: str) -> None:
        """See `Role`."""
        self._ledger.messages[message].acked_at = self._agenda.now

    # -- what it does

    def act(self) -> None:
        """Do something, and plan the next."""
        if not self._troupe.is_quiet:
            self._agenda.after(self._random.expovariate(1 / BETWEEN_ACTS_SECONDS), self.act)
            if self.is_ready:
                (what,) = self._random.choices(list(WEIGHTS), list(WEIGHTS.values()))
                self._do(what)

    def _do(self, what: Act) -> None:
        match what:
            case Act.CHAT:
                for _ in range(self._random.randint(1, 4)):
                    self._chat()
            case Act.ASK_SERVER:
                self._ask_server()
            case Act.ASK_OTHER:
                other = self._random.choice(self._troupe.players)
                self._ask(other.name, f"<ping xmlns='{PING}'/>")
            case Act.EDIT_ROSTER:
                self._edit_roster()
            case Act.SAY_PRESENCE:
                self._say_presence()
            case Act.BE_UNAVAILABLE:
                self._be_unavailable()
            case Act.READ_SLOWLY:
                self._read_slowly()
            case _:
                self.leave(what)

    def leave(self, how: Act) -> None:
        """End the session in this way, or only the connection."""
        self._troupe.note(self.name, how.name)
        self._note_going()
        if how is Act.LOG_OUT:
            self._changed()
            self.stream.log_out()
            return
        forgets = how is Act.FORGET or not self.stream.can_resume
        if forgets:
            self._ledger.counts["sessions forgotten"] += 1
            self._end(is_orderly=False, seconds=self._troupe.forgotten_seconds, since=self._agenda.now)
            self.status = None
        self.stream.hang_up(forgets=forgets)
        self._come_later(AWAY_SECONDS_MAX)

    def stay_away(self) -> None:
        """Go, if it is there, and never come back."""
        self.comes_back = False
        if self.is_ready:
            self.leave(self._random.choice([Act.LOG_OUT, Act.FORGET]))
        else:
            self._abandon()

    def _abandon(self) -> None:
        """A session that is left, because no goodbye reached the server, is nobody's to resume."""
        if self.stream.has_session:
            self._end(
                is_orderly=False,
                seconds=self._troupe.forgotten_seconds,
                since=self._went_at - UNNOTICED_SECONDS_MAX,
            )
            self.stream.hang_up(forgets=True)

    def _chat(self) -> None:
        self.chat_with(
            self._random.choice([each for each in self._troupe.players if each.jid.bare != self.jid.bare])
        )

    def chat_with(self, other: Player) -> None:
        """Say one more thing to somebody, or to that somebody's account."""
        to = other.jid.bare if self._random.random() < 0.5 else other.name
        self._number += 1
        id_ = f"m{self._troupe.next_number()}"
        due = self._troupe.due(to) if to == other.jid.bare else ()
        message = Message(
            id_, self.name, to, self._number, self._agenda.now, self.stream.management is not None, due
        )
        self._ledger.sent(message)
        padding = "x" * self._random.randint(0, PADDING_BYTES_MAX)
        self.stream.say(
            f"<message type='chat' to='{to}' id='{id_}'><body>{self._number} {padding}</body></message>", id_
        )

    def _ask(self, to: str, payload: str, kind: str = "get") -> None:
        id_ = f"q{self._troupe.next_number()}"
        self._ledger.asked(Request(id_, self.name, self.stream.session, to, self._agenda.now))
        address = f" to='{to}'" if to else ""
        self.stream.say(f"<iq type='{kind}'{address} id='{id_}'>{payload}</iq>")

    def ask_for_roster(self) -> None:
        """What comes is the whole roster; later changes are told."""
        self._ask("", f"<query xmlns='{ROSTER}'/>")

    def _ask_server(self) -> None:
        to = self._random.choice([self.jid.domainpart, self.jid.bare, ""])
        ping, disco = f"<ping xmlns='{PING}'/>", f"<query xmlns='{DISCO_INFO}'/>"
        self._ask(to, self._random.choice([ping, disco]))

    def _edit_roster(self) -> None:
        """Rename a contact, or add or remove one that does not exist."""
        number = self._troupe.next_number()
        if self._random.random() < 0.5 and self.roster:
            contact = self._random.choice(sorted(self.roster))
            item = f"<item jid='{contact}' name='{self.jid.localpart} {number}'/>"
        else:
            stranger = f"stranger-{self._random.randint(1, 3)}@{self.jid.domainpart}"
            item = self._random.choice(
                [
                    f"<item jid='{stranger}' name='of {number}'/>",
                    f"<item jid='{stranger}' subscription='remove'/>",
                ]
            )
        self._ask("", f"<query xmlns='{ROSTER}'>{item}</query>", "set")

    def _say_presence(self) -> None:
        self.status = f"status {self._troupe.next_number()}"
        self.priority = self._random.choice([0, 0, 1])
        content = f"<status>{self.status}</status><priority>{self.priority}</priority>"
        self._say_own("", content)
        management = self.stream.management
        self._presence_number = 0 if management is None else management.sent

    def _say_own(self, kind: str, content: str) -> None:
        self._changed()
        id_ = f"p{self._troupe.next_number()}"
        management = self.stream.management
        self._own.say(id_, self.status, 0 if management is None else management.sent + 1)
        self.stream.say(f"<presence{kind} id='{id_}'>{content}</presence>")

    def _be_unavailable(self) -> None:
        if self.status is None:
            return
        self._say_unavailable()
        session = self.stream.session

        def return_() -> None:
            if self.stream.session == session and self.status is None:
                self.be_available()

        self._agenda.after(self._random.uniform(1, AWAY_SECONDS_MAX), return_)

    def be_available(self) -> None:
        """Say presence if none is said, as soon as that is possible."""
        if self.is_ready and self.status is None:
            self._say_presence()
        elif self.stream.has_session:
            self._agenda.after(RECONNECT_SECONDS_MAX, self.be_available)

    def _read_slowly(self) -> None:
        if self.stream.line is not None:
            self._ledger.counts["stalls"] += 1
            self.stream.line.stall(self._random.uniform(0, STALL_SECONDS_MAX))

    # -- what it hears

    def heard(self, stanza: Stanza) -> None:
        """See `Role`."""
        match stanza.kind:
            case StanzaKind.MESSAGE:
                self._heard_message(stanza)
            case StanzaKind.PRESENCE:
                self._heard_presence(stanza)
            case StanzaKind.IQ:
                self._heard_iq(stanza)

    def _heard_message(self, stanza: Stanza) -> None:
        id_ = stanza.id or "(none)"
        if stanza.type == "error":
            self._ledger.bounced(id_, self.name, self._agenda.now)
            return
        is_delayed = b"<delay xmlns='urn:xmpp:delay'" in stanza.data
        stream = self.stream
        is_counted = stream.management is not None and stream.management.is_enabled
        arrived = partial(
            self._ledger.arrived,
            id_,
            self.name,
            stream.session,
            self._agenda.now,
            is_delayed=is_delayed,
            is_counted=is_counted,
        )
        if stream.has_said_goodbye:
            self._ledger.counts["messages behind a goodbye"] += 1
            self._behind_goodbye.append(arrived)
        else:
            arrived()

    def _heard_presence(self, stanza: Stanza) -> None:
        sender = stanza.sender or self.jid.bare_jid
        if stanza.type == "error":
            if sender.bare == self.jid.bare:
                self._was_refused(stanza.id or "")
        elif stanza.type not in {"", "unavailable"}:
            self._ledger.faults.append(f"{self.name} did not expect {stanza.data.decode()}")
        elif sender.full == self.name:
            self._heard_own(status_of(stanza))
        elif stanza.type == "":
            self.known[sender.full] = status_of(stanza)
        elif sender.resourcepart is not None:
            self.known.pop(sender.full, None)
        else:
            for name in [name for name in self.known if name.startswith(f"{sender.bare}/")]:
                del self.known[name]

    def _heard_own(self, status: str) -> None:
        """What is behind this is current, whatever was still on its way when it was said."""
        if self._own.show(status):
            self.known.clear()

    def _was_refused(self, id_: str) -> None:
        """The server could not read the account just then."""
        self._own.refuse(id_)
        self._agenda.after(RECONNECT_SECONDS_MAX, lambda: self._repeat_presence(id_))

    def _repeat_presence(self, id_: str) -> None:
        """Say again what was refused, unless something else has been said meanwhile."""
        if not self._own.is_last(id_):
            return
        if not self.is_ready:
            if self.stream.has_session:
                self._agenda.after(RECONNECT_SECONDS_MAX, lambda: self._repeat_presence(id_))
        elif self.status is None:
            self._say_unavailable()
        else:
            self._say_presence()

    def _say_unavailable(self) -> None:
        self.status = None
        self._say_own(" type='unavailable'", "")

    @property
    def is_settled(self) -> bool:
        """Whether the server knows its presence as it is, for good, or that it has none."""
        management = self.stream.management
        is_safe = management is None or management.confirmed >= self._presence_number
        return not self.stream.has_session or (is_safe and self._own.shown == self.status)

    def _heard_iq(self, stanza: Stanza) -> None:
        id_ = stanza.id or "(none)"
        if stanza.type in {"result", "error"}:
            answer = Answer(self._agenda.now, stanza.type == "error", self.stream.session)
            self._ledger.answered(id_, self.name, answer)
            if b"<query xmlns='jabber:iq:roster'" in stanza.data and stanza.type == "result":
                self.roster = {}
                self._note_roster(stanza)
            return
        if stanza.sender is None or stanza.sender.full == self.jid.bare:
            self._note_roster(stanza)
            self._answer(f"<iq type='result' id='{id_}'/>")
        elif stanza.sender.localpart is None:
            self._answer(f"<iq type='result' to='{stanza.sender.full}' id='{id_}'/>")
        else:
            heard = Answer(self._agenda.now, is_error=False, session=self.stream.session)
            self._ledger.heard_request(id_, self.name, heard)
            self._answer(f"<iq type='result' to='{stanza.sender.full}' id='{id_}'/>")

    def _answer(self, xml: str) -> None:
        if self.is_ready:
            self.stream.say(xml)

    def _note_roster(self, stanza: Stanza) -> None:
        if self.roster is None:
            return
        for item in ElementTree.fromstring(stanza.data).iter(f"{{{ROSTER}}}item"):
            contact, subscription = item.attrib["jid"], item.attrib["subscription"]
            if subscription == "remove":
                self.roster.pop(contact, None)
            else:
                self.roster[contact] = (item.get("name"), subscription, item.get("ask") is not None)


@final
class Troupe:
    """All players, and what they share.

    Attributes:
        is_quiet: Whether nobody does anything any more.
        forgotten_seconds: How long the server may keep a session to which nobody will come back.
    """

    def __init__(
        self,
        agenda: Agenda,
        random: Random,
        ledger: Ledger,
        connect: Callable[[str, Callable[[bytes], None]], Line | None],
        note: Callable[[str, str], None],
        forgotten_seconds: float,
    ) -> None:
        self.note = note
        self.agenda = agenda
        self.random = random
        self.ledger = ledger
        self.connect = connect
        self.forgotten_seconds = forgotten_seconds
        self.players: list[Player] = []
        self.is_quiet = False
        self._numbers = 0

    def next_number(self) -> int:
        """A number for an id or a text that is said once."""
        self._numbers += 1
        return self._numbers

    def due(self, account: str) -> tuple[str, ...]:
        """Which clients of an account a message to it is for, as things stand."""
        players = [each for each in self.players if each.jid.bare == account]
        if not all(each.is_settled for each in players):
            return ()
        available = [each for each in players if each.status is not None]
        highest = max((each.priority for each in available), default=0)
        return tuple(each.name for each in available if each.priority == highest)
