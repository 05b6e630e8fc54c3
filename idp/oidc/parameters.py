"""Parameters of protocol requests: one value each, of limited length (RFC 6749 sections 3.1 and
3.2)."""

from __future__ import annotations

import json
from typing import Any

from authlib.oauth2.rfc6749.errors import InvalidRequestError
from werkzeug.datastructures import MultiDict

from hosted_pages.form_requests import FORM
from idp.oidc.jwks import MAX_TOKEN

MAX_VALUE = 8_192
#: Parameters whose value is a token of this gateway.
TOKENS = ("id_token_hint", "token")
MAX_COUNT = 60
JSON = "application/json"


class UnsupportedMediaType(InvalidRequestError):
    """The body is not of the media type of the endpoint."""

    status_code = 415


class NotAnObject(ValueError):
    """The body is not a JSON object, or has a member twice."""


def single(*sources: MultiDict[str, str]) -> tuple[dict[str, str], set[str]]:
    """The parameters of query and body, and the names of those that are repeated. A parameter
    without a value counts as omitted."""
    values: dict[str, str] = {}
    repeated: set[str] = set()
    for source in sources:
        for name, value in source.items(multi=True):
            if not value:
                continue
            if name in values:
                repeated.add(name)
            values.setdefault(name, value)
    return values, repeated


def malformed(values: dict[str, str]) -> str | None:
    """The first malformed parameter, if any, in words for the client."""
    if len(values) > MAX_COUNT:
        return "too many parameters"
    for name, value in values.items():
        if is_malformed(name, value):
            return name if name.isascii() and name.isidentifier() else "a parameter"
    return None


def is_malformed(name: str, value: str) -> bool:
    """Whether a value is too long for its parameter, or cannot be stored as UTF-8 in PostgreSQL."""
    longest = MAX_TOKEN if name in TOKENS else MAX_VALUE
    return len(value) > longest or "\0" in value or not _encodable(value)


def _encodable(value: str) -> bool:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def form(mimetype: str, query: MultiDict[str, str], body: MultiDict[str, str]) -> dict[str, str]:
    """The form parameters of a POST to the token, introspection or revocation endpoint.

    Raises invalid_request for a repeated or malformed parameter, for any parameter in the query,
    and (with status 415) for another media type."""
    if mimetype != FORM:
        raise UnsupportedMediaType(f"Send the parameters as {FORM}.")
    if any(value for _, value in query.items(multi=True)):
        raise InvalidRequestError("Parameters belong in the body, not in the query.")
    values, repeated = single(body)
    if repeated:
        raise InvalidRequestError("A parameter is repeated.")
    if fault := malformed(values):
        raise InvalidRequestError(f"Malformed: {fault}.")
    return values


def json_object(mimetype: str, body: bytes) -> dict[str, Any]:
    """The JSON object of a body. Raises NotAnObject or UnsupportedMediaType."""
    if mimetype != JSON:
        raise UnsupportedMediaType(f"Send the body as {JSON}.")
    try:
        found = json.loads(body, object_pairs_hook=_without_repeated)
    except (ValueError, RecursionError) as error:
        raise NotAnObject from error
    if not isinstance(found, dict):
        raise NotAnObject
    return found


def _without_repeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise NotAnObject
    return found
