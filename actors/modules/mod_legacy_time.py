"""Legacy entity time (XEP-0090): the same as `time`, for clients older than XEP-0202."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from actors.module import GET_SET, Context, DomainIq, Module, Request, Xep
from actors.presence_effects import Answer
from protocols.conditions import StanzaCondition
from protocols.errors import StanzaError
from protocols.namespaces import LEGACY_TIME
from protocols.stanza import PayloadName
from protocols.timestamp import legacy_timestamp

_SECOND_MS: Final = 1000


async def tell_time(context: Context, request: Request) -> Sequence[Answer]:
    """The time in UTC, for programs and for people (§2); nobody can set it."""
    if request.is_set:
        raise StanzaError(StanzaCondition.NOT_ALLOWED)
    now_ms = context.now_ms()
    display = datetime.fromtimestamp(now_ms // _SECOND_MS, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    fields = f"<utc>{legacy_timestamp(now_ms)}</utc><tz>UTC</tz><display>{display}</display>"
    return (Answer(f"<query xmlns='{LEGACY_TIME}'>{fields}</query>".encode()),)


MODULE: Final = Module(
    name="legacy_time",
    summary="Tells the time to clients older than XEP-0202.",
    xeps=(Xep("0090", "1.2"),),
    features=(LEGACY_TIME,),
    iqs=(DomainIq(PayloadName(LEGACY_TIME, "query"), GET_SET, tell_time, to_services=True),),
)
