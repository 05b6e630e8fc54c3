"""Deleting what is past use, and nothing else."""

from __future__ import annotations

from sqlalchemy import func, select

from idp.maintenance import purge
from idp.models import (
    Account,
    Consent,
    DeviceBinding,
    Event,
    FormerBrowserCookie,
    Grant,
    KnownBrowser,
    OutboxMessage,
    RefreshToken,
)
from tests.bound_browser import BoundBrowser
from tests.world import World


def purge_all(world: World) -> dict[str, int]:
    with world.work() as work:
        return {kind: purge.purge_batch(work, kind) for kind in purge.KINDS}


def count(world: World, model: type) -> int:
    with world.work() as work:
        return work.db.scalar(select(func.count()).select_from(model)) or 0


def test_an_active_token_family_is_kept_and_an_expired_one_purged(world: World) -> None:
    """R22: rows do not pile up; a spent member of a living family is still recognised."""
    rp, username = world.relying_party(), world.account()
    tokens = world.signed_in_tokens(rp, username)
    fresh = world.refresh(rp, tokens["refresh_token"]).json
    assert fresh is not None
    world.clock.advance(hours=20)
    fresh = world.refresh(rp, fresh["refresh_token"]).json
    assert fresh is not None
    world.clock.advance(hours=20)
    purge_all(world)
    assert count(world, RefreshToken) == 3
    assert world.refresh(rp, tokens["refresh_token"]).status_code == 400
    assert world.introspect(rp, fresh["refresh_token"]) == {"active": False}
    events, accounts = count(world, Event), count(world, Account)
    world.clock.advance(days=90)
    deleted = purge_all(world)
    assert deleted["grants"] == 1
    assert deleted["sessions"] == 1
    assert count(world, RefreshToken) == count(world, Grant) == 0
    assert (count(world, Event), count(world, Account)) == (events, accounts)


def test_undelivered_messages_and_consents_are_kept(world: World) -> None:
    """I5: an undelivered mail is never thrown away; consents are the person's."""
    rp, username = world.relying_party(trusted=False), world.account()
    browser = world.browser()
    page = browser.sign_in(username, page=browser.authorize(rp))
    browser.submit(page, "/signin/consent", decision="allow")
    world.set_state(username, "locked")  # type: ignore[arg-type]
    assert count(world, OutboxMessage) == 1
    world.clock.advance(days=400)
    purge_all(world)
    assert count(world, OutboxMessage) == 1
    assert count(world, Consent) == 1


def test_tm13_the_audit_log_outlives_seven_years(world: World) -> None:
    """TM-13: no setting deletes events, and eight years of purges leave each of them."""
    world.account()
    events = count(world, Event)
    assert events
    for _ in range(2):
        world.clock.advance(days=4 * 365)
        purge_all(world)
    assert count(world, Event) == events
    assert Event not in [model for model, _ in purge.KINDS.values()]


def test_keys_and_former_cookies_of_browsers_are_kept_as_long_as_they_count(world: World) -> None:
    """R22: a key while a session or a recognised browser is bound to it, a former cookie for 90
    days."""
    username = world.account()
    browser = BoundBrowser(world)
    for _ in "12":
        browser.pages.signed_in(username)
        browser.pages.submit(browser.pages.get("/signout"), "/signout")
    assert (count(world, DeviceBinding), count(world, FormerBrowserCookie)) == (1, 1)
    world.clock.advance(days=60)
    purge_all(world)
    assert (count(world, DeviceBinding), count(world, FormerBrowserCookie)) == (1, 1)
    world.clock.advance(days=31)
    purge_all(world)
    assert (count(world, DeviceBinding), count(world, FormerBrowserCookie)) == (1, 0)
    world.clock.advance(days=310)
    purge_all(world)
    assert count(world, DeviceBinding) == count(world, KnownBrowser) == 0
