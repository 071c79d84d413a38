"""Messages (RFC 6121 §5, §8), by `actors/routing.py` and the tables in `protocols/delivery.py`.

Nothing of it can be switched off, so this is a declaration only.
"""

from typing import Final

from actors.module import Module, Xep

MODULE: Final = Module(
    name="message",
    summary="Delivers messages to the resources that they are for.",
    xeps=(Xep("RFC 6121", "2011", "sections 5 and 8"), Xep("0086", "1.0", "codes in errors")),
    is_optional=False,
)
