"""Which module handles which request, by the host that is asked: the domain, or a service beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar, final

from actors.module import AccountIq, DomainIq, Iq, ModuleFaultError, StrangerIq
from protocols.namespaces import DISCO_INFO, DISCO_ITEMS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from actors.module import Module
    from protocols.jid import JID
    from protocols.stanza import PayloadName, Stanza

_WITH_NODES: Final = frozenset({DISCO_INFO, DISCO_ITEMS})

T = TypeVar("T", DomainIq, StrangerIq, AccountIq)

Key = tuple["PayloadName | None", str, str]


@final
class Host(NamedTuple):
    """One host: its address, and the handlers of what is asked of it, or of accounts through it.

    Those of the domain are also asked by accounts' own addresses.
    """

    jid: JID
    domain: Mapping[Key, tuple[Module, DomainIq]]
    accounts: Mapping[Key, tuple[Module, AccountIq]]


def hosts_of(domain: JID, modules: Sequence[Module]) -> Mapping[str, Host]:
    """The domain and its services, by address.

    Raises:
        ModuleFaultError: two modules handle the same request, or bring services of one name.
    """
    iqs = list(_declared(modules))
    hosts = {domain.full: Host(domain, by_request(iqs, DomainIq), by_request(iqs, AccountIq))}
    shared = by_request([(module, iq) for module, iq in iqs if getattr(iq, "to_services", False)], DomainIq)
    for module in modules:
        for service in module.services:
            jid = service.address(domain)
            if jid is None:
                continue
            if jid.full in hosts:
                raise ModuleFaultError(f"two modules bring a service {jid}")
            own = [(module, iq) for iq in service.iqs]
            accounts = by_request(own, AccountIq)
            common = {key: entry for key, entry in shared.items() if key not in accounts}
            hosts[jid.full] = Host(jid, common | by_request(own, DomainIq), accounts)
    return hosts


def _declared(modules: Sequence[Module]) -> Iterator[tuple[Module, Iq]]:
    return ((module, iq) for module in modules for iq in module.iqs)


def strangers_of(modules: Sequence[Module]) -> Mapping[Key, tuple[Module, StrangerIq]]:
    """The handlers of what is asked before a log-in.

    Raises:
        ModuleFaultError: two modules handle the same request.
    """
    return by_request(_declared(modules), StrangerIq)


def by_request(handlers: Iterable[tuple[Module, Iq]], kind: type[T]) -> dict[Key, tuple[Module, T]]:
    """The handlers of one kind; two for one request are a fault.

    Raises:
        ModuleFaultError: there are two.
    """
    table: dict[Key, tuple[Module, T]] = {}
    for module, handler in handlers:
        if not isinstance(handler, kind):
            continue
        for type_ in handler.types:
            key = (handler.payload, type_, getattr(handler, "node", ""))
            if key in table:
                raise ModuleFaultError(
                    f"modules {table[key][0].name} and {module.name} both handle "
                    f"{type_} of {_describe(handler.payload)}"
                )
            table[key] = (module, handler)
    return table


def _describe(payload: PayloadName | None) -> str:
    return "what nobody else does" if payload is None else f"{payload.name} in {payload.namespace}"


def find_handler(table: Mapping[Key, tuple[Module, T]], stanza: Stanza) -> tuple[Module, T] | None:
    """Who handles a request: whoever names its payload, else whoever takes all the others.

    Of what service discovery asks, whoever names the node as well comes first.
    """
    payload, type_ = stanza.payload, stanza.type
    if payload is None:
        return None
    if payload.namespace in _WITH_NODES and (node := next(iter(stanza.element)).get("node")):
        found = table.get((payload, type_, node))
        if found is not None:
            return found
    return table.get((payload, type_, "")) or table.get((None, type_, ""))
