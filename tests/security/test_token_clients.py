"""Client authentication, grant types, scopes and the form of requests (N28 to N37, A4 to A6)."""

from __future__ import annotations

from base64 import b64encode
from urllib.parse import quote_plus

import pytest
from werkzeug.test import TestResponse

from idp.clients import registry
from idp.credentials.assertions import ASSERTION_TYPE
from idp.models import AuthMethod
from idp.policy.scopes import IDENTITY_SCOPES
from tests.security.test_token_tables import (
    CONFIDENTIAL,
    GRANT_NAMES,
    METHODS,
    OWN_SCOPE,
    PERSONAL,
    assert_client_refused,
    assert_json_no_store,
    assert_refused,
    client_of,
    good_request,
)
from tests.world import TOKEN, Rp, World, assertion

FORM = "application/x-www-form-urlencoded"
INTROSPECT, REVOKE = "/oauth2/v1/introspect", "/oauth2/v1/revoke"
PATHS = [TOKEN, INTROSPECT, REVOKE]
BODY = {
    TOKEN: {"grant_type": "client_credentials", "scope": OWN_SCOPE},
    INTROSPECT: {"token": "x"},
    REVOKE: {"token": "x"},
}
SECRETS = (AuthMethod.SECRET, AuthMethod.BASIC, AuthMethod.POST)
TWO_METHODS = "More than one client authentication method was used."
TOO_WIDE = "The scope exceeds what is allowed for this client."


def send(
    world: World,
    path: str,
    data: dict[str, str],
    authorization: str | None = None,
    query: str = "",
) -> TestResponse:
    """A POST without added credentials."""
    headers = {"Authorization": authorization} if authorization is not None else {}
    client = world.app.test_client(use_cookies=False)
    return client.post(path + query, data=data, headers=headers, base_url=world.settings.issuer)


def basic(client_id: str, secret: str) -> str:
    raw = f"{quote_plus(client_id)}:{quote_plus(secret)}"
    return f"Basic {b64encode(raw.encode()).decode()}"


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("secret", ["wrong", "right"])
def test_n28_two_methods_in_one_request_are_refused(world: World, path: str, secret: str) -> None:
    """A4, RFC 6749 section 2.3: one method for each request, whether the second is valid or not."""
    rp = client_of(world)
    value = rp.secret if secret == "right" else "wrong"
    data = BODY[path] | {"client_id": rp.client_id, "client_secret": value}
    response = send(world, path, data, basic(rp.client_id, rp.secret))
    assert_refused(response, 400, "invalid_request", TWO_METHODS)


@pytest.mark.parametrize("path", PATHS)
def test_n28_two_clients_in_one_request_are_refused(world: World, path: str) -> None:
    """A4: the header authenticates one client, and the body names another."""
    rp, other = client_of(world), client_of(world, AuthMethod.NONE, name="Public")
    data = BODY[path] | {"client_id": other.client_id}
    response = send(world, path, data, basic(rp.client_id, rp.secret))
    assert_refused(response, 400, "invalid_request", "More than one client was named.")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", METHODS)
def test_n28_an_assertion_beside_another_method_is_refused(
    world: World, path: str, method: str
) -> None:
    """With a secret it is a second method. Alone it must be valid."""
    rp = client_of(world, method)
    sent = {"client_assertion": "a.b.c", "client_assertion_type": ASSERTION_TYPE}
    response = world.post(rp, path, **BODY[path], **sent)
    if method in SECRETS:
        assert_refused(response, 400, "invalid_request", TWO_METHODS)
    else:
        assert_client_refused(response)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", ["client_secret", "client_id", "grant_type", "token", "x"])
def test_n28_nothing_is_read_from_the_query(world: World, path: str, name: str) -> None:
    """A4, RFC 6749 section 2.3.1: queries are written to logs."""
    rp = client_of(world)
    response = send(
        world, path, BODY[path], basic(rp.client_id, rp.secret), f"?{name}={rp.client_id}"
    )
    text = "Parameters belong in the body, not in the query."
    assert_refused(response, 400, "invalid_request", text)


