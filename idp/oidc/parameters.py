"""Reading parameters: one value each, bounded, or a refusal (RFC 6749 section 3.1 and 3.2)."""

from __future__ import annotations

from authlib.oauth2.rfc6749.errors import InvalidRequestError
from werkzeug.datastructures import MultiDict

from idp.oidc.jwks import MAX_TOKEN

MAX_VALUE = 8_192
#: Parameters that hold a token of ours.
TOKENS = ("id_token_hint", "token")
MAX_COUNT = 60
FORM = "application/x-www-form-urlencoded"


class UnsupportedMediaType(InvalidRequestError):
    """The body is not a form."""

    status_code = 415


def single(*sources: MultiDict[str, str]) -> tuple[dict[str, str], set[str]]:
    """Merge query and body; returns the parameters and the names that came more than once.
    A parameter without a value counts as omitted."""
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


def faulty(values: dict[str, str]) -> str | None:
    """The first parameter that no client would send, if any."""
    if len(values) > MAX_COUNT:
        return "too many parameters"
    for name, value in values.items():
        if is_malformed(name, value):
            return name if name.isascii() and name.isidentifier() else "a parameter"
    return None


def is_malformed(name: str, value: str) -> bool:
    """Whether a value is too long for its parameter, or holds what PostgreSQL and UTF-8 do not."""
    longest = MAX_TOKEN if name in TOKENS else MAX_VALUE
    return len(value) > longest or "\0" in value or not _encodable(value)


def _encodable(value: str) -> bool:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def form(mimetype: str, query: MultiDict[str, str], body: MultiDict[str, str]) -> dict[str, str]:
    """The parameters of a POST to a token-like endpoint: from the form body only.

    Raises invalid_request for a repeated or malformed parameter, for credentials or anything
    else in the query, and (415) for another media type."""
    if mimetype != FORM:
        raise UnsupportedMediaType(f"Send the parameters as {FORM}.")
    if any(value for _, value in query.items(multi=True)):
        raise InvalidRequestError("Parameters belong into the body, not into the query.")
    values, repeated = single(body)
    if repeated:
        raise InvalidRequestError("A parameter is repeated.")
    if fault := faulty(values):
        raise InvalidRequestError(f"Malformed: {fault}.")
    return values
