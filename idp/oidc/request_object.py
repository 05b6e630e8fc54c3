"""Signed request objects (RFC 9101): the parameters of an authorization request in a JWT.

They come by value only, in the browser's URL or pushed. The gateway never fetches one.
"""

from __future__ import annotations

import json
from typing import Any

from idp.clients import client_keys, registry
from idp.credentials import assertions
from idp.oidc.parameters import is_malformed
from idp.oidc.request_validation import RequestError
from idp.transaction import UnitOfWork

#: Claims about the JWT itself; all others are parameters.
_OF_THE_JWT = frozenset({"iss", "aud", "exp", "nbf", "iat", "jti"})
#: What decides how an error gets back to the client, as in a request without an object.
_OF_THE_ANSWER = ("response_mode", "state")


def unwrap(
    work: UnitOfWork, params: dict[str, str], *, may_fetch: bool = False
) -> tuple[dict[str, str], RequestError | None]:
    """The parameters that count, and the fault of the object. Those of a valid object replace all
    others (RFC 9101 section 6.3). ``may_fetch`` if nothing was written yet: keys at the client's
    ``jwks_uri`` are fetched if they are due."""
    text = params.get("request")
    if text is None:
        return params, None
    client = registry.find_record(work, params.get("client_id", "")[:200])
    if client is None:
        return params, None
    if not client_keys.has_any(client):
        fault = "This client has no keys, so that it cannot sign request objects."
        return _with_answer(params, text), RequestError("request_not_supported", fault)
    if may_fetch:
        client_keys.prepare(work, client, client_keys.of_tokens((text,)))
    keys = client_keys.of(work, client)
    try:
        claims = assertions.read_request_object(
            work, text, client.client_id, keys, client_keys.algorithms(client)
        )
        return _parameters(claims, client.client_id), None
    except assertions.BadAssertion as error:
        fault = f"The request object is not valid: {error.check}."
    except ValueError as error:
        fault = f"The request object is not valid: {error}."
    return _with_answer(params, text), RequestError("invalid_request_object", fault)


def _parameters(claims: dict[str, Any], client_id: str) -> dict[str, str]:
    """Raises ValueError for a claim that cannot be a parameter, by name."""
    if claims.get("client_id", client_id) != client_id:
        raise ValueError("client_id")
    found = {"client_id": client_id}
    for name, value in claims.items():
        if name in ("request", "request_uri", "sub"):
            # Section 4. With ``sub`` it might pass for a client assertion (section 10.8).
            raise ValueError(name)
        if name not in _OF_THE_JWT and value not in ("", None):
            found[name] = text = _text(name, value)
            if is_malformed(name, text):
                raise ValueError(_shown(name))
    return found


def _text(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if name == "claims" and isinstance(value, dict):
        return json.dumps(value)
    if name == "max_age" and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise ValueError(_shown(name))


def _shown(name: str) -> str:
    return name if name.isascii() and name.isidentifier() else "a parameter"


def _with_answer(params: dict[str, str], text: str) -> dict[str, str]:
    """The parameters of the URL, with response mode and state of an object that was not verified.
    Both could stand in the URL too; the redirect URI is that of the URL."""
    inside = assertions.unverified_claims(text)
    wanted = {
        name: value
        for name in _OF_THE_ANSWER
        if isinstance(value := inside.get(name), str) and not is_malformed(name, value)
    }
    return wanted | params
