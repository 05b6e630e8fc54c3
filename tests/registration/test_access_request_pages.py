"""The pages of requests for access (RG-11, procedure B)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from registration.access_batches import BatchNotPossible
from registration.access_changes import (
    AccountKey,
    Cell,
    Conflict,
    ConflictKind,
    Denied,
    Plan,
)
from registration.app import create_app
from registration.delegation import Refused
from registration.delegation_facts import AccountKind
from registration.delegation_rules import Reason
from registration.models import AccessAssignment, AccessRole, Account, Organization
from registration.transaction import Runtime
from tests.registration.fake_bridge import FakeBridge
from tests.registration.participant import OLD, RA, TRADER, participant
from tests.registration.test_pages import BASE, HERE, Site, token_of

ASK = f"{HERE}/request-access"


@pytest.fixture
def site(runtime: Runtime, bridge: FakeBridge) -> Iterator[Site]:
    """The trader has one role at Lakes."""
    with runtime.work() as work:
        here: Organization = participant(work)
        role = work.db.scalars(select(AccessRole).where(AccessRole.code == "view")).one()
        account = work.db.scalars(
            select(Account).where(Account.external_id == f"person-{TRADER}")
        ).one()
        work.db.add(
            AccessAssignment(organization_id=here.id, access_role_id=role.id,
                             account_id=account.id, valid_from=OLD, given_by="test")
        )  # fmt: skip
    app = create_app(runtime.settings, runtime.ports)
    yield Site(app, runtime, bridge)
    app.extensions["runtime"].close()


def get(browser: FlaskClient, path: str) -> TestResponse:
    return browser.get(path, base_url=BASE)


def post(browser: FlaskClient, page: TestResponse, path: str, **fields: str) -> TestResponse:
    return browser.post(path, data={"csrf_token": token_of(page)} | fields, base_url=BASE)


def asked(site: Site) -> str:
    """The number of a request of the trader."""
    trader = site.browser(TRADER)
    done = post(trader, get(trader, ASK), f"{ASK}/confirm", role="bids", why="new desk")
    assert done.status_code == 303, done.text
    return str(done.location.rpartition("/")[2])


def test_b01_a_person_asks_and_sees_the_state(site: Site) -> None:
    """RG-11: the roles that he has are not offered; the state is on his home page."""
    trader = site.browser(TRADER)
    assert f'href="{ASK}"' in get(trader, "/").text
    page = get(trader, ASK)
    assert 'value="bids"' in page.text
    assert 'value="view"' not in page.text
    assert 'value="auction"' not in page.text
    assert post(trader, page, f"{ASK}/confirm", role="").status_code == 400
    number = asked(site)
    shown = get(trader, f"/requests/{number}").text
    assert "Waiting for an answer" in shown
    assert "Grant the role" not in shown
    assert f"/requests/{number}" in get(trader, "/").text
    again = post(trader, page, f"{ASK}/confirm", role="bids")
    assert again.status_code == 400
    assert "You have requested this access role already" in again.text


def test_b02_the_administrator_grants_with_one_press(site: Site) -> None:
    """The task leads to the page with the button; the second press is told."""
    number = asked(site)
    admin = site.browser(RA)
    home = get(admin, "/").text
    assert "Ada Moreau asks for access: Bids" in home
    page = get(admin, f"/requests/{number}")
    path = f"{HERE}/access-requests/{number}"
    done = post(admin, page, f"{path}/approve")
    assert done.status_code == 303
    assert site.held() == {"view", "bids"}
    assert "asks for access" not in get(admin, "/").text
    shown = get(site.browser(TRADER), f"/requests/{number}").text
    assert "Granted" in shown
    assert "Marie Tremblay" in shown
    twice = post(admin, page, f"{path}/approve")
    assert "no longer waiting for an answer" in get(admin, twice.location).text
    assert "Request for access granted" in get(admin, f"{HERE}/history").text


def test_a_refusal_needs_a_reason(site: Site) -> None:
    """The person reads it on the page of the request."""
    number = asked(site)
    admin = site.browser(RA)
    page, path = get(admin, f"/requests/{number}"), f"{HERE}/access-requests/{number}/refuse"
    without = post(admin, page, path, why=" ")
    assert "Say in a few words why you refuse." in get(admin, without.location).text
    post(admin, page, path, why="not your desk")
    shown = get(site.browser(TRADER), f"/requests/{number}").text
    assert "not your desk" in shown
    assert "Refused by the gateway" not in shown
    assert site.held() == {"view"}


def test_a_decision_needs_a_recent_second_factor(site: Site) -> None:
    number = asked(site)
    late = site.browser(RA, minutes=60)
    page = get(late, f"/requests/{number}")
    answer = post(late, page, f"{HERE}/access-requests/{number}/approve")
    assert "Confirm your identity" in answer.text
    assert site.held() == {"view"}


def test_an_approval_that_is_not_possible_says_why(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stands against the grant is on the page, and nothing is granted."""
    number = asked(site)
    admin = site.browser(RA)
    page = get(admin, f"/requests/{number}")
    cell = Cell(AccountKey(AccountKind.PERSON, TRADER), "bids")
    found = Plan(
        conflicts=(Conflict(cell, ConflictKind.REVOKED),),
        denied=(Denied(cell, Refused(Reason.NOT_APPROVED)),),
    )

    def impossible(*_: object) -> None:
        raise BatchNotPossible(found)

    monkeypatch.setattr("registration.access_requests.approve", impossible)
    done = post(admin, page, f"{HERE}/access-requests/{number}/approve")
    shown = get(admin, done.location).text
    assert "The role cannot be granted now." in shown
    assert "participation that is not approved" in shown
    assert "Somebody else has revoked this role." in shown
    assert site.held() == {"view"}
