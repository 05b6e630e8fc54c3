"""Validation of authorization requests, in the order that keeps redirects safe.

First the client and its redirect URI: an error there is shown to the person and never redirected
(RFC 6749 section 4.1.2.1). Then the rest: an error goes back to the client in its response mode.
"""

from __future__ import annotations

import json
import re
from enum import StrEnum
from typing import Any

from idp.clients import registry
from idp.models.records import AnyClient, ClientRecord
from idp.oidc import tokens
from idp.oidc.claims import SCOPE_CLAIMS
from idp.oidc.interaction import AuthorizationRequest
from idp.oidc.jwks import BadToken, KeyRing
from idp.oidc.parameters import malformed
from idp.policy.redirect_uri import is_registered
from idp.policy.scopes import parse_scope, within
from idp.settings import Settings
from idp.transaction import UnitOfWork

#: With a JWT, the response is signed; for a code, ``jwt`` is ``query.jwt`` (JARM section 2.3).
RESPONSE_MODES = ("query", "form_post", "jwt", "query.jwt", "form_post.jwt")
PROMPTS = ("none", "login", "consent", "select_account")
#: A SHA-256 digest, base64url.
_DIGEST = re.compile(r"[A-Za-z0-9\-_]{43}")
MAX_STATE = 4_096
#: The length in the ID token, where characters other than ASCII are escaped.
MAX_NONCE = 4_096


class PageError(StrEnum):
    """Why a request is answered by a page and not by a redirect."""

    REPEATED_PARAMETER = "repeated_parameter"
    UNKNOWN_CLIENT = "unknown_client"
    DISABLED_CLIENT = "disabled_client"
    UNREGISTERED_REDIRECT_URI = "unregistered_redirect_uri"
    #: The request is not stored any more.
    STALE_REQUEST = "stale_request"


