"""What exactly is in each token and in each answer about it (OIDC Core 2, RFC 7662, RFC 9068)."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from idp.clients import registry
from idp.directory import accounts
from idp.grants import access_tokens, grant_lifecycle
from idp.models import AccessToken, AccountKind, Client, Grant
from idp.oidc import tokens
from idp.transaction import UnitOfWork
from tests.security.test_authorization_request import claims_of
from tests.world import Rp, World

API = "https://api.test"
USERINFO = "/oauth2/v1/userinfo"


def ring_of(world: World) -> Any:
    return world.app.extensions["oidc"].ring


def granted(work: UnitOfWork, client_id: str, username: str | None, *scopes: str) -> Grant:
    """A grant of an account, or of the client itself."""
    client = registry.get(work, client_id)
    if username is None:
        planned = grant_lifecycle.plan_for_client(work, client, list(scopes))
    else:
        account = accounts.by_username(work, username)
        planned = grant_lifecycle.plan_for_machine(work, client, account, list(scopes), None)
    return work.db.get_one(Grant, grant_lifecycle.add(work, planned))


def issued(world: World, work: UnitOfWork, grant: Grant) -> dict[str, Any]:
    signed = tokens.sign(work, ring_of(world), grant, tuple(grant.scopes))
    access_tokens.record(work, grant.id, **signed.record)
    return signed.body


def holder(world: World, kind: AccountKind = AccountKind.PERSONAL) -> str:
    """An account with a role group of the relying party ``emi``."""
    username = world.account(kind=kind)
    world.role_group("Trader", "emi", kind=kind)
    world.grant_role(username, "Trader")
    return username


@pytest.mark.parametrize("nonce", [None, "n-1"])
@pytest.mark.parametrize("sid", [None, "s-1"])
def test_the_claims_of_an_id_token(world: World, nonce: str | None, sid: str | None) -> None:
    """OIDC Core section 2: ``sid`` and ``nonce`` only where there is one."""
    world.relying_party()
    username = holder(world)
    with world.work() as work:
        grant = granted(work, "emi", username, "openid", "email", "groups")
        grant.nonce, grant.sid = nonce, sid
        now = tokens.seconds(work.now)
        body = issued(world, work, grant)
        assert grant.account is not None
        subject = grant.account.subject
    assert set(body) == {"access_token", "token_type", "expires_in", "scope", "id_token"}
    assert (body["token_type"], body["expires_in"], body["scope"]) == (
        "Bearer", world.settings.access_token_ttl, "openid email groups",
    )  # fmt: skip
    claims = claims_of(body["id_token"])
    assert claims.pop("jti")
    assert claims.pop("at_hash")
    assert claims == {
        "iss": world.settings.issuer,
        "sub": subject,
        "aud": "emi",
        "iat": now,
        "exp": now + world.settings.id_token_ttl,
        "auth_time": now,
        "acr": "urn:ieso:acr:password",
        "amr": ["pwd"],
        "email": f"{username}@participant.example",
        "email_verified": True,
        "groups": ["Trader"],
        **({"nonce": nonce} if nonce else {}),
        **({"sid": sid} if sid else {}),
    }


def test_the_claims_of_an_access_token(world: World) -> None:
    """RFC 9068 section 2.2: of a person, a machine account and a client; role groups, no names."""
    world.relying_party("Api", grant_types=("client_credentials",), scopes=("read",),
                        redirect_uris=(), post_logout_redirect_uris=(), home_url="")  # fmt: skip
    world.relying_party(audience=API, account_kinds=("personal", "machine"))
    world.relying_party("Plain", account_kinds=("personal", "machine"))
    person = holder(world)
    machine = world.account("APIIESO00042", kind=AccountKind.MACHINE)
    issuer = world.settings.issuer
    own = {"auth_time", "acr", "amr"}
    with world.work() as work:
        for client, username, scopes, audience, more in (
            ("emi", person, ("openid", "email", "groups"), API, {"groups": ["Trader"]}),
            ("plain", person, ("openid", "email"), issuer, {}),
            ("plain", machine, ("groups",), "plain", {"groups": []}),
            ("emi", machine, ("groups",), API, {"groups": []}),
            ("api", None, ("read",), issuer, {}),
            ("api", None, (), issuer, {}),
        ):
            grant = granted(work, client, username, *scopes)
            body = issued(world, work, grant)
            claims = claims_of(body["access_token"])
            assert ("scope" in body) is bool(scopes)
            assert ("id_token" in body) is ("openid" in scopes)
            assert claims.pop("jti")
            subject = grant.account.subject if grant.account else "api"
            about = {
                "auth_time": tokens.seconds(work.now),
                "acr": "urn:ieso:acr:password",
                "amr": ["pwd"],
            }
            assert claims == {
                "iss": issuer,
                "sub": subject,
                "aud": audience,
                "client_id": grant_lifecycle.token_client_id(grant),
                "iat": tokens.seconds(work.now),
                "exp": tokens.seconds(work.now) + world.settings.access_token_ttl,
                **({"scope": " ".join(scopes)} if scopes else {}),
                **(about if username else {}),
                **more,
            }
            assert bool(own & set(claims)) is (username is not None)
            assert tokens.audience_of(work, grant) == audience


def test_an_access_token_is_found_while_it_is_active(world: World) -> None:
    """RFC 7662: as JWT and opaque; nothing else is one."""
    world.relying_party()
    world.relying_party("Opaque", access_token_format="opaque")
    username = world.account()
    with world.work() as work:
        ring = ring_of(world)
        for client, dots in (("emi", 2), ("opaque", 0)):
            grant = granted(work, client, username, "openid")
            body = issued(world, work, grant)
            token = body["access_token"]
            assert token.count(".") == dots
            row = tokens.find_active_access_token(work, ring, token)
            assert row is not None
            assert row.grant.id == grant.id
            for other in (body["id_token"], token + "x", "x", "", "a.b.c"):
                assert tokens.find_active_access_token(work, ring, other) is None
            grant.revoked_at = work.now
            work.db.flush()
            assert tokens.find_active_access_token(work, ring, token) is None


def test_a_token_is_introspected_by_its_client_and_its_resource_server_only(world: World) -> None:
    """RFC 7662 section 2.1: its client, and the resource server that it is for."""
    username = world.account()
    world.relying_party(audience=API)
    world.relying_party("Unnamed")
    with world.work() as work:
        ask = tokens.may_introspect
        for client, audience in (("emi", API), ("unnamed", world.settings.issuer)):
            issued(world, work, granted(work, client, username, "openid"))
            row = work.db.scalars(select(AccessToken).order_by(AccessToken.id.desc())).first()
            assert row is not None
            assert row.audience == audience
            assert ask(row, row.grant.client)
            for is_server, named, expected in (
                (True, audience, True),
                (False, audience, False),
                (True, "https://other.test", False),
                (True, "", False),
            ):
                other = Client(id=-1, is_resource_server=is_server, audience=named)
                assert ask(row, other) is expected, (client, is_server, named)
            row.audience = ""
            assert not ask(row, Client(id=-1, is_resource_server=True, audience=""))
            row.audience = audience


def test_the_members_of_an_introspection_response(world: World) -> None:
    """RFC 7662 section 2.2: of access and refresh token; role groups as they are now."""
    rp = world.relying_party()
    username = holder(world)
    got = world.signed_in_tokens(rp, username, scope="openid email groups offline_access")
    subject = world.account_row(username).subject
    now = tokens.seconds(world.clock.now())
    common = {
        "active": True,
        "iss": world.settings.issuer,
        "client_id": "emi",
        "sub": subject,
        "username": username,
        "acr": "urn:ieso:acr:password",
        "auth_time": now,
        "scope": "openid email groups offline_access",
        "iat": now,
    }
    assert world.introspect(rp, got["access_token"]) == common | {
        "token_type": "Bearer",
        "aud": world.settings.issuer,
        "exp": now + world.settings.access_token_ttl,
        "groups": ["Trader"],
    }
    idle = world.settings.refresh_idle
    assert world.introspect(rp, got["refresh_token"]) == common | {
        "token_type": "refresh_token",
        "exp": now + min(idle, world.settings.refresh_absolute),
    }
    narrow = world.refresh(rp, got["refresh_token"], scope="openid").json or {}
    told = world.introspect(rp, narrow["access_token"])
    assert (told["scope"], "groups" in told, "email" in told) == ("openid", False, False)


def test_introspection_of_a_client_token_names_no_account(world: World) -> None:
    """RFC 7662 section 2.2."""
    rp = world.relying_party("Api", grant_types=("client_credentials",), scopes=("read",),
                             redirect_uris=(), post_logout_redirect_uris=(),
                             home_url="")  # fmt: skip
    token = (world.post(rp, grant_type="client_credentials", scope="read").json or {})[
        "access_token"
    ]
    now = tokens.seconds(world.clock.now())
    assert world.introspect(rp, token) == {
        "active": True,
        "iss": world.settings.issuer,
        "client_id": "api",
        "sub": "api",
        "scope": "read",
        "token_type": "Bearer",
        "aud": world.settings.issuer,
        "iat": now,
        "exp": now + world.settings.access_token_ttl,
    }
    answer = ask_userinfo(world, headers={"Authorization": f"Bearer {token}"})
    assert answer[:2] == (401, "invalid_token")


@pytest.mark.parametrize("path", ["introspect", "revoke"])
def test_a_request_about_no_token_is_refused(world: World, path: str) -> None:
    """RFC 7662 section 2.1, RFC 7009 section 2.1: the parameter is required."""
    answer = world.post(world.relying_party(), f"/oauth2/v1/{path}", token_type_hint="x")
    assert (answer.status_code, (answer.json or {})["error"]) == (400, "invalid_request")


# Userinfo


def ask_userinfo(world: World, method: str = "GET", **request: Any) -> tuple[int, str | None, str]:
    """Status, error and the header that forbids to keep the answer."""
    client = world.app.test_client(use_cookies=False)
    answer = client.open(USERINFO, method=method, base_url=world.settings.issuer, **request)
    return answer.status_code, (answer.json or {}).get("error"), answer.headers["Cache-Control"]


def test_a_token_is_sent_to_userinfo_in_one_of_two_ways(world: World) -> None:
    """RFC 6750 section 2: in the header, or in the form of a POST; once."""
    rp: Rp = world.relying_party()
    token = world.signed_in_tokens(rp, world.account())["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    form = {"access_token": token}
    good, none = (200, None, "no-store"), (401, None, "no-store")
    twice = (400, "invalid_request", "no-store")
    assert ask_userinfo(world, headers=bearer) == good
    assert ask_userinfo(world, "POST", headers=bearer) == good
    assert ask_userinfo(world, "POST", data=form) == good
    assert ask_userinfo(world, "POST", data=form, headers=bearer) == twice
    assert ask_userinfo(world, "GET", data=form) == none
    assert ask_userinfo(world, "POST", data=form, content_type="multipart/form-data") == none
    assert ask_userinfo(world, query_string=form) == twice
    assert ask_userinfo(world) == ask_userinfo(world, headers={"Authorization": "Bearer "}) == none
    for wrong in ("x", f"{token}x"):
        answer = ask_userinfo(world, headers={"Authorization": f"Bearer {wrong}"})
        assert answer == (401, "invalid_token", "no-store")


def test_userinfo_needs_the_scope_openid(world: World) -> None:
    """OIDC Core 5.3, RFC 6750 section 3.1."""
    world.relying_party()
    username = world.account()
    with world.work() as work:
        token = issued(world, work, granted(work, "emi", username, "email"))["access_token"]
    answer = ask_userinfo(world, headers={"Authorization": f"Bearer {token}"})
    assert answer == (403, "insufficient_scope", "no-store")
