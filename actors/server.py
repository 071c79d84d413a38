"""What the actors of one server share: settings, directory, supervisors that take children, store.

A plain value made by the composition root. It holds no rules; the few methods here are the ways in which one
actor reaches another.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Final, final

import trio

from actors import routing
from actors.accounts import Accounts
from actors.directory import Directory
from actors.domain_items import DomainItems
from actors.fates import FateLog
from actors.form_keys import FormKeys
from actors.guests import Guests
from actors.ledger import Books, Ledger
from actors.module_host import ModuleHost
from actors.port_driver import PortTable
from actors.presence_messages import (
    OwnMessage,
    PresenceMessage,
    QueueGrew,
    ReserveNumbers,
    ResumeStored,
    Routed,
)
from actors.presence_start import start_presence
from actors.session_messages import CloseStream, Resume, ResumeRefused
from actors.session_record import with_late
from actors.settings import Durability
from actors.store_access import StoreAccess
from actors.stored_sessions import Streams
from actors.throttle import Throttle
from protocols.conditions import SaslCondition, StanzaCondition, StreamCondition
from protocols.errors import StanzaError
from protocols.framing import TcpFraming, WebSocketFraming
from protocols.jid import JID, parse_jid
from protocols.namespaces import REGISTER
from protocols.negotiation_values import Setup
from protocols.session_bits import SessionBits
from protocols.stanza import StanzaKind
from protocols.stream_features import CLIENT_FEATURES
from protocols.stream_limits import StreamLimits
from protocols.websocket_stream import WebSocketStream
from protocols.xml_element import NameBudget
from protocols.xml_stream import XMLStream
from store.writes import SaveSession
from supervision.child_spec import Intensity
from supervision.dynamic_supervisor import DynamicChildren, NotAcceptingError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping, Sequence
    from typing import Protocol

    from actors.module import Module
    from actors.presence_state import PresenceState
    from actors.registry import RegistryMessage
    from actors.settings import Address, Settings
    from actors.world import World
    from protocols.framing import Framing
    from protocols.negotiation_values import LoginFailed
    from protocols.stanza import Stanza
    from store.sessions import SessionRecord
    from supervision.ref import Ref
    from supervision.reply import Reply

    class CertificateSource(Protocol):
        """Where the TLS context comes from; it may change while the server runs."""

        @property
        def context(self) -> ssl.SSLContext:
            """The context for streams that begin now."""

        @property
        def end_point(self) -> bytes | None:
            """What those may bind their log-ins to: the hash of the certificate (RFC 5929 §4.1)."""

        def addresses_in(self, certificate: bytes) -> tuple[str, ...]:
            """What a client's certificate, in DER, says it is (RFC 6120 §13.7.1.4)."""


JOBS_MAX: Final = 10_000
"""Requests to the domain being answered at a time."""
MESSAGE_BYTES_OF_ROUTED: Final = 256
"""What a routed stanza takes in a mailbox besides its bytes."""


