"""Updates of clients (jabber:iq:autoupdate, which no standard describes): which version there is, and where.

A client asks the server at a resource of its own name: `example.com/winjab`. An administrator's message with
an `<x xmlns='jabber:x:autoupdate'/>` that names this address makes WinJab and Exodus ask.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self, final

from actors.module import GET_SET, DomainIq, Module
from actors.presence_effects import Answer
from actors.settings import setting
from protocols.conditions import StanzaCondition
from protocols.errors import StanzaError
from protocols.jid import prepare_resourcepart
from protocols.namespaces import AUTOUPDATE
from protocols.stanza import PayloadName
from protocols.xml_text import escape_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.module import Context, Request

_PARTS: Final = 3
_SCHEMES: Final = ("http://", "https://")


@final
@dataclass(frozen=True, slots=True)
class Release:
    """The newest version of a client.

    Attributes:
        client: The client's name, as a resource is written.
        version: As the client itself counts them.
        url: Where it is to be had.
    """

    client: str
    version: str
    url: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads `winjab 0.9.1.1 https://example.com/winjab.exe`.

        Raises:
            ValueError: The text is no such thing; the message says what is missing.
        """
        parts = text.split()
        if len(parts) != _PARTS or not parts[2].startswith(_SCHEMES):
            raise ValueError("write the client's name, its newest version, and an address with http or https")
        return cls(prepare_resourcepart(parts[0]), parts[1], parts[2])

    def __str__(self) -> str:
        return f"{self.client} {self.version} {self.url}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoupdateOptions:
    """Which clients there are."""

    clients: tuple[Release, ...] = setting(
        (),
        "What is known, each with its name, newest version and address: "
        '`["winjab 0.9.1.1 https://example.com/winjab.exe"]`.',
    )


async def tell_release(context: Context, request: Request) -> Sequence[Answer]:
    """The newest version of the client that the address names."""
    if request.is_set:
        raise StanzaError(StanzaCondition.NOT_ALLOWED)
    name = None if request.stanza.to is None else request.stanza.to.resourcepart
    found = [each for each in context.options(AutoupdateOptions).clients if each.client == name]
    if not found:
        raise StanzaError(StanzaCondition.SERVICE_UNAVAILABLE, "no such client is known")
    release = f"<ver>{escape_text(found[0].version)}</ver><desc/><url>{escape_text(found[0].url)}</url>"
    answer = f"<query xmlns='{AUTOUPDATE}'><release priority='optional'>{release}</release></query>"
    return (Answer(answer.encode()),)


MODULE: Final = Module(
    name="autoupdate",
    summary="Tells old clients of their newest versions.",
    features=(AUTOUPDATE,),
    iqs=(DomainIq(PayloadName(AUTOUPDATE, "query"), GET_SET, tell_release),),
    options=AutoupdateOptions,
    on_by_default=False,
)
