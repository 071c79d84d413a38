"""Tests of `ops.config`: what a right configuration becomes, and each kind of fault with its place."""

import tomllib
from pathlib import Path

import pytest

from actors.settings import Address, Durability, LogLevel, Settings
from ops.config import read_configuration
from ops.config_check import Declared, declared_settings
from ops.config_source import ConfigError, ConfigFault
from ops.config_values import as_toml, checked

SAMPLE = """
domain = "localhost"
data_dir = "data"
durability = "journaled"            # or "memory"
[database]
uri = "embedded"                    # or mongodb://…
[listen]
c2s = ["127.0.0.1:5222"]
c2s_tls = ["127.0.0.1:5223"]
http = ["127.0.0.1:5280"]           # /ws here; plain HTTP on loopback, https = […] elsewhere
[tls]
certificate = "server.crt"
key = "server.key"
[auth]
require_tls = true                  # false: log-in without TLS, for benchmarks on loopback
[registration]
open = false
[archive]
enabled = true                      # once there is one
"""


def _settings(folder: Path, text: str, *overrides: str) -> Settings:
    path = folder / "trouper.toml"
    path.write_text(text, encoding="utf-8")
    return read_configuration(path, overrides).settings


def _faults(folder: Path, text: str, *overrides: str) -> tuple[ConfigFault, ...]:
    with pytest.raises(ConfigError) as caught:
        _settings(folder, text, *overrides)
    return caught.value.faults


def _fault(folder: Path, text: str, *overrides: str) -> ConfigFault:
    (fault,) = _faults(folder, text, *overrides)
    return fault


def test_read_configuration_sample_equals_the_defaults(tmp_path: Path) -> None:
    assert _settings(tmp_path, SAMPLE) == _settings(tmp_path, "")


def test_read_configuration_without_a_file_is_the_defaults_from_here() -> None:
    settings = read_configuration(None).settings
    assert settings.data_dir == Path.cwd() / "data"
    assert settings.listen == Settings().listen
    assert settings.limits == Settings().limits


def test_read_configuration_values_are_taken(tmp_path: Path) -> None:
    settings = _settings(
        tmp_path,
        """
        domain = "chat.example"
        durability = "memory"
        [listen]
        c2s = ["0.0.0.0:5222", "[::1]:15222"]
        http = []
        [log]
        level = "warning"
        [limits]
        idle_seconds_max = 5
        [modules.ping]
        interval_seconds = 3
        """,
    )
    assert settings.domain == "chat.example"
    assert settings.durability is Durability.MEMORY
    assert settings.listen.c2s == (Address("0.0.0.0", 5222), Address("::1", 15222))  # noqa: S104 - only parsed
    assert settings.listen.http == ()
    assert settings.log.level is LogLevel.WARNING
    assert settings.limits.idle_seconds_max == 5.0
    assert settings.modules == {"ping": {"interval_seconds": 3}}


def test_read_configuration_relative_paths_start_at_the_file(tmp_path: Path) -> None:
    settings = _settings(tmp_path, 'data_dir = "here"\n[tls]\nkey = "/etc/key.pem"')
    assert settings.data_dir == tmp_path / "here"
    assert settings.tls.key == Path("/etc/key.pem")
    assert settings.tls.certificate == tmp_path / "server.crt"


def test_read_configuration_path_that_may_be_missing_is_none_if_empty(tmp_path: Path) -> None:
    assert _settings(tmp_path, "").tls.client_ca is None
    assert _settings(tmp_path, '[tls]\nclient_ca = ""').tls.client_ca is None
    assert _settings(tmp_path, '[tls]\nclient_ca = "ca.pem"').tls.client_ca == tmp_path / "ca.pem"


def test_read_configuration_override_wins_over_the_file(tmp_path: Path) -> None:
    settings = _settings(
        tmp_path, "[limits]\nsessions_max = 5", "limits.sessions_max=7", "domain=other.example"
    )
    assert settings.limits.sessions_max == 7
    assert settings.domain == "other.example"


def test_read_configuration_overridden_path_starts_at_the_shell(tmp_path: Path) -> None:
    assert _settings(tmp_path, "", "data_dir=elsewhere").data_dir == Path.cwd() / "elsewhere"


