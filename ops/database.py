"""Opens the configured database for a command that works on it while no server runs.

Used by the command line and for the demonstration accounts; the running server has actors for this.
"""

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

from actors.settings import Settings
from ops.accounts import Accounts
from ops.control_protocol import Refusal
from protocols.sasl.keys import SALT_BYTES
from store.embedded import EmbeddedEngine, EngineNotStarted
from store.embedded_output import EngineEnd
from store.errors import StoreError
from store.mongo.driver import MongoStore
from store.store import Store

# What `[database] uri` says for a database of the server's own.
EMBEDDED: Final = "embedded"


@contextmanager
def open_store(settings: Settings, say: Callable[[str], None]) -> Iterator[Store]:
    """Opens the database, its layout up to date; one of our own is started and stopped again.

    Args:
        settings: Where it is.
        say: Is told what is being waited for.

    Raises:
        Refusal: It cannot be used.
    """
    try:
        with _address(settings, say) as uri:
            store = MongoStore(uri)
            store.open()
            try:
                store.ensure_schema()
                yield store
            finally:
                store.close()
    except EngineNotStarted as error:
        if error.end is EngineEnd.DIRECTORY_LOCKED:
            raise Refusal(
                f"the database in {settings.data_dir} is in use, but no server answers there: one may be "
                "starting or stopping; try again in a moment"
            ) from error
        raise Refusal(str(error)) from error
    except StoreError as error:
        raise Refusal(f"the database cannot be used: {error}") from error


@contextmanager
def open_accounts(settings: Settings, say: Callable[[str], None]) -> Iterator[Accounts]:
    """Opens the database as `open_store` does, and gives the accounts in it.

    Raises:
        Refusal: It cannot be used.
    """
    with open_store(settings, say) as store:
        yield Accounts(store, settings.domain, _now_ms, partial(secrets.token_bytes, SALT_BYTES))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


@contextmanager
def _address(settings: Settings, say: Callable[[str], None]) -> Iterator[str]:
    if settings.database.uri != EMBEDDED:
        yield settings.database.uri
        return
    say(f"No server is running: starting the database in {settings.data_dir} for a moment")
    with EmbeddedEngine(settings.data_dir).running() as uri:
        yield uri
