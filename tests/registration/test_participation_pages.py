"""The pages of participations (RG-12, RG-13)."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from registration.app import create_app
from registration.models import Appointment, ContactRole, Participation
from registration.transaction import Runtime
from registration_bridge.bridge_client import Result
from tests.registration.fake_bridge import FakeBridge
from tests.registration.participant import OLD, RA, participant, person
from tests.registration.test_pages import (
    BASE,
    BIDS,
    HERE,
    Site,
    confirmed,
    fields,
    reviewed,
    token_of,
)

APPREP, IESO = "100003", "100006"
EVERY = f"{HERE}/participations"


@pytest.fixture
def site(runtime: Runtime, bridge: FakeBridge) -> Iterator[Site]:
    """Lakes with an Applicant Representative, and a desk of the IESO."""
    with runtime.work() as work:
        here = participant(work)
        person(work, IESO, "Iris Desk")
        apprep = person(work, APPREP, "Anna Cook")
        work.db.add(Appointment(person_id=apprep.id, organization_id=here.id, office="apprep",
                                valid_from=OLD, given_by="test"))  # fmt: skip
        work.db.add(ContactRole(code="auction-desk", name="Auction desk", name_fr="Enchères",
                                held_by="both", minimum=1, exclusive_with=[], markets=["rights"],
                                role_groups=[]))  # fmt: skip
    app = create_app(runtime.settings, runtime.ports)
    yield Site(app, runtime, bridge)
    app.extensions["runtime"].close()


def get(browser: FlaskClient, path: str, **query: str) -> TestResponse:
    return browser.get(path, query_string=query, base_url=BASE)


def sent(browser: FlaskClient, page: TestResponse, path: str, **more: str) -> TestResponse:
    data = {"csrf_token": token_of(page), "version": "".join(fields(page, "version")[:1])} | more
    return browser.post(path, data=data, base_url=BASE)


def desk(site: Site, minutes: int = 0) -> FlaskClient:
    return site.browser(IESO, minutes=minutes, groups=(site.runtime.settings.operator_group,))


def applied(site: Site) -> str:
    """The address of an application."""
    browser = site.browser(APPREP)
    page = get(browser, f"{EVERY}/apply/rights")
    return str(sent(browser, page, f"{EVERY}/apply/rights/confirm").location)


def test_rg12_type_participation_tasks_proceed(site: Site) -> None:
    """RG-12: the type of 3, the list, the required tasks, Proceed; then the Request Number. Nothing
    is stored before."""
    browser = site.browser(APPREP)
    types = get(browser, f"{EVERY}/apply").text
    for text in ("Market participation", "Program participation", "Service provider"):
        assert text in types
    chosen = get(browser, f"{EVERY}/apply", kind="market").text
    assert f"{EVERY}/apply/rights" in chosen
    assert f"{EVERY}/apply/energy" not in chosen
    assert "nothing of this type" in get(browser, f"{EVERY}/apply", kind="program").text
    review = get(browser, f"{EVERY}/apply/rights")
    for text in ("Confirm connectivity to IESO information systems", "Assign contact roles"):
        assert text in review.text
    with site.runtime.work() as work:
        assert work.db.scalar(select(func.count()).select_from(Participation)) == 1
    done = sent(browser, review, f"{EVERY}/apply/rights/confirm")
    page = get(browser, done.location).text
    assert "R0000001" in page
    assert "Applied for" in page
    assert "After the approval by the IESO" in page
    assert 'value="approve"' not in page
    again = sent(browser, review, f"{EVERY}/apply/rights/confirm")
    assert again.location == EVERY
    home = get(browser, "/").text
    assert "Assign contact roles: Rights" in home
    assert f'href="{done.location}"' in home
    assert "Application for a participation" in get(browser, "/requests/R0000001").text
    assert get(browser, f"{EVERY}/apply/energy").status_code == 404


def test_rg12_the_desk_has_a_task_and_approves(site: Site) -> None:
    """RG-13: the role appears in the grid; the Applicant Representative closes the tasks."""
    path = applied(site)
    browser = desk(site)
    assert "Decide on the participation applied for: Rights" in get(browser, "/").text
    page = get(browser, path)
    assert "auction" not in get(browser, f"{HERE}/roles").text
    sent(browser, page, f"{path}/decision", decision="approve")
    assert "auction" in get(browser, f"{HERE}/roles").text
    assert "Decide on" not in get(browser, "/").text
    stale = sent(browser, page, f"{path}/decision", decision="refuse", why="late")
    assert "This record has changed" in get(browser, stale.location).text
    own = site.browser(APPREP)
    page = get(own, path)
    short = sent(own, page, f"{path}/task", step="participation.contacts")
    assert "too few contacts: Auction desk" in get(own, short.location).text
    sent(own, page, f"{path}/task", step="participation.connectivity")
    assert "by Anna Cook" in get(own, path).text
    assert "Participation approved" in get(own, f"{HERE}/history").text
    assert sent(own, page, f"{path}/task", step="nonsense").status_code == 400


def test_rg12_a_refusal_needs_a_reason(site: Site) -> None:
    """And the page of the request says who refused."""
    path, browser = applied(site), desk(site)
    page = get(browser, path)
    wrong = sent(browser, page, f"{path}/decision", decision="refuse", why=" ")
    assert wrong.status_code == 400
    assert "Enter the reason." in wrong.text
    assert sent(browser, page, f"{path}/decision", decision="x").status_code == 400
    sent(browser, page, f"{path}/decision", decision="refuse", why="no meters")
    shown = get(browser, path).text
    assert "Not approved" in shown
    assert "no meters" in shown
    assert "Refused by the IESO" in get(browser, "/requests/R0000001").text
    assert "Not approved" in get(browser, EVERY).text


def test_rg12_an_end_says_what_ends_first(site: Site, bridge: FakeBridge) -> None:
    """The review has the numbers of roles and what the gateway names; then all have ended."""
    admin = site.browser(RA)
    confirmed(admin, reviewed(admin, BIDS))
    browser = desk(site)
    review = get(browser, f"{EVERY}/1/end")
    assert "1 access role ends." in review.text
    assert "1 session ends." in review.text
    assert site.held() == {"bids"}
    assert sent(browser, review, f"{EVERY}/1/end/confirm").status_code == 400
    bridge.results = [Result(409, detail="not now")]
    assert "The gateway refuses the change: not now" in get(browser, f"{EVERY}/1/end").text
    bridge.results = []
    done = sent(browser, review, f"{EVERY}/1/end/confirm", why="left the market")
    assert "have ended" in get(browser, done.location).text
    assert site.held() == set()
    past = get(browser, EVERY, at="2026-11-01").text
    assert len(re.findall(">Approved</span>", past)) == 1


def test_rg12_only_the_desk_sees_the_decision(site: Site) -> None:
    """What somebody may not do is absent; the Applicant Representative can withdraw."""
    path = applied(site)
    of_ra = get(site.browser(RA), path).text
    assert 'name="decision"' not in of_ra
    browser = site.browser(APPREP)
    page = get(browser, path)
    assert 'value="withdraw"' in page.text
    assert sent(browser, page, f"{path}/decision", decision="approve").status_code == 403
    sent(browser, page, f"{path}/decision", decision="withdraw", why="too early")
    assert "Not approved" in get(browser, path).text


def test_rg12_decisions_need_a_recent_second_factor(site: Site) -> None:
    path = applied(site)
    late = desk(site, minutes=60)
    page = get(late, path)
    answer = sent(late, page, f"{path}/decision", decision="approve")
    assert "Confirm your identity" in answer.text
    assert "Confirm your identity" in get(late, f"{EVERY}/1/end").text
