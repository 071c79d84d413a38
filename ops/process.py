"""What the process of a server needs before anything else: enough open files, and a private data directory.

Used by `trouper serve`.
"""

import os
import resource
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from actors.settings import Settings

# Open files beside those of the connections: database, listeners, logs, the interpreter's own.
OTHER_FILES: Final = 256
_SECRET_BYTES: Final = 32
# Readable by others, a data directory tells passwords' keys and everybody's messages.
_OTHERS: Final = 0o077


def prepare_process(settings: Settings) -> Iterator[str]:
    """Makes the process ready to serve; yields a sentence for each thing that is not as it should be.

    Raises:
        OSError: The data directory cannot be made.
    """
    os.umask(_OTHERS)
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    yield from _strangers(settings.data_dir)
    yield from _open_files(settings.limits.connections_max + OTHER_FILES)


def _strangers(data_dir: Path) -> Iterator[str]:
    if data_dir.stat().st_mode & _OTHERS:
        yield f"{data_dir} can be opened by other users of this machine: chmod 700 {data_dir}"


def _open_files(wanted: int) -> Iterator[str]:
    """Raises the limit of open files as far as that is ours to do."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        if soft < wanted:
            yield (
                f"only {soft} files may be open at a time, limits.connections_max needs {wanted}: raise the "
                f"limit (ulimit -n, or LimitNOFILE in a systemd unit)"
            )


def server_secret(data_dir: Path) -> bytes:
    """Returns random bytes of this server's own, the same after every restart; made at the first start.

    Salts for accounts that do not exist are derived from it, so that nobody can tell them from those that do.

    Raises:
        OSError: The file cannot be read or made.
    """
    path = data_dir / "secret"
    if not path.exists():
        new = path.with_suffix(".new")
        new.unlink(missing_ok=True)
        new.touch(mode=0o600)
        new.write_bytes(secrets.token_bytes(_SECRET_BYTES))
        new.rename(path)
    return path.read_bytes()
