"""A script that does not hold is found out, and said to be so where it does not."""

import pytest

from tests.scenarios.script import parse_script
from tests.scenarios.stage import SceneError, Stage
from tests.support.server import RunningServer

HEAD = "# It\nrows: S-001\nclient juliet: juliet/balcony\nclient romeo: romeo/orchard, over STARTTLS\n"
BEGINNING = "juliet connects\nromeo connects\n"
SAYS = "romeo sends:\n    <message to='{juliet}' id='m'><body>hi</body></message>\n"
HEARS = "juliet receives:\n    <message from='{romeo}' to='{juliet}' id='m'><body>hi</body></message>\n"
NOTHING = "juliet receives nothing\n"
LEAVES = "juliet sends:\n    </stream:stream>\n"
ENDS = "juliet receives:\n    </stream:stream>\n"


def play(server: RunningServer, text: str) -> None:
    Stage(parse_script(HEAD + text), server).play()


def test_play_what_holds(server: RunningServer) -> None:
    play(server, BEGINNING + NOTHING + SAYS + HEARS + NOTHING)


def test_play_takes_names_from_what_came(server: RunningServer) -> None:
    asks = "juliet sends:\n    <iq type='get' id='q' to='{domain}'><query xmlns='jabber:iq:version'/></iq>\n"
    hears = "juliet receives:\n    <iq type='result' id='{=what}' from='{domain}'><!-- more --></iq>\n"
    tells = "juliet sends:\n    <message to='{romeo}' id='{what}{what}'/>\n"
    heard = "romeo receives:\n    <message to='{romeo}' from='{juliet}' id='qq'/>\n"
    play(server, BEGINNING + asks + hears + tells + heard)


def test_play_in_any_order(server: RunningServer) -> None:
    both = SAYS + SAYS.replace("'m'", "'n'")
    hears = HEARS.replace("'m'", "'n'") + HEARS.partition("\n")[2]
    play(server, BEGINNING + both + hears.replace("receives:", "receives in any order:"))


def test_play_ignores_what_only_leads_up_to_the_point(server: RunningServer) -> None:
    play(server, BEGINNING + SAYS + "juliet ignores what came\n" + NOTHING)


def test_play_makes_contacts(server: RunningServer) -> None:
    asks = "juliet sends:\n    <iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>\n"
    item = "<item jid='{romeo.bare}' subscription='both' approved='true'/>"
    hears = (
        f"    <iq type='result' id='r'><query xmlns='jabber:iq:roster' ver='{{any}}'>{item}</query></iq>\n"
    )
    play(server, BEGINNING + "juliet and romeo become contacts\n" + asks + "juliet receives:\n" + hears)


def test_play_sends_bytes_and_byte_by_byte(server: RunningServer) -> None:
    slowly = SAYS.replace("sends:", "sends byte by byte:") + HEARS
    digits = b"<message id='n'/>".hex(" ")
    play(
        server,
        BEGINNING
        + slowly
        + "juliet becomes available\njuliet sends bytes:\n    "
        + digits
        + "\njuliet receives:\n    <message from='{juliet}' id='n'/>\n",
    )


def test_play_settles_with_accounts_that_nobody_uses(server: RunningServer) -> None:
    sends = "romeo sends:\n    <message to='{juliet.bare}' type='groupchat' id='g'/>\n"
    error = "<error type='cancel' code='503'><!-- more --></error>"
    hears = f"    <message type='error' from='{{juliet.bare}}' id='g'>{error}</message>\n"
    play(server, "romeo connects\n" + sends + "romeo ignores what came\nromeo receives nothing\n")
    with pytest.raises(SceneError, match="in place of"):
        play(server, "romeo connects\n" + sends + "romeo receives:\n" + hears.replace("503", "404"))


def test_play_lets_the_database_go_on_whatever_happens(server: RunningServer) -> None:
    with pytest.raises(SceneError, match="nothing is known by the name"):
        play(server, BEGINNING + "the database stops\njuliet sends:\n    <message to='{nobody}'/>\n")
    play(server, BEGINNING + SAYS + HEARS)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (SAYS, "at the end: juliet got\n<message"),
        (SAYS + NOTHING, "line 9, juliet receives nothing juliet got\n<message"),
        (SAYS + HEARS.replace("hi", "ho"), "body says 'hi' in place of 'ho'"),
        (SAYS + HEARS.replace("hi", "ho").replace("receives:", "receives in any order:"), "says 'hi'"),
        (LEAVES + HEARS, "but got\n</stream:stream>"),
        (LEAVES + ENDS + HEARS, "but the server closed the connection"),
        ("romeo sends:\n    <message to='{mercutio}'/>\n", "nothing is known by the name {mercutio}"),
        (HEARS.replace("</message>", ""), "line 7"),
        (SAYS + "juliet is disconnected\n", "but got\n<message"),
        ("juliet becomes available\njuliet leaves\njuliet becomes available\n", "it is not connected"),
        ("the newest stream stands at wait_for_bind\n", "at wait_for_bind, but at session_established"),
        ("juliet has a session that crashes\n", "not started with --faults"),
        ("juliet is cut off\n" + HEARS, "it is not connected"),
    ],
)
def test_play_what_does_not_hold(server: RunningServer, text: str, words: str) -> None:
    with pytest.raises(SceneError) as raised:
        play(server, BEGINNING + text)
    assert words in str(raised.value)


def test_play_what_never_comes(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.scenarios.stage.SECONDS_MAX", 0.1)
    with pytest.raises(SceneError, match="but nothing came within"):
        play(server, BEGINNING + HEARS)