def presented(rp: Rp, method: str, secret: str) -> tuple[dict[str, str], str | None]:
    """Form and header of a client that uses ``method``."""
    if method in (AuthMethod.SECRET, AuthMethod.BASIC):
        return {}, basic(rp.client_id, secret)
    form = {"client_id": rp.client_id}
    if method == AuthMethod.SECRET_JWT:
        # The library signs with no short secret.
        return form | assertion(rp.client_id, secret.ljust(43, "~"), rp.clock, method), None
    if method == AuthMethod.KEY:
        return form | assertion(rp.client_id, secret, rp.clock), None
    return (form | {"client_secret": secret} if method == AuthMethod.POST else form), None


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("used", [m for m in METHODS if m != AuthMethod.SECRET])
@pytest.mark.parametrize("registered", METHODS)
def test_n29_only_the_registered_method_is_accepted(
    world: World, registered: str, used: str, path: str
) -> None:
    """A6: also at introspection and revocation. The right secret by another method is refused,
    unless the client is registered for both."""
    rp = client_of(world, registered)
    form, header = presented(rp, used, rp.secret or "s" * 43)
    response = send(world, path, BODY[path] | form, header)
    either = registered == AuthMethod.SECRET and used in SECRETS
    if not (either or registered == used) or (registered == AuthMethod.NONE and path == INTROSPECT):
        assert_client_refused(response)
    else:
        assert response.json is not None
        assert response.json.get("error") in (None, "unauthorized_client")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", CONFIDENTIAL)
@pytest.mark.parametrize(
    "change", ["", " ", "x", "{}x", "x{}", "{}\n", "{} ", "{upper}", "{cut}", "é", "%00", "%ff"]
)
def test_n29_another_secret_is_refused_in_the_same_words(
    world: World, method: str, path: str, change: str
) -> None:
    """A5, A6: empty, longer, shorter, other case, other characters."""
    rp = client_of(world, method)
    secret = (
        change.replace("{upper}", rp.secret.swapcase())
        .replace("{cut}", rp.secret[:-1])
        .replace("{}", rp.secret)
    )
    form, header = presented(rp, method, secret)
    assert_client_refused(send(world, path, BODY[path] | form, header))


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("client_id", ["nobody", "EMI", "emi ", "é", "%00", "emi\0", "x" * 900, ""])
def test_n29_an_unknown_client_is_refused_in_the_same_words(
    world: World, method: str, path: str, client_id: str
) -> None:
    """A5: the answer does not reveal which clients exist. A malformed name causes no database
    error."""
    rp = client_of(world, method)
    stranger = Rp(client_id, rp.secret or "s", rp.redirect_uri)
    form, header = presented(stranger, method, stranger.secret)
    response = send(world, path, BODY[path] | form, header)
    if "\0" in form.get("client_id", ""):
        assert_refused(response, 400, "invalid_request", "Malformed: client_id.")
    else:
        assert_client_refused(response)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic",
        "Basic ",
        "Basic !!!!",
        "Basic ZW1p",  # emi, without a colon
        "Basic ZW1pOg==",  # emi:
        "Basic OnNlY3JldA==",  # :secret
        "Basic /////w==",  # not UTF-8
        "Basic AGVtaTpz",  # \0emi:s
        "Basic " + "QUFB" * 2000,
        "Bearer x",
        "Digest username=emi",
        "Negotiate x",
    ],
)
@pytest.mark.parametrize("path", PATHS)
def test_n29_a_malformed_header_is_refused_in_the_same_words(
    world: World, path: str, header: str
) -> None:
    """RFC 7617 section 2: the same answer for every malformed header."""
    client_of(world)
    assert_client_refused(send(world, path, BODY[path], header))


