"""The error conditions of XMPP as enums; each value is the name of the element on the wire.

Used by everything that answers with an error. RFC 6120 §4.9.3 (streams), §6.5 (SASL) and
§8.3.3 (stanzas); the numeric codes of older clients are from XEP-0086.
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final


class StreamCondition(Enum):
    """Why a stream is closed (RFC 6120 §4.9.3)."""

    BAD_FORMAT = "bad-format"
    BAD_NAMESPACE_PREFIX = "bad-namespace-prefix"
    CONFLICT = "conflict"
    CONNECTION_TIMEOUT = "connection-timeout"
    HOST_GONE = "host-gone"
    HOST_UNKNOWN = "host-unknown"
    IMPROPER_ADDRESSING = "improper-addressing"
    INTERNAL_SERVER_ERROR = "internal-server-error"
    INVALID_FROM = "invalid-from"
    INVALID_NAMESPACE = "invalid-namespace"
    INVALID_XML = "invalid-xml"
    NOT_AUTHORIZED = "not-authorized"
    NOT_WELL_FORMED = "not-well-formed"
    POLICY_VIOLATION = "policy-violation"
    REMOTE_CONNECTION_FAILED = "remote-connection-failed"
    RESET = "reset"
    RESOURCE_CONSTRAINT = "resource-constraint"
    RESTRICTED_XML = "restricted-xml"
    SEE_OTHER_HOST = "see-other-host"
    SYSTEM_SHUTDOWN = "system-shutdown"
    UNDEFINED_CONDITION = "undefined-condition"
    UNSUPPORTED_ENCODING = "unsupported-encoding"
    UNSUPPORTED_FEATURE = "unsupported-feature"
    UNSUPPORTED_STANZA_TYPE = "unsupported-stanza-type"
    UNSUPPORTED_VERSION = "unsupported-version"


class SaslCondition(Enum):
    """Why an authentication failed (RFC 6120 §6.5)."""

    ABORTED = "aborted"
    ACCOUNT_DISABLED = "account-disabled"
    CREDENTIALS_EXPIRED = "credentials-expired"
    ENCRYPTION_REQUIRED = "encryption-required"
    INCORRECT_ENCODING = "incorrect-encoding"
    INVALID_AUTHZID = "invalid-authzid"
    INVALID_MECHANISM = "invalid-mechanism"
    MALFORMED_REQUEST = "malformed-request"
    MECHANISM_TOO_WEAK = "mechanism-too-weak"
    NOT_AUTHORIZED = "not-authorized"
    TEMPORARY_AUTH_FAILURE = "temporary-auth-failure"


class ErrorType(Enum):
    """What the sender of a stanza can do about its error (RFC 6120 §8.3.2)."""

    AUTH = "auth"
    CANCEL = "cancel"
    CONTINUE = "continue"
    MODIFY = "modify"
    WAIT = "wait"


class StanzaCondition(Enum):
    """Why a stanza was not handled (RFC 6120 §8.3.3)."""

    BAD_REQUEST = "bad-request"
    CONFLICT = "conflict"
    FEATURE_NOT_IMPLEMENTED = "feature-not-implemented"
    FORBIDDEN = "forbidden"
    GONE = "gone"
    INTERNAL_SERVER_ERROR = "internal-server-error"
    ITEM_NOT_FOUND = "item-not-found"
    JID_MALFORMED = "jid-malformed"
    NOT_ACCEPTABLE = "not-acceptable"
    NOT_ALLOWED = "not-allowed"
    NOT_AUTHORIZED = "not-authorized"
    POLICY_VIOLATION = "policy-violation"
    RECIPIENT_UNAVAILABLE = "recipient-unavailable"
    REDIRECT = "redirect"
    REGISTRATION_REQUIRED = "registration-required"
    REMOTE_SERVER_NOT_FOUND = "remote-server-not-found"
    REMOTE_SERVER_TIMEOUT = "remote-server-timeout"
    RESOURCE_CONSTRAINT = "resource-constraint"
    SERVICE_UNAVAILABLE = "service-unavailable"
    SUBSCRIPTION_REQUIRED = "subscription-required"
    UNDEFINED_CONDITION = "undefined-condition"
    UNEXPECTED_REQUEST = "unexpected-request"


# The type that RFC 6120 §8.3.3 recommends for each condition. Where it leaves a choice: the first it
# names, and `cancel` for undefined-condition. An internal error is `cancel` there, but it passes
# (a restart mends it), and XEP-0086 and common practice say `wait`, so that clients try again.
DEFAULT_TYPE: Final[Mapping[StanzaCondition, ErrorType]] = MappingProxyType(
    {
        StanzaCondition.BAD_REQUEST: ErrorType.MODIFY,
        StanzaCondition.CONFLICT: ErrorType.CANCEL,
        StanzaCondition.FEATURE_NOT_IMPLEMENTED: ErrorType.CANCEL,
        StanzaCondition.FORBIDDEN: ErrorType.AUTH,
        StanzaCondition.GONE: ErrorType.CANCEL,
        StanzaCondition.INTERNAL_SERVER_ERROR: ErrorType.WAIT,
        StanzaCondition.ITEM_NOT_FOUND: ErrorType.CANCEL,
        StanzaCondition.JID_MALFORMED: ErrorType.MODIFY,
        StanzaCondition.NOT_ACCEPTABLE: ErrorType.MODIFY,
        StanzaCondition.NOT_ALLOWED: ErrorType.CANCEL,
        StanzaCondition.NOT_AUTHORIZED: ErrorType.AUTH,
        StanzaCondition.POLICY_VIOLATION: ErrorType.MODIFY,
        StanzaCondition.RECIPIENT_UNAVAILABLE: ErrorType.WAIT,
        StanzaCondition.REDIRECT: ErrorType.MODIFY,
        StanzaCondition.REGISTRATION_REQUIRED: ErrorType.AUTH,
        StanzaCondition.REMOTE_SERVER_NOT_FOUND: ErrorType.CANCEL,
        StanzaCondition.REMOTE_SERVER_TIMEOUT: ErrorType.WAIT,
        StanzaCondition.RESOURCE_CONSTRAINT: ErrorType.WAIT,
        StanzaCondition.SERVICE_UNAVAILABLE: ErrorType.CANCEL,
        StanzaCondition.SUBSCRIPTION_REQUIRED: ErrorType.AUTH,
        StanzaCondition.UNDEFINED_CONDITION: ErrorType.CANCEL,
        StanzaCondition.UNEXPECTED_REQUEST: ErrorType.WAIT,
    }
)

# The `code` attribute that clients older than RFC 3920 understand (XEP-0086, table 1). The condition
# policy-violation is younger than that table; 406 is the code of its nearest relative, not-acceptable.
LEGACY_CODE: Final[Mapping[StanzaCondition, int]] = MappingProxyType(
    {
        StanzaCondition.BAD_REQUEST: 400,
        StanzaCondition.CONFLICT: 409,
        StanzaCondition.FEATURE_NOT_IMPLEMENTED: 501,
        StanzaCondition.FORBIDDEN: 403,
        StanzaCondition.GONE: 302,
        StanzaCondition.INTERNAL_SERVER_ERROR: 500,
        StanzaCondition.ITEM_NOT_FOUND: 404,
        StanzaCondition.JID_MALFORMED: 400,
        StanzaCondition.NOT_ACCEPTABLE: 406,
        StanzaCondition.NOT_ALLOWED: 405,
        StanzaCondition.NOT_AUTHORIZED: 401,
        StanzaCondition.POLICY_VIOLATION: 406,
        StanzaCondition.RECIPIENT_UNAVAILABLE: 404,
        StanzaCondition.REDIRECT: 302,
        StanzaCondition.REGISTRATION_REQUIRED: 407,
        StanzaCondition.REMOTE_SERVER_NOT_FOUND: 404,
        StanzaCondition.REMOTE_SERVER_TIMEOUT: 504,
        StanzaCondition.RESOURCE_CONSTRAINT: 500,
        StanzaCondition.SERVICE_UNAVAILABLE: 503,
        StanzaCondition.SUBSCRIPTION_REQUIRED: 407,
        StanzaCondition.UNDEFINED_CONDITION: 500,
        StanzaCondition.UNEXPECTED_REQUEST: 400,
    }
)
