"""The page of a leaver (procedures D and J)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from registration.app import create_app
from registration.models import Account, Appointment, Custody, Machine, Organization, Person
from registration.transaction import Runtime
from registration_bridge.bridge_client import Result
from tests.registration.fake_bridge import FakeBridge
from tests.registration.participant import OLD, RA, TRADER, participant, person
from tests.registration.test_pages import BASE, BIDS, HERE, Site, confirmed, fields, reviewed

PC, APPREP = "100004", "100003"
LEAVER = f"{HERE}/persons/{TRADER}/leaver"


@pytest.fixture
def site(runtime: Runtime, bridge: FakeBridge) -> Iterator[Site]:
    """The trader has one role; there are a Primary Contact and an Applicant Representative."""
    with runtime.work() as work:
        here = participant(work)
        for number, name, office in ((PC, "Petra Novak", "pc"), (APPREP, "Luc Roy", "apprep")):
            row = Appointment(person_id=person(work, number, name).id, organization_id=here.id,
                              office=office, valid_from=OLD, given_by="test")  # fmt: skip
            work.db.add(row)
    app = create_app(runtime.settings, runtime.ports)
    made = Site(app, runtime, bridge)
    admin = made.browser(RA)
    confirmed(admin, reviewed(admin, BIDS))
    yield made
    app.extensions["runtime"].close()


def get(browser: FlaskClient, path: str = LEAVER, **query: str) -> TestResponse:
    return browser.get(path, query_string=query, base_url=BASE)


def confirm(browser: FlaskClient, page: TestResponse, **more: str) -> TestResponse:
    names = ("csrf_token", "seen", "successor", "close")
    data = {name: found[0] for name in names if (found := fields(page, name))}
    data |= {"reason": "left"} | more
    return browser.post(f"{LEAVER}/confirm", data=data, base_url=BASE)


def give_machine(site: Site) -> None:
    with site.runtime.work() as work:
        here = work.db.scalars(select(Organization)).one()
        trader = work.db.scalars(select(Person).where(Person.person_id == TRADER)).one()
        account = Account(external_id="machine-1", kind="machine", username="APIIESO00001",
                          scim_id="scim-m", created_at=OLD, created_by="test")  # fmt: skip
        work.db.add(account)
        work.db.flush()
        row = Machine(account_id=account.id, organization_id=here.id, created_at=OLD,
                      created_by="test")  # fmt: skip
        work.db.add(row)
        work.db.flush()
        work.db.add(Custody(machine_id=row.id, person_id=trader.id, valid_from=OLD,
                            given_by="test"))  # fmt: skip


def test_d03_what_ends_is_shown_then_confirmed(site: Site) -> None:
    """D.03, AR-05: nothing before the confirmation; then the request with the roles."""
    browser = site.browser(RA)
    assert f'href="{LEAVER}"' in get(browser, f"{HERE}/persons/{TRADER}").text
    page = get(browser)
    assert page.status_code == 200
    assert "Energy: Bids" in page.text
    assert "1 session ends." in page.text
    assert site.held() == {"bids"}
    done = confirm(browser, page)
    assert done.status_code == 303, done.text
    assert site.held() == set()
    shown = get(browser, done.location).text
    assert "Leaver" in shown
    assert "Bids" in shown
    assert "Leaver recorded" in get(browser, f"{HERE}/history").text
    assert get(browser).status_code == 404


def test_a_stale_page_is_drawn_again(site: Site) -> None:
    """What was granted meanwhile is shown before it ends."""
    browser = site.browser(RA)
    page = get(browser)
    confirmed(browser, reviewed(browser, f"person|{TRADER}|view"))
    answer = confirm(browser, page)
    assert (answer.status_code, answer.location) == (303, LEAVER)
    again = get(browser)
    assert "Somebody else has changed what this person has here." in again.text
    assert "Energy: View" in again.text
    assert site.held() == {"bids", "view"}


def test_ma10_the_page_asks_for_a_successor(site: Site) -> None:
    """MA-10: a Primary Contact is told who can hand over; the administrator chooses."""
    give_machine(site)
    page = get(site.browser(PC))
    assert "Rights Administrator of Northern Lakes: Marie Tremblay" in page.text
    assert "End everything" not in page.text
    browser = site.browser(RA)
    page = get(browser)
    assert "Choose who takes over the machine account APIIESO00001" in page.text
    assert "End everything" not in page.text
    assert "is the custodian already" in get(browser, successor=TRADER).text
    page = get(browser, successor=RA)
    assert confirm(browser, page).status_code == 303
    with site.runtime.work() as work:
        held = work.db.scalars(select(Custody).where(Custody.ended_at.is_(None))).one()
        assert held.person.person_id == RA


def test_pr05_the_account_is_closed_if_that_is_ticked(site: Site) -> None:
    browser = site.browser(RA)
    assert confirm(browser, get(browser, close="1")).status_code == 303
    with site.runtime.work() as work:
        account = work.db.scalars(
            select(Account).where(Account.external_id == f"person-{TRADER}")
        ).one()
        assert account.ended_by == RA


def test_what_the_gateway_refuses_cannot_be_confirmed(site: Site) -> None:
    """Its own words are on the page."""
    site.bridge.results = [Result(403, detail="too many changes")]
    page = get(site.browser(RA))
    assert "The gateway refuses the change: too many changes" in page.text
    assert "End everything" not in page.text


def test_tm14_the_reason_is_chosen(site: Site) -> None:
    browser = site.browser(RA)
    page = get(browser)
    assert confirm(browser, page, reason="").status_code == 400
    wrong = confirm(browser, page, reason="other")
    assert wrong.status_code == 400
    assert "Say in a few words why." in wrong.text
    assert site.held() == {"bids"}


def test_tm01_only_who_may_sees_the_link(site: Site) -> None:
    """TM-01: to the Applicant Representative the page says who can."""
    browser = site.browser(APPREP)
    assert LEAVER not in get(browser, f"{HERE}/persons/{TRADER}").text
    page = get(browser)
    assert page.status_code == 403
    assert "Marie Tremblay" in page.text
