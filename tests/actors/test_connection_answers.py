"""Tests of `actors.connection_answers`: each outcome of a call, as the negotiation understands it."""

from typing import TYPE_CHECKING, Any, cast

import pytest

from actors.blocking import PoolFullError
from actors.connection_answers import (
    credentials_answer,
    guest_answer,
    password_answer,
    registration_answer,
    replacement_answer,
    resumption_answer,
)
from actors.session_messages import ResumeAccepted, ResumeOutcome, ResumeRefused, ResumeTooHigh
from protocols.conditions import StanzaCondition, StreamCondition
from protocols.jid import parse_jid
from protocols.negotiation_values import (
    CredentialsFound,
    CredentialsMissing,
    CredentialsUnavailable,
    GuestMade,
    GuestRefused,
    PasswordRefused,
    PasswordVerified,
    RegistrationAnswered,
    Resumed,
    StreamEnded,
)
from protocols.negotiation_values import ResumeRefused as NegotiationRefused
from protocols.sasl.keys import ScramKeys, derive_keys
from protocols.stanza import Stanza, build_message
from store.errors import StoreUnavailable, StoreUnusable
from supervision.reply import ActorCrashed, Reply

if TYPE_CHECKING:
    from supervision.ref import Ref

BALCONY = parse_jid("juliet@localhost/balcony")


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


@pytest.mark.parametrize(
    ("outcome", "answer"),
    [
        (ResumeAccepted(BALCONY, cast("Ref[Any]", "a session"), 2), Resumed(BALCONY)),
        (
            ResumeRefused(StanzaCondition.ITEM_NOT_FOUND, 7),
            NegotiationRefused(StanzaCondition.ITEM_NOT_FOUND, 7),
        ),
        (
            ResumeTooHigh(9, 7),
            StreamEnded(
                StreamCondition.UNDEFINED_CONDITION,
                "you acknowledged 9 stanzas, and were sent 7",
                b"<handled-count-too-high xmlns='urn:xmpp:sm:3' h='9' send-count='7'/>",
            ),
        ),
    ],
)
def test_resumption_outcome_is_what_the_client_is_told(outcome: ResumeOutcome, answer: object) -> None:
    reply: Reply[ResumeOutcome] = Reply()
    reply.set(outcome)
    assert resumption_answer(reply) == answer


def test_resumption_session_that_ends_meanwhile_is_not_there() -> None:
    reply: Reply[ResumeOutcome] = Reply()
    reply.fail(ActorCrashed("it has ended"))
    assert resumption_answer(reply) == NegotiationRefused(StanzaCondition.ITEM_NOT_FOUND)


def test_resumption_fault_of_ours_is_one() -> None:
    reply: Reply[ResumeOutcome] = Reply()
    reply.fail(ZeroDivisionError("a fault"))
    with pytest.raises(ZeroDivisionError):
        resumption_answer(reply)


def answered(outcome: bool | Exception) -> Reply[bool]:
    reply: Reply[bool] = Reply()
    if isinstance(outcome, Exception):
        reply.fail(outcome)
    else:
        reply.set(outcome)
    return reply


NO_ANSWER = [StoreUnavailable("away"), ActorCrashed("the presence actor")]


def test_guest_answer_is_whether_there_is_an_account() -> None:
    assert guest_answer(answered(True)) == GuestMade()
    taken = guest_answer(answered(False))
    assert isinstance(taken, GuestRefused)
    assert taken.error.condition is StanzaCondition.CONFLICT


@pytest.mark.parametrize("error", NO_ANSWER)
def test_guest_answer_without_a_database_is_for_later(error: Exception) -> None:
    refused = guest_answer(answered(error))
    assert isinstance(refused, GuestRefused)
    assert refused.error.condition is StanzaCondition.RESOURCE_CONSTRAINT


def test_replacement_answer_is_whether_the_keys_served_now() -> None:
    assert replacement_answer(answered(True)) == PasswordVerified()
    assert replacement_answer(answered(False)) == PasswordRefused()


@pytest.mark.parametrize("error", NO_ANSWER)
def test_replacement_answer_without_a_database_lets_nobody_in(error: Exception) -> None:
    assert replacement_answer(answered(error)) == CredentialsUnavailable()
