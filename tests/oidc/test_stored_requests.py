"""An authorization request is stored once, for the client as it is now (N54)."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlencode

import pytest
from sqlalchemy import select

from idp.clients import registry
from idp.models import BrowserSession, Interaction
from idp.transaction import UnitOfWork
from tests.world import Browser, Rp, World


def ask(browser: Browser, rp: Rp, **more: str) -> tuple[int, str]:
    """Status and target of the answer to an authorization request."""
    path = f"/oauth2/v1/authorize?{urlencode(rp.authorize_params(**more))}"
    answer = browser.client.get(path, base_url=browser.base)
    return answer.status_code, answer.headers.get("Location", "")


def stored(work: UnitOfWork) -> list[Interaction]:
    """The requests of applications that are stored."""
    rows = work.db.scalars(select(Interaction).order_by(Interaction.id))
    return [row for row in rows if row.client_id is not None]


def rename(work: UnitOfWork, rp: Rp) -> None:
    registry.get(work, rp.client_id).name = "Other"


def disable(work: UnitOfWork, rp: Rp) -> None:
    registry.get(work, rp.client_id).disabled_at = work.now


@pytest.mark.parametrize(("change", "status", "number"), [(rename, 303, 2), (disable, 400, 1)])
def test_n54_a_request_after_a_change_of_its_client_is_stored_once_or_not_at_all(
    world: World, change: Callable[[UnitOfWork, Rp], None], status: int, number: int
) -> None:
    """The process still presumes the former registration, and the request is run again."""
    rp, browser = world.relying_party(), world.browser()
    assert ask(browser, rp)[0] == 303
    with world.work() as work:
        change(work, rp)
    answered, target = ask(browser, rp)
    assert answered == status
    with world.work() as work:
        rows = stored(work)
        assert len(rows) == number
        assert (rows[-1].handle in target) is (status == 303)
    if status == 303:
        assert "Other" in browser.client.get(target, base_url=browser.base).text


def test_n54_a_request_is_stored_together_with_the_use_of_the_session(world: World) -> None:
    rp, browser = world.relying_party(), world.browser()
    browser.sign_in(world.account())
    world.clock.advance(minutes=10)
    for _ in range(2):
        assert ask(browser, rp, prompt="login")[0] == 303
    with world.work() as work:
        assert work.db.scalars(select(BrowserSession.last_seen_at)).one() == world.clock.now()
        assert len(stored(work)) == 2
