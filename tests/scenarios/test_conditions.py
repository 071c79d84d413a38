"""Every condition of a stream error and of a SASL failure: what shows it, or why this server never sends it.

RFC 6120 §4.9.3 and §6.5. What shows it is a script, by its name, or a test where no script can do that.
"""

from enum import Enum
from typing import Final

import pytest

from protocols.conditions import SaslCondition, StreamCondition
from tests.architecture.sources import ROOT, sources
from tests.scenarios.conftest import SCRIPTS

STREAM_ERRORS: Final[dict[Enum, str]] = {
    StreamCondition.BAD_FORMAT: "s-128_stream_errors",
    StreamCondition.BAD_NAMESPACE_PREFIX: "s-128_stream_errors",
    StreamCondition.CONFLICT: "s-128_stream_errors",
    StreamCondition.CONNECTION_TIMEOUT: "s-133_too_slow",
    StreamCondition.HOST_UNKNOWN: "s-130_host_unknown",
    StreamCondition.IMPROPER_ADDRESSING: "s-128_stream_errors",
    StreamCondition.INTERNAL_SERVER_ERROR: "s-128_stream_errors",
    StreamCondition.INVALID_FROM: "s-011_from",
    StreamCondition.INVALID_NAMESPACE: "s-002_namespaces_of_a_stream",
    StreamCondition.NOT_AUTHORIZED: "s-004_no_session_before_log_in",
    StreamCondition.NOT_WELL_FORMED: "s-128_restricted_xml",
    StreamCondition.POLICY_VIOLATION: "s-127_largest_stanza",
    StreamCondition.RESOURCE_CONSTRAINT: (
        "tests/actors/test_managed_session_owed.py::"
        "test_burst_client_that_never_answers_is_sent_away_with_the_right_error"
    ),
    StreamCondition.RESTRICTED_XML: "s-128_restricted_xml",
    StreamCondition.SEE_OTHER_HOST: "s-130_see_other_host",
    StreamCondition.SYSTEM_SHUTDOWN: "s-041_zero_knowledge",
    StreamCondition.UNDEFINED_CONDITION: "s-128_stream_errors",
    StreamCondition.UNSUPPORTED_ENCODING: "s-128_restricted_xml",
    StreamCondition.UNSUPPORTED_STANZA_TYPE: "s-128_stream_errors",
    StreamCondition.UNSUPPORTED_VERSION: "s-003_old_stream_refused",
}
STREAM_ERRORS_NEVER_SENT: Final[dict[Enum, str]] = {
    StreamCondition.HOST_GONE: "the domain is the same for as long as the server runs",
    StreamCondition.INVALID_XML: "what comes in is not validated against schemas",
    StreamCondition.REMOTE_CONNECTION_FAILED: "no other server is asked, in front of this one or behind it",
    StreamCondition.RESET: "nothing expires on a stream that a new one would renew",
    StreamCondition.UNSUPPORTED_FEATURE: "it is for those who are offered features, and they are clients",
}
SASL_FAILURES: Final[dict[Enum, str]] = {
    SaslCondition.ABORTED: "s-122_sasl_failures",
    SaslCondition.ACCOUNT_DISABLED: "s-122_account_disabled",
    SaslCondition.ENCRYPTION_REQUIRED: "s-117_starttls",
    SaslCondition.INCORRECT_ENCODING: "s-122_sasl_failures",
    SaslCondition.INVALID_AUTHZID: "s-122_sasl_failures",
    SaslCondition.INVALID_MECHANISM: "s-121_mechanisms",
    SaslCondition.MALFORMED_REQUEST: "s-122_sasl_failures",
    SaslCondition.NOT_AUTHORIZED: "s-122_sasl_failures",
    SaslCondition.TEMPORARY_AUTH_FAILURE: (
        "tests/actors/test_connection.py::test_login_while_accounts_cannot_be_read_is_refused_for_now"
    ),
}
SASL_FAILURES_NEVER_SENT: Final[dict[Enum, str]] = {
    SaslCondition.CREDENTIALS_EXPIRED: "passwords do not expire here, and certificates that have fail before",
    SaslCondition.MECHANISM_TOO_WEAK: "what the operator holds too weak is not on offer, and so invalid",
}
SHOWN: Final[dict[Enum, str]] = {**STREAM_ERRORS, **SASL_FAILURES}
NEVER_SENT: Final[dict[Enum, str]] = {**STREAM_ERRORS_NEVER_SENT, **SASL_FAILURES_NEVER_SENT}


def test_every_condition_is_shown_or_never_sent() -> None:
    assert SHOWN.keys() | NEVER_SENT.keys() == {*StreamCondition, *SaslCondition}
    assert not SHOWN.keys() & NEVER_SENT.keys()


@pytest.mark.parametrize(("condition", "where"), SHOWN.items(), ids=str)
def test_condition_is_expected_by_what_is_said_to_show_it(condition: Enum, where: str) -> None:
    if "::" in where:
        path, _, name = where.partition("::")
        assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8")
        return
    script = (SCRIPTS / f"{where}.txt").read_text(encoding="utf-8")
    if isinstance(condition, StreamCondition):
        assert f"<{condition.value} xmlns='urn:ietf:params:xml:ns:xmpp-streams'" in script
    else:
        assert f"<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><{condition.value}/>" in script


@pytest.mark.parametrize("condition", NEVER_SENT, ids=str)
def test_condition_that_is_never_sent_is_named_nowhere(condition: Enum) -> None:
    name = f"{type(condition).__name__}.{condition.name}"
    found = [source.path for source in sources("actors", "protocols") if name in source.text]
    assert found == []
