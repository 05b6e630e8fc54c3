"""A browser with Device Bound Session Credentials, as the W3C draft of 17 February 2026 says: it
registers a key when it is asked to, and proves it before a request that lacks the bound cookie."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from werkzeug.test import TestResponse

from tests.security.test_login_cookies import cookie_of
from tests.world import Browser, World

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/156.0.0.0 Safari/537.36"
)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
BIND, REFRESH = "/session/bind", "/session/refresh"
OFFER, CHALLENGE = "Secure-Session-Registration", "Secure-Session-Challenge"


def proof(key: ECKey | RSAKey, challenge: str, *, names_key: bool, **header: Any) -> str:
    """Section 8.11: a JWT with the challenge, and with the public key when it registers."""
    alg = "RS256" if isinstance(key, RSAKey) else "ES256"
    head: dict[str, Any] = {"typ": "dbsc+jwt", "alg": alg}
    if names_key:
        head["jwk"] = key.as_dict(private=False)
    return jwt.encode(head | header, {"jti": challenge}, key, algorithms=[alg])


def challenge_in(value: str) -> str:
    """The challenge of either header."""
    return re.findall(r'(?:challenge=|^)"([^"]+)"', value)[0]


@dataclass
class BoundBrowser:
    """A browser of the tests with a key. ``is_deaf`` models one without the feature, or a proxy
    that strips its headers."""

    world: World
    ip: str = "192.0.2.10"
    agent: str = CHROME
    key: ECKey | RSAKey = field(default_factory=lambda: ECKey.generate_key("P-256"))
    is_deaf: bool = False
    instructions: dict[str, Any] = field(default_factory=dict)
    offers: list[str] = field(default_factory=list)
    refreshes: int = 0
    #: A challenge that came with another answer, for the next refresh.
    cached: str = ""

    def __post_init__(self) -> None:
        self.pages: Browser = self.world.browser()
        self.client = self.pages.client
        self.client.environ_base |= {"REMOTE_ADDR": self.ip, "HTTP_USER_AGENT": self.agent}
        self._plain = self.client.open
        self.client.open = self._open  # type: ignore[method-assign]
        self.expires = self.world.clock.now()

    def _open(self, *args: Any, **kwargs: Any) -> TestResponse:
        if self.instructions and not self.is_deaf and not self.has_bound_cookie:
            self.refresh()
        response = self._plain(*args, **kwargs)
        self.cached = response.headers.get(CHALLENGE, self.cached)
        if (offer := response.headers.get(OFFER)) is not None:
            self.offers.append(offer)
            if not self.is_deaf:
                self.register(offer)
        return response

    @property
    def has_bound_cookie(self) -> bool:
        return cookie_of(self.pages, "bound") is not None and self.world.clock.now() < self.expires

    @property
    def identifier(self) -> str:
        return str(self.instructions.get("session_identifier", ""))

    def register(self, offer: str, key: ECKey | RSAKey | None = None) -> TestResponse:
        """Section 7.10: a key, and a POST that proves it."""
        signed = proof(key or self.key, challenge_in(offer), names_key=True)
        return self._kept(self.send(BIND, {"Secure-Session-Response": f'"{signed}"'}))

    def refresh(self, signed: str = "") -> TestResponse:
        """Section 7.8: prove the key; again with a new challenge after 403. Section 7.7: a cached
        challenge is used first."""
        self.refreshes += 1
        if self.cached:
            signed = signed or proof(self.key, challenge_in(self.cached), names_key=False)
            self.cached = ""
        headers = {"Sec-Secure-Session-Id": f'"{self.identifier}"'}
        response = self.send(REFRESH, headers | _response(signed))
        if response.status_code == 403:
            signed = self.proof_of(response)
            response = self.send(REFRESH, headers | _response(signed))
        if 400 <= response.status_code < 500:
            self.instructions = {}
        return self._kept(response)

    def challenge(self) -> TestResponse:
        """The answer to a refresh without a proof."""
        return self.send(REFRESH, {"Sec-Secure-Session-Id": self.identifier})

    def proof_of(self, challenged: TestResponse, key: ECKey | RSAKey | None = None) -> str:
        """The proof that an answer asks for."""
        challenge = challenge_in(challenged.headers[CHALLENGE])
        return proof(key or self.key, challenge, names_key=False)

    def answer(self, signed: str) -> TestResponse:
        """Send a proof once."""
        headers = {"Sec-Secure-Session-Id": self.identifier}
        return self.send(REFRESH, headers | _response(signed))

    def without_proof(self, path: str) -> TestResponse:
        """Open a page as it is, without a look at the bound cookie."""
        return self._plain(path, base_url=self.pages.base)

    def send(self, path: str, headers: dict[str, str]) -> TestResponse:
        """What the browser sends on its own."""
        return self._plain(path, method="POST", headers=headers, base_url=self.pages.base)

    def _kept(self, response: TestResponse) -> TestResponse:
        """Section 7.9: the instructions of an answer."""
        if response.status_code == 200:
            self.instructions = json.loads(response.text)
            self.expires = self.world.clock.now()
            for cookie in response.headers.getlist("Set-Cookie"):
                if "-bound=" in cookie and (age := re.search(r"Max-Age=(\d+)", cookie)):
                    self.expires += timedelta(seconds=int(age[1]))
            if self.instructions.get("continue") is False:
                self.instructions = {}
        return response

    def copy_cookies_to(self, thief: BoundBrowser) -> None:
        """Copy all cookies, as a program on this computer could."""
        thief.client._cookies = dict(self.client._cookies or {})

    def is_let_in(self) -> bool:
        """Whether this browser opens pages of the account."""
        return self.client.get("/settings", base_url=self.pages.base).status_code == 200


def _response(signed: str) -> dict[str, str]:
    return {"Secure-Session-Response": signed} if signed else {}
