"""What never becomes a stream, and streams that stop halfway (RFC 6120 §4, §5, §11)."""

import os
import re
import socket
import ssl
from contextlib import suppress

import pytest

from tests.bad_input.test_xml import assert_ended_with
from tests.support.raw_client import SASL, TLS, RawClient, assert_serves
from tests.support.server import RunningServer

STREAM = "http://etherx.jabber.org/streams"
PING = "<ping xmlns='urn:xmpp:ping'/>"

LAUGHS = (
    b"<?xml version='1.0'?><!DOCTYPE l [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;'>"
    b"<!ENTITY c '&b;&b;&b;&b;&b;&b;&b;&b;'>]><stream:stream to='&c;'>"
)

# What comes in place of a stream, and what the answer is.
BEGINNINGS = {
    "HTTP request": (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "not-well-formed"),
    "zeros": (bytes(1_000), "unsupported-encoding"),
    "text": (b"hello?\n", "not-well-formed"),
    "end tag": (b"</stream:stream>", "not-well-formed"),
    "UTF-16": ("<?xml version='1.0'?><stream/>".encode("utf-16"), "unsupported-encoding"),
    "UTF-16 without a mark": ("<?xml version='1.0'?><stream/>".encode("utf-16-le"), "unsupported-encoding"),
    "byte order mark": (b"\xef\xbb\xbf<?xml version='1.0'?>", "unsupported-encoding"),
    "Latin-1": (b"<?xml version='1.0' encoding='iso-8859-1'?>", "unsupported-encoding"),
    "document type": (b"<!DOCTYPE lolz [<!ENTITY lol 'lol'>]><stream/>", "restricted-xml"),
    "billion laughs": (LAUGHS, "restricted-xml"),
    "comment": (b"<!-- hello --><stream/>", "restricted-xml"),
    "processing instruction": (b"<?xml version='1.0'?><?run this?><stream/>", "restricted-xml"),
    "endless header": (b"<stream:stream " + b"a" * 20_000, "policy-violation"),
    "many attributes": (
        b"<stream:stream xmlns:stream='%s' %s>"
        % (STREAM.encode(), b" ".join(b"a%d=''" % number for number in range(200))),
        "policy-violation",
    ),
    "another protocol": (b"<policy-file-request/>\0", "invalid-namespace"),
    "no stream": (b"<message xmlns='jabber:client'><body>hello</body></message>", "invalid-namespace"),
}

NAMESPACES = f"xmlns='jabber:client' xmlns:s='{STREAM}'"

HEADERS = {
    "wrong stream namespace": (
        "<s:stream to='localhost' version='1.0' xmlns='jabber:client' xmlns:s='urn:s'>",
        "invalid-namespace",
    ),
    "wrong content namespace": (
        f"<s:stream to='localhost' version='1.0' xmlns='jabber:server' xmlns:s='{STREAM}'>",
        "invalid-namespace",
    ),
    "unbound prefix": ("<s:stream to='localhost' version='1.0' xmlns='urn:x'>", "bad-namespace-prefix"),
    "wrong name": (f"<s:river to='localhost' version='1.0' {NAMESPACES}>", "bad-format"),
    "another domain": (f"<s:stream to='elsewhere.example' version='1.0' {NAMESPACES}>", "host-unknown"),
    "no domain": (f"<s:stream version='1.0' {NAMESPACES}>", "improper-addressing"),
    "no address": (f"<s:stream to='a@@b' version='1.0' {NAMESPACES}>", "improper-addressing"),
    "version": (f"<s:stream to='localhost' version='0.9' {NAMESPACES}>", "unsupported-version"),
    "no version": (f"<s:stream to='localhost' {NAMESPACES}>", "unsupported-version"),
}

ELEMENTS_BEFORE_LOGIN = {
    "message": "<message to='localhost'><body>let me in</body></message>",
    "presence": "<presence/>",
    "IQ": f"<iq type='get' id='1'>{PING}</iq>",
    "bind": "<iq type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>",
    "IQ to an account": f"<iq type='get' id='1' to='somebody@localhost'>{PING}</iq>",
}


