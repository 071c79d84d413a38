"""What a stream may do and what it has reached, as bits; what it is offered next follows from them."""

from enum import Flag, auto


class SessionBits(Flag):
    """What a stream may do by its listener's rules, and what it has reached."""

    NONE = 0
    STARTTLS_POSSIBLE = auto()  # a TCP stream that began in clear, and there is a certificate
    REGISTRATION_OPEN = auto()  # strangers may create accounts
    LOGIN_ALLOWED = auto()  # by the operator's leave from the start, else once TLS is in force
    OLD_LOGIN_ALLOWED = auto()  # by jabber:iq:auth, also of clients older than XMPP 1.0 (XEP-0078)
    DIGEST_MD5_ALLOWED = auto()  # by SASL, where an account keeps such keys
    ZERO_KNOWLEDGE = auto()  # also by a chain of hashes, where an account keeps one
    GUESTS_ALLOWED = auto()  # clients may be nobody in particular (XEP-0175)
    UNVERSIONED = auto()  # the client is one of those
    SECURE = auto()  # TLS is in force
    BINDABLE = auto()  # and log-ins can be bound to it
    CERTIFIED = auto()  # and the client has shown a certificate that holds
    AUTHENTICATED = auto()
    GUEST = auto()  # as nobody in particular
    BOUND = auto()
