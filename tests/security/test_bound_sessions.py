"""Device Bound Session Credentials (W3C draft of 17 February 2026): N53 to N55, N58 for a session
whose cookie was copied, and what the draft leaves to servers."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from dataclasses import dataclass, replace
from typing import Any

import pytest
from joserfc.jwk import ECKey, RSAKey
from sqlalchemy import select

from idp.bound_sessions import binding_proofs, registration
from idp.bound_sessions.binding_proofs import Purpose
from idp.directory import accounts
from idp.models import BrowserSession, DeviceBinding, KnownBrowser
from idp.policy.console import ConsoleRole
from idp.session import browsers, device_bindings
from idp.session.end_reasons import EndReason
from idp.vault import Vault
from tests.bound_browser import (
    BIND,
    CHALLENGE,
    CHROME,
    FIREFOX,
    REFRESH,
    BoundBrowser,
    challenge_in,
    proof,
)
from tests.console.desk import Desk
from tests.security.test_browser_accounts import add, of_one_person
from tests.security.test_login_cookies import cookie_of, plant
from tests.world import World

OTHER_KEY = ECKey.generate_key("P-256")
ELSEWHERE = "198.51.100.7"


def bound(world: World, username: str | None = None, **more: Any) -> BoundBrowser:
    """A browser that signed in and bound its session. The session has settled."""
    browser = BoundBrowser(world, **more)
    browser.pages.signed_in(username or world.account())
    world.clock.advance(seconds=61)
    return browser


def thief_of(browser: BoundBrowser, *, ip: str = ELSEWHERE, agent: str = CHROME) -> BoundBrowser:
    """Another computer with all cookies of this browser, and without its key."""
    thief = BoundBrowser(browser.world, ip=ip, agent=agent, key=OTHER_KEY)
    browser.copy_cookies_to(thief)
    return thief


@dataclass(frozen=True)
class Row:
    """A stored session, and the key that it is bound to."""

    public_id: str
    end_reason: str | None
    key: str | None
    alg: str | None


def rows(world: World) -> list[Row]:
    with world.work() as work:
        found = work.db.scalars(select(BrowserSession).order_by(BrowserSession.id))
        return [
            Row(
                row.public_id,
                row.end_reason,
                row.binding.public_id if row.binding else None,
                row.binding.algorithm if row.binding else None,
            )
            for row in found
        ]


def ends(world: World) -> list[str | None]:
    return [row.end_reason for row in rows(world)]


# Registration


@pytest.mark.parametrize("key", [ECKey.generate_key("P-256"), RSAKey.generate_key(2048)])
def test_a_browser_registers_a_key_after_the_sign_in(world: World, key: ECKey | RSAKey) -> None:
    """Sections 8.1, 8.6 and 8.11: the offer names algorithms, path and challenge; the answer is
    what the browser has to do, with the bound cookie (N55)."""
    browser = BoundBrowser(world, key=key)
    browser.pages.signed_in(world.account())
    (offer,) = browser.offers
    assert offer.startswith(f'(ES256 RS256);path="{BIND}";challenge="')
    settings = world.settings
    assert browser.instructions == {
        "session_identifier": browser.identifier,
        "refresh_url": REFRESH,
        "scope": {
            "origin": settings.issuer,
            "include_site": False,
            "scope_specification": [{"type": "exclude", "path": "/session"}],
        },
        "credentials": [
            {
                "type": "cookie",
                "name": settings.cookie_name("bound"),
                "attributes": "Path=/; Secure; HttpOnly; SameSite=Lax",
            }
        ],
        "allowed_refresh_initiators": ["*"],
    }
    sent = browser.answer(browser.proof_of(browser.challenge())).headers.getlist("Set-Cookie")
    (cookie,) = [each for each in sent if each.startswith(settings.cookie_name("bound"))]
    parts = set(cookie.split("; ")[1:])
    assert parts >= {"Max-Age=600", "Secure", "HttpOnly", "Path=/", "SameSite=Lax"}
    (row,) = rows(world)
    assert (row.key, row.alg) == (browser.identifier, key_alg(key))
    (event,) = world.events("session.bound")
    assert (event.session_id, event.data) == (row.public_id, {"alg": key_alg(key)})
    assert browser.is_let_in()


def key_alg(key: ECKey | RSAKey) -> str:
    return "RS256" if isinstance(key, RSAKey) else "ES256"


def test_a_browser_or_proxy_without_the_feature_goes_on_unbound(world: World) -> None:
    """Nobody is locked out: without registration the session is as it was before."""
    browser = BoundBrowser(world, is_deaf=True)
    browser.pages.signed_in(world.account())
    world.clock.advance(minutes=30)
    assert browser.is_let_in()
    assert [row.key for row in rows(world)] == [None]
    assert cookie_of(browser.pages, "bound") is None


BAD_HEADERS = {
    "typ": {"typ": "jwt"},
    "alg": {"alg": "none"},
    "signature": {"jwk": OTHER_KEY.as_dict(private=False)},
    "private_key": {"jwk": OTHER_KEY.as_dict(private=True)},
    "header": {"jku": "https://evil.test/keys"},
}


def test_n44_a_registration_without_a_right_proof_changes_nothing(world: World) -> None:
    """N44: the session stays unbound and open, and the offer can still be taken."""
    browser = BoundBrowser(world, is_deaf=True)
    browser.pages.signed_in(world.account())
    good = proof(browser.key, challenge_in(browser.offers[0]), names_key=True)
    usual = {"typ": "dbsc+jwt", "alg": "ES256", "jwk": browser.key.as_dict(private=False)}
    for why, change in BAD_HEADERS.items():
        signed = signed_as(usual | change, good)
        answer = browser.send(BIND, {"Secure-Session-Response": signed})
        assert (answer.status_code, answer.json) == (400, {"error": why})
    assert [row.key for row in rows(world)] == [None]
    assert browser.is_let_in()
    assert browser.register(browser.offers[0]).status_code == 200


def signed_as(head: dict[str, Any], good: str) -> str:
    """Another header over the payload and signature of a good proof."""
    encoded = urlsafe_b64encode(json.dumps(head).encode()).decode().rstrip("=")
    return ".".join((encoded, *good.split(".")[1:]))


def test_a_challenge_is_for_one_session_one_purpose_and_one_use(world: World) -> None:
    """A replay, the challenge of another session, one for a refresh, and an old one."""
    first, second = (BoundBrowser(world, is_deaf=True) for _ in "12")
    for browser in (first, second):
        browser.pages.signed_in(world.account())
    with world.work() as work:
        mine = rows(world)[0].public_id
        other = binding_proofs.challenge(work, Purpose.REFRESH, mine)
    for offer in (second.offers[0], f'challenge="{other}"', 'challenge="x.y.z"'):
        answer = first.register(offer)
        assert (answer.status_code, answer.json) == (400, {"error": "challenge_unknown"})
    world.clock.advance(seconds=301)
    assert first.register(first.offers[0]).json == {"error": "challenge_expired"}
    third = BoundBrowser(world)
    third.pages.signed_in(world.account())
    assert third.register(third.offers[0]).json == {"error": "challenge_used"}


def test_a_bound_session_never_gets_another_key(world: World) -> None:
    """No downgrade and no replacement, with a good challenge either; nor is another offered."""
    browser = bound(world)
    (row,) = rows(world)
    with world.work() as work:
        challenge = binding_proofs.challenge(work, Purpose.REGISTER, row.public_id)
    answer = browser.register(f'challenge="{challenge}"', OTHER_KEY)
    assert (answer.status_code, answer.json) == (400, {"error": "bound_already"})
    assert [row.key for row in rows(world)] == [browser.identifier]
    with world.work() as work:
        assert len(work.db.scalars(select(DeviceBinding)).all()) == 1
    assert len(browser.offers) == 1


def test_a_registration_needs_the_session(world: World) -> None:
    """A challenge that leaked binds nothing: without its session, after its end, in another."""
    browser, other = (BoundBrowser(world, is_deaf=True) for _ in "12")
    for each in (browser, other):
        each.pages.signed_in(world.account())
    assert BoundBrowser(world).register(browser.offers[0]).json == {"error": "no_session"}
    assert other.register(browser.offers[0]).json == {"error": "challenge_unknown"}
    browser.pages.submit(browser.pages.get("/signout"), "/signout")
    assert browser.register(browser.offers[0]).json == {"error": "no_session"}


def test_sessions_are_bound_only_where_the_setting_says_so(world: World) -> None:
    browser = BoundBrowser(world, is_deaf=True)
    browser.pages.signed_in(world.account())
    with world.work() as work:
        (row,) = work.db.scalars(select(BrowserSession))
        offers = []
        for is_on in (True, False):
            work.settings = replace(work.settings, bound_sessions=is_on)
            offers.append(registration.offer(work, row, BIND) is not None)
    assert offers == [True, False]


# Use and refresh


def test_the_bound_cookie_is_renewed_by_a_proof(world: World) -> None:
    """Section 7.8: before a request after ten minutes, and after a day of sleep."""
    browser = bound(world)
    world.clock.advance(minutes=10)
    assert browser.is_let_in()
    assert browser.refreshes == 1
    assert browser.is_let_in()
    assert browser.refreshes == 1
    world.clock.advance(days=1)
    # The session ran out as any other; the key is still the one of this browser.
    assert not browser.is_let_in()
    assert browser.refreshes == 2
    browser.pages.signed_in(world.account())
    assert [bool(row.key) for row in rows(world)] == [True, True]
    assert len(browser.offers) == 1


def test_several_tabs_may_refresh_at_once(world: World) -> None:
    """Each has a challenge of its own, and each cookie is valid until it expires."""
    browser = bound(world)
    world.clock.advance(minutes=9)
    signed = [browser.proof_of(browser.challenge()) for _ in "123"]
    cookies = []
    for each in signed:
        assert browser.answer(each).status_code == 200
        cookies.append(cookie_of(browser.pages, "bound"))
        world.clock.advance(seconds=1)
    for cookie in cookies:
        plant(browser.pages, str(cookie), "bound")
        assert browser.pages.get("/settings").status_code == 200


def test_a_proof_is_accepted_once_and_only_for_its_key(world: World) -> None:
    """A replay gets a new challenge and no cookie; so does the challenge of another key, of a
    registration, and an old one."""
    browser, other = bound(world), bound(world)
    (row, _) = rows(world)
    signed = browser.proof_of(browser.challenge())
    assert browser.answer(signed).status_code == 200
    foreign = challenge_in(other.challenge().headers[CHALLENGE])
    with world.work() as work:
        first = binding_proofs.challenge(work, Purpose.REGISTER, browser.identifier)
    late = browser.proof_of(browser.challenge())
    world.clock.advance(seconds=301)
    again = [proof(browser.key, text, names_key=False) for text in (foreign, first, "x")]
    for each in (signed, late, *again):
        answer = browser.answer(each)
        assert (answer.status_code, answer.headers.getlist("Set-Cookie")) == (403, [])
        assert f'";id="{browser.identifier}"' in answer.headers[CHALLENGE]
    assert row.end_reason is None
    assert browser.is_let_in()


def test_a_challenge_of_a_host_with_another_clock_is_accepted(world: World) -> None:
    """Clock skew of a minute, of challenge and cookie: two hosts share secret and database."""
    browser = bound(world)
    world.clock.advance(seconds=60)
    signed = browser.proof_of(browser.challenge())
    world.clock.advance(seconds=-60)
    assert browser.answer(signed).status_code == 200
    world.clock.advance(seconds=60)
    assert browser.answer(browser.proof_of(browser.challenge())).status_code == 200
    world.clock.advance(seconds=-60)
    assert browser.is_let_in()
    world.clock.advance(seconds=-1)
    assert browser.without_proof("/settings").status_code == 303


def test_requests_on_their_way_may_have_the_previous_cookie(world: World) -> None:
    """For a minute longer than the browser keeps it, then not."""
    browser = bound(world)
    world.clock.advance(seconds=600 - 61 + 59)
    assert browser.without_proof("/settings").status_code == 200
    world.clock.advance(seconds=1)
    assert browser.without_proof("/settings").status_code == 303


def test_other_requests_may_be_faster_than_the_registration(world: World) -> None:
    """Without the bound cookie for a minute; the program is the one that registered the key."""
    browser = BoundBrowser(world)
    browser.pages.signed_in(world.account())
    early, elsewhere = (thief_of(browser, agent=agent) for agent in (CHROME, FIREFOX))
    for each in (early, elsewhere):
        plant(each.pages, "", "bound")
    assert early.is_let_in()
    assert not elsewhere.is_let_in()
    assert ends(world) == [EndReason.COOKIE_COPIED]


def test_n55_a_malformed_bound_cookie_proves_nothing(world: World) -> None:
    """N55: the session is not opened, and goes on for its browser."""
    browser = bound(world)
    good = str(cookie_of(browser.pages, "bound"))
    for cookie in ("", "x", "a.b.c", "é", "x" * 300, "..", "a.-1.x", good[:-1], good):
        plant(browser.pages, cookie, "bound")
        answer = browser.without_proof("/settings")
        assert answer.status_code == (200 if cookie == good else 303)


def test_a_form_of_a_restored_page_is_still_valid_after_a_refresh(world: World) -> None:
    """Back-forward cache: a refresh changes neither the session cookie nor the form token."""
    browser = bound(world)
    page = browser.pages.get("/settings/preferences")
    world.clock.advance(minutes=20)
    saved = browser.pages.submit(page, "/settings/preferences", locale="fr", zoneinfo="UTC")
    assert saved.status_code == 200
    assert "fr" in saved.text
    assert browser.refreshes == 1


def test_after_a_change_of_our_secret_the_session_goes_on(world: World) -> None:
    """IDP_SECRET_KEY_FALLBACKS: bound cookies and challenges of the former secret are valid."""
    browser = bound(world)
    settings, now = world.settings, world.clock.now()
    cookie = str(cookie_of(browser.pages, "bound"))
    for former, named in ((settings.secret_key, browser.identifier), ("y" * 40, None)):
        vault = Vault(replace(settings, secret_key="x" * 40, secret_key_fallbacks=(former,)))
        assert device_bindings.key_named_by(vault, cookie, now, 600) == named


# Theft


def test_n58_a_copied_cookie_ends_the_session_and_both_are_told(world: World) -> None:
    """N58: the sessions of that browser end with their grants, offline access too, its recognition
    ends, the account holder gets a mail and the desk an alarm. The thief gets nothing."""
    rp, username = world.relying_party(), world.account()
    browser = BoundBrowser(world)
    code = browser.pages.code(rp, username)
    tokens = world.redeem(rp, code).json or {}
    world.clock.advance(minutes=11)
    thief = thief_of(browser)
    thief.is_deaf = True
    assert not thief.is_let_in()
    assert ends(world) == [EndReason.COOKIE_COPIED]
    assert world.introspect(rp, tokens["access_token"]) == {"active": False}
    assert world.refresh(rp, tokens["refresh_token"]).status_code == 400
    (mail,) = world.mails("session_copied", to=username)
    assert ELSEWHERE in mail.text
    (alarm,) = world.events("alarm.session_copied")
    assert (alarm.reason, alarm.ip) == ("cookie_copied", ELSEWHERE)
    assert not browser.is_let_in()
    assert browser.instructions == {}
    with world.work() as work:
        assert {row.ended_at for row in work.db.scalars(select(KnownBrowser))} != {None}
    assert not thief.is_let_in()
    assert len(world.mails("session_copied")) == 1


def test_all_accounts_of_the_browser_end_together(world: World) -> None:
    """Its cookies were copied together: each account holder is told."""
    first, second = of_one_person(world, 2)
    browser = BoundBrowser(world)
    browser.pages.signed_in(first)
    add(browser.pages, second)
    world.clock.advance(minutes=11)
    assert not thief_of(browser).is_let_in()
    assert ends(world) == [EndReason.COOKIE_COPIED] * 2
    assert len(world.mails("session_copied")) == 2


def test_the_cookie_of_several_accounts_opens_none_without_the_key(world: World) -> None:
    """N53: with the cookie that names all sessions, and without a session cookie."""
    first, second = of_one_person(world, 2)
    browser = BoundBrowser(world)
    browser.pages.signed_in(first)
    add(browser.pages, second)
    world.clock.advance(minutes=11)
    thief = thief_of(browser)
    plant(thief.pages, "", "session")
    assert first not in thief.pages.get("/accounts").text
    assert browser.is_let_in()


def test_a_proof_by_another_key_ends_the_session_of_its_cookie(world: World) -> None:
    """Only with its session cookie: the identifier alone is no secret, and ends nothing."""
    browser = bound(world)
    stranger = BoundBrowser(world, ip=ELSEWHERE, key=OTHER_KEY)
    stranger.instructions = dict(browser.instructions)
    answer = stranger.answer(stranger.proof_of(browser.challenge()))
    assert (answer.status_code, ends(world)) == (400, [None])
    thief = thief_of(browser)
    thief.instructions = dict(browser.instructions)
    answer = thief.answer(thief.proof_of(browser.challenge()))
    assert (answer.status_code, ends(world)) == (400, [EndReason.COOKIE_COPIED])
    assert len(world.mails("session_copied")) == 1


def test_n44_a_refresh_cannot_bring_its_own_key(world: World) -> None:
    """Section 8.11: no ``jwk``; and only the algorithm of the key."""
    browser = bound(world)
    challenge = challenge_in(browser.challenge().headers[CHALLENGE])
    rsa = RSAKey.generate_key(2048)
    for signed in (
        proof(browser.key, challenge, names_key=True),
        proof(OTHER_KEY, challenge, names_key=True),
        proof(rsa, challenge, names_key=False),
        "x",
        "a.b.c",
    ):
        assert browser.answer(signed).status_code == 400
    assert ends(world) == [None]
    assert browser.answer(proof(browser.key, challenge, names_key=False)).status_code == 200


@pytest.mark.parametrize(
    ("ip", "agent", "skips", "is_copied"),
    [
        ("192.0.2.10", CHROME, False, False),
        ("192.0.2.10", CHROME, True, False),
        (ELSEWHERE, CHROME, True, False),
        (ELSEWHERE, CHROME, False, True),
        ("192.0.2.10", FIREFOX, False, True),
        (ELSEWHERE, FIREFOX, True, True),
    ],
)
def test_a_missing_proof_is_evidence_only_from_elsewhere(
    world: World, ip: str, agent: str, skips: bool, is_copied: bool
) -> None:
    """The draft lets a browser go on without a proof, and say so (Secure-Session-Skipped): then the
    session is not opened, and does not end."""
    browser = bound(world)
    world.clock.advance(minutes=11)
    thief = thief_of(browser, ip=ip, agent=agent)
    headers = {"Secure-Session-Skipped": 'unreachable;session_identifier="x"'} if skips else {}
    answer = thief.client.get("/settings", base_url=browser.pages.base, headers=headers)
    assert answer.status_code == 303
    assert ends(world) == [EndReason.COOKIE_COPIED if is_copied else None]
    assert browser.is_let_in() is not is_copied


def test_a_browser_that_lost_its_key_signs_in_again(world: World) -> None:
    """Nobody is locked out: the new session gets the new key. Extra verification would be required
    where the account has it, since the browser is not recognised."""
    username = world.account()
    browser = bound(world, username)
    world.clock.advance(minutes=11)
    browser.instructions, browser.key = {}, ECKey.generate_key("P-256")
    assert not browser.is_let_in()
    browser.pages.signed_in(username)
    assert browser.is_let_in()
    first, second = rows(world)
    assert first.key != second.key
    assert world.mails("session_copied") == []


def test_a_refresh_during_the_sign_out_opens_nothing(world: World) -> None:
    """In either order; the key itself remains the one of the browser."""
    browser = bound(world)
    signed = browser.proof_of(browser.challenge())
    page = browser.pages.get("/signout")
    browser.pages.submit(page, "/signout")
    assert browser.answer(signed).status_code == 200
    assert not browser.is_let_in()
    assert ends(world) == [EndReason.SIGNED_OUT]


def test_the_browser_forgets_a_key_that_nothing_is_bound_to(world: World) -> None:
    """Section 8.6: ``continue`` is false when sessions and recognition have ended, and for a key
    that is not known."""
    username = world.account()
    browser = bound(world, username)
    page = browser.pages.get("/settings/sessions")
    with world.work() as work:
        browsers.forget_all(work, accounts.by_username(work, username))
    assert page.status_code == 200
    assert browser.refresh().json is not None
    assert browser.instructions
    browser.pages.submit(browser.pages.get("/signout"), "/signout")
    answer = browser.refresh()
    assert answer.json == {
        "session_identifier": answer.json["session_identifier"],
        "continue": False,
    }
    assert cookie_of(browser.pages, "bound") is None
    browser.instructions = {"session_identifier": "unknown"}
    assert browser.refresh().json == {"session_identifier": "unknown", "continue": False}


def test_settings_console_and_alarms_tell_of_bound_sessions(world: World) -> None:
    """SP-05: in the holder's language too; nothing is said of a session that is not bound."""
    username = world.account()
    browser = bound(world, username)
    with world.work() as work:
        (known,) = work.db.scalars(select(KnownBrowser))
        known.remembered_until = work.after(days=30)
    said = "bound to the computer"
    page = browser.pages.get("/settings/sessions").text
    assert (page.count(f"session {said}"), page.count(f"browser {said}")) == (1, 1)
    assert page.count("usually in the security chip") == 2
    desk = Desk.of(world)
    assert said in desk.browser.get(f"{desk.path(username)}/sessions").text
    assert said not in desk.browser.get("/settings/sessions").text
    browser.pages.submit(
        browser.pages.get("/settings/preferences"),
        "/settings/preferences",
        locale="fr",
        zoneinfo="UTC",
    )
    page = browser.pages.get("/settings/sessions").text
    # The tag and its explanation.
    assert page.count("ession liée à l’ordinateur") == 2
    assert page.count("avigateur lié à l’ordinateur") == 2
    world.clock.advance(minutes=11)
    assert not thief_of(browser).is_let_in()
    shown = Desk.of(world, ConsoleRole.AUDITOR).browser.get("/console/alarms").text
    assert f"was used in another browser, from {ELSEWHERE}" in shown
    (mail,) = world.mails("session_copied", to=username)
    assert "Votre session a été utilisée dans un autre navigateur" in mail.subject


# Recognised browsers


def test_a_copied_device_cookie_is_not_recognised_without_the_key(world: World) -> None:
    """MF-03: the cookie of a bound browser is worth nothing on another computer, and the account
    holder is told when it comes with the right password."""
    username = world.account()
    browser = bound(world, username)
    browser.pages.submit(browser.pages.get("/signout"), "/signout")
    world.clock.advance(minutes=11)
    thief = thief_of(browser)
    thief.pages.sign_in(username)
    assessed = world.events("signin.assessed")[-1]
    assert "stolen_device" in assessed.data["hits"]
    assert len(world.mails("browser_suspect", to=username)) == 1


def test_a_copied_device_cookie_does_not_change_for_the_browser_with_the_key(world: World) -> None:
    """Somebody signs in to another account with it: the browser that has the key stays known."""
    username = world.account()
    browser = bound(world, username)
    browser.pages.submit(browser.pages.get("/signout"), "/signout")
    world.clock.advance(minutes=11)
    thief_of(browser).pages.signed_in(world.account())
    browser.pages.signed_in(username)
    assert not set(world.events("signin.assessed")[-1].data["hits"]) & {
        "stolen_device",
        "new_device",
    }
    assert world.events("browser.copied") == []
