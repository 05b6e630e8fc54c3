"""N10 to N12, N14 to N20: the rest of the authorization request, and who is signed in."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from werkzeug.test import TestResponse

from idp.policy.console import ConsoleRole
from tests.console.test_matrix import ALLOWED
from tests.console.test_matrix import filled as console_path
from tests.world import AUTHORIZE, NEW_PASSWORD, Rp, World, answer_of, hidden_fields


def refusal(world: World, rp: Rp, **params: str | None) -> dict[str, str]:
    """The error that goes back to the client; state and issuer are always with it (N19)."""
    answer = answer_of(world.browser().authorize(rp, **params))
    assert answer.get("state") == params.get("state", "state-1")
    assert answer["iss"] == world.settings.issuer
    assert "code" not in answer
    return answer


@pytest.mark.parametrize(
    "response_type",
    ["token", "id_token token", "code token", "none", "id_token", "code id_token", "CODE"],
)
def test_n10_only_the_code_flow_exists(world: World, response_type: str) -> None:
    """N10."""
    answer = refusal(world, world.relying_party(), response_type=response_type)
    assert answer["error"] == "unsupported_response_type"


@pytest.mark.parametrize("response_type", [None, ""])
def test_n10_a_missing_response_type_is_an_invalid_request(
    world: World, response_type: str | None
) -> None:
    """RFC 6749 sections 3.1 and 4.1.2.1."""
    answer = refusal(world, world.relying_party(), response_type=response_type)
    assert answer["error"] == "invalid_request"


@pytest.mark.parametrize("mode", ["web_message", "fragment", "fragment.jwt", "Query", "JWT"])
def test_n11_an_unknown_response_mode_is_refused(world: World, mode: str) -> None:
    """N11, A8: never ignored in silence."""
    assert refusal(world, world.relying_party(), response_mode=mode)["error"] == "invalid_request"


@pytest.mark.parametrize("error", [False, True])
def test_n11_form_post_is_escaped_and_may_be_sent_only_to_the_client(
    world: World, error: bool
) -> None:
    """N11: state cannot break out of the form, the only one of its page; CSP lets it end where
    the client redirects to."""
    rp, username = world.relying_party(), world.account()
    browser = world.browser()
    browser.sign_in(username)
    state = '"><script>alert(1)</script>'
    changes = {"scope": "openid bogus"} if error else {}
    page = browser.authorize(rp, response_mode="form_post", state=state, **changes)
    assert page.status_code == 200
    assert "<script>alert" not in page.text
    fields = hidden_fields(page.text, rp.redirect_uri)
    assert fields["state"] == state
    assert fields["iss"] == world.settings.issuer
    assert ("error" in fields) is error
    assert ("code" in fields) is not error
    policy = page.headers["Content-Security-Policy"]
    assert "form-action https: http:;" in policy
    assert page.text.count("<form") == 1
    assert page.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("name", "error"),
    [("request", "request_not_supported"), ("request_uri", "request_uri_not_supported")],
)
def test_n12_request_objects_are_refused_and_never_fetched(
    world: World, name: str, error: str
) -> None:
    """N12: a listener sees no connection."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(0.2)
        target = f"http://127.0.0.1:{listener.getsockname()[1]}/request.jwt"
        assert refusal(world, world.relying_party(), **{name: target})["error"] == error
        with pytest.raises(TimeoutError):
            listener.accept()


@pytest.mark.parametrize(
    ("claims", "text"),
    [
        ("{", "The claims parameter must be JSON."),
        ("[" * 3000, "The claims parameter must be JSON."),
        ("[]", "The claims parameter must be a JSON object."),
        ('{"userinfo": []}', "The members of the claims parameter must be JSON objects."),
        ('{"id_token": {"acr": 7}}', "A claim must be null or an object."),
    ],
)
def test_n16_claims_that_cannot_be_read_are_refused(world: World, claims: str, text: str) -> None:
    """N16, OIDC Core 5.5; nested deeper than can be read, too."""
    answer = refusal(world, world.relying_party(), claims=claims)
    assert (answer["error"], answer["error_description"]) == ("invalid_request", text)


def test_n14_select_account_asks_once_and_continues_with_the_chosen_account(world: World) -> None:
    """N14, OIDC Core 3.1.2.1: as the one who is signed in, or as somebody who signs in for it and
    is not asked again; the next request asks anew."""
    rp, first, other = world.relying_party(), world.account(), world.account()
    browser = world.browser()
    browser.sign_in(first)

    def answered_as(answer: TestResponse) -> str:
        tokens = world.redeem(rp, answer_of(answer)["code"]).json or {}
        return str(claims_of(tokens["id_token"])["preferred_username"])

    for _ in range(2):
        page = browser.authorize(rp, prompt="select_account")
        assert first in page.text
        assert answered_as(browser.submit(page, "/signin/account", choice="continue")) == first
    page = browser.authorize(rp, prompt="select_account")
    page = browser.submit(page, "/signin/account", choice="other")
    assert answered_as(browser.sign_in(other, page=page)) == other


