"""Log-ins that fail, again and again (RFC 6120 §6.4, §6.5)."""

import base64

import pytest

from tests.bad_input.test_xml import assert_ended_with
from tests.support.raw_client import SASL, RawClient, assert_serves
from tests.support.server import RunningServer

ATTEMPTS_OF_STREAM = 5
ATTEMPTS_OF_ADDRESS = 10  # as the fixture has it


def plain(text: str) -> str:
    response = base64.b64encode(text.encode()).decode()
    return f"<auth xmlns='{SASL}' mechanism='PLAIN'>{response}</auth>"


@pytest.mark.parametrize(
    ("element", "condition"),
    [
        (f"<auth xmlns='{SASL}' mechanism='GUESS'>AAAA</auth>", "invalid-mechanism"),
        (f"<auth xmlns='{SASL}'/>", "invalid-mechanism"),
        (f"<auth xmlns='{SASL}' mechanism='PLAIN'>AGE</auth>", "incorrect-encoding"),
        (f"<auth xmlns='{SASL}' mechanism='PLAIN'>AG=EA</auth>", "incorrect-encoding"),
        (f"<auth xmlns='{SASL}' mechanism='PLAIN'>ü</auth>", "incorrect-encoding"),
        (f"<auth xmlns='{SASL}' mechanism='PLAIN'>=</auth>", "malformed-request"),
        (plain("no separators"), "malformed-request"),
        (plain("\0a\0b\0c"), "malformed-request"),
        (f"<auth xmlns='{SASL}' mechanism='SCRAM-SHA-256'>AAAA</auth>", "malformed-request"),
        (f"<response xmlns='{SASL}'>AAAA</response>", "malformed-request"),
        (f"<abort xmlns='{SASL}'/>", "aborted"),
    ],
)
def test_login_at_fault_is_refused_and_may_be_tried_again(
    server: RunningServer, element: str, condition: str
) -> None:
    account = server.account()
    with RawClient(server, "c2s_tls") as client:
        client.open_stream()
        client.send(element)
        answer = client.read_until(rb"</failure>").decode()
        assert f"<{condition}/>" in answer
        assert b"<success" in client.attempt_plain(account.username, account.password)


def test_authorization_as_somebody_else_is_refused(server: RunningServer) -> None:
    account, other = server.account(), server.account()
    with RawClient(server, "c2s_tls") as client:
        client.open_stream()
        client.send(plain(f"{other.jid}\0{account.username}\0{account.password}"))
        assert b"<invalid-authzid/>" in client.read_until(rb"</failure>")
        client.send(plain(f"{account.jid}\0{account.username}\0{account.password}"))
        client.read_until(rb"<success [^>]*>")


def test_ten_failed_logins_close_the_door_to_their_address(small_server: RunningServer) -> None:
    """Five end a stream, ten bar the address for a while, with the right password too; others are served."""
    account, address = small_server.account(), "127.0.0.77"
    for _ in range(ATTEMPTS_OF_ADDRESS // ATTEMPTS_OF_STREAM):
        with RawClient(small_server, "c2s_tls", source=address) as client:
            client.open_stream()
            for _ in range(ATTEMPTS_OF_STREAM):
                assert b"<not-authorized/>" in client.attempt_plain(account.username, "guess")
            assert_ended_with(client.read_to_end(), "policy-violation")
    with RawClient(small_server, "c2s_tls", source=address) as client:
        client.send(client.header())
        received = client.read_to_end()
        assert b"<mechanism>" not in received
        assert_ended_with(received, "policy-violation")
    assert_serves(small_server)
    with RawClient(small_server, "c2s_tls", source="127.0.0.78") as client:
        client.log_in(account)


def test_failed_logins_do_not_bar_who_gets_it_right(small_server: RunningServer) -> None:
    account, address = small_server.account(), "127.0.0.79"
    with RawClient(small_server, "c2s_tls", source=address) as client:
        client.open_stream()
        for _ in range(ATTEMPTS_OF_STREAM - 1):
            client.attempt_plain(account.username, "guess")
        assert b"<success" in client.attempt_plain(account.username, account.password)