@final
class Server:
    """See the module's docstring."""

    def __init__(
        self,
        settings: Settings,
        world: World,
        certificates: CertificateSource,
        modules: Sequence[Module],
        options: Mapping[str, object],
        note: Callable[[object], None],
        secret: bytes,
    ) -> None:
        limits = settings.limits
        self.settings = settings
        self.world = world
        self.started_ms = world.now_ms()
        self.certificates = certificates
        self.note = note
        self.domain: JID = parse_jid(settings.domain)
        self.streams = Streams()
        self.registry: Ref[RegistryMessage] | None = None  # set by the registry itself
        self.ports = PortTable()
        self.store = StoreAccess(world.readers, limits.ledger_bytes_max)
        self.fates = FateLog(limits.fates_max, world.now_ms)
        self.books = Books(
            self.store, self.fates, limits.store_away_seconds, note, world.now_ms, world.new_token, {}
        )
        self.guests = Guests(settings.domain, self.store)
        self.ledgers: dict[str, Ledger] = {}  # by account; those that have nothing to do are forgotten
        self.former: dict[str, PresenceState] = {}  # of presence actors that ended before their sessions
        self.is_journaled = settings.durability is Durability.JOURNALED
        self.login_throttle = Throttle(
            limits.failed_logins_max, limits.failed_logins_seconds, trio.current_time
        )
        self.registration_throttle = Throttle(
            limits.registrations_max, limits.registrations_seconds, trio.current_time
        )
        self.intensity = Intensity(limits.restarts_max, limits.restarts_seconds)
        self.users = self._children("users", 2 * limits.sessions_max)
        self.sessions = self._children("sessions", limits.sessions_max)
        self.connections = self._children("connections", limits.connections_max)
        self.jobs = self._children("jobs", JOBS_MAX)
        self.accounts = Accounts(self)
        self.form_keys = FormKeys(secret, world.now_ms)
        self.items = DomainItems(self.store, self.domain.full)
        self.admins = frozenset(admin.bare for admin in settings.admins)
        self.modules = ModuleHost(self, modules, options)
        self.directory = Directory(
            self.streams.accounts, self.streams.left, self.modules.services, self.modules.unknown_guards
        )
        self.connections_by_address: dict[str, int] = {}
        self.listening: dict[str, Address] = {}  # by listener; where port 0 was asked for, what it became
        self._numbers = itertools.count(1)
        self.names = NameBudget(_declared_names(modules), limits.names_max)
        self._stream_limits = StreamLimits(
            stanza_bytes_max=limits.stanza_bytes_max,
            stanza_bytes_before_auth_max=limits.stanza_bytes_before_auth_max,
            names_max=limits.names_max,
        )
        self._setups: dict[tuple[type[Framing], SessionBits], Setup] = {}
        self._decoy_secret = secret

    def _children(self, id_: str, children_max: int) -> DynamicChildren:
        return DynamicChildren(id_, children_max=children_max, intensity=self.intensity)

    def next_number(self) -> int:
        """A number for the id of a child that comes and goes."""
        return next(self._numbers)

    # -- streams

    def new_xml_stream(self) -> XMLStream:
        """A parser for a stream that begins."""
        return XMLStream(self._stream_limits, self.names)

    def new_websocket_stream(self) -> WebSocketStream:
        """The same for a stream over WebSocket."""
        return WebSocketStream(self._stream_limits, self.names)

    def stream_setup(self, framing: Framing, bits: SessionBits) -> Setup:
        """What all streams that begin with these bits may negotiate; made once, as each of them holds it."""
        key = type(framing), bits
        setup = self._setups.get(key)
        if setup is None:
            setup = self._setups[key] = self._new_setup(framing, bits)
        return setup

    def _new_setup(self, framing: Framing, bits: SessionBits) -> Setup:
        if self.settings.registration.open and self.modules.answers_strangers(REGISTER):
            bits |= SessionBits.REGISTRATION_OPEN
        if self.settings.auth.jabber_iq_auth:
            bits |= SessionBits.OLD_LOGIN_ALLOWED
        if self.settings.auth.digest_md5:
            bits |= SessionBits.DIGEST_MD5_ALLOWED
        if self.settings.auth.zero_knowledge:
            bits |= SessionBits.ZERO_KNOWLEDGE
        if self.settings.auth.anonymous:
            bits |= SessionBits.GUESTS_ALLOWED
        if not self.settings.auth.require_tls or SessionBits.SECURE in bits:
            bits |= SessionBits.LOGIN_ALLOWED
        return Setup(
            host=self.domain.full,
            framing=framing,
            bits=bits,
            features=(*CLIENT_FEATURES, *self.modules.hooks.stream_features()),
            decoy_secret=self._decoy_secret,
            see_other_host=self.settings.listen.see_other_host,
            end_point=lambda: self.certificates.end_point,
            new_stream_id=self.world.new_token,
            new_nonce=self.world.new_token,
            new_resource=self.world.new_token,
        )

    def tcp_setup(self, *, secure: bool) -> Setup:
        """For a stream over TCP, with TLS from its first byte or with STARTTLS."""
        return self.stream_setup(
            TcpFraming(), SessionBits.SECURE if secure else SessionBits.STARTTLS_POSSIBLE
        )

    def websocket_setup(self, *, secure: bool) -> Setup:
        """For a stream over WebSocket, on which clients may always log in.

        Where TLS is not in force here (`listen.http`), only this machine can connect: a proxy to which the
        client came by TLS, or a client whose bytes pass no wire. The stream does not count as secure then,
        which nobody here can know. What the proxy says of it in headers is not asked: that is no proof.
        """
        bits = SessionBits.SECURE if secure else SessionBits.NONE
        return self.stream_setup(WebSocketFraming(), bits | SessionBits.LOGIN_ALLOWED)

    def login_failed(self, peer: str, failure: LoginFailed) -> None:
        """Note a failed log-in, and count it against its address if a wrong password was given."""
        if failure.condition is SaslCondition.NOT_AUTHORIZED:  # all others are no guess at a password
            self.login_throttle.count(peer)
        self.note(failure)

    # -- ways to other actors

    def presence_of(self, jid: JID) -> Ref[PresenceMessage]:
        """The presence actor of an account, started if it does not run.

        Raises:
            NotAcceptingError: the server has its maximum of users at work, or is stopping.
        """
        entry = self.directory.users.get(jid.bare)
        if entry is not None and entry.presence is not None and entry.presence.is_alive:
            return entry.presence
        return start_presence(self, jid).ref

    def tell_user(self, jid: JID, message: PresenceMessage) -> bool:
        """Post to the presence actor of an account; false if it cannot take it."""
        try:
            return self.presence_of(jid).cast(message)
        except NotAcceptingError:
            return False

    def hand_to_own(self, jid: JID, message: OwnMessage, size: int) -> bool:
        """Give what a client sent to its own account's presence actor; what it sends next follows behind."""
        try:
            presence = self.presence_of(jid)
        except NotAcceptingError:
            return False
        if not presence.cast(message, size):
            return False
        self.directory.entry(jid.bare).unsettled += 1
        if message.stanza.receipt is not None:
            message.stanza.receipt.hold()
        return True

    def hand_to_user(self, stanza: Stanza) -> bool:
        """Give a stanza to the presence actor of the account addressed.

        What follows goes the same way behind it.
        """
        assert stanza.to is not None
        return self.hand_to_account(stanza.to, stanza)

    def hand_to_account(self, jid: JID, stanza: Stanza) -> bool:
        """The same for an account that may not be the one addressed."""
        routed = Routed(stanza, self.world.now_ms(), self.world.new_token())
        try:
            presence = self.presence_of(jid)
        except NotAcceptingError:
            return False
        if not presence.cast(routed, len(stanza.data)):
            return False
        self.directory.entry(jid.bare).waiting += 1
        if stanza.receipt is not None:
            stanza.receipt.hold()
        return True

    # -- managed sessions

    def ledger_of(self, jid: JID) -> Ledger:
        """The ledger of an account, made if there is none."""
        ledger = self.ledgers.get(jid.bare)
        if ledger is None:
            bare = jid.bare_jid
            ledger = Ledger(jid.bare, self.books, lambda: self._refill(bare), lambda: self._grown(bare))
            self.ledgers[jid.bare] = ledger
        return ledger

    def _refill(self, account: JID) -> None:
        if not self.tell_user(account, ReserveNumbers()):
            self.ledger_of(account).is_refilling = False  # the keeper asks again

    def _grown(self, account: JID) -> None:
        if not self.tell_user(account, QueueGrew()):
            self.ledger_of(account).has_grown = False  # found when the account's next resource comes

    def forget_ledger(self, jid: JID) -> None:
        """The account has been deleted, and its log with it."""
        ledger = self.ledgers.pop(jid.bare, None)
        if ledger is not None:
            ledger.abandon()

    def resume(self, account: JID, sm_id: str, message: Resume, *, is_guest: bool = False) -> None:
        """Let a session go on over another connection, for whoever has logged in to its account.

        A guest may have any guest's: under what name it is one it could not choose, and knowing the id is all
        the proof there can be. The outcome is told by the message's reply.
        """

        def is_theirs(jid: JID) -> bool:
            return jid.bare == account.bare or (is_guest and jid.bare in self.guests)

        live, stored = self.streams.live(sm_id), self.streams.stored(sm_id)
        if live is not None and is_theirs(live.jid):
            is_told = live.session.cast(message) or live.session.tell(message)
        elif stored is not None and is_theirs(stored.jid):
            is_told = self.tell_user(stored.jid, ResumeStored(sm_id, message, message.reply))
        else:
            is_told = False
        if not is_told:
            ended = self.streams.ended(sm_id)
            h = None if ended is None or ended.account != account.bare else ended.h
            message.reply.set(ResumeRefused(StanzaCondition.ITEM_NOT_FOUND, h))

    def keep_left(self, record: SessionRecord) -> None:
        """The server stops: the next process is to know the session as this document has it."""
        self.streams.left[parse_jid(record.jid)] = record
        self.store.cast(SaveSession(record))

    def add_to_left(self, stanza: Stanza) -> None:
        """An IQ has come for a session that has been left, from somebody who had it in hand until now."""
        assert stanza.to is not None
        record = self.streams.left[stanza.to]
        if len(record.entries) < self.settings.limits.unacked_stanzas_max:
            self.keep_left(with_late(record, [stanza.data]))

    def hand_to_modules(self, stanza: Stanza) -> None:
        """A stanza for the domain or a service, or for somebody at a service, where nobody is."""
        assert stanza.to is not None
        is_request = stanza.kind is StanzaKind.IQ and stanza.type in {"get", "set"}
        if is_request and stanza.to.localpart is None:
            self.modules.start_domain_iq(stanza)
        elif stanza.kind is StanzaKind.MESSAGE and stanza.to.localpart is None:
            self.modules.messages.take(stanza)
        elif is_request or stanza.kind is StanzaKind.MESSAGE:
            routing.send_back(self, stanza, StanzaError(StanzaCondition.SERVICE_UNAVAILABLE))

    def detach(self, session: Ref[Any]) -> None:
        """A session that cannot take what it must not miss: its client is to begin anew."""
        session.tell(CloseStream(StreamCondition.RESOURCE_CONSTRAINT, "too much is waiting for you"))

    def answer_registration(self, request: Stanza, address: str) -> Reply[Stanza]:
        """Answer a request to register from a connection from this address that has not logged in."""
        return self.modules.answer_stranger(request, address)

    def connection_closed(self, peer: str) -> None:
        """One connection less from this address."""
        left = self.connections_by_address.get(peer, 1) - 1
        if left:
            self.connections_by_address[peer] = left
        else:
            self.connections_by_address.pop(peer, None)


def _declared_names(modules: Sequence[Module]) -> frozenset[str]:
    """The names that modules work with, which the XML library may always see."""
    iqs = [iq for module in modules for iq in module.iqs]
    iqs += [iq for module in modules for service in module.services for iq in service.iqs]
    return frozenset(name for iq in iqs for name in iq.payload or ())
