"""Every setting of the server: its name, type, default, bounds and one sentence about it.

This is the only declaration. `ops/config.py` fills it from TOML and flags and checks it,
docs/configuration.md is generated from it, and actors receive the part they need. The nesting is that of
the TOML file.
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Final, NamedTuple, Self, TypeVar, final

from protocols.errors import JIDMalformed
from protocols.jid import parse_jid

_T = TypeVar("_T")

# RFC 6120 §13.12: a server must accept stanzas of this size.
STANZA_BYTES_LEAST: Final = 10_000
_PORT_MAX: Final = 65_535
# Nothing here is counted in larger numbers; catches a slipped key rather than a wish.
_COUNT_MAX: Final = 1_000_000_000
_DAY_SECONDS: Final = 86_400


class Address(NamedTuple):
    """Where a port is listened on: an IP address or `localhost`, and a port (0 lets the system choose)."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads `127.0.0.1:5222`, `[::1]:5222` or `localhost:5222`.

        Raises:
            ValueError: The text is no such address; the message says what is missing.
        """
        host, colon, port = text.rpartition(":")
        if not colon or not host:
            raise ValueError("the port is missing: write HOST:PORT")
        if not (port.isascii() and port.isdecimal() and int(port) <= _PORT_MAX):
            raise ValueError(f"{port!r} is no port: write a number from 0 to {_PORT_MAX}")
        bracketed = host.startswith("[") and host.endswith("]")
        if ":" in host and not bracketed:
            raise ValueError(f"an IPv6 address goes into brackets: [{host}]:{port}")
        host = host[1:-1] if bracketed else host
        if host != "localhost":
            _check_ip(host)
        return cls(host, int(port))

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect."""
        return self.host == "localhost" or ipaddress.ip_address(self.host).is_loopback

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _check_ip(host: str) -> None:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        raise ValueError(f"{host!r} is neither an IP address nor localhost") from None


