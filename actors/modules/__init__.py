"""The extensions that ship with the server, one file each; `MODULES` lists them."""

from __future__ import annotations

from typing import Final

from actors.modules import (
    mod_agents,
    mod_autoupdate,
    mod_browse,
    mod_disco,
    mod_events,
    mod_expire,
    mod_last,
    mod_legacy_delay,
    mod_legacy_time,
    mod_message,
    mod_offline,
    mod_ping,
    mod_presence,
    mod_private,
    mod_public_storage,
    mod_register,
    mod_roster,
    mod_session,
    mod_stream,
    mod_subscription,
    mod_time,
    mod_vcard,
    mod_vcard4,
    mod_version,
)

MODULES: Final = (
    mod_agents.MODULE,
    mod_autoupdate.MODULE,
    mod_browse.MODULE,
    mod_disco.MODULE,
    mod_events.MODULE,
    mod_expire.MODULE,
    mod_last.MODULE,
    mod_legacy_delay.MODULE,
    mod_legacy_time.MODULE,
    mod_message.MODULE,
    mod_offline.MODULE,
    mod_ping.MODULE,
    mod_presence.MODULE,
    mod_private.MODULE,
    mod_public_storage.MODULE,
    mod_register.MODULE,
    mod_roster.MODULE,
    mod_session.MODULE,
    mod_stream.MODULE,
    mod_subscription.MODULE,
    mod_time.MODULE,
    mod_vcard.MODULE,
    mod_vcard4.MODULE,
    mod_version.MODULE,
)
