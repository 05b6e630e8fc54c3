"""The two endpoints of Device Bound Session Credentials (W3C draft of 17 February 2026). Browsers
call them on their own; what they accept is signed with the key of the browser."""

from __future__ import annotations

import re
from typing import Any

from flask import Blueprint, Response, jsonify, request, url_for

from idp import current
from idp.bound_sessions import binding_proofs, refresh, registration
from idp.credentials.signed_proofs import BadProof
from idp.models import DeviceBinding
from service_base import logs

log = logs.Logger("gateway.bound_sessions")
#: What a browser sends to these endpoints is not held up for a proof; all else is, also what needs
#: no session: an error page there has one.
SCOPE_RULES = ({"type": "exclude", "path": "/session"},)
#: A string (RFC 9651 section 3.3.3), or the bare value that Chromium sends.
_TEXT = re.compile(r'"?([A-Za-z0-9._-]+)"?(?:;.*)?')


def blueprint() -> Blueprint:
    """Registration and refresh."""
    pages = Blueprint("bound", __name__)
    pages.add_url_rule(current.BIND_PATH, "register", register, methods=["POST"])
    pages.add_url_rule("/session/refresh", "refresh_cookie", refresh_cookie, methods=["POST"])
    return pages


def register() -> Response:
    """The browser registers the key of a session that has just started."""
    session = current.browser_session()
    if session is None:
        return _refused("no_session")
    try:
        binding = registration.register(
            current.work(), session, _text("Secure-Session-Response"), current.browser_cookie()
        )
    except BadProof as error:
        return _refused(error.check)
    except binding_proofs.BadChallenge as error:
        return _refused(error.fault)
    return _bound(binding) if binding is not None else _refused("bound_already")


def refresh_cookie() -> Response:
    """The browser proves its key for a new bound cookie."""
    public_id = _text("Sec-Secure-Session-Id")
    found = refresh.refresh(
        current.work(),
        public_id,
        _text("Secure-Session-Response"),
        current.session_of_cookie(),
    )
    if isinstance(found, refresh.Proved):
        return _bound(found.binding)
    if isinstance(found, refresh.Challenged):
        answer = Response(status=403)
        answer.headers["Secure-Session-Challenge"] = found.challenge
        return answer
    current.drop_bound_cookie()
    if isinstance(found, refresh.Refused):
        return _refused("proof")
    return jsonify({"session_identifier": public_id, "continue": False})


def _bound(binding: DeviceBinding) -> Response:
    """The session instructions, with a new bound cookie. Navigations from other sites are held up
    for a proof as well: applications send people here."""
    current.set_bound_cookie(binding)
    settings = current.runtime().settings
    instructions: dict[str, Any] = {
        "session_identifier": binding.public_id,
        "refresh_url": url_for("bound.refresh_cookie"),
        "scope": {
            "origin": settings.issuer,
            "include_site": False,
            "scope_specification": list(SCOPE_RULES),
        },
        "credentials": [
            {
                "type": "cookie",
                "name": settings.cookie_name("bound"),
                "attributes": "Path=/; Secure; HttpOnly; SameSite=Lax",
            }
        ],
        "allowed_refresh_initiators": ["*"],
    }
    return jsonify(instructions)


def _refused(why: str) -> Response:
    """The browser goes on without a bound session, or ends the one that it has."""
    log.info("binding_refused", endpoint=request.endpoint, why=str(why))
    answer = jsonify(error=str(why))
    answer.status_code = 400
    return answer


def _text(name: str) -> str:
    """The value of a header; empty if it is missing or malformed."""
    found = _TEXT.fullmatch(request.headers.get(name, "")[:9000])
    return found[1] if found else ""
