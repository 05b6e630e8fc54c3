"""Why a stream of security events cannot be created, changed or tested."""

from __future__ import annotations

from idp.errors import Conflict, Invalid, NotFound, Refused


class StreamExists(Conflict):
    """Each client has one stream."""

    template = "the client has a stream already"


class StreamNotFound(NotFound):
    """The client has no stream with this id."""

    template = "the client has no such stream"


class PushUriNotRegistered(Invalid):
    """Events are pushed to the address that Access Management registered for the client only."""

    template = "endpoint_url is not the registered URI for security events of this client"


class AuthorizationInvalid(Invalid):
    """The header for pushes is too long, or cannot be sent."""

    template = "authorization_header is 1 to {most} printable ASCII characters"
    most: int


class StreamDisabled(Invalid):
    """A disabled stream has no events."""

    template = "the stream is disabled"


class VerifiedTooSoon(Refused):
    """Verification was requested just now."""

    template = "wait {seconds} seconds between two verification requests"
    seconds: int
