"""XEP-0091: the old form of a delay, for those who want it and for nobody else."""

import pytest

from actors.modules.mod_legacy_delay import LegacyDelayOptions, with_legacy_delay
from protocols.stanza import Stanza, StanzaKind
from tests.actors.house import House

OLD = "<x xmlns='jabber:x:delay'{}>{}</x>"


def message(*content: str) -> Stanza:
    data = f"<message>{''.join(content)}</message>".encode()
    return Stanza(StanzaKind.MESSAGE, None, None, "", None, None, data)


def delay(stamp: str, attributes: str = "", reason: str = "") -> str:
    return f"<delay xmlns='urn:xmpp:delay' stamp='{stamp}'{attributes}>{reason}</delay>"


@pytest.mark.parametrize(
    ("content", "added"),
    [
        (delay("2002-09-10T23:08:25Z"), OLD.format(" stamp='20020910T23:08:25'", "")),
        (
            delay("2002-09-10T23:08:25Z", " from='a&amp;b'", "R &amp; J"),
            OLD.format(" from='a&amp;b' stamp='20020910T23:08:25'", "R &amp; J"),
        ),
        (
            delay("2001-01-01T00:00:00Z") + delay("2002-09-10T23:08:25Z"),
            OLD.format(" stamp='20010101T00:00:00'", ""),
        ),
        (delay("soon") + delay("2002-09-10T23:08:25Z"), OLD.format(" stamp='20020910T23:08:25'", "")),
        (delay("soon"), ""),
        ("<delay xmlns='urn:xmpp:delay'/>", ""),
        (delay("2002-09-10T23:08:25Z") + "<x xmlns='jabber:x:delay' stamp='20020910T23:08:24'/>", ""),
        ("<body>urn:xmpp:delay</body>", ""),
        ("", ""),
    ],
)
def test_with_legacy_delay_adds_the_first_moment_if_there_is_none(content: str, added: str) -> None:
    assert with_legacy_delay(message(content)).data == message(content, added).data


@pytest.mark.parametrize("everybody", [False, True])
async def test_legacy_delay_is_for_clients_of_today_where_everybody_gets_it(everybody: bool) -> None:
    options = {"legacy_delay": LegacyDelayOptions(everybody=everybody)}
    async with House(options=options).open() as house:
        romeo = await house.appear("romeo@localhost/orchard")
        romeo.send("<message to='juliet@localhost'><body>hi</body></message>")
        await house.settle()
        juliet = await house.log_in("juliet@localhost/balcony")
        juliet.send("<presence/>")
        (heard,) = [text for text in await juliet.hears() if text.startswith("<message")]
        assert ('xmlns="jabber:x:delay"' in heard) is everybody
        assert 'xmlns="urn:xmpp:delay"' in heard
