"""The limits of the server that has small ones."""

from typing import Final

LIMITS: Final = {
    "stanza_bytes_max": 20_000,
    "stanza_bytes_before_auth_max": 10_000,
    "mailbox_bytes_max": 200_000,
    "output_bytes_max": 200_000,
    "negotiation_seconds_max": 1.0,
    "write_seconds_max": 1.0,
    "idle_seconds_max": 3.0,
    "failed_logins_max": 10,
}