@pytest.mark.parametrize("name", BEGINNINGS)
def test_bytes_that_are_no_stream_are_answered_by_one_with_an_error(server: RunningServer, name: str) -> None:
    """RFC 6120 §4.9.1.2: the error comes in a stream all the same."""
    data, condition = BEGINNINGS[name]
    with RawClient(server) as client:
        client.send(data)
        received = client.read_to_end()
        assert received.startswith(b"<?xml version='1.0'?><stream:stream ")
        assert_ended_with(received, condition)
    assert_serves(server)


@pytest.mark.parametrize("name", HEADERS)
def test_header_at_fault_is_answered_by_a_header_and_an_error(server: RunningServer, name: str) -> None:
    data, condition = HEADERS[name]
    with RawClient(server) as client:
        client.send(f"<?xml version='1.0'?>{data}")
        received = client.read_to_end()
        assert received.count(b"<stream:stream ") == 1
        assert b"<stream:features" not in received
        assert_ended_with(received, condition)
    assert_serves(server)


def test_tls_where_none_is_due_is_refused(server: RunningServer) -> None:
    with RawClient(server) as client:
        client.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + os.urandom(500))
        assert b"<stream:error>" in client.read_to_end()
    assert_serves(server)


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\r\n\r\n", bytes(1_000), b"<stream:stream xmlns='jabber:client'>"]
)
def test_clear_text_where_tls_is_due_is_cut_off(server: RunningServer, data: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.ports["c2s_tls"]), 15.0) as connection:
        connection.sendall(data)
        with suppress(ConnectionResetError):
            while received := connection.recv(1_000):
                assert b"stream" not in received
    assert_serves(server)


def test_clear_text_in_place_of_tls_handshake_is_cut_off(server: RunningServer) -> None:
    with RawClient(server) as client:
        client.open_stream()
        client.send(f"<starttls xmlns='{TLS}'/>")
        client.read_until(rb"<proceed [^>]*/>")
        client.send(client.header() + "<auth/>" * 100)
        with suppress(ConnectionResetError):
            assert b"stream" not in client.read_to_end()
    assert_serves(server)


def test_bytes_in_clear_behind_starttls_do_not_count(server: RunningServer) -> None:
    """Whoever sits between could have put them there (CVE-2011-0411)."""
    with RawClient(server) as client:
        client.open_stream()
        injected = f"{client.header()}<auth xmlns='{SASL}' mechanism='PLAIN'>AGEAYg==</auth>"
        client.send(f"<starttls xmlns='{TLS}'/>{injected}")
        client.read_until(rb"<proceed [^>]*/>")
        try:
            client.start_tls()
        except (ssl.SSLError, ConnectionError):
            pass  # the bytes went into the handshake and broke it: nobody was let in
        else:
            client.send(client.header())
            received = client.read_until(rb"</stream:features>")
            assert received.count(b"<stream:stream ") == 1
            assert b"<failure" not in received
    assert_serves(server)


@pytest.mark.parametrize("name", ELEMENTS_BEFORE_LOGIN)
@pytest.mark.parametrize("way", ["c2s", "c2s_tls"])
def test_stanza_before_login_is_refused(server: RunningServer, way: str, name: str) -> None:
    with RawClient(server, way) as client:
        client.open_stream()
        client.send(ELEMENTS_BEFORE_LOGIN[name])
        assert_ended_with(client.read_to_end(), "not-authorized")
    assert_serves(server)


@pytest.mark.parametrize("name", ["message", "presence", "IQ"])
def test_stanza_before_binding_is_refused(server: RunningServer, name: str) -> None:
    with RawClient(server, "c2s_tls") as client:
        client.authenticate(server.account())
        client.send(ELEMENTS_BEFORE_LOGIN[name])
        assert_ended_with(client.read_to_end(), "not-authorized")
    assert_serves(server)


