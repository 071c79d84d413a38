"""The module API as its page tells it, with the example of that page, and what contexts refuse."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from actors.accounts import Accounts
from actors.module import (
    GET,
    AccountContext,
    Context,
    DomainIq,
    Module,
    ModuleFaultError,
    Request,
)
from actors.modules import MODULES
from actors.presence_effects import Answer
from ops.config import read_configuration
from protocols.jid import parse_jid
from protocols.stanza import PayloadName, Stanza, StanzaKind
from tests.actors.house import House
from tests.actors.house_client import said

PAGE = Path(__file__).resolve().parents[2] / "docs" / "modules.md"
ASK = "<iq type='get' id='1' to='{to}'><greeting xmlns='urn:example:greeting'{times}/></iq>"


def example(folder: Path, name: str) -> ModuleType:
    """One of the page's examples, written to a file and imported."""
    sources = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    (source,) = [each for each in sources if f'name="{name}"' in each]
    path = folder / f"mod_{name}.py"
    path.write_text(source)
    spec = importlib.util.spec_from_file_location(f"mod_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def greeting(folder: Path) -> ModuleType:
    """The first of them."""
    return example(folder, "greeting")


def house_with(module: Module, **options: Any) -> House:
    house = House(modules=(*MODULES, module), options=options)
    house.befriend("romeo@localhost", "juliet@localhost")
    return house


# -- the example


@pytest.mark.parametrize("to", ["localhost", "romeo@localhost", "juliet@localhost"])
async def test_example_answers_for_server_and_accounts(tmp_path: Path, to: str) -> None:
    async with house_with(greeting(tmp_path).MODULE).open() as house:
        romeo = await house.log_in("romeo@localhost/orchard")
        answer = await romeo.ask(ASK.format(to=to, times=""))
        assert [answer] == said(
            f"<iq type='result' id='1' from='{to}' to='romeo@localhost/orchard'>"
            "<greeting xmlns='urn:example:greeting'>Welcome!</greeting></iq>"
        )


async def test_example_heeds_its_options(tmp_path: Path) -> None:
    example = greeting(tmp_path)
    options = example.GreetingOptions(text="<Hi>", times_max=2)
    async with house_with(example.MODULE, greeting=options).open() as house:
        romeo = await house.log_in("romeo@localhost/orchard")
        answer = await romeo.ask(ASK.format(to="localhost", times=" times='2'"))
        assert ">&lt;Hi&gt; &lt;Hi&gt;<" in answer
        assert "not-acceptable" in await romeo.ask(ASK.format(to="localhost", times=" times='3'"))


async def test_example_greets_who_appears(tmp_path: Path) -> None:
    async with house_with(greeting(tmp_path).MODULE).open() as house:
        romeo = await house.log_in("romeo@localhost/orchard")
        romeo.send("<presence/>")
        welcome = "<message from='localhost' to='romeo@localhost/orchard'><body>Welcome!</body></message>"
        assert said(welcome)[0] in await romeo.hears()


def test_example_is_configured_as_the_page_says(tmp_path: Path) -> None:
    example = greeting(tmp_path)
    (toml,) = re.findall(r"^```toml\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    available = (*MODULES, example.MODULE)
    assert example.MODULE not in read_configuration(None, available=available).modules.modules
    path = tmp_path / "trouper.toml"
    path.write_text(toml)
    chosen = read_configuration(path, available=available).modules
    assert example.MODULE in chosen.modules
    assert chosen.options["greeting"] == example.GreetingOptions(text="Good morning")


async def test_example_of_hooks_does_what_it_says(tmp_path: Path) -> None:
    async with house_with(example(tmp_path, "guest_book").MODULE).open() as house:
        romeo = await house.appear("romeo@localhost/orchard")
        romeo.send("<message to='localhost/guest-book'><body>I was here</body></message>")
        romeo.send("<message to='localhost/elsewhere' id='e'><body>I was here</body></message>")
        thanks, refused = await romeo.hears()
        assert [thanks] == said(
            "<message from='localhost' to='romeo@localhost/orchard'><body>Thanks!</body></message>"
        )
        assert "service-unavailable" in refused
        romeo.send("<presence type='unavailable'/>")
        await house.settle()
        (item,) = house.store.items("romeo@localhost", "guest-book")
        assert item.key == "orchard"


def test_page_names_every_effect_and_hook() -> None:
    """So that it cannot fall behind."""
    page = PAGE.read_text()
    for name in re.findall(
        r"^    \| (\w+)$|^AccountEffect = \(\n    (\w+)$", _effects_source(), re.MULTILINE
    ):
        assert f"`{name[0] or name[1]}(" in page
    for name in re.findall(r"^class (On\w+)\(", _module_source(), re.MULTILINE):
        assert f"`{name}(" in page
    for name in re.findall(r"^class (\w+Iq)\(", _module_source(), re.MULTILINE):
        assert f"`{name}`" in page


def _effects_source() -> str:
    source = (PAGE.parents[1] / "actors" / "presence_effects.py").read_text()
    return source[source.index("AccountEffect = (") : source.index("PresenceEffect = (")]


def _module_source() -> str:
    return (PAGE.parents[1] / "actors" / "module.py").read_text()


# -- contexts and requests


async def answer(_context: Context, _request: Request) -> tuple[Answer]:
    return (Answer(),)


class Options:
    pass


def context(**fields: Any) -> Context:
    given: dict[str, Any] = {
        "domain": parse_jid("localhost"),
        "limits": None,
        "modules": (),
        "now_ms": lambda: 0,
        "host": parse_jid("example.com"),
        "started_ms": 0,
        "new_token": lambda: "t",
        "admins": frozenset(),
        "chosen_options": None,
        "interfaces": {},
    }
    return Context(**(given | fields))


def test_options_are_those_that_were_declared() -> None:
    options = Options()
    assert context(chosen_options=options).options(Options) is options
    for undeclared in (None, "other"):
        with pytest.raises(ModuleFaultError, match="does not declare Options"):
            context(chosen_options=undeclared).options(Options)


def test_use_gives_what_was_declared_and_nothing_else() -> None:
    options = Options()
    assert context(interfaces={Options: options}).use(Options) is options
    with pytest.raises(ModuleFaultError, match="does not declare that it uses Accounts"):
        context(interfaces={Options: options}).use(Accounts)


def test_request_is_read_from_the_stanza() -> None:
    name = PayloadName("urn:x", "q")
    data = b"<iq type='set' id='1' from='a@b/c'> <q xmlns='urn:x' k='v'/></iq>"
    request = Request(Stanza(StanzaKind.IQ, None, parse_jid("a@b/c"), "set", "1", None, data, name, 1))
    assert request.payload.get("k") == "v"
    assert request.is_set
    assert request.asker == parse_jid("a@b/c")


def test_declarations_are_values() -> None:
    """Two alike are equal; nothing was registered by making them."""
    one, other = (
        Module(name="m", summary="S.", iqs=(DomainIq(PayloadName("u", "q"), GET, answer),)) for _ in "ab"
    )
    assert one == other
    assert not isinstance(context(), AccountContext)


# -- those that ship


WITHOUT_STANDARD = {"autoupdate", "public_storage"}
"""Older than all of them, and never written down."""


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
def test_shipped_module_is_complete(module: Module) -> None:
    assert module.summary.endswith(".")
    assert module.xeps or module.name in WITHOUT_STANDARD, "which standard is it?"
    assert (PAGE.parents[1] / "actors" / "modules" / f"mod_{module.name}.py").exists()


def test_shipped_modules_have_names_of_their_own() -> None:
    names = [module.name for module in MODULES]
    assert names == sorted(set(names))
