"""The XML namespaces that this server reads or writes, each with the document that defines it.

Used wherever an element is recognised or built, so that no namespace is spelt twice.
"""

from typing import Final

# The XML stream (RFC 6120).
XML: Final = "http://www.w3.org/XML/1998/namespace"
STREAM: Final = "http://etherx.jabber.org/streams"
STREAMS_ERRORS: Final = "urn:ietf:params:xml:ns:xmpp-streams"
CLIENT: Final = "jabber:client"
SERVER: Final = "jabber:server"
TLS: Final = "urn:ietf:params:xml:ns:xmpp-tls"
SASL: Final = "urn:ietf:params:xml:ns:xmpp-sasl"
BIND: Final = "urn:ietf:params:xml:ns:xmpp-bind"
STANZAS: Final = "urn:ietf:params:xml:ns:xmpp-stanzas"

# The stream over WebSocket (RFC 7395).
FRAMING: Final = "urn:ietf:params:xml:ns:xmpp-framing"

# Instant messaging and presence (RFC 6121; the session element is from RFC 3921, §3).
SESSION: Final = "urn:ietf:params:xml:ns:xmpp-session"
ROSTER: Final = "jabber:iq:roster"
ROSTER_VERSIONING: Final = "urn:xmpp:features:rosterver"
PRE_APPROVAL: Final = "urn:xmpp:features:pre-approval"

# Extensions.
DATA_FORMS: Final = "jabber:x:data"  # XEP-0004
AUTOUPDATE: Final = "jabber:iq:autoupdate"  # no standard: Jabber of 2000
ADDRESS: Final = "http://jabber.org/protocol/address"  # XEP-0033
ENVELOPE: Final = "jabber:x:envelope"  # no standard: Jabber of 2001
EVENT: Final = "jabber:x:event"  # XEP-0022
EXPIRE: Final = "jabber:x:expire"  # XEP-0023
BROWSE: Final = "jabber:iq:browse"  # XEP-0011
LAST: Final = "jabber:iq:last"  # XEP-0012
DISCO_INFO: Final = "http://jabber.org/protocol/disco#info"  # XEP-0030
DISCO_ITEMS: Final = "http://jabber.org/protocol/disco#items"  # XEP-0030
DISCO_PUBLISH: Final = "http://jabber.org/protocol/disco#publish"  # XEP-0030, up to version 2.0
PRIVACY: Final = "jabber:iq:privacy"  # XEP-0016
PRIVATE: Final = "jabber:iq:private"  # XEP-0049
VCARD_TEMP: Final = "vcard-temp"  # XEP-0054
SEARCH: Final = "jabber:iq:search"  # XEP-0055
REGISTER: Final = "jabber:iq:register"  # XEP-0077
REGISTER_FEATURE: Final = "http://jabber.org/features/iq-register"  # XEP-0077, stream feature
AUTH: Final = "jabber:iq:auth"  # XEP-0078
AUTH_FEATURE: Final = "http://jabber.org/features/iq-auth"  # XEP-0078, stream feature
CHAT_STATES: Final = "http://jabber.org/protocol/chatstates"  # XEP-0085
LEGACY_DELAY: Final = "jabber:x:delay"  # XEP-0091
LEGACY_TIME: Final = "jabber:iq:time"  # XEP-0090
VERSION: Final = "jabber:iq:version"  # XEP-0092
AGENT: Final = "jabber:iq:agent"  # XEP-0094
AGENTS: Final = "jabber:iq:agents"  # XEP-0094
OFFLINE_RETRIEVAL: Final = "http://jabber.org/protocol/offline"  # XEP-0013
OFFLINE: Final = "msgoffline"  # XEP-0160, disco feature
BLOCKING: Final = "urn:xmpp:blocking"  # XEP-0191
BLOCKING_ERRORS: Final = "urn:xmpp:blocking:errors"  # XEP-0191, application-specific condition
VACATION: Final = "http://jabber.org/protocol/vacation"  # XEP-0109, up to version 0.2
STREAM_MANAGEMENT: Final = "urn:xmpp:sm:3"  # XEP-0198
PING: Final = "urn:xmpp:ping"  # XEP-0199
TIME: Final = "urn:xmpp:time"  # XEP-0202
DELAY: Final = "urn:xmpp:delay"  # XEP-0203
VCARD4: Final = "urn:ietf:params:xml:ns:vcard-4.0"  # XEP-0292, RFC 6351
HINTS: Final = "urn:xmpp:hints"  # XEP-0334
SASL_CHANNEL_BINDING: Final = "urn:xmpp:sasl-cb:0"  # XEP-0440
STREAM_LIMITS: Final = "urn:xmpp:stream-limits:0"  # XEP-0478