def test_n29_basic_is_form_decoded(world: World) -> None:
    """RFC 6749 section 2.3.1: percent-encoded characters are decoded."""
    rp = client_of(world)
    escaped = "".join(f"%{ord(char):02X}" for char in rp.secret)
    raw = b64encode(f"{rp.client_id}:{escaped}".encode()).decode()
    response = send(world, TOKEN, BODY[TOKEN], f"Basic {raw}")
    assert response.status_code == 200


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", METHODS)
def test_a_disabled_client_is_refused_in_the_same_words(
    world: World, method: str, path: str
) -> None:
    """N18 at the protocol endpoints."""
    rp = client_of(world, method)
    with world.work() as work:
        registry.disable(work, registry.get(work, rp.client_id))
    assert_client_refused(world.post(rp, path, **BODY[path]))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "grant_type",
    [
        "password",
        "implicit",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "urn:ietf:params:oauth:grant-type:saml2-bearer",
        "AUTHORIZATION_CODE",
        "refresh_token ",
        'é"\\',
    ],
)
def test_n31_an_unknown_grant_type_is_unsupported(
    world: World, method: str, grant_type: str
) -> None:
    """OAuth 2.1 section 2.4: no password grant. The text is constant: RFC 6749 section 5.2 allows
    few characters in it."""
    response = world.post(client_of(world, method), grant_type=grant_type, username="a")
    text = "This grant type is not supported."
    assert_refused(response, 400, "unsupported_grant_type", text)


@pytest.mark.parametrize("params", [{"scope": OWN_SCOPE}, {"grant_type": ""}])
def test_n31_a_request_without_a_grant_type_is_invalid(
    world: World, params: dict[str, str]
) -> None:
    """RFC 6749 section 5.2: a missing parameter is invalid_request."""
    response = world.post(client_of(world), **params)
    assert_refused(response, 400, "invalid_request", "Missing parameter: grant_type.")


@pytest.mark.parametrize("grant", GRANT_NAMES)
@pytest.mark.parametrize("method", METHODS)
def test_n31_an_unregistered_grant_type_is_unauthorized(
    world: World, method: str, grant: str
) -> None:
    """Refused before the rest of the request is read or spent."""
    rp = client_of(world, method)
    username = world.account()
    usable = grant in PERSONAL or method != AuthMethod.NONE
    params = good_request(world, grant, rp, username) if usable else BODY[TOKEN]
    with world.work() as work:
        client = registry.get(work, rp.client_id)
        client.grant_types = [name for name in client.grant_types if name != grant]
    text = "This client is not authorized for this grant type."
    assert_refused(world.post(rp, **params), 400, "unauthorized_client", text)
    if usable:
        with world.work() as work:
            client = registry.get(work, rp.client_id)
            client.grant_types = [*client.grant_types, grant]
        assert world.post(rp, **params).status_code == 200


@pytest.mark.parametrize("scope", [*IDENTITY_SCOPES, f"{OWN_SCOPE} openid", "other", "é", '"'])
@pytest.mark.parametrize("method", CONFIDENTIAL)
def test_n32_a_client_alone_has_no_scopes_about_people(
    world: World, method: str, scope: str
) -> None:
    """RFC 6749 section 4.4: not even scopes that it is registered for."""
    rp = client_of(world, method)
    response = world.post(rp, grant_type="client_credentials", scope=scope)
    assert_refused(response, 400, "invalid_scope", TOO_WIDE)


def test_n32_a_refresh_cannot_extend_the_scopes(world: World) -> None:
    """RFC 6749 section 6: the refusal does not spend the refresh token."""
    rp = client_of(world)
    tokens = world.signed_in_tokens(rp, world.account(), scope="openid offline_access")
    text = "The scope exceeds the original grant."
    for scope in ("openid profile", "profile", " ", "é", OWN_SCOPE):
        response = world.refresh(rp, tokens["refresh_token"], scope=scope)
        assert_refused(response, 400, "invalid_scope", text)
    assert world.refresh(rp, tokens["refresh_token"]).status_code == 200