def test_n14_prompt_none_without_a_session(world: World) -> None:
    """N14."""
    assert refusal(world, world.relying_party(), prompt="none")["error"] == "login_required"


@pytest.mark.parametrize("prompt", ["none login", "none consent", "bogus", "login bogus"])
def test_n14_an_impossible_prompt_is_refused(world: World, prompt: str) -> None:
    """N14."""
    assert refusal(world, world.relying_party(), prompt=prompt)["error"] == "invalid_request"


@pytest.mark.parametrize("max_age", ["-1", "x", "1.5", "\u0661", "9" * 20])
def test_n14_a_malformed_max_age_is_refused(world: World, max_age: str) -> None:
    """ASCII digits only."""
    assert refusal(world, world.relying_party(), max_age=max_age)["error"] == "invalid_request"


@pytest.mark.parametrize(
    ("params", "age", "asks"),
    [
        ({"prompt": "login"}, 0, True),
        ({"max_age": "0"}, 0, True),
        ({"max_age": "1"}, 5, True),
        ({"max_age": "10000"}, 5, False),
        ({"max_age": "5"}, 5, False),
        ({}, 1000, False),
    ],
)
def test_n14_fresh_proof_is_asked_and_moves_auth_time(
    world: World, params: dict[str, str], age: int, asks: bool
) -> None:
    """N14, OIDC Core 3.1.2.1: asked once, then a code; with prompt=none an error instead."""
    rp, username = world.relying_party(), world.account()
    browser = world.browser()
    browser.code(rp, username)
    world.clock.advance(age)
    if asks and "prompt" not in params:
        silent = answer_of(browser.authorize(rp, prompt="none", **params))
        assert silent["error"] == "login_required"
    page = browser.authorize(rp, **params)
    assert (page.status_code == 200) is asks
    if asks:
        page = browser.sign_in(username, page=page)
    tokens = world.redeem(rp, answer_of(page)["code"]).json
    assert tokens is not None
    claims = claims_of(tokens["id_token"])
    assert claims["auth_time"] == int(world.clock.now().timestamp()) - (0 if asks else age)


def claims_of(token: str) -> dict[str, Any]:
    from base64 import urlsafe_b64decode

    body = token.split(".")[1]
    return dict(json.loads(urlsafe_b64decode(body + "=" * (-len(body) % 4))))


@pytest.mark.parametrize("level", ["urn:ieso:acr:mfa", "phr"])
@pytest.mark.parametrize("how", ["client", "essential claim", "essential value"])
def test_n14_no_code_is_issued_below_the_required_level(world: World, level: str, how: str) -> None:
    """N14: whether the client always demands it or this request does."""
    rp = world.relying_party(minimum_acr=level if how == "client" else None)
    wish = {"essential claim": {"essential": True, "values": [level]},
            "essential value": {"essential": True, "value": level}}.get(how)  # fmt: skip
    claims = json.dumps({"id_token": {"acr": wish}}) if wish else None
    browser, username = world.browser(), world.account()
    browser.sign_in(username)
    answer = answer_of(browser.authorize(rp, claims=claims))
    assert answer["error"] == "unmet_authentication_requirements"


def test_n14_acr_values_are_voluntary(world: World) -> None:
    """OIDC Core 3.1.2.1: voluntary; the token says what really happened."""
    rp, username = world.relying_party(), world.account()
    tokens = world.signed_in_tokens(rp, username, acr_values="phr urn:ieso:acr:mfa")
    claims = claims_of(tokens["id_token"])
    assert (claims["acr"], claims["amr"]) == ("urn:ieso:acr:password", ["pwd"])


def test_n15_a_good_hint_is_honoured(world: World) -> None:
    """prompt=none with a hint of the signed-in person answers with a code."""
    rp, username = world.relying_party(), world.account()
    browser = world.browser()
    tokens = world.redeem(rp, browser.code(rp, username)).json or {}
    answer = answer_of(browser.authorize(rp, prompt="none", id_token_hint=tokens["id_token"]))
    assert "code" in answer


