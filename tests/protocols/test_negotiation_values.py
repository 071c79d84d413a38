"""The values that negotiation and connection exchange."""

from protocols.negotiation_values import (
    WAITING_STATES,
    BindResource,
    CloseStream,
    CredentialsMissing,
    CredentialsUnavailable,
    FetchCredentials,
    RestartStream,
    StartTls,
    State,
    VerifyPassword,
)
from tests.protocols.negotiation_support import JULIET, KEYS, PASSWORD


def test_verify_password_repr_shows_no_password() -> None:
    assert PASSWORD not in repr(VerifyPassword(PASSWORD, KEYS[0]))


def test_actions_and_answers_with_the_same_content_are_not_the_same() -> None:
    assert len({StartTls(), CloseStream(), CredentialsMissing(), CredentialsUnavailable()}) == 4
    assert len({FetchCredentials(JULIET), RestartStream(JULIET), BindResource(JULIET)}) == 3


def test_states_are_named_as_they_are_inspected() -> None:
    assert all(state.value == state.name.lower() for state in State)


def test_waiting_states_are_neither_the_first_nor_the_last() -> None:
    assert not WAITING_STATES & {State.WAIT_FOR_STREAM, State.SESSION_ESTABLISHED, State.CLOSED}
