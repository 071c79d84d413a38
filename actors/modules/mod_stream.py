"""Client streams over TCP and WebSocket, by `protocols/negotiation.py` and the connection actors.

Nothing of it can be switched off, so this is little more than a declaration.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from actors.module import Module, OnStreamFeatures, Xep
from protocols.stream_features import stream_limits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.module import Context
    from protocols.stream_features import StreamFeature


def tell_limits(context: Context) -> Sequence[StreamFeature]:
    """The limits of a stream (XEP-0478)."""
    limits = context.limits
    return stream_limits(
        limits.stanza_bytes_before_auth_max, limits.stanza_bytes_max, int(limits.idle_seconds_max)
    )


MODULE: Final = Module(
    name="stream",
    summary="Lets clients connect, encrypt, log in and bind a resource.",
    xeps=(
        Xep("RFC 6120", "2011"),
        Xep("RFC 7395", "2014"),
        Xep("RFC 7590", "2015"),
        Xep("RFC 7622", "2015"),
        Xep("RFC 5802", "2010"),
        Xep("RFC 7677", "2015"),
        Xep("0078", "2.5"),
        Xep("0170", "1.0"),
        Xep("0175", "1.2"),
        Xep("0178", "1.2"),
        Xep("0198", "1.6.3"),
        Xep("0368", "1.1.0", "listening; publishing the records is the operator's"),
        Xep("0440", "1.0.0", "tls-server-end-point; what binds more, Python's TLS cannot tell"),
        Xep("0474", "0.5.0"),
        Xep("0478", "0.2.0"),
    ),
    hooks=(OnStreamFeatures(tell_limits),),
    is_optional=False,
)