@pytest.mark.parametrize(
    "hint",
    ["other person", "expired", "alg none", "forged key", "symmetric", "access token", "garbage",
     "other issuer", "other subject by claims"],
)  # fmt: skip
@pytest.mark.parametrize("prompt", [None, "none"])
def test_n15_a_hint_for_another_account_never_switches_the_account(
    world: World, hint: str, prompt: str | None
) -> None:
    """N15: login_required, and the session stays whose it was."""
    rp, username, other = world.relying_party(), world.account(), world.account()
    foreign = world.signed_in_tokens(rp, other)
    browser = world.browser()
    browser.sign_in(username)
    params: dict[str, str | None] = {"id_token_hint": forged(world, foreign, hint)}
    if hint == "expired":
        world.clock.advance(world.settings.id_token_ttl)
    if hint == "other subject by claims":
        wish = {"id_token": {"sub": {"value": claims_of(foreign["id_token"])["sub"]}}}
        params = {"claims": json.dumps(wish)}
    answer = answer_of(browser.authorize(rp, prompt=prompt, **params))
    assert answer["error"] == "login_required"
    assert username in browser.get("/settings").text


def forged(world: World, tokens: dict[str, Any], kind: str) -> str:
    """A hint that must not be believed."""
    token = str(tokens["id_token"])
    head, body, _ = token.split(".")
    claims = claims_of(token)
    if kind == "access token":
        return str(tokens["access_token"])
    if kind == "garbage":
        return "a.b.c"
    if kind == "alg none":
        from base64 import urlsafe_b64encode

        header = urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').decode().rstrip("=")
        return f"{header}.{body}."
    if kind == "symmetric":
        header = {"alg": "HS256", "typ": "JWT", "kid": json.loads(_decode(head))["kid"]}
        return jwt.encode(header, claims, OctKey.import_key("k" * 32), algorithms=["HS256"])
    if kind in ("forged key", "other issuer"):
        claims["iss"] = "https://other.test" if kind == "other issuer" else claims["iss"]
        key = RSAKey.generate_key(2048, private=True)
        header = {"alg": "RS256", "typ": "JWT", "kid": json.loads(_decode(head))["kid"]}
        return jwt.encode(header, claims, key, algorithms=["RS256"])
    return token


def _decode(part: str) -> bytes:
    from base64 import urlsafe_b64decode

    return urlsafe_b64decode(part + "=" * (-len(part) % 4))


HOSTILE = {
    "script": '"><script>alert(1)</script>',
    "long": "x" * 8_000,
    "crlf": "x\r\nSet-Cookie: a=b",
    "nul": "x\0y",
    "template": "{{7*7}}",
    "surrogate": "%ED%A0%80",
}


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("name", ["ui_locales", "login_hint", "state", "display", "claims_locales"])
def test_n16_hostile_values_are_escaped(world: World, name: str, kind: str) -> None:
    """N16: escaped on the page, encoded in the redirect, no header split, never a 5xx."""
    rp, value = world.relying_party(), HOSTILE[kind]
    for prompt in (None, "none"):
        response = world.browser().authorize(rp, prompt=prompt, **{name: value})
        assert response.status_code in (200, 303)
        assert "<script>alert" not in response.text
        assert "a=b" not in (response.headers.get("Set-Cookie") or "")
        location = response.headers.get("Location", "")
        assert location.startswith(("", rp.redirect_uri))
        assert not set(location) & set("\r\n\0<>")


def test_login_hint_fills_the_user_name_and_ui_locales_the_language(world: World) -> None:
    """OIDC Core 3.1.2.1; display and unknown parameters are no error."""
    page = world.browser().authorize(
        world.relying_party(), login_hint="ada", ui_locales="fr-CA en", display="popup", foo="bar"
    )
    assert 'value="ada"' in page.text
    assert '<html lang="fr">' in page.text


FORMS = [
    ("/signin", {"username": "x", "password": "y"}),
    ("/signin/consent", {"decision": "allow"}),
    ("/signin/account", {"choice": "continue"}),
    ("/signin/other-account", {}),
    ("/accounts", {"choice": "other"}),
    ("/device", {"user_code": "WDJB-MJHT"}),
    ("/device/confirm", {"decision": "allow"}),
    ("/signout", {}),
    ("/oauth2/v1/logout/confirm", {}),
    ("/settings/password", {"current": "x", "password": NEW_PASSWORD, "again": NEW_PASSWORD}),
    ("/settings/preferences", {"locale": "fr", "zoneinfo": "UTC"}),
    ("/settings/sessions/end-others", {}),
    ("/signin/factor", {"code": "123456"}),
    ("/signin/passkey", {"credential": "{}"}),
    ("/enrol", {"step": "finish"}),
    ("/settings/verify", {"current": "x"}),
    ("/settings/question", {"question": "first_pet", "answer": "rex and co"}),
    ("/settings/recovery-codes", {}),
    ("/settings/automatic-passkeys", {"do": "on"}),
    ("/settings/automatic-passkeys/created", {"credential": "{}"}),
    ("/settings/phone", {"number": "416 967 1111", "current": "x", "do": "send"}),
    ("/settings/phone/code", {"code": "123456"}),
    ("/settings/programs/test", {"ip": "192.0.2.7", "service": ""}),
    ("/settings/programs/former/end", {}),
    ("/settings/programs/keys", {"label": "x", "key": "x", "days": "1"}),
    ("/signin/password", {"current": "x", "password": NEW_PASSWORD, "again": NEW_PASSWORD}),
    ("/recover", {"username": "x"}),
    ("/recover/code", {"code": "123456"}),
    ("/recover/unlock", {"username": "x"}),
    ("/recover/unlock/code", {"code": "123456"}),
    ("/recover/unlock/open", {}),
    ("/recover/not-me", {}),
    ("/call", {}),
    ("/language", {"locale": "fr"}),
]


