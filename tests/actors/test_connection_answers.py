"""Tests of `actors.connection_answers`: each outcome of a call, as the negotiation understands it."""

import pytest

from actors.blocking import PoolFullError
from actors.connection_answers import credentials_answer, password_answer, registration_answer
from protocols.negotiation_values import (
    CredentialsFound,
    CredentialsMissing,
    CredentialsUnavailable,
    PasswordRefused,
    PasswordVerified,
    RegistrationAnswered,
)
from protocols.sasl.keys import ScramKeys, derive_keys
from protocols.stanza import Stanza, build_message
from store.errors import StoreUnavailable, StoreUnusable
from supervision.reply import Reply


def failed(error: Exception) -> Reply[tuple[ScramKeys, ...] | None]:
    reply: Reply[tuple[ScramKeys, ...] | None] = Reply()
    reply.fail(error)
    return reply


def test_credentials_there_are_handed_on() -> None:
    keys = derive_keys("a password", b"salt", iterations=1)
    reply: Reply[tuple[ScramKeys, ...] | None] = Reply()
    reply.set(keys)
    assert credentials_answer(reply) == CredentialsFound(keys)


def test_credentials_of_nobody_are_missing() -> None:
    reply: Reply[tuple[ScramKeys, ...] | None] = Reply()
    reply.set(None)
    assert credentials_answer(reply) == CredentialsMissing()


@pytest.mark.parametrize(
    "error", [StoreUnavailable("away"), StoreUnusable("wrong password"), PoolFullError("too many")]
)
def test_credentials_that_cannot_be_read_just_now_are_no_crash(error: Exception) -> None:
    assert credentials_answer(failed(error)) == CredentialsUnavailable()


def test_credentials_fault_of_ours_is_one() -> None:
    with pytest.raises(ZeroDivisionError):
        credentials_answer(failed(ZeroDivisionError("a fault")))


@pytest.mark.parametrize(("is_right", "answer"), [(True, PasswordVerified()), (False, PasswordRefused())])
def test_password_is_right_or_wrong(is_right: bool, answer: object) -> None:
    reply: Reply[bool] = Reply()
    reply.set(is_right)
    assert password_answer(reply) == answer


def test_registration_answer_is_handed_on() -> None:
    stanza = build_message(to=None, sender=None)
    reply: Reply[Stanza] = Reply()
    reply.set(stanza)
    assert registration_answer(reply) == RegistrationAnswered(stanza)
