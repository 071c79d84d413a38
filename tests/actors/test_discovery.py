"""What there is to be discovered is what the modules that run declare, and resources that are there."""

from typing import Any, cast

from actors.account_items import AccountItems
from actors.discovery import (
    Entity,
    account_entity,
    account_items,
    domain_entity,
    host_entity,
    host_items,
    published_key,
    services,
)
from actors.module import GET, AccountContext, Context, DomainIq, Identity, Module, Request, Service
from actors.presence_effects import Answer
from protocols.jid import parse_jid
from protocols.stanza import PayloadName
from store.account_items import AccountItem
from store.users import User

SERVER, PEP = Identity("server", "im", "S"), Identity("pubsub", "pep")
MODULES = (
    Module(name="a", summary="A.", features=("b", "a"), identities=(SERVER,), account_features=("c",)),
    Module(
        name="b",
        summary="B.",
        features=("a",),
        account_identities=(PEP,),
        services=(Service("users", (SERVER,), ("z", "y", "z")), Service("rooms", ())),
    ),
)


def context(**fields: Any) -> AccountContext:
    given: dict[str, Any] = {
        "domain": parse_jid("example.com"),
        "limits": None,
        "admins": frozenset(),
        "modules": MODULES,
        "now_ms": lambda: 0,
        "host": parse_jid("example.com"),
        "started_ms": 0,
        "new_token": lambda: "t",
        "chosen_options": None,
        "interfaces": {},
        "jid": parse_jid("juliet@example.com"),
        "user": User(bare_jid="juliet@example.com", rev=1, created_ms=0),
        "priorities": {"balcony": 0, "street": -1},
    }
    return AccountContext(**(given | fields))


def test_domain_is_what_modules_declare_each_feature_once() -> None:
    assert domain_entity(context()) == Entity("example.com", (SERVER,), ("a", "b"), "S")


def test_account_is_what_modules_declare_of_accounts() -> None:
    assert account_entity(context()) == Entity("juliet@example.com", (PEP,), ("c",))


def test_services_are_hosts_below_the_domain() -> None:
    assert services(context()) == [
        Entity("users.example.com", (SERVER,), ("y", "z"), "S"),
        Entity("rooms.example.com"),
    ]


async def pong(_context: Context, _request: Request) -> tuple[Answer]:
    return (Answer(),)


def test_service_can_do_what_the_server_does_for_all_of_them() -> None:
    shared = DomainIq(PayloadName("x", "q"), GET, pong, to_services=True)
    own = DomainIq(PayloadName("v", "q"), GET, pong)
    modules = (*MODULES, Module(name="c", summary="C.", iqs=(shared, own)))
    assert [each.features for each in services(context(modules=modules))] == [("x", "y", "z"), ("x",)]


def test_services_there_are_none_below_an_address() -> None:
    assert services(context(domain=parse_jid("[::1]"))) == []


def test_host_that_is_asked_is_the_domain_with_its_services_or_one_of_them() -> None:
    assert host_entity(context()) == domain_entity(context())
    assert host_items(context()) == services(context())
    users = context(host=parse_jid("users.example.com"))
    assert host_entity(users) == services(users)[0]
    assert host_items(users) == ()


class Kept:
    """A store in which an account has published two things."""

    async def read_items(self, owner: str, kind: str) -> list[AccountItem]:
        assert (owner, kind) == ("juliet@example.com", "disco-items")
        things = {published_key(parse_jid("a@b/c d"), "n"): "N", published_key(parse_jid("b"), ""): ""}
        return [AccountItem(owner, kind, key, name.encode()) for key, name in things.items()]


async def test_account_items_are_available_resources_and_what_was_published() -> None:
    items = AccountItems(cast("Any", Kept()), "juliet@example.com")
    assert await account_items(context(interfaces={AccountItems: items})) == [
        Entity("juliet@example.com/balcony"),
        Entity("juliet@example.com/street"),
        Entity("a@b/c d", name="N", node="n"),
        Entity("b"),
    ]
