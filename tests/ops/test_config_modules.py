"""Tests of `ops.config_modules`, with modules made up for them."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from actors.module import Module
from actors.settings import count, setting
from ops.config import read_configuration
from ops.config_modules import ChosenModules
from ops.config_source import ConfigError, ConfigFault
from ops.config_values import expectation


@dataclass(frozen=True)
class Shout:
    text: str

    @classmethod
    def parse(cls, text: str) -> "Shout":
        if not text.isupper():
            raise ValueError("write it in capitals")
        return cls(text)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, kw_only=True)
class EchoOptions:
    times_max: int = count(3, "How often.", most=10)
    file: Path = setting(Path("echo.txt"), "Where to.")
    shouts: tuple[Shout, ...] = setting((Shout("HO"),), "What first.")


ECHO = Module(name="echo", summary="Echoes.", options=EchoOptions)
PING = Module(name="ping", summary="Answers.")
RARE = Module(name="rare", summary="Rarely wanted.", on_by_default=False)
CHOIR = Module(name="choir", summary="Many echoes.", needs=("echo",), on_by_default=False)
AVAILABLE = (ECHO, PING, RARE, CHOIR)


def _chosen(folder: Path, text: str) -> ChosenModules:
    path = folder / "trouper.toml"
    path.write_text(text)
    return read_configuration(path, available=AVAILABLE).modules


def _fault(folder: Path, text: str) -> ConfigFault:
    with pytest.raises(ConfigError) as caught:
        _chosen(folder, text)
    (fault,) = caught.value.faults
    return fault


def test_choose_modules_nothing_said_is_the_usual_with_defaults(tmp_path: Path) -> None:
    chosen = _chosen(tmp_path, "")
    assert chosen.modules == (ECHO, PING)
    assert chosen.options == {"echo": EchoOptions(file=tmp_path / "echo.txt")}


def test_choose_modules_what_is_said_is_done(tmp_path: Path) -> None:
    text = "[modules]\nping.enabled = false\nrare.enabled = true\n[modules.echo]\ntimes_max = 7"
    chosen = _chosen(tmp_path, text)
    assert chosen.modules == (ECHO, RARE)
    assert chosen.options == {"echo": EchoOptions(times_max=7, file=tmp_path / "echo.txt")}


@pytest.mark.parametrize(
    ("text", "line", "key", "message"),
    [
        ("[modules.ehco]", 1, "modules.ehco", "did you mean echo?"),
        ("[modules.zzz]", 1, "modules.zzz", "there are choir, echo, ping, rare"),
        ("[modules.ping]\nenabled = 1", 2, "modules.ping.enabled", "1 will not do: write true or false"),
        ("[modules.ping]\nx = 1", 2, "modules.ping.x", "no options but enabled"),
        ("[modules.echo]\ntimes = 1", 2, "modules.echo.times", "did you mean times_max?"),
        ("[modules.echo]\nshouts = ['HEY', 'ho']", 2, "modules.echo.shouts", '"ho": write it in capitals'),
        ("[modules.echo]\nshouts = [1]", 2, "modules.echo.shouts", "1 is no text: write it in quotes"),
        ("[modules.echo]\nshouts = 'HO'", 2, "modules.echo.shouts", 'for example: shouts = ["HO"]'),
        ("[modules.echo]\ntimes_max = 11", 2, "modules.echo.times_max", "a whole number from 1 to 10"),
        (
            "[modules]\nchoir.enabled = true\necho.enabled = false",
            3,
            "modules.echo",
            "choir needs it: enable both, or neither",
        ),
    ],
)
def test_choose_modules_fault_has_its_line(
    tmp_path: Path, text: str, line: int, key: str, message: str
) -> None:
    fault = _fault(tmp_path, text)
    assert (fault.line, fault.key) == (line, key)
    assert message in fault.message


def test_choose_modules_reads_what_an_option_is_written_as(tmp_path: Path) -> None:
    options = _chosen(tmp_path, "[modules.echo]\nshouts = ['HEY', 'HO']").options["echo"]
    assert isinstance(options, EchoOptions)
    assert options.shouts == (Shout("HEY"), Shout("HO"))
    assert expectation(tuple[Shout, ...], None, None) == "a list of texts in quotes"


def test_choose_modules_every_fault_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        _chosen(tmp_path, "[modules.echo]\ntimes_max = 0\nfile = 5\n[modules.none]")
    assert [fault.line for fault in caught.value.faults] == [2, 3, 4]


def test_choose_modules_faults_of_settings_and_modules_are_reported_together(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        _chosen(tmp_path, "domian = 1\n[modules.none]\n[limits]\nsessions_max = 0")
    assert [fault.line for fault in caught.value.faults] == [1, 2, 4]


def test_choose_modules_commands_that_need_none_read_none(tmp_path: Path) -> None:
    path = tmp_path / "trouper.toml"
    path.write_text("[modules.none]")
    assert read_configuration(path).modules == ChosenModules((), {})