@final
class Admin(NamedTuple):
    """The account of somebody who runs the server."""

    bare: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads `escalus@example.com`.

        Raises:
            ValueError: The text is no account's address.
        """
        try:
            jid = parse_jid(text)
        except JIDMalformed as error:
            raise ValueError(f"that is no address: {error}") from None
        if jid.localpart is None or jid.resourcepart is not None:
            raise ValueError("write the address of an account: USER@DOMAIN")
        return cls(jid.bare)

    def __str__(self) -> str:
        return self.bare


def setting(default: _T, sentence: str, *, least: float | None = None, most: float | None = None) -> _T:
    """Declares one setting.

    Args:
        default: The value where none is given.
        sentence: What it is, for docs/configuration.md.
        least: The smallest number allowed.
        most: The largest number allowed.
    """
    return field(default=default, metadata={"sentence": sentence, "least": least, "most": most})


def count(default: int, sentence: str, *, least: int = 1, most: int = _COUNT_MAX) -> int:
    """Declares a setting that counts something."""
    return setting(default, sentence, least=least, most=most)


def seconds(default: float, sentence: str, *, least: float = 0.1, most: float = _DAY_SECONDS) -> float:
    """Declares a setting that is a length of time in seconds."""
    return setting(default, sentence, least=least, most=most)


class Durability(Enum):
    """What an acknowledgement to a client promises."""

    JOURNALED = "journaled"
    MEMORY = "memory"


class ResourceConflict(Enum):
    """What becomes of two clients that want one address (RFC 6120 §7.7.2.2)."""

    REPLACE = "replace"
    REJECT = "reject"
    RENAME = "rename"


class LogLevel(Enum):
    """The least important events that are logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(Enum):
    """How a logged event is written."""

    CONSOLE = "console"
    JSON = "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseSettings:
    """Where accounts, rosters and messages are kept."""

    uri: str = setting(
        "embedded",
        "A `mongodb://` address, or `embedded`: the server starts a database of its own in `data_dir`.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenSettings:
    """The addresses clients connect to, each a list of `HOST:PORT`; an empty list closes that way in.

    `[::]` stands for every IPv6 address, `0.0.0.0` for every IPv4 one.
    """

    c2s: tuple[Address, ...] = setting(
        (Address("127.0.0.1", 5222),), "XMPP over TCP, encrypted by STARTTLS (RFC 6120)."
    )
    c2s_tls: tuple[Address, ...] = setting(
        (Address("127.0.0.1", 5223),), "XMPP over TLS from the first byte (XEP-0368)."
    )
    http: tuple[Address, ...] = setting(
        (Address("127.0.0.1", 5280),),
        "Plain HTTP with XMPP over WebSocket at `/ws`; on loopback only, for a proxy on this "
        "machine, which may name its clients in `X-Forwarded-For`.",
    )
    https: tuple[Address, ...] = setting((), "The same as `http` over TLS, for any address.")
    see_other_host: str = setting(
        "",
        "Where clients that connect are sent instead of being served, once TLS is in force: `HOST` or "
        "`HOST:PORT`; nowhere if empty.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsSettings:
    """The server's certificate; SIGHUP reads the files again."""

    certificate: Path = setting(
        Path("server.crt"),
        "The certificate with its chain, in PEM; where neither file exists and every address listened on is "
        "loopback, a self-signed one is made.",
    )
    key: Path = setting(Path("server.key"), "The private key, in PEM and without a passphrase.")
    client_ca: Path | None = setting(
        None,
        "The authorities, in PEM, whose certificates clients may log in with (SASL EXTERNAL, XEP-0178): all "
        "clients are asked for one then, and one that does not hold ends the connection; whether it was "
        "revoked is not looked up. If empty nobody is asked.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthSettings:
    """Logging in."""

    require_tls: bool = setting(
        True, "Whether logging in needs encryption; `false` is for measurements and works on loopback only."
    )
    resource_conflict: ResourceConflict = setting(
        ResourceConflict.REPLACE,
        "Where a client wants a resource which another is connected with: `replace` that one, `reject` the "
        "new one, or `rename` it: it gets a resource of the server's choice.",
    )
    jabber_iq_auth: bool = setting(
        False,
        "Whether clients may log in the way of before SASL (XEP-0078), those older than XMPP 1.0 included: "
        "they know no STARTTLS, but `c2s_tls`. Digests need accounts that keep their passwords: `trouper "
        "user add --keep-password`.",
    )

    digest_md5: bool = setting(
        False,
        "Whether the mechanism DIGEST-MD5 is on offer, for clients that know nothing better: to "
        "accounts made by `trouper user add --keep-digest-md5`; others that try it are refused.",
    )
    zero_knowledge: bool = setting(
        False,
        "Whether `jabber_iq_auth` has the zero-knowledge form of Jabber 1.4 as well, by chains of SHA-1: for "
        "accounts made by `trouper user add --keep-zero-knowledge`.",
    )
    anonymous: bool = setting(
        False,
        "Whether clients may log in as nobody in particular (SASL ANONYMOUS, XEP-0175; with `jabber_iq_auth` "
        "also without name and password): under a random name, without contacts, and nothing of it is kept "
        "after its last session.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationSettings:
    """Accounts made by clients themselves (XEP-0077)."""

    open: bool = setting(False, "Whether anybody who can connect may create an account.")
    keep_password: bool = setting(
        False,
        "Whether the password of such an account is kept as it is, for log-ins by digest: whoever can read "
        "the database can read it.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveSettings:
    """Messages kept after their delivery."""

    enabled: bool = setting(True, "Whether delivered messages are kept, once there is an archive to read.")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """What the server writes to standard error about itself."""

    level: LogLevel = setting(LogLevel.INFO, "The least important events that are written.")
    format: LogFormat = setting(
        LogFormat.CONSOLE, "`console` for people, `json` for programs: one object a line."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitSettings:
    """Bounds on what one client, one account and the whole server may take; nothing grows without one.

    The defaults suit a server for a few thousand people on one small machine.
    """

    stanza_bytes_max: int = count(
        262_144, "The largest stanza taken from a client that has logged in.", least=STANZA_BYTES_LEAST
    )
    stanza_bytes_before_auth_max: int = count(
        16_384, "The largest element taken from a client that has not logged in.", least=STANZA_BYTES_LEAST
    )
    names_max: int = count(
        20_000,
        "How many different element and attribute names from clients the XML library may remember: it never "
        "forgets one; elements with names beyond this are read by a slower one that does.",
    )
    connections_max: int = count(15_000, "Connections at a time; further ones are closed at once.")
    spare_loopback: bool = setting(
        True,
        "Whether clients from loopback, where proxies sit, may have any number of connections and make any "
        "number of accounts.",
    )
    connections_per_address_max: int = count(
        500, "Connections at a time from one IP address; see `spare_loopback`."
    )
    failed_logins_max: int = count(
        10, "Failed log-ins from one IP address within `failed_logins_seconds`; then it must wait."
    )
    failed_logins_seconds: float = seconds(60.0, "For how long a failed log-in is held against its address.")
    registrations_max: int = count(
        5,
        "Tries to register an account from one IP address within `registrations_seconds`, successful or not; "
        "see `spare_loopback`.",
    )
    registrations_seconds: float = seconds(
        3_600.0, "For how long a registration is held against its address."
    )
    negotiation_seconds_max: float = seconds(
        30.0, "How long a new connection may take until it has logged in and bound a resource."
    )
    idle_seconds_max: float = seconds(
        900.0,
        "After this long without a byte a client is asked for a sign of life; without one it is closed.",
    )
    write_seconds_max: float = seconds(
        30.0, "How long a client that reads too slowly may stay over its bounds before its stream is closed."
    )
    mailbox_bytes_max: int = count(
        1_048_576,
        "Bytes of stanzas that may wait for one session; what arrives beyond is refused.",
        least=STANZA_BYTES_LEAST,
    )
    mailbox_messages_max: int = count(1_000, "Stanzas that may wait for one session.")
    output_bytes_max: int = count(
        4_194_304,
        "Bytes that may wait to be written to one client; a session over it takes nothing more.",
        least=STANZA_BYTES_LEAST,
    )
    sessions_max: int = count(20_000, "Sessions at a time: clients that have logged in.")
    sessions_per_user_max: int = count(20, "Sessions of one account at a time.")
    resume_seconds_max: float = seconds(
        600.0,
        "For how long a session waits for a client that lost its connection and manages its stream "
        "(XEP-0198); a client may ask for less.",
    )
    unacked_stanzas_max: int = count(
        1_000,
        "Stanzas that a client which manages its stream may leave unacknowledged; beyond, its session ends "
        "unless it acknowledges some within ten to twenty seconds.",
    )
    unacked_bytes_max: int = count(
        4_194_304,
        "Bytes of the stanzas that such a client may leave unacknowledged; beyond, its session ends.",
        least=STANZA_BYTES_LEAST,
    )
    roster_items_max: int = count(1_000, "Contacts in one roster.")
    subscription_requests_max: int = count(
        200, "Requests from strangers that wait for one account's answer; further ones are refused."
    )
    privacy_items_max: int = count(
        1_000, "Rules in all privacy lists of one account, its block list included.", most=10_000
    )
    privacy_lists_max: int = count(20, "Privacy lists of one account.", most=1_000)
    offline_messages_max: int = count(500, "Messages stored for one account while nobody is logged in.")
    offline_bytes_max: int = count(
        2_097_152,
        "Bytes of the messages stored for one account; they are handed to its next client in one piece.",
        least=STANZA_BYTES_LEAST,
    )
    store_away_seconds: float = seconds(
        5.0, "After this long without the database online delivery goes on without it, unacknowledged."
    )
    ledger_bytes_max: int = count(
        67_108_864, "Bytes of messages held for a database that is away; beyond, messages are refused."
    )
    fates_max: int = count(
        50_000,
        "How many events in the lives of messages are remembered for `trouper why`, some 0.3 KB each; `0` "
        "remembers none.",
        least=0,
        most=10_000_000,
    )
    restarts_max: int = count(
        10,
        "Restarts of the server's great parts (registry, database link, listeners …), and of any one session "
        "or user, within `restarts_seconds`; beyond, the session is given up, or the process ends.",
    )
    restarts_seconds: float = seconds(60.0, "The time within which restarts are counted.")
    shutdown_seconds_max: float = seconds(
        10.0, "How long an orderly stop may take before what still runs is cut off."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What is served, where its files lie, and how safe they are kept."""

    domain: str = setting("localhost", "The domain served: what follows the `@` in its users' addresses.")
    data_dir: Path = setting(
        Path("data"), "Where the server keeps its files: embedded database, control socket, secrets."
    )
    durability: Durability = setting(
        Durability.JOURNALED,
        "`journaled`: what a client was told is accepted survives a crash; `memory`: maybe not, but faster.",
    )
    admins: tuple[Admin, ...] = setting(
        (), "The accounts of those who run the server: who may make announcements, for one."
    )
    database: DatabaseSettings = field(default_factory=DatabaseSettings)
    listen: ListenSettings = field(default_factory=ListenSettings)
    tls: TlsSettings = field(default_factory=TlsSettings)
    auth: AuthSettings = field(default_factory=AuthSettings)
    registration: RegistrationSettings = field(default_factory=RegistrationSettings)
    archive: ArchiveSettings = field(default_factory=ArchiveSettings)
    log: LogSettings = field(default_factory=LogSettings)
    limits: LimitSettings = field(default_factory=LimitSettings)
    modules: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Every address listened on."""
        listen = self.listen
        return listen.c2s + listen.c2s_tls + listen.http + listen.https

    @property
    def is_development(self) -> bool:
        """Whether nobody but this machine can reach the server."""
        return all(address.is_loopback for address in self.addresses)
