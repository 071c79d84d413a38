"""Keeps contacts informed of who is there (RFC 6121 §4), by `actors/presence_rules.py`.

Nothing of it can be switched off, so this is a declaration only.
"""

from typing import Final

from actors.module import Module, Xep

MODULE: Final = Module(
    name="presence",
    summary="Tells contacts who is available, and how.",
    xeps=(Xep("RFC 6121", "2011", "section 4"),),
    is_optional=False,
)
