"""Client streams over TCP and WebSocket, by `protocols/negotiation.py` and the connection actors.

Nothing of it can be switched off, so this is a declaration only.
"""

from typing import Final

from actors.module import Module, Xep

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
        Xep("0198", "1.6.3"),
        Xep("0368", "1.1.0", "listening; publishing the records is the operator's"),
        Xep("0440", "1.0.0"),
        Xep("0478", "0.2.0"),
    ),
    is_optional=False,
)