def test_login_after_login_is_refused(server: RunningServer) -> None:
    account = server.account()
    with RawClient(server, "c2s_tls") as client:
        client.log_in(account)
        client.send(f"<auth xmlns='{SASL}' mechanism='PLAIN'>AGEAYg==</auth>")
        assert b"<stream:error>" in client.read_to_end()
    assert_serves(server)


def test_element_before_login_over_its_limit_is_refused(small_server: RunningServer) -> None:
    with RawClient(small_server, "c2s_tls") as client:
        client.open_stream()
        client.send(f"<auth xmlns='{SASL}' mechanism='PLAIN'>" + "A" * 20_000)
        assert_ended_with(client.read_to_end(), "policy-violation")
    assert_serves(small_server)


# -- time


@pytest.mark.parametrize("sent", ["", "<?xml version='1.0'?><stream:stream to='local", "   "])
def test_connection_that_says_nothing_whole_is_closed_in_time(small_server: RunningServer, sent: str) -> None:
    with RawClient(small_server) as client:
        client.send(sent)
        assert_ended_with(client.read_to_end(), "connection-timeout")


def test_stream_without_login_is_closed_in_time(small_server: RunningServer) -> None:
    with RawClient(small_server) as opened, RawClient(small_server, "c2s_tls") as authenticated:
        opened.open_stream()
        authenticated.authenticate(small_server.account())
        for client in (opened, authenticated):
            assert_ended_with(client.read_to_end(), "connection-timeout")


def test_tls_handshake_that_does_not_end_is_cut_off_in_time(small_server: RunningServer) -> None:
    with (
        socket.create_connection(("127.0.0.1", small_server.ports["c2s_tls"]), 15.0) as silent,
        RawClient(small_server) as halfway,
    ):
        halfway.open_stream()
        halfway.send(f"<starttls xmlns='{TLS}'/>")
        halfway.read_until(rb"<proceed [^>]*/>")
        halfway.send(b"\x16\x03\x01\x02\x00\x01")
        assert silent.recv(1) == b""
        assert halfway.read_to_end() == b""


def test_many_connections_half_open_hold_nobody_up(small_server: RunningServer) -> None:
    """Others are served meanwhile, and all of them are closed in time."""
    clients = [RawClient(small_server) for _ in range(300)]
    try:
        for number, client in enumerate(clients):
            client.send(client.header()[: number % 100])
        assert_serves(small_server)
        for client in clients:
            assert b"<connection-timeout " in client.read_to_end()
    finally:
        for client in clients:
            client.socket.close()


def test_silent_session_is_asked_for_a_sign_of_life_and_then_closed(small_server: RunningServer) -> None:
    """One that answers is asked again, and stays."""
    account = small_server.account()
    with RawClient(small_server, "c2s_tls") as silent, RawClient(small_server, "c2s_tls") as alive:
        silent.log_in(account, "silent")
        alive.log_in(account, "alive")
        for _ in range(2):
            asked = re.search(rb"id='([^']*)'><ping ", alive.read_until(rb"<ping [^>]*/></iq>"))
            assert asked is not None
            alive.send(f"<iq type='result' id='{asked[1].decode()}'/>")
        received = silent.read_to_end()
        assert received.count(b"<ping ") == 1
        assert_ended_with(received, "connection-timeout")
        alive.send(f"<iq type='get' id='still'>{PING}</iq>")
        alive.read_until(rb"<iq [^>]*id='still'")


def test_connection_lost_without_a_word_ends_its_session(server: RunningServer) -> None:
    """With a reset in every state: while the header comes, during the handshake, before and after login."""
    account = server.account()
    for stop in range(4):
        client = RawClient(server)
        if stop == 1:
            client.open_stream()
            client.send(f"<starttls xmlns='{TLS}'/>")
        elif stop == 2:
            client.authenticate(account)
        elif stop == 3:
            client.log_in(account)
            client.become_available()
        else:
            client.send(client.header()[:50])
        client.reset()
    assert_serves(server)
