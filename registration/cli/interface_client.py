"""Calls of the interface for programs, with an access token from the environment."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from service_base.refusals import ConfigurationError, ServiceError

URL, TOKEN = "REGISTRATION_URL", "REGISTRATION_ACCESS_TOKEN"
ROOT = "/api/v1"
SECONDS = 60


class InterfaceRefused(ServiceError):
    """Registration refuses, or does not answer. ``lines`` say why and who can."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


def get(path: str, **query: str) -> dict[str, Any]:
    """What is at this address. Raises InterfaceRefused or ConfigurationError."""
    return _call("GET", ROOT + path, params={name: one for name, one in query.items() if one})


def post(path: str, body: dict[str, Any]) -> dict[str, Any]:
    """What comes of this body. Raises InterfaceRefused or ConfigurationError."""
    return _call("POST", ROOT + path, json=body)


def pages(path: str, **query: str) -> Iterator[dict[str, Any]]:
    """All pages of a list. Raises InterfaceRefused or ConfigurationError."""
    found = get(path, **query)
    yield found
    while following := found.get("next"):
        if not str(following).startswith(f"{ROOT}/"):
            raise InterfaceRefused(["The next page has another address."])
        found = _call("GET", following)
        yield found


def _call(method: str, path: str, **options: Any) -> dict[str, Any]:
    import requests

    url, token = _address(), _token()

    def bear(request: requests.PreparedRequest) -> requests.PreparedRequest:
        # As ``auth``, so that no .netrc takes its place.
        request.headers["Authorization"] = f"Bearer {token}"
        return request

    try:
        answer = requests.request(
            method, url + path, auth=bear, timeout=SECONDS, allow_redirects=False, **options
        )
        body = answer.json()
    except requests.RequestException as error:
        raise InterfaceRefused([f"{url} gives no answer of registration."]) from error
    if not isinstance(body, dict):
        raise InterfaceRefused([f"{url} gives no answer of registration."])
    if answer.status_code >= 300:
        raise InterfaceRefused(_reasons(body))
    return body


def _address() -> str:
    from registration.settings import Settings, on_loopback

    url = os.environ.get(URL, "") or Settings().url
    if not (url.startswith("https://") or on_loopback(url)):
        raise ConfigurationError(f"{URL} must be https")
    return url.rstrip("/")


def _token() -> str:
    token = os.environ.get(TOKEN, "")
    path = os.environ.get(f"{TOKEN}_FILE", "")
    if not token and path:
        try:
            token = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{TOKEN}_FILE cannot be read") from error
    token = token.strip()
    if not token:
        raise ConfigurationError(f"{TOKEN} or {TOKEN}_FILE must have an access token")
    if not (token.isascii() and token.isprintable() and " " not in token):
        raise ConfigurationError(f"{TOKEN} is no access token")
    return token


def _reasons(body: dict[str, Any]) -> list[str]:
    """The sentences of a problem."""
    lines = [str(body.get("detail") or body.get("title") or "Registration refuses.")]
    if "acr_values" in body:
        lines.append(f"acr_values={body['acr_values']} max_age={body.get('max_age')}")
    for name in ("who_can", "obstacles"):
        lines += [str(one) for one in body.get(name, [])]
    for change in body.get("changes", []):
        lines += [f"{change['id']} {change['role']}: {one}" for one in change.get("remarks", [])]
    return lines