UNSUPPORTED = f"Send the parameters as {FORM}."


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("kind", ["application/json", "text/plain", "multipart/form-data", "", "x"])
def test_n36_another_media_type_is_415(world: World, path: str, kind: str) -> None:
    """RFC 6749 section 3.2: parameters are sent as a form."""
    rp = client_of(world)
    response = world.app.test_client().post(
        path,
        data=b'{"grant_type": "client_credentials"}',
        content_type=kind,
        headers=rp.basic(),
        base_url=world.settings.issuer,
    )
    assert_refused(response, 415, "invalid_request", UNSUPPORTED)


@pytest.mark.parametrize("charset", ["utf-7", "utf-16", "ibm037", "x-unknown", '"utf-8"'])
def test_n36_a_charset_changes_nothing(world: World, charset: str) -> None:
    """The body is read as UTF-8, whatever charset it names."""
    rp = client_of(world)
    response = world.app.test_client().post(
        TOKEN,
        data=f"grant_type=client_credentials&scope={OWN_SCOPE}".encode(),
        content_type=f"{FORM}; charset={charset}",
        headers=rp.basic(),
        base_url=world.settings.issuer,
    )
    assert response.status_code == 200


@pytest.mark.parametrize("path", PATHS)
def test_n36_a_repeated_parameter_is_refused(world: World, path: str) -> None:
    """RFC 6749 section 3.2, also for an unknown parameter."""
    rp = client_of(world)
    body = "&".join(f"{name}={value}" for name, value in BODY[path].items())
    for name in (*BODY[path], "unknown"):
        response = world.app.test_client().post(
            path,
            data=f"{body}&{name}=1&{name}=1",
            content_type=FORM,
            headers=rp.basic(),
            base_url=world.settings.issuer,
        )
        assert_refused(response, 400, "invalid_request", "A parameter is repeated.")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_n36_another_http_method_is_405(world: World, path: str, method: str) -> None:
    """In the format of the protocol, with the allowed method."""
    response = world.app.test_client().open(
        path, method=method, base_url=world.settings.issuer, query_string={"token": "x"}
    )
    text = "This method is not supported here."
    assert_refused(response, 405, "invalid_request", text)
    assert "POST" in response.headers["Allow"]
    assert "GET" not in response.headers["Allow"]


@pytest.mark.parametrize("path", PATHS)
def test_n36_a_body_of_a_megabyte_is_413(world: World, path: str) -> None:
    """N87 at these endpoints: the size is limited before the body is read."""
    rp = client_of(world)
    response = world.post(rp, path, **BODY[path], padding="x" * 1_000_000)
    assert_refused(response, 413, "invalid_request", "The request is too large.")


@pytest.mark.parametrize("path", PATHS)
def test_n36_too_many_or_too_long_parameters_are_refused(world: World, path: str) -> None:
    """Bounds of ``idp.oidc.parameters``."""
    rp = client_of(world)
    many = {f"p{n}": "x" for n in range(70)}
    response = world.post(rp, path, **BODY[path], **many)
    assert_refused(response, 400, "invalid_request", "Malformed: too many parameters.")
    response = world.post(rp, path, **BODY[path], long="x" * 20_000)
    assert_refused(response, 400, "invalid_request", "Malformed: long.")
    response = world.post(rp, path, **BODY[path], nul="a\0b")
    assert_refused(response, 400, "invalid_request", "Malformed: nul.")


def test_n37_every_answer_of_these_endpoints_says_no_store(world: World) -> None:
    """RFC 6749 section 5.1, RFC 7662 section 4: successful answers. The tests above check
    refusals."""
    rp = client_of(world)
    tokens = world.signed_in_tokens(rp, world.account())
    for path, data in BODY.items():
        response = world.post(rp, path, **data)
        assert response.status_code == 200
        assert_json_no_store(response)
        assert response.headers["Pragma"] == "no-cache"
    response = world.post(rp, INTROSPECT, token=tokens["access_token"])
    assert_json_no_store(response)
