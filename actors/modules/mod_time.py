"""Entity time (XEP-0202): which time it is for the server, which keeps to UTC."""

from collections.abc import Sequence
from typing import Final

from actors.module import GET_SET, Context, DomainIq, Module, Request, Xep
from actors.presence_effects import Answer
from protocols.conditions import StanzaCondition
from protocols.errors import StanzaError
from protocols.namespaces import TIME
from protocols.stanza import PayloadName
from protocols.timestamp import timestamp


async def tell_time(context: Context, request: Request) -> Sequence[Answer]:
    """The time in UTC, and that the server lives there (§2); nobody can set it."""
    if request.is_set:
        raise StanzaError(StanzaCondition.NOT_ALLOWED)
    utc = timestamp(context.now_ms())
    return (Answer(f"<time xmlns='{TIME}'><tzo>+00:00</tzo><utc>{utc}</utc></time>".encode()),)


MODULE: Final = Module(
    name="time",
    summary="Tells the time.",
    xeps=(Xep("0202", "2.0"),),
    features=(TIME,),
    iqs=(DomainIq(PayloadName(TIME, "time"), GET_SET, tell_time, to_services=True),),
)
