"""A provider that answers, and what is asked of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from urllib.parse import urlencode

from benchmarks.cases import FORM, refresh_load
from benchmarks.load import Load

GRANT = urlencode({"grant_type": "client_credentials", "scope": "api"})


class NotInstalled(Exception):
    """A peer is not there, and cannot be installed from a registry of packages."""


@dataclass(frozen=True, kw_only=True)
class Server:
    """A provider that answers, and where it answers what."""

    name: str
    port: int
    leader: int
    authorization: str
    token: str
    introspection: str
    userinfo: str
    keys: str
    discovery: str
    #: Of a person: an access token, and refresh tokens that are used up.
    access_token: str
    refresh_tokens: list[str]
    #: A file for them.
    file: str
    #: What the request of an introspected token has besides.
    introspected: str = ""
    #: Whether a refresh replaces the refresh token.
    is_rotating: bool = True

    def loads(self) -> Iterator[tuple[str, Load]]:
        """The requests of the table."""
        signed = FORM | {"Authorization": self.authorization}
        yield (
            "token, client credentials",
            Load(path=self.token, method="POST", body=GRANT, headers=signed),
        )
        yield "introspection", Load(
            path=self.introspection, method="POST", headers=signed,
            body=urlencode({"token": self._token(signed)}),
        )  # fmt: skip
        bearer = {"Authorization": f"Bearer {self.access_token}"}
        yield "userinfo", Load(path=self.userinfo, headers=bearer)
        yield "token, refresh", self._refresh(signed)
        yield "JWKS", Load(path=self.keys)
        yield "discovery", Load(path=self.discovery)

    def _refresh(self, headers: dict[str, str]) -> Load:
        if self.is_rotating:
            return refresh_load(self.token, headers, self.refresh_tokens, self.file)
        form = {"grant_type": "refresh_token", "refresh_token": self.refresh_tokens[0]}
        return Load(path=self.token, method="POST", headers=headers, body=urlencode(form))

    def _token(self, headers: dict[str, str]) -> str:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("POST", self.token, GRANT + self.introspected, headers)
        answer = connection.getresponse()
        body = answer.read().decode()
        if answer.status != 200:
            raise SystemExit(f"{self.name}: {answer.status} {body}")
        return str(json.loads(body)["access_token"])