@pytest.mark.parametrize(("path", "fields"), FORMS)
@pytest.mark.parametrize("token", [None, "", "wrong"])
def test_n17_a_form_of_another_site_changes_nothing(
    world: World, path: str, fields: dict[str, str], token: str | None
) -> None:
    """N17: 400, the person stays signed in, nothing is written but the request's absence."""
    username = world.account()
    browser = world.browser()
    browser.sign_in(username)
    before = len(world.events())
    data = fields if token is None else fields | {"csrf_token": token}
    response = browser.client.post(path, data=data, base_url=browser.base)
    assert response.status_code == 400
    assert len(world.events()) == before
    assert username in browser.get("/settings").text


def test_n17_every_form_of_the_pages_is_in_the_table(world: World) -> None:
    """A new page that takes a POST has to be in the table above, or named here."""
    without_token = {
        "oidc.authorize", "oidc.token", "oidc.introspect", "oidc.revoke", "oidc.userinfo",
        "oidc.logout", "oidc.par", "oidc.device_authorization", "oidc.register_client",
        "oidc.event_streams", "oidc.event_stream_status", "oidc.event_stream_verification",
        "oidc.polled_events",
        # Called by browsers on their own: a header has a challenge signed by the browser's key.
        "bound.register", "bound.refresh_cookie",
    }  # fmt: skip
    covered = {path for path, _ in FORMS} | {"/activate", "/recover/open"}
    covered |= {
        "/settings/sessions/<public_id>/end",
        "/settings/browsers/<public_id>/forget",
        "/enrol/<kind>",
        "/settings/factors/<kind>",
        "/settings/factors/own/<public_id>",
        "/settings/programs/keys/<kid>/remove",
        "/settings/consents/<int(max=9223372036854775807):consent_id>/revoke",
    }
    posts = {
        rule.rule
        for rule in world.app.url_map.iter_rules()
        if "POST" in (rule.methods or ()) and rule.endpoint not in without_token
    }
    # The console's are driven by its own table, below; pushes carry a token of their own.
    assert {path for path in posts if not path.startswith(("/console", "/scim/v2"))} == covered


@pytest.mark.parametrize("token", [None, "wrong"])
def test_n17_console_forms_of_another_site_are_refused(world: World, token: str | None) -> None:
    """N17, N72: every POST of the console, as every operator at once: 400, nothing is written."""
    browser = world.browser().signed_in(world.operator(*ConsoleRole))
    subject = world.account_row(world.account()).subject
    before = len(world.events())
    for route in ALLOWED:
        method, path = route.split(" ", 1)
        if method == "POST":
            data = {} if token is None else {"csrf_token": token}
            answer = browser.client.post(
                console_path(path, subject), data=data, base_url=browser.base
            )
            assert answer.status_code == 400, route
    assert len(world.events()) == before


def test_n19_success_carries_the_issuer(world: World) -> None:
    """N19, RFC 9207."""
    browser, username = world.browser(), world.account()
    page = browser.authorize(world.relying_party())
    answer = answer_of(browser.sign_in(username, page=page))
    assert answer["iss"] == world.settings.issuer
    assert answer["state"] == "state-1"


@pytest.mark.parametrize("origin", ["https://evil.test", "https://emi.rp.test", "null"])
def test_n20_no_script_reads_the_authorization_endpoint(world: World, origin: str) -> None:
    """N20: not even of a registered origin."""
    rp = world.relying_party(allowed_origins=("https://emi.rp.test",))
    response = world.app.test_client().get(
        AUTHORIZE,
        query_string=rp.authorize_params(prompt="none"),
        headers={"Origin": origin},
        base_url=world.settings.issuer,
    )
    assert not [name for name, _ in response.headers if name.startswith("Access-Control")]
