"""Software version (XEP-0092): the server's name and version, and the operating system's name if it may."""

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Final

from actors.module import GET_SET, Context, DomainIq, Module, Request, Xep
from actors.presence_effects import Answer
from actors.settings import setting
from protocols.conditions import StanzaCondition
from protocols.errors import StanzaError
from protocols.namespaces import VERSION
from protocols.stanza import PayloadName
from protocols.xml_text import escape_text

_NAME: Final = "Trouper"


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionOptions:
    """What is told."""

    show_os: bool = setting(False, "Whether the operating system is told as well.")


async def tell_version(context: Context, request: Request) -> Sequence[Answer]:
    """Name and version; nobody can set them."""
    if request.is_set:
        raise StanzaError(StanzaCondition.NOT_ALLOWED)
    shown = {"name": _NAME, "version": _own_version()}
    if context.options(VersionOptions).show_os:
        shown["os"] = platform.system()
    fields = "".join(f"<{tag}>{escape_text(text)}</{tag}>" for tag, text in shown.items())
    return (Answer(f"<query xmlns='{VERSION}'>{fields}</query>".encode()),)


@cache
def _own_version() -> str:
    return version("trouper")  # reads a file


MODULE: Final = Module(
    name="version",
    summary="Tells which software the server is.",
    xeps=(Xep("0092", "1.1"),),
    features=(VERSION,),
    iqs=(DomainIq(PayloadName(VERSION, "query"), GET_SET, tell_version, to_services=True),),
    options=VersionOptions,
)
