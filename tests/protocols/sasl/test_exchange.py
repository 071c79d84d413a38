"""The values that mechanisms and negotiation exchange."""

from protocols.conditions import SaslCondition
from protocols.sasl.exchange import Challenge, PasswordGiven, Proved, SaslFailure
from protocols.sasl.keys import SCRAM_SHA_256, decoy_keys

KEYS = decoy_keys(SCRAM_SHA_256, "tim", b"secret")


def test_password_given_repr_shows_no_password() -> None:
    assert "tanstaaf" not in repr(PasswordGiven("tanstaaf", KEYS))


def test_steps_with_the_same_data_are_not_the_same() -> None:
    assert len({Challenge(b"x"), Challenge(b"x"), Proved(b"x")}) == 2


def test_sasl_failure_carries_condition_and_text() -> None:
    failure = SaslFailure(SaslCondition.ABORTED, "as you wish")
    assert (failure.condition, failure.text) == (SaslCondition.ABORTED, "as you wish")