@pytest.mark.parametrize(
    ("text", "line", "key", "message"),
    [
        ("\ndomian = 'x'", 2, "domian", "did you mean domain?"),
        ("[auth]\nrequiretls = true", 2, "auth.requiretls", "did you mean require_tls?"),
        ("[limits]\nrequire_tls = true", 2, "limits.require_tls", "it belongs into [auth]"),
        ("[auth]\ndomain = 'x'", 2, "auth.domain", "it belongs above the first [table]"),
        ("[auth]\nfrobnicate = 1", 2, "auth.frobnicate", "[auth] may hold require_tls"),
        ("[limits]\nfrobnicate = 1", 2, "limits.frobnicate", "docs/configuration.md"),
        ("durability = 'often'", 1, "durability", 'write "journaled" or "memory"'),
        ("domain = 5", 1, "domain", "5 will not do: write a text in quotes"),
        ("data_dir = 5", 1, "data_dir", "write a path in quotes"),
        ("[auth]\nrequire_tls = 'yes'", 2, "auth.require_tls", '"yes" will not do: write true or false'),
        ("[limits]\nsessions_max = '5'", 2, "limits.sessions_max", "write a whole number from 1 to"),
        ("[limits]\nsessions_max = true", 2, "limits.sessions_max", "write a whole number"),
        ("[limits]\nsessions_max = 0", 2, "limits.sessions_max", "for example: sessions_max = 20000"),
        ("[limits]\nstanza_bytes_max = 9999", 2, "limits.stanza_bytes_max", "from 10000 to"),
        (
            "[limits]\nidle_seconds_max = nan",
            2,
            "limits.idle_seconds_max",
            "write a number from 0.1 to 86400",
        ),
        ("[listen]\nc2s = '127.0.0.1:5222'", 2, "listen.c2s", "write a list of addresses"),
        ("[listen]\nc2s = [5222]", 2, "listen.c2s", "5222 is no text: write HOST:PORT in quotes"),
        ("[listen]\nc2s = ['127.0.0.1']", 2, "listen.c2s", '"127.0.0.1": the port is missing'),
        (
            "[listen]\nc2s = ['127.0.0.1:70000']",
            2,
            "listen.c2s",
            "is no port: write a number from 0 to 65535",
        ),
        ("[listen]\nc2s = ['::1:5222']", 2, "listen.c2s", "goes into brackets: [::1]:5222"),
        ("[listen]\nc2s = ['example.org:5222']", 2, "listen.c2s", "neither an IP address nor localhost"),
        ("listen = 5", 1, "listen", "write [listen]"),
        ("modules = 5", 1, "modules", "write [modules.NAME]"),
        ("[modules]\nping = true", 2, "modules.ping", "write [modules.ping]"),
        ("domain = 'a@b.example'", 1, "domain", 'write "b.example"'),
        ("domain = 'Example.ORG'", 1, "domain", 'write "example.org"'),
        ("admins = ['escalus@b.example']", 1, "admins", 'write "USER@localhost"'),
        ("admins = ['localhost']", 1, "admins", "write the address of an account"),
        ("domain = 'a b'", 1, "domain", "is no domain"),
        ("[database]\nuri = 'mysql://db'", 2, "database.uri", "starts with mongodb://"),
        ("[listen]\nc2s = []\nc2s_tls = []\nhttp = []", 1, "listen", "nobody could connect"),
        ("[listen]\nhttp = ['0.0.0.0:5280']", 2, "listen.http", "list it in https"),
        (
            "[listen]\nc2s = ['0.0.0.0:5222']\n[auth]\nrequire_tls = false",
            4,
            "auth.require_tls",
            "in the clear",
        ),
        (
            "[limits]\nstanza_bytes_max = 2000000",
            1,
            "limits.mailbox_bytes_max",
            "write at least stanza_bytes_max",
        ),
        ("[limits]\nstanza_bytes_max = 10000", 1, "limits.stanza_bytes_before_auth_max", "must not exceed"),
    ],
)
def test_read_configuration_fault_has_its_line_and_says_what_is_right(
    tmp_path: Path, text: str, line: int, key: str, message: str
) -> None:
    fault = _fault(tmp_path, text)
    assert (fault.path, fault.line, fault.key) == (str(tmp_path / "trouper.toml"), line, key)
    assert message in fault.message


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a = 1\nb =\n", 2, "is no TOML: invalid value: b ="),
        ("a = 1\na = 2\n", 2, "is no TOML: cannot overwrite a value"),
        ("[listen\n", 1, "is no TOML"),
        ('domain = "never closed', 1, "is no TOML"),
        ("[listen]\nc2s = [\n", 2, "is no TOML"),
    ],
)
def test_read_configuration_syntax_error_has_its_line(
    tmp_path: Path, text: str, line: int, message: str
) -> None:
    fault = _fault(tmp_path, text)
    assert (fault.line, fault.key) == (line, "")
    assert message in fault.message


