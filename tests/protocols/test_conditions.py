"""Tests of `protocols.conditions` against the lists of RFC 6120 and XEP-0086."""

import pytest

from protocols.conditions import (
    DEFAULT_TYPE,
    LEGACY_CODE,
    ErrorType,
    SaslCondition,
    StanzaCondition,
    StreamCondition,
)

# RFC 6120 §8.3.3: the condition, the type that it recommends (the first where there is a choice), and the
# code of XEP-0086. The exceptions are explained beside the tables.
STANZA_CONDITIONS = """
bad-request              modify  400
conflict                 cancel  409
feature-not-implemented  cancel  501
forbidden                auth    403
gone                     cancel  302
internal-server-error    wait    500
item-not-found           cancel  404
jid-malformed            modify  400
not-acceptable           modify  406
not-allowed              cancel  405
not-authorized           auth    401
policy-violation         modify  406
recipient-unavailable    wait    404
redirect                 modify  302
registration-required    auth    407
remote-server-not-found  cancel  404
remote-server-timeout    wait    504
resource-constraint      wait    500
service-unavailable      cancel  503
subscription-required    auth    407
undefined-condition      cancel  500
unexpected-request       wait    400
"""
ROWS = [row.split() for row in STANZA_CONDITIONS.strip().splitlines()]


def test_stanza_conditions_are_those_of_the_rfc() -> None:
    assert [condition.value for condition in StanzaCondition] == [name for name, _, _ in ROWS]


@pytest.mark.parametrize(("name", "type", "code"), ROWS)
def test_stanza_condition_has_its_usual_type_and_code(name: str, type: str, code: str) -> None:
    condition = StanzaCondition(name)

    assert DEFAULT_TYPE[condition] is ErrorType(type)
    assert LEGACY_CODE[condition] == int(code)


def test_error_types_are_those_of_the_rfc() -> None:
    assert {type.value for type in ErrorType} == {"auth", "cancel", "continue", "modify", "wait"}


def test_stream_conditions_are_those_of_the_rfc() -> None:
    names = """
        bad-format bad-namespace-prefix conflict connection-timeout host-gone host-unknown
        improper-addressing internal-server-error invalid-from invalid-namespace invalid-xml
        not-authorized not-well-formed policy-violation remote-connection-failed reset
        resource-constraint restricted-xml see-other-host system-shutdown undefined-condition
        unsupported-encoding unsupported-feature unsupported-stanza-type unsupported-version
    """
    assert [condition.value for condition in StreamCondition] == names.split()


def test_sasl_conditions_are_those_of_the_rfc() -> None:
    names = """
        aborted account-disabled credentials-expired encryption-required incorrect-encoding
        invalid-authzid invalid-mechanism malformed-request mechanism-too-weak not-authorized
        temporary-auth-failure
    """
    assert [condition.value for condition in SaslCondition] == names.split()
