"""What the engine's standard error tells, however it is cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.embedded_output import EngineEnd, EngineOutput, parse_listening

READY = "2026-11-21 10:32:49,578 INFO secantus.server: secantus listening on 127.0.0.1:35985"
LOCKED = (
    "[1795257167:804020][6279:0x7f3dd9a35b80], wiredtiger_open: [WT_VERB_DEFAULT][ERROR]: __conn_single, "
    "1853: WiredTiger database is already being managed by another process: Device or resource busy"
)
TAKEN = "OSError: [Errno 98] Address already in use"


@pytest.mark.parametrize(
    ("line", "port"),
    [
        (READY, 35985),
        (f"{READY}\n", 35985),
        ("INFO secantus.cli: loaded config from engine.toml", None),
        ("secantus listening on 0.0.0.0:35985", None),
        ("secantus listening on 127.0.0.1:", None),
        ("secantus listening on 127.0.0.1:1234567", None),
        ("", None),
    ],
)
def test_parse_listening_finds_the_port_of_a_ready_engine(line: str, port: int | None) -> None:
    assert parse_listening(line) == port


@given(st.lists(st.integers(0, 200)))
def test_output_is_the_same_however_it_is_cut(cuts: list[int]) -> None:
    data = f"starting\nmälzen\n{READY}\nnot finished".encode()
    places = sorted({0, len(data), *(min(cut, len(data)) for cut in cuts)})
    output = EngineOutput()
    lines = [line for start, end in pairwise(places) for line in output.feed(data[start:end])]
    assert lines == ["starting", "mälzen", READY]
    assert output.port == 35985


@pytest.mark.parametrize(
    ("lines", "end"),
    [
        ([LOCKED, "Traceback", "_wiredtiger.WiredTigerError: busy"], EngineEnd.DIRECTORY_LOCKED),
        (["Traceback", TAKEN], EngineEnd.PORT_TAKEN),
        (["ImportError: libfoo.so"], EngineEnd.FAILED),
        ([], EngineEnd.FAILED),
    ],
)
def test_end_is_read_from_the_last_lines(lines: list[str], end: EngineEnd) -> None:
    output = EngineOutput()
    output.feed("".join(f"{line}\n" for line in lines).encode())
    assert output.end is end


def test_output_without_end_keeps_little() -> None:
    output = EngineOutput()
    for _ in range(100):
        output.feed(b"x" * 100_000)
    output.feed(b"\n" * 100_000)
    assert len(output.tail) < 200_000


def test_port_once_found_is_kept() -> None:
    output = EngineOutput()
    output.feed(f"{READY}\nsecantus listening on 127.0.0.1:1\n".encode())
    assert output.port == 35985
