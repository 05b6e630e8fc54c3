"""Registration and matching of redirect URIs.

OAuth 2.1 section 2.3.1 and RFC 9700 section 4.1: exact string comparison; RFC 8252 section 7.3:
only the port of a loopback IP literal may differ. Requests are not parsed, so that parser
differences cannot be exploited.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from service_base.phrases import N_, Phrase

MAX_LENGTH = 2000
_PRINTABLE = re.compile(r"[\x21-\x7e]+")
_LOOPBACK = re.compile(r"http://(127\.0\.0\.1|\[::1\])(?::([0-9]{1,5}))?(/[^#]*)?")
_PRIVATE_SCHEME = re.compile(r"[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+")
_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")


class UriFault(Phrase):
    """Why a URI cannot be registered."""

    LENGTH = N_("is empty or too long")
    CHARACTERS = N_("contains characters that are not allowed (write an IDN host in its xn-- form)")
    FORM = N_("is not a URI")
    FRAGMENT = N_("must not have a fragment")
    SCHEME = N_("must use https")
    SCHEME_OR_NATIVE = N_(
        "must use https (a native application: its own reversed-domain scheme, or loopback)"
    )
    NO_HOST = N_("has no host")
    USER_NAME = N_("must not have a user name")
    HOST_FORM = N_("has a malformed host")


def registration_fault(uri: str, *, native: bool, allow_loopback_http: bool) -> UriFault | None:
    """Why ``uri`` cannot be registered, or None. ``native`` allows private-use schemes (RFC 8252
    section 7.1) and loopback; ``allow_loopback_http`` is for development installations."""
    if not uri or len(uri) > MAX_LENGTH:
        return UriFault.LENGTH
    if not _PRINTABLE.fullmatch(uri) or any(char in uri for char in '\\"<>^`{|}*'):
        return UriFault.CHARACTERS
    try:
        parts = urlsplit(uri)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        return UriFault.FORM
    if "#" in uri:
        return UriFault.FRAGMENT
    if parts.scheme == "https":
        return _authority_fault(parts.netloc, host)
    if parts.scheme == "http" and host in _LOOPBACK_NAMES:
        if native or allow_loopback_http:
            return _authority_fault(parts.netloc, host)
        return UriFault.SCHEME
    if native and _PRIVATE_SCHEME.fullmatch(parts.scheme):
        return None
    return UriFault.SCHEME_OR_NATIVE


def _authority_fault(netloc: str, host: str) -> UriFault | None:
    if not host:
        return UriFault.NO_HOST
    if "@" in netloc:
        return UriFault.USER_NAME
    if host.endswith(".") or ".." in host:
        return UriFault.HOST_FORM
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
    if not match or int(match[2] or 0) > 65535:
        return None
    return match[1], match[3] or ""
