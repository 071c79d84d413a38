"""The extensions that ship with the server, one file each; `MODULES` lists them."""

from __future__ import annotations

from typing import Final

from actors.modules import mod_offline, mod_ping, mod_register, mod_roster, mod_session

MODULES: Final = (
    mod_offline.MODULE,
    mod_ping.MODULE,
    mod_register.MODULE,
    mod_roster.MODULE,
    mod_session.MODULE,
)
