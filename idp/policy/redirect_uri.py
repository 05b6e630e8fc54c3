"""Registration and matching of redirect URIs.

OAuth 2.1 section 2.3.1 and RFC 9700 section 4.1: exact string comparison; RFC 8252 section 7.3:
only the port of a loopback IP literal may differ. Requests are not parsed, so that parser
differences cannot be exploited.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

MAX_LENGTH = 2000
_PRINTABLE = re.compile(r"[\x21-\x7e]+")
_LOOPBACK = re.compile(r"http://(127\.0\.0\.1|\[::1\])(?::([0-9]{1,5}))?(/[^#]*)?")
_PRIVATE_SCHEME = re.compile(r"[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+")
_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")


def registration_fault(uri: str, *, native: bool, allow_loopback_http: bool) -> str | None:
    """Why ``uri`` cannot be registered, or None. ``native`` allows private-use schemes (RFC 8252
    section 7.1) and loopback; ``allow_loopback_http`` is for development installations."""
    if not uri or len(uri) > MAX_LENGTH:
        return "is empty or too long"
    if not _PRINTABLE.fullmatch(uri) or any(char in uri for char in '\\"<>^`{|}*'):
        return "holds characters that are not allowed (write an IDN host in its xn-- form)"
    try:
        parts = urlsplit(uri)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        return "is not a URI"
    if "#" in uri:
        return "must not have a fragment"
    if parts.scheme == "https":
        return _authority_fault(parts.netloc, host)
    if parts.scheme == "http" and host in _LOOPBACK_NAMES:
        if native or allow_loopback_http:
            return _authority_fault(parts.netloc, host)
        return "must use https"
    if native and _PRIVATE_SCHEME.fullmatch(parts.scheme):
        return None
    return "must use https (a native application: its own reversed-domain scheme, or loopback)"


def _authority_fault(netloc: str, host: str) -> str | None:
    if not host:
        return "has no host"
    if "@" in netloc:
        return "must not have a user name"
    if host.endswith(".") or ".." in host:
        return "has a malformed host"
    return None


def is_registered(requested: str, registered: Iterable[str], *, native: bool = False) -> bool:
    """Whether ``requested`` is one of ``registered``. Only a native client's port may differ."""
    registered = tuple(registered)
    if requested in registered:
        return True
    if not native:
        return False
    wanted = _without_port(requested)
    return wanted is not None and any(wanted == _without_port(uri) for uri in registered)


def _without_port(uri: str) -> tuple[str, str] | None:
    match = _LOOPBACK.fullmatch(uri)
    if not match or not _PRINTABLE.fullmatch(uri) or int(match[2] or 0) > 65535:
        return None
    return match[1], match[3] or ""
