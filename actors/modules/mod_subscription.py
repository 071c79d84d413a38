"""Presence subscriptions (RFC 6121 §3), by `actors/subscription_rules.py` and `protocols/subscription.py`.

Nothing of it can be switched off, so this is a declaration only.
"""

from typing import Final

from actors.module import Module, Xep

MODULE: Final = Module(
    name="subscription",
    summary="Lets users ask for each other's presence, grant, refuse and approve in advance.",
    xeps=(Xep("RFC 6121", "2011", "section 3"),),
    is_optional=False,
)
