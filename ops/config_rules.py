"""Rules that concern more than the type of one setting: what must fit together.

Used by `ops/config.py` after every value was checked by itself. One function a rule; `RULES` is the table.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

from actors.settings import Address, Settings
from ops.toml_lines import KeyPath
from protocols.errors import JIDMalformed
from protocols.jid import parse_jid

Finding = tuple[KeyPath, str]
Rule = Callable[[Settings], Iterator[Finding]]


def _domain_is_an_address(settings: Settings) -> Iterator[Finding]:
    try:
        domain = parse_jid(settings.domain)
    except JIDMalformed as error:
        yield ("domain",), f'"{settings.domain}" is no domain: {error}'
        return
    if domain.localpart is not None or domain.resourcepart is not None:
        yield ("domain",), f'"{settings.domain}" is more than a domain: write "{domain.domainpart}"'
    elif domain.domainpart != settings.domain:
        yield ("domain",), f'"{settings.domain}" is not in normal form: write "{domain.domainpart}"'


def _admins_are_of_the_domain(settings: Settings) -> Iterator[Finding]:
    for admin in settings.admins:
        if admin.bare.partition("@")[2] != settings.domain:
            yield ("admins",), f'"{admin}" is not of the domain served: write "USER@{settings.domain}"'


def _database_is_known(settings: Settings) -> Iterator[Finding]:
    uri = settings.database.uri
    if uri != "embedded" and not uri.startswith(("mongodb://", "mongodb+srv://")):
        yield ("database", "uri"), 'will not do: write "embedded" or an address that starts with mongodb://'


def _something_is_listened_on(settings: Settings) -> Iterator[Finding]:
    if not settings.addresses:
        yield (
            ("listen",),
            'every list is empty, nobody could connect: write for example c2s = ["127.0.0.1:5222"]',
        )


def _addresses_are_distinct(settings: Settings) -> Iterator[Finding]:
    times = Counter(address for address in settings.addresses if address.port)
    for name, addresses in _listened(settings):
        for address in dict.fromkeys(addresses):
            if times[address] > 1:
                yield (
                    ("listen", name),
                    f'"{address}" is listened on {times[address]} times: give each its own port',
                )


def _plain_http_is_local(settings: Settings) -> Iterator[Finding]:
    for address in settings.listen.http:
        if not address.is_loopback:
            yield (
                ("listen", "http"),
                f'"{address}" can be reached from outside and http is not encrypted: list it in https',
            )


def _plain_log_in_is_local(settings: Settings) -> Iterator[Finding]:
    outside = [address for address in settings.listen.c2s if not address.is_loopback]
    if outside and not settings.auth.require_tls:
        yield (
            ("auth", "require_tls"),
            f'passwords would travel in the clear to "{outside[0]}": write true, or listen on loopback only',
        )


def _largest_stanza_fits(settings: Settings) -> Iterator[Finding]:
    limits = settings.limits
    if limits.stanza_bytes_before_auth_max > limits.stanza_bytes_max:
        yield (
            ("limits", "stanza_bytes_before_auth_max"),
            f"must not exceed stanza_bytes_max, which is {limits.stanza_bytes_max}",
        )
    for name in ("mailbox_bytes_max", "output_bytes_max", "ledger_bytes_max"):
        if getattr(limits, name) < limits.stanza_bytes_max:
            yield (
                ("limits", name),
                f"no room for the largest stanza: write at least stanza_bytes_max, {limits.stanza_bytes_max}",
            )


def _listened(settings: Settings) -> Iterator[tuple[str, tuple[Address, ...]]]:
    for name in ("c2s", "c2s_tls", "http", "https"):
        yield name, getattr(settings.listen, name)


RULES: Final[tuple[Rule, ...]] = (
    _domain_is_an_address,
    _admins_are_of_the_domain,
    _database_is_known,
    _something_is_listened_on,
    _addresses_are_distinct,
    _plain_http_is_local,
    _plain_log_in_is_local,
    _largest_stanza_fits,
)