class NotRedirectable(Exception):
    """The client or its redirect URI is not registered or not enabled. The person sees an error
    page."""

    def __init__(self, code: PageError, client: AnyClient | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.client = client


class RequestError(Exception):
    """An error that goes back to the client by redirect."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(code)
        self.code = code
        self.description = description


def trusted_target(
    work: UnitOfWork, params: dict[str, str], repeated: set[str]
) -> tuple[ClientRecord, str]:
    """The enabled client and its registered redirect URI. Raises NotRedirectable."""
    if repeated & {"client_id", "redirect_uri"}:
        raise NotRedirectable(PageError.REPEATED_PARAMETER)
    client = registry.find_record(work, params.get("client_id", "")[:200])
    if client is None or "authorization_code" not in client.grant_types:
        raise NotRedirectable(PageError.UNKNOWN_CLIENT)
    if client.disabled_at is not None:
        raise NotRedirectable(PageError.DISABLED_CLIENT, client)
    uri = params.get("redirect_uri", "")
    if not is_registered(uri, client.redirect_uris, native=client.is_public):
        raise NotRedirectable(PageError.UNREGISTERED_REDIRECT_URI, client)
    return client, uri


def validate(
    work: UnitOfWork,
    ring: KeyRing,
    client: AnyClient,
    redirect_uri: str,
    params: dict[str, str],
    repeated: set[str],
) -> AuthorizationRequest:
    """The validated request. Raises RequestError."""
    if repeated:
        raise RequestError("invalid_request", "A parameter is repeated.")
    if fault := malformed(params):
        raise RequestError("invalid_request", f"Malformed: {fault}.")
    _refuse_references(params)
    if params.get("response_type") != "code":
        missing = "response_type" not in params
        code = "invalid_request" if missing else "unsupported_response_type"
        raise RequestError(code, "The response_type must be code.")
    if not tokens.is_valid_resource(work, client, params):
        text = "The resource is not allowed for this client."
        raise RequestError("invalid_target", text)
    return AuthorizationRequest(
        redirect_uri=redirect_uri,
        response_mode=response_mode(params, strict=True),
        scopes=requested_scopes(client, params),
        state=_state(params),
        nonce=_nonce(params),
        code_challenge=_challenge(client, params),
        dpop_jkt=_dpop_jkt(params),
        prompt=_prompt(params),
        max_age=_max_age(params),
        login_hint=params.get("login_hint", "")[:320],
        ui_locales=tuple(params.get("ui_locales", "").split(" ")[:10]),
        acr_values=tuple(params.get("acr_values", "").split()[:10]),
        claims=(claims := _claims(client, params)),
        expected_subject=_expected_subject(work, ring, params, claims),
    )


def check_is_pushed(client: AnyClient, settings: Settings) -> None:
    """Raises RequestError for a request in the browser's URL if it must be pushed (RFC 9126,
    sections 5 and 6)."""
    if client.require_pushed_requests or settings.require_pushed_requests:
        raise RequestError("invalid_request", "Push the request first (RFC 9126).")


def response_mode(params: dict[str, str], *, strict: bool = False) -> str:
    """The response mode. An unknown one is an error if ``strict``, else the default is used."""
    mode = params.get("response_mode", "query")
    if mode in RESPONSE_MODES:
        return mode
    if strict:
        modes = ", ".join(RESPONSE_MODES)
        raise RequestError("invalid_request", f"The response_mode is none of {modes}.")
    return "query"


def _refuse_references(params: dict[str, str]) -> None:
    """Valid request objects were replaced by their parameters, and pushed requests by theirs."""
    if "request" in params:
        raise RequestError("request_not_supported", "The request object was not read.")
    if "request_uri" in params:
        raise RequestError("request_uri_not_supported", "Only pushed requests have a request_uri.")


def requested_scopes(client: AnyClient, params: dict[str, str]) -> tuple[str, ...]:
    """The scopes that a client asks a person for. Raises RequestError."""
    scopes = parse_scope(params.get("scope"))
    if not scopes or "openid" not in scopes:
        raise RequestError("invalid_scope", "The scope must include openid.")
    if not within(scopes, client.scopes):
        raise RequestError("invalid_scope", "The scope exceeds what is allowed for this client.")
    return scopes


def _state(params: dict[str, str]) -> str | None:
    state = params.get("state")
    if state is not None and len(state) > MAX_STATE:
        raise RequestError("invalid_request", "The state is too long.")
    return state


def _nonce(params: dict[str, str]) -> str | None:
    nonce = params.get("nonce")
    if nonce is not None and len(json.dumps(nonce)) > MAX_NONCE:
        raise RequestError("invalid_request", "The nonce is too long.")
    return nonce


def _challenge(client: AnyClient, params: dict[str, str]) -> str | None:
    """PKCE with S256 only. A client that need not use PKCE must still use it correctly."""
    challenge, method = params.get("code_challenge"), params.get("code_challenge_method")
    if challenge is None and method is None:
        if client.require_pkce:
            raise RequestError("invalid_request", "PKCE is required: send a code_challenge.")
        return None
    if method != "S256":
        raise RequestError("invalid_request", "The code_challenge_method must be S256.")
    if not _DIGEST.fullmatch(challenge or ""):
        raise RequestError("invalid_request", "The code_challenge is malformed.")
    return challenge


def _dpop_jkt(params: dict[str, str]) -> str | None:
    """The thumbprint of the key that shall redeem the code (RFC 9449 section 10)."""
    thumbprint = params.get("dpop_jkt")
    if thumbprint is not None and not _DIGEST.fullmatch(thumbprint):
        raise RequestError("invalid_request", "The dpop_jkt is malformed.")
    return thumbprint


def _prompt(params: dict[str, str]) -> tuple[str, ...]:
    prompt = tuple(params.get("prompt", "").split())
    if not set(prompt) <= set(PROMPTS) or ("none" in prompt and len(prompt) > 1):
        raise RequestError("invalid_request", "The prompt value is invalid.")
    return prompt


def _max_age(params: dict[str, str]) -> int | None:
    raw = params.get("max_age")
    if raw is None:
        return None
    if not raw.isascii() or not raw.isdigit() or len(raw) > 9:
        raise RequestError("invalid_request", "The max_age must be a number of seconds.")
    return int(raw)


def _claims(client: AnyClient, params: dict[str, str]) -> dict[str, Any]:
    """The ``claims`` parameter (OIDC Core 5.5), without claims that this client may not have."""
    raw = params.get("claims")
    if raw is None:
        return {}
    try:
        parsed = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise RequestError("invalid_request", "The claims parameter must be JSON.") from error
    if not isinstance(parsed, dict):
        raise RequestError("invalid_request", "The claims parameter must be a JSON object.")
    allowed = {"sub", "acr", "auth_time"}
    for scope in client.scopes:
        allowed.update(SCOPE_CLAIMS.get(scope, ()))
    return {
        target: _claim_requests(parsed.get(target), allowed) for target in ("userinfo", "id_token")
    }


def _claim_requests(requests: Any, allowed: set[str]) -> dict[str, Any]:
    if requests is None:
        return {}
    if not isinstance(requests, dict):
        raise RequestError(
            "invalid_request", "The members of the claims parameter must be JSON objects."
        )
    kept = {}
    for name, request in requests.items():
        if name in allowed:
            if error := _claim_error(name, request):
                raise RequestError("invalid_request", error)
            kept[name] = request
    return kept


def _claim_error(name: str, request: Any) -> str | None:
    """What is wrong with the request of one claim, if anything (OIDC Core 5.5.1). A malformed
    request of a level or a subject is refused, never ignored: the client relies on it."""
    if request is None:
        return None
    if not isinstance(request, dict):
        return "A claim must be null or an object."
    if not isinstance(request.get("essential", False), bool):
        return f"The {name} claim's essential must be true or false."
    if name == "sub" and ("values" in request or not isinstance(request.get("value", ""), str)):
        return "The sub claim's value must be a string."
    if name == "acr" and not _is_acr_request(request):
        return "The acr claim needs a value that is a string, or values that are strings."
    return None


def _is_acr_request(request: dict[str, Any]) -> bool:
    if "value" in request:
        return isinstance(request["value"], str) and "values" not in request
    values = request.get("values", [""])
    return isinstance(values, list) and bool(values) and all(isinstance(v, str) for v in values)


def _expected_subject(
    work: UnitOfWork, ring: KeyRing, params: dict[str, str], claims: dict[str, Any]
) -> str | None:
    """The subject that the client expects. Empty, which matches nobody, for an ``id_token_hint``
    that is forged, expired, or of another issuer."""
    request = (claims.get("id_token") or {}).get("sub") or {}
    if isinstance(request.get("value"), str):
        return str(request["value"])
    hint = params.get("id_token_hint")
    if hint is None:
        return None
    try:
        token = ring.verify(work, hint, tokens.ID)
    except BadToken:
        return ""
    expires = token.get("exp")
    if not isinstance(expires, int) or expires <= tokens.seconds(work.now):
        return ""
    return token["sub"] if isinstance(token.get("sub"), str) else ""
