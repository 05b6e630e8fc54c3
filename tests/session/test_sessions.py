"""Server-side sessions: limits, list, end; and what only their owner may do."""

from __future__ import annotations

import re

import pytest

from idp.models import AccountKind
from tests.world import World


def test_a_session_ends_when_idle_and_in_any_case_after_its_absolute_limit(world: World) -> None:
    """Idle 1 h, absolute 12 h, both settings."""
    username = world.account()
    browser = world.browser()
    browser.sign_in(username)
    for _ in range(11):
        world.clock.advance(world.settings.session_idle - 1)
        assert "Your applications" in browser.get("/").text
    world.clock.advance(world.settings.session_idle - 1)
    world.clock.advance(world.settings.session_absolute - 12 * (world.settings.session_idle - 1))
    assert "Your applications" not in browser.get("/").text
    browser.sign_in(username)
    world.clock.advance(world.settings.session_idle)
    assert "Your applications" not in browser.get("/").text


def test_sessions_are_listed_and_ended_in_settings(world: World) -> None:
    """The holder sees where they are signed in, and ends one or all others."""
    username = world.account()
    here, there, third = world.browser(), world.browser(), world.browser()
    for browser in (here, there, third):
        browser.sign_in(username)
    page = here.get("/settings/sessions")
    ids = re.findall(r"/settings/sessions/([^/\"]+)/end", page.text)
    assert len(ids) == 3
    with world.work() as work:
        from sqlalchemy import select

        from idp.models import BrowserSession

        newest = work.db.scalars(select(BrowserSession).order_by(BrowserSession.id)).all()
        victim = newest[1].public_id
    page = here.submit(page, f"/settings/sessions/{victim}/end")
    assert "The session was ended." in page.text
    assert "Your applications" not in there.get("/").text
    here.submit(page, "/settings/sessions/end-others")
    assert "Your applications" not in third.get("/").text
    assert "Your applications" in here.get("/").text


def test_n73_another_persons_session_or_consent_is_not_found(world: World) -> None:
    """N73: the id of a row of somebody else is a 404, and nothing happens to it."""
    mine, theirs = world.account(), world.account()
    me, them = world.browser(), world.browser()
    me.sign_in(mine)
    them.sign_in(theirs)
    public_id = re.findall(
        r"/settings/sessions/([^/\"]+)/end", them.get("/settings/sessions").text
    )[0]
    from tests.world import hidden_fields

    token = hidden_fields(me.get("/settings/preferences").text, "/settings/preferences")
    answer = me.client.post(f"/settings/sessions/{public_id}/end", data=token, base_url=me.base)
    assert answer.status_code == 404
    assert "Your applications" in them.get("/").text


def test_ending_ones_own_session_signs_out_here(world: World) -> None:
    """The current session can be ended like any other."""
    browser = world.browser()
    browser.sign_in(world.account())
    page = browser.get("/settings/sessions")
    own = re.findall(r"/settings/sessions/([^/\"]+)/end", page.text)[0]
    assert "Sign in" in browser.submit(page, f"/settings/sessions/{own}/end").text


@pytest.mark.parametrize("kind", ["personal", "machine", "email"])
def test_tiles_are_exactly_the_applications_held(world: World, kind: str) -> None:
    """GW-05, MA-07: one tile per relying party with a role group; none for machines."""
    kinds = {"email": ("email",)}.get(kind, ("personal", "machine"))
    emi, _ = world.relying_party("EMI", account_kinds=kinds), world.relying_party("CROW")
    world.role_group("EMI Bids", "emi", kind=kind)
    name = {"personal": "moreaua", "machine": "APIIESO00001", "email": "a@b.example"}[kind]
    username = world.account(name, kind=AccountKind(kind), email="a@b.example")
    browser = world.browser()
    browser.sign_in(username)
    assert "https://emi.rp.test/signin" not in browser.get("/").text
    world.grant_role(username, "EMI Bids")
    text = browser.get("/").text
    assert ("https://emi.rp.test/signin" in text) is (kind != "machine")
    assert "https://crow.rp.test/signin" not in text
    if kind == "machine":
        assert "This is a machine account" in text
        location = browser.authorize(emi).headers["Location"]
        assert "error=access_denied" in location


def test_preferences_and_language(world: World) -> None:
    """GW-10, SP-01: the browser's language until one is chosen; then that, on every browser."""
    username = world.account()
    browser = world.browser()
    french = {"Accept-Language": "fr-CA,fr;q=0.9"}
    page = browser.client.get("/signin", headers=french, base_url=browser.base)
    assert '<html lang="fr">' in page.text
    browser.sign_in(username)
    page = browser.get("/settings/preferences")
    assert '<html lang="en">' in page.text
    page = browser.submit(page, "/settings/preferences", locale="fr", zoneinfo="UTC")
    assert '<html lang="fr">' in page.text
    other = world.browser()
    other.sign_in(username)
    assert '<html lang="fr">' in other.get("/settings").text
    assert world.account_row(username).zoneinfo == "UTC"


def test_remember_me_fills_in_the_user_name_only(world: World) -> None:
    """GW-03: after a sign-out the name is there, the session is not; unticked it is forgotten."""
    username = world.account()
    browser = world.browser()
    browser.sign_in(username, remember="1")
    browser.submit(browser.get("/signout"), "/signout")
    page = browser.get("/signin")
    assert f'value="{username}"' in page.text
    browser.sign_in(username, page=page)
    browser.submit(browser.get("/signout"), "/signout")
    assert f'value="{username}"' not in browser.get("/signin").text
