"""N89, N90: life cycle of signing keys."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from idp.app import read_keys
from idp.errors import Refused
from idp.grants import signing_keys
from idp.models import KeyState, SigningKey
from idp.oidc import jwks
from idp.oidc.jwks import BadToken, KeyRing
from tests.security.test_signed_tokens import header_of, userinfo
from tests.world import World

TICK = timedelta(microseconds=1)


def published(world: World) -> set[str]:
    answer = world.app.test_client().get("/oauth2/v1/keys", base_url=world.settings.issuer)
    return {key["kid"] for key in (answer.json or {})["keys"]}


def by_state(world: World, alg: str) -> dict[str, str]:
    with world.work() as work:
        return {row.state: row.kid for row in signing_keys.every_key(work) if row.alg == alg}


def tokens_of(world: World) -> dict[str, Any]:
    return world.signed_in_tokens(world.made["rp"], world.made["username"])


@pytest.fixture(autouse=True)
def people(world: World) -> None:
    world.made = {"rp": world.relying_party(), "username": world.account()}


def test_n90_the_next_key_is_published_before_it_signs(world: World) -> None:
    """N90: for as long as caches may keep the JWKS. ``--force`` is for emergencies."""
    first = by_state(world, "ES256")
    assert set(first.values()) <= published(world)
    with world.work() as work:
        signing_keys.rotate(work, "ES256")
    second = by_state(world, "ES256")
    assert second["active"] == first["next"]
    assert second["retired"] == first["active"]
    with pytest.raises(Refused), world.work() as work:
        signing_keys.rotate(work, "ES256")
    with world.work() as work:
        signing_keys.rotate(work, "ES256", force=True)
    world.clock.advance(world.settings.key_publish_lead)
    with world.work() as work:
        signing_keys.rotate(work, "ES256")


def test_n90_a_retired_key_stays_until_its_last_token_and_session_have_ended(world: World) -> None:
    """N90: then it leaves the JWKS. The tokens that it signed have expired before."""
    token = tokens_of(world)["access_token"]
    with world.work() as work:
        signing_keys.rotate(work, "ES256")
    world.clock.advance(world.settings.access_token_ttl - 1)
    assert userinfo(world, token).status_code == 200
    world.clock.advance(1)
    assert userinfo(world, token).status_code == 401
    world.clock.advance(world.settings.session_absolute - world.settings.access_token_ttl - 1)
    assert header_of(token)["kid"] in published(world)
    world.clock.advance(world.settings.key_cache)
    assert header_of(token)["kid"] not in published(world)


@pytest.mark.parametrize("use", ["at+jwt", "JWT", "logout+jwt"])
def test_n89_n90_tokens_of_a_key_outside_the_jwks_are_refused(world: World, use: str) -> None:
    """N89, N90: neither a retired key after its time nor a revoked one, for every use of the token
    and whatever its ``exp``."""
    ring = world.app.extensions["oidc"].ring
    claims = {"iss": world.settings.issuer, "exp": 4_000_000_000}
    with world.work() as work:
        retired, revoked = (ring.sign(work, alg, use, claims) for alg in ("ES256", "RS256"))
        signing_keys.rotate(work, "ES256")
        signing_keys.revoke(work, header_of(revoked)["kid"])
    world.clock.advance(world.settings.key_cache)
    with world.work() as work:
        assert ring.verify(work, retired, use) == claims
        with pytest.raises(BadToken, match="unknown key"):
            ring.verify(work, revoked, use)
    world.clock.advance(world.settings.session_absolute)
    with world.work() as work, pytest.raises(BadToken, match="unknown key"):
        ring.verify(work, retired, use)


def test_n41_a_signature_is_verified_once_for_each_copy_of_the_keys(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """N41, N89: the whole token decides whether it was verified. Little is remembered, and nothing
    beyond the copy of the keys."""
    ring = world.app.extensions["oidc"].ring
    claims = {"iss": world.settings.issuer}
    verified: list[str] = []
    decode = jwks.jwt.decode

    def counting(token: str, *arguments: Any, **named: Any) -> Any:
        verified.append(token)
        return decode(token, *arguments, **named)

    monkeypatch.setattr(jwks.jwt, "decode", counting)
    with world.work() as work:
        good, other = (ring.sign(work, "ES256", "JWT", claims | {"n": n}) for n in (1, 2))
        long = ring.sign(work, "ES256", "JWT", claims | {"n": "n" * jwks.MAX_REMEMBERED})
        for _ in range(3):
            assert ring.verify(work, good, "JWT")["n"] == 1
            with pytest.raises(BadToken, match="type"):
                ring.verify(work, good, "at+jwt")
            with pytest.raises(BadToken):
                ring.verify(work, other[: other.rindex(".")] + good[good.rindex(".") :], "JWT")
        assert verified.count(good) == 1
        assert ring.verify(work, long, "JWT") == ring.verify(work, long, "JWT")
        assert verified.count(long) == 2
        monkeypatch.setattr(jwks, "MAX_VERIFIED", 1)
        ring.verify(work, other, "JWT")
        assert len(ring.snapshot(work).verified) == 1
    world.clock.advance(world.settings.key_cache)
    with world.work() as work:
        ring.verify(work, good, "JWT")
    assert verified.count(good) == 2


def test_n57_an_id_token_hint_is_accepted_as_long_as_its_session(world: World) -> None:
    """RP-Initiated Logout section 2: also if its key has been retired."""
    rp, browser = world.made["rp"], world.browser()
    hint = world.redeem(rp, browser.code(rp, world.made["username"])).json["id_token"]
    with world.work() as work:
        signing_keys.rotate(work, "RS256")
    world.clock.advance(world.settings.session_idle - 1)
    answer = browser.get("/oauth2/v1/logout", id_token_hint=hint)
    assert (answer.status_code, "You are signed out" in answer.text) == (200, True)


def test_n89_a_revoked_key_is_refused_at_once_and_a_refresh_uses_another(world: World) -> None:
    """N89: its tokens are refused, it leaves the JWKS, and a refresh gives tokens of another
    key."""
    tokens = tokens_of(world)
    kid = header_of(tokens["access_token"])["kid"]
    with world.work() as work:
        signing_keys.revoke(work, kid)
    world.clock.advance(world.settings.key_cache)
    assert kid not in published(world)
    assert userinfo(world, tokens["access_token"]).status_code == 401
    fresh = world.refresh(world.made["rp"], tokens["refresh_token"]).json or {}
    assert header_of(fresh["access_token"])["kid"] != kid
    assert userinfo(world, fresh["access_token"]).status_code == 200
    assert set(by_state(world, "ES256")) == {"active", "next", "revoked"}


def test_revoking_the_next_key_creates_another(world: World) -> None:
    """There is always a next key."""
    before = by_state(world, "RS256")
    with world.work() as work:
        signing_keys.revoke(work, before["next"])
    after = by_state(world, "RS256")
    assert after["active"] == before["active"]
    assert after["next"] != before["next"]


def test_private_keys_are_sealed_and_never_published(world: World) -> None:
    """Encrypted at rest; the public document has public members only."""
    with world.work() as work:
        for row in signing_keys.every_key(work):
            assert '"d"' not in row.private_sealed
            assert set(row.public_jwk) <= {"kty", "crv", "x", "y", "n", "e", "kid", "alg", "use"}
            assert signing_keys.private_key(work, row).thumbprint() == row.kid


def test_two_active_keys_of_an_algorithm_cannot_exist(world: World) -> None:
    """A constraint of the database refuses it."""
    from idp.errors import Collision

    with pytest.raises(Collision), world.work() as work:  # noqa: PT012
        row = next(k for k in signing_keys.every_key(work) if k.state == KeyState.ACTIVE)
        work.db.add(
            SigningKey(
                kid="x", alg=row.alg, state=KeyState.ACTIVE, public_jwk={}, private_sealed="",
                created_at=work.now,
            )
        )  # fmt: skip
        work.db.flush()


def test_n90_unknown_kids_cause_no_database_reads(world: World) -> None:
    """N90: many unknown values of ``kid`` cause no database queries."""
    from sqlalchemy import event

    from idp.app import db

    token = tokens_of(world)["access_token"]
    head, body, signature = token.split(".")
    seen: list[str] = []
    with world.app.app_context():
        event.listen(db.engine, "before_cursor_execute", lambda *a: seen.append(a[2]))
    for _ in range(20):
        assert userinfo(world, f"{head[:-4]}AAAA.{body}.{signature}").status_code == 401
    assert not [statement for statement in seen if "signing_key" in statement]


def test_n89_n92_keys_are_read_again_after_their_time(world: World) -> None:
    """N89, N92: at the end of the setting's seconds, and when the clock was set back."""
    ring = KeyRing()
    with world.work() as work:
        work.settings = replace(work.settings, key_cache=5)
        first = ring.snapshot(work)
        assert ring.snapshot(work) is first
        work.now += timedelta(seconds=5) - TICK
        assert ring.snapshot(work) is first
        work.now += TICK
        second = ring.snapshot(work)
        assert second is not first
        assert second.read_at == work.now
        work.now -= TICK
        assert ring.snapshot(work) is not second


def test_r07_a_process_reads_the_keys_before_anybody_asks_for_them(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R07: so that it publishes them if the database goes away first."""
    before = published(world)
    world.app.extensions["oidc"].ring._snapshot = None
    read_keys(world.app)
    monkeypatch.setattr(jwks, "_read", lambda *_: pytest.fail("read again"))
    assert published(world) == before


def test_r07_the_keys_are_published_while_the_database_is_away(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R07: those that were read last, also while another request waits for the database. A process
    that never read them answers 503."""
    before = published(world)
    ring = world.app.extensions["oidc"].ring
    read = jwks._read

    def away(*_: Any) -> Any:
        raise OperationalError("SELECT", {}, Exception("no answer"))

    monkeypatch.setattr(jwks, "_read", away)
    world.clock.advance(days=1)
    assert published(world) == before
    with ring._lock:
        assert published(world) == before
    last, ring._snapshot = ring._snapshot, None
    answer = world.app.test_client().get("/oauth2/v1/keys", base_url=world.settings.issuer)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    ring._snapshot = last
    with world.work() as work:
        signing_keys.revoke(work, by_state(world, "ES256")["active"])
    assert published(world) == before
    monkeypatch.setattr(jwks, "_read", read)
    assert published(world) != before
