"""What a browser shows of its sign-in to the frame of OpenID Connect Session Management 1.0.

The value of the browser is a cookie that scripts of the gateway can read. It is calculated from the
session and opens nothing. It stays the same while the session lasts, and another session has
another value. An application gets a digest of it, salted and bound to its client id and origin
(section 4.2)."""

from __future__ import annotations

import hashlib
from urllib.parse import urlsplit

from idp.models.records import AnyClient, AnySession
from idp.transaction import UnitOfWork

_DEFAULT_PORTS = {"https": 443, "http": 80}


def value(work: UnitOfWork, session: AnySession) -> str:
    """The value of the browser's cookie while it has this session."""
    return work.vault.digest("browser-state", session.public_id)


def session_state(
    work: UnitOfWork, session: AnySession, client: AnyClient, redirect_uri: str
) -> str | None:
    """The ``session_state`` of an answer that is sent to ``redirect_uri``. None for an address that
    is no page of a browser, and so can open no frame."""
    origin = origin_of(redirect_uri)
    if origin is None:
        return None
    return calculate(client.client_id, origin, value(work, session), work.token(16))


def calculate(client_id: str, origin: str, state: str, salt: str) -> str:
    """The digest and its salt, as ``check-session.js`` calculates it."""
    digest = hashlib.sha256(f"{client_id} {origin} {state} {salt}".encode()).hexdigest()
    return f"{digest}.{salt}"


def origin_of(uri: str) -> str | None:
    """The origin of a page as browsers write it (RFC 6454 section 6.2)."""
    parts = urlsplit(uri)
    if parts.scheme not in _DEFAULT_PORTS:
        return None
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    port = parts.port
    shown = "" if port in (None, _DEFAULT_PORTS[parts.scheme]) else f":{port}"
    return f"{parts.scheme}://{host}{shown}"