def test_read_configuration_one_port_twice_is_reported_at_both_places(tmp_path: Path) -> None:
    faults = _faults(tmp_path, "[listen]\nc2s = ['127.0.0.1:1']\nc2s_tls = ['127.0.0.1:1']")
    assert [fault.line for fault in faults] == [2, 3]
    assert '"127.0.0.1:1" is listened on 2 times' in faults[0].message


def test_read_configuration_chosen_ports_may_repeat(tmp_path: Path) -> None:
    text = "[listen]\nc2s = ['127.0.0.1:0']\nc2s_tls = ['127.0.0.1:0']"
    assert _settings(tmp_path, text).listen.c2s == (Address("127.0.0.1", 0),)


def test_read_configuration_missing_file_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml: cannot be read: No such file"):
        read_configuration(tmp_path / "nowhere.toml")


def test_read_configuration_file_that_is_not_utf8_is_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "trouper.toml"
    path.write_bytes(b"a = 1\nb = '\xff'\n")
    with pytest.raises(ConfigError, match="is not UTF-8, as TOML must be: see line 2"):
        read_configuration(path)


def test_read_configuration_huge_file_is_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "trouper.toml"
    path.write_bytes(b"#" * 1_048_577)
    with pytest.raises(ConfigError, match="is it the right file"):
        read_configuration(path)


@pytest.mark.parametrize(
    ("override", "key", "message"),
    [
        ("domain", "domain", "write KEY=VALUE"),
        ("=5", "=5", "write KEY=VALUE"),
        ("limits.sessions_max=many", "limits.sessions_max", "write a whole number"),
        ("nothing.here=1", "nothing", "there is no such setting"),
        ("listen.c2s='[::1]'", "listen.c2s", "write a list of addresses"),
    ],
)
def test_read_configuration_fault_of_an_override_names_the_command_line(
    tmp_path: Path, override: str, key: str, message: str
) -> None:
    fault = _fault(tmp_path, "", override)
    assert (fault.path, fault.line, fault.key) == ("command line", None, key)
    assert message in fault.message


def test_read_configuration_every_fault_is_reported_in_order(tmp_path: Path) -> None:
    text = "domian = 1\n[limits]\nsessions_max = 'x'\nroster_items_max = -1\n[auth]\nrequire_tls = 1\n"
    faults = _faults(tmp_path, text, "archive.enabled=maybe", "tls=5")
    assert [(fault.line, fault.key) for fault in faults] == [
        (1, "domian"),
        (3, "limits.sessions_max"),
        (4, "limits.roster_items_max"),
        (6, "auth.require_tls"),
        (None, "tls"),
        (None, "archive.enabled"),
    ]


def test_config_error_reads_as_one_line_per_fault(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        _settings(tmp_path, "domian = 1\n[auth]\nx = 1")
    lines = str(caught.value).splitlines()
    assert len(lines) == 2
    assert lines[0] == f"{tmp_path}/trouper.toml:1: domian: there is no such setting; did you mean domain?"


def test_source_fault_found_later_has_its_line_too(tmp_path: Path) -> None:
    """A module checks its own options when it is loaded, long after the file was read."""
    path = tmp_path / "trouper.toml"
    path.write_text("[modules.ping]\n\ninterval = 'x'")
    source = read_configuration(path).source
    assert source.fault(("modules", "ping", "interval"), "no").line == 3


@pytest.mark.parametrize("declared", list(declared_settings()), ids=lambda declared: ".".join(declared.path))
def test_declared_setting_has_a_sentence_and_an_acceptable_default(declared: Declared) -> None:
    """The default, written as TOML and read again, passes the setting's own check."""
    value = tomllib.loads(f"value = {as_toml(declared.default)}")["value"]
    assert checked(declared.annotation, value, declared.metadata) == declared.default
    assert declared.metadata["sentence"].endswith(".")
