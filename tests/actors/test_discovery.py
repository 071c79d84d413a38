"""What there is to be discovered is what the modules that run declare, and resources that are there."""

from typing import Any

from actors.discovery import Entity, account_entity, domain_entity, resources, services
from actors.module import AccountContext, Identity, Module, Service
from protocols.jid import parse_jid
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
        "modules": MODULES,
        "now_ms": lambda: 0,
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
    assert domain_entity(context()) == Entity("example.com", (SERVER,), ("a", "b"))


def test_account_is_what_modules_declare_of_accounts() -> None:
    assert account_entity(context()) == Entity("juliet@example.com", (PEP,), ("c",))


def test_services_are_hosts_below_the_domain() -> None:
    assert services(context()) == [
        Entity("users.example.com", (SERVER,), ("y", "z")),
        Entity("rooms.example.com"),
    ]


def test_resources_are_those_that_are_available() -> None:
    assert resources(context()) == [Entity("juliet@example.com/balcony"), Entity("juliet@example.com/street")]
    assert resources(context(priorities={})) == []
