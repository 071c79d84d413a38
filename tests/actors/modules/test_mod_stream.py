"""XEP-0478: streams say what they take, before log-in and after."""

from dataclasses import replace

from actors.settings import LimitSettings, Settings
from protocols.session_bits import SessionBits
from protocols.stream_features import offered_features
from tests.actors.house import House

LIMITS = LimitSettings(stanza_bytes_before_auth_max=10_001, stanza_bytes_max=10_002, idle_seconds_max=77.5)


async def test_stream_tells_its_limits() -> None:
    async with House(settings=replace(Settings(), limits=LIMITS)).open() as house:
        features = house.server.tcp_setup(secure=True).features
        for bits, told in (
            (SessionBits.LOGIN_ALLOWED, b"<max-bytes>10001</max-bytes>"),
            (SessionBits.AUTHENTICATED, b"<max-bytes>10002</max-bytes><idle-seconds>77</idle-seconds>"),
        ):
            (limits,) = [each for each in offered_features(features, bits) if each.name == "limits"]
            assert limits.advertisement == b"<limits xmlns='urn:xmpp:stream-limits:0'>" + told + b"</limits>"
