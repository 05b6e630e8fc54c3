"""A relying party as the plans register it: confidential, not trusted, without PKCE."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from joserfc import jwt
from joserfc.jwk import KeySet
from werkzeug.test import TestResponse

from tests.world import Browser, Rp, World, answer_of, hidden_fields

WITHOUT_PKCE = {"code_challenge": None, "code_challenge_method": None}
USERINFO = "/oauth2/v1/userinfo"
DISCOVERY = "/.well-known/openid-configuration"


@dataclass
class Flow:
    """One person, one browser, one relying party, and the response mode of the plan."""

    world: World
    rp: Rp
    browser: Browser
    username: str
    mode: str | None

    def request(self, browser: Browser | None = None, **changes: str | None) -> TestResponse:
        """An authorization request; returns the gateway's page or its answer."""
        values: dict[str, str | None] = {"scope": "openid", "response_mode": self.mode}
        return (browser or self.browser).authorize(self.rp, **(values | WITHOUT_PKCE | changes))

    def answer(self, page: TestResponse) -> dict[str, str]:
        """Sign in and allow if a page asks for it; returns the authorization response."""
        if 'name="username"' in page.text:
            page = self.browser.sign_in(self.username, page=page)
        if 'value="allow"' in page.text:
            page = self.browser.submit(page, "/signin/consent", decision="allow")
        return self.response(page)

    def response(self, page: TestResponse) -> dict[str, str]:
        """The authorization response in the mode of the plan."""
        if self.mode == "form_post":
            return hidden_fields(page.text, self.rp.redirect_uri)
        return answer_of(page)

    def tokens(self, **changes: str | None) -> dict[str, Any]:
        """From the request to the token response."""
        answer = self.answer(self.request(**changes))
        assert answer["state"] == "state-1"
        assert answer["iss"] == self.world.settings.issuer
        return self.redeem(answer["code"])

    def redeem(self, code: str, **changes: str) -> dict[str, Any]:
        """The token response to a code."""
        response = self.world.redeem(self.rp, code, **({"code_verifier": ""} | changes))
        assert response.status_code == 200, response.text
        assert response.headers["Cache-Control"] == "no-store"
        tokens: dict[str, Any] = response.json or {}
        assert tokens["token_type"] == "Bearer"
        return tokens

    def claims(self, tokens: dict[str, Any]) -> dict[str, Any]:
        """The claims of the ID token, whose signature is verified by the published keys."""
        client = self.world.app.test_client(use_cookies=False)
        keys = client.get("/oauth2/v1/keys", base_url=self.world.settings.issuer).json
        token = jwt.decode(tokens["id_token"], KeySet.import_key_set(keys), algorithms=["RS256"])
        assert token.header["kid"] in {key["kid"] for key in keys["keys"]}
        return dict(token.claims)

    def userinfo(self, token: str, method: str = "GET", *, in_body: bool = False) -> TestResponse:
        """A userinfo request with the token in the header or in the body (RFC 6750 section 2)."""
        client = self.world.app.test_client(use_cookies=False)
        sent: dict[str, Any] = (
            {"data": {"access_token": token}}
            if in_body
            else {"headers": {"Authorization": f"Bearer {token}"}}
        )
        return client.open(USERINFO, method=method, base_url=self.world.settings.issuer, **sent)
