"""Engines for tests: one in memory for whoever needs a database for a while."""

import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from store.embedded import start_engine, stop, wait_listening


@contextmanager
def memory_engine() -> Iterator[str]:
    """Run an engine that keeps nothing and asks for no password, and give its address."""
    with tempfile.TemporaryDirectory() as directory:
        config = Path(directory) / "engine.toml"
        config.touch()
        process = start_engine(":memory:", config, auth=False)
        port = wait_listening(process)
        with drained(process):
            try:
                yield f"mongodb://127.0.0.1:{port}/?directConnection=true"
            finally:
                stop(process, port)


@contextmanager
def drained(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Read what an engine says until it ends, which it must have done when this is left."""
    assert process.stderr is not None
    with process.stderr as stderr:
        reader = threading.Thread(target=stderr.read, daemon=True)
        reader.start()
        try:
            yield
        finally:
            reader.join()
