"""Security events for other systems (Shared Signals Framework 1.0, CAEP 1.0): their types, and how
they reach a receiver."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

_CAEP = "https://schemas.openid.net/secevent/caep/event-type/"
#: Answers a receiver that tests its stream (SSF section 8.1.4.1).
VERIFICATION = "https://schemas.openid.net/secevent/ssf/event-type/verification"
#: Scopes of receivers (CAEP Interoperability Profile section 2.7.2): to read a stream and its
#: events, and to change it too.
READ, MANAGE = "ssf.read", "ssf.manage"
#: Seconds between two verification events of a stream.
VERIFICATION_INTERVAL = 60
#: How long an event waits for a receiver that polls or has paused its stream.
RETENTION = timedelta(days=7)


class EventType(StrEnum):
    """The events that a receiver can request."""

    SESSION_REVOKED = f"{_CAEP}session-revoked"
    CREDENTIAL_CHANGE = f"{_CAEP}credential-change"
    TOKEN_CLAIMS_CHANGE = f"{_CAEP}token-claims-change"


class StreamStatus(StrEnum):
    """The status of a stream (SSF section 8.1.2)."""

    ENABLED = "enabled"
    PAUSED = "paused"
    DISABLED = "disabled"


class DeliveryMethod(StrEnum):
    """How the events of a stream are delivered (SSF section 6.1)."""

    PUSH = "urn:ietf:rfc:8935"
    POLL = "urn:ietf:rfc:8936"
