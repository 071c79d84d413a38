"""Addresses that are none, or not the sender's own (RFC 6120 §8.1, RFC 7622)."""

import pytest

from tests.bad_input.test_xml import assert_ended_with
from tests.support.raw_client import RawClient, assert_serves
from tests.support.server import RunningServer

MALFORMED = {
    "empty": "",
    "no domain": "romeo@",
    "no localpart": "@localhost",
    "empty resource": "romeo@localhost/",
    "two at signs": "a@b@localhost",
    "space": "ro meo@localhost",
    "forbidden character": "ro&quot;meo@localhost",
    "forbidden by RFC 7622": "ro&lt;meo@localhost",
    "control character in resource": "romeo@localhost/a\N{NEXT LINE}b",
    "unassigned": "ro\U000e0080meo@localhost",
    "localpart too long": f"{'a' * 1_024}@localhost",
    "resource too long": f"romeo@localhost/{'a' * 1_024}",
    "domain too long": f"{'a' * 64}.example",
    "domain with empty label": "romeo@local..host",
    "symbol in localpart": "♚@localhost",
}

FORGED = ("romeo@localhost", "romeo@localhost/orchard", "localhost", "elsewhere.example")


@pytest.mark.parametrize("name", MALFORMED)
def test_stanza_to_no_address_is_refused(server: RunningServer, name: str) -> None:
    address = MALFORMED[name]
    with RawClient(server, "c2s_tls") as client:
        client.log_in(server.account())
        client.send(f"<message to='{address}' id='m'><body>to whom?</body></message>")
        client.send(f"<iq to='{address}' id='i' type='get'><ping xmlns='urn:xmpp:ping'/></iq>")
        for _ in range(2):
            answer = client.read_until(rb"</error></(?:message|iq)>")
            assert b"type='error'" in answer
            assert b"<jid-malformed " in answer
        client.send(f"<message to='{address}' type='error' id='e'/><iq to='{address}' type='result' id='r'/>")
        client.send("<iq id='next' type='get'><ping xmlns='urn:xmpp:ping'/></iq>")
        assert client.read_until(rb"<iq [^>]*>").count(b"<") == 1  # what is no request is not answered
    assert_serves(server)


@pytest.mark.parametrize("kind", ["message", "presence", "iq"])
@pytest.mark.parametrize("address", [*FORGED, *MALFORMED.values()])
def test_stanza_from_another_ends_session(server: RunningServer, kind: str, address: str) -> None:
    account = server.account()
    with RawClient(server, "c2s_tls") as victim, RawClient(server, "c2s_tls") as client:
        to = victim.log_in(account, "victim")
        client.log_in(server.account())
        client.send(f"<{kind} from='{address}' to='{to}' id='forged' type='get'><x xmlns='urn:x'/></{kind}>")
        assert_ended_with(client.read_to_end(), "invalid-from")
        victim.send("<iq id='next' type='get'><ping xmlns='urn:xmpp:ping'/></iq>")
        assert b"forged" not in victim.read_until(rb"<iq [^>]*id='next'")


def test_stanza_from_own_other_resource_ends_session(server: RunningServer) -> None:
    account = server.account()
    with RawClient(server, "c2s_tls") as other, RawClient(server, "c2s_tls") as client:
        address = other.log_in(account, "other")
        client.log_in(account, "mine")
        client.send(f"<message from='{address}' to='{address}'><body>me</body></message>")
        assert_ended_with(client.read_to_end(), "invalid-from")
    assert_serves(server)


def test_own_address_however_spelled_is_stamped_anew(server: RunningServer) -> None:
    account = server.account()
    with RawClient(server, "c2s_tls") as client:
        address = client.log_in(account, "mine")
        for sender in (address, account.jid, address.replace("user", "USER"), None):
            attribute = "" if sender is None else f" from='{sender}'"
            client.send(f"<message{attribute} to='{address}'><body>me</body></message>")
            received = client.read_until(rb"</message>").decode()
            assert received.count("from=") == 1
            assert f"from='{address}'" in received


@pytest.mark.parametrize("resource", ["a\N{NEXT LINE}b", "a" * 1_024, "\U000e0080"])
def test_resource_that_can_be_none_is_refused(server: RunningServer, resource: str) -> None:
    with RawClient(server, "c2s_tls") as client:
        client.authenticate(server.account())
        client.send(
            "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
            f"<resource>{resource}</resource></bind></iq>"
        )
        assert b"<bad-request " in client.read_until(rb"</iq>")
        assert client.bind("better").endswith("/better")


@pytest.mark.parametrize("name", ["ro meo", "ro@meo", "♚", "a" * 1_024, "ro/meo", "\N{NEXT LINE}"])
def test_login_by_name_that_can_be_none_is_refused(server: RunningServer, name: str) -> None:
    with RawClient(server, "c2s_tls") as client:
        client.open_stream()
        assert b"<not-authorized/>" in client.attempt_plain(name, "password")
    assert_serves(server)
