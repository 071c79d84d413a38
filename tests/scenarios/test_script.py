"""What a script may say, and what is said of one that is wrong."""

import pytest

from tests.scenarios.conftest import SCRIPTS
from tests.scenarios.script import Part, ScriptError, Step, Verb, Way, parse_script, read_script

WHOLE = """\
# A user writes to another
# in more words
rows: S-090, S-007
server: limits.stanza_bytes_max = 20000

client juliet: juliet/balcony
client romeo: romeo/Spark 2.6.3, over STARTTLS, unregistered, with a certificate, by that name
client nurse, password kept, zero-knowledge kept

juliet connects
romeo sends:
    <message to='{juliet}'>
      <body>one word</body>

    # not part of it
    </message>
juliet receives nothing
juliet and romeo become contacts
the newest stream stands at wait_for_bind
the server restarts
"""


def test_script_says_what_it_says() -> None:
    script = parse_script(WHOLE)
    assert (script.title, script.rows) == ("A user writes to another", ("S-090", "S-007"))
    assert script.settings == ("limits.stanza_bytes_max=20000",)
    assert list(script.parts.values()) == [
        Part("juliet", "juliet", "balcony"),
        Part("romeo", "romeo", "Spark 2.6.3", Way.STARTTLS, False, (), True, True),
        Part("nurse", "nurse", "nurse", keeps=("password", "zero-knowledge")),
    ]
    assert script.steps == (
        Step(10, "juliet", Verb.CONNECTS),
        Step(11, "romeo", Verb.SENDS, "<message to='{juliet}'><body>one word</body></message>"),
        Step(17, "juliet", Verb.RECEIVES_NOTHING),
        Step(18, "juliet", Verb.BECOME_CONTACTS, "romeo"),
        Step(19, "", Verb.STANDS, "wait_for_bind"),
        Step(20, "", Verb.RESTARTS),
    )


@pytest.mark.parametrize(
    ("step", "has_crashes"),
    [("juliet has a session that crashes", True), ("juliet leaves", False)],
)
def test_script_knows_whether_something_dies(step: str, has_crashes: bool) -> None:
    assert parse_script(f"# It\nrows: S-001\nclient juliet\n{step}\n").has_crashes is has_crashes


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("# It\nrows: S-001\nclient juliet\njuliet and romeo become contacts", "nothing can happen"),
        ("", "line 1: begin with"),
        ("rows: S-001", "line 1: begin with"),
        ("# Nothing", "say which rows"),
        ("# It\nrows: S-1", "'S-1' is no row's id"),
        ("# It\nrows: S-001\n    indented", "it takes no text"),
        ("# It\n    indented", "line 2: indented"),
        ("# It\nrows: S-001\nserver: x", "line 3: write 'server:"),
        ("# It\nrows: S-001\nclient Juliet", "line 3: write 'client"),
        ("# It\nrows: S-001\nclient juliet, by pigeon", "line 3: options are"),
        ("# It\nrows: S-001\nclient juliet, in clear, over TLS", "one way at most"),
        ("# It\nrows: S-001\njuliet connects", "line 3: there is no client 'juliet'"),
        ("# It\nrows: S-001\nclient juliet\njuliet dances", "line 4: nothing can happen like that"),
        ("# It\nrows: S-001\nclient juliet\njuliet sends:", "line 4: say what"),
        ("# It\nrows: S-001\nclient juliet\njuliet connects\n    <x/>", "line 4: it takes no text"),
    ],
)
def test_script_that_is_wrong_is_refused(text: str, words: str) -> None:
    with pytest.raises(ScriptError, match="line") as raised:
        parse_script(text)
    assert words in str(raised.value)


def test_every_script_can_be_read() -> None:
    """So that one which cannot be is a fault of its own, even where only other tests run."""
    scripts = sorted(SCRIPTS.rglob("*.txt"))
    assert scripts
    for path in scripts:
        read_script(path)
