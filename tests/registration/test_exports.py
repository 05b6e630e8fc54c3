"""Every list as CSV and JSON, now and as of a past day."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from registration import history, history_list
from registration.app import create_app
from registration.models import Appointment, ContactAssignment, Organization
from registration.transaction import Runtime
from tests.registration.fake_bridge import FakeBridge
from tests.registration.participant import NOW, RA, TRADER, participant
from tests.registration.test_contact_role_pages import APPREP, contacts
from tests.registration.test_pages import BASE, HERE, Site
from tests.registration.test_route_matrix import machine

LISTS = ("representatives", "contact-roles", "sections", "machines", "participations", "roles",
         "history")  # fmt: skip
PAST = "2026-11-01"


@pytest.fixture
def site(runtime: Runtime, bridge: FakeBridge) -> Iterator[Site]:
    """Lakes with contact roles, a section and a machine. The Applicant Representative and a contact
    left it twenty days ago."""
    with runtime.work() as work:
        here = participant(work)
        contacts(work, here)
        left = NOW - timedelta(days=20)
        trader = work.db.scalars(select(ContactAssignment).order_by(ContactAssignment.id)).first()
        assert trader is not None
        machine(work, here, trader.person)
        for row in (*work.db.scalars(select(Appointment).where(Appointment.office == "apprep")),
                    *work.db.scalars(select(ContactAssignment))):  # fmt: skip
            row.end(left, RA, "left")
    app = create_app(runtime.settings, runtime.ports)
    yield Site(app, runtime, bridge)
    app.extensions["runtime"].close()


def records(browser: FlaskClient, name: str, **query: str) -> list[dict[str, Any]]:
    answer = browser.get(f"{HERE}/{name}/export", query_string=query | {"format": "json"},
                         base_url=BASE)  # fmt: skip
    assert answer.status_code == 200, answer.text
    assert answer.is_streamed
    assert f'filename="{name}-109120.json"' in answer.headers["Content-Disposition"]
    found: list[dict[str, Any]] = answer.json or []
    return found


@pytest.mark.parametrize("name", LISTS)
def test_each_list_offers_its_files(site: Site, name: str) -> None:
    """The links keep the filter; both files have the same records."""
    browser = site.browser(RA)
    with site.runtime.work() as work:
        here = work.db.scalars(select(Organization)).one()
        history.record(work, "access.granted", organization=here)
    page = browser.get(f"{HERE}/{name}?at={PAST}", base_url=BASE).text
    for form in ("csv", "json"):
        assert f'href="{HERE}/{name}/export?at={PAST}&amp;format={form}"' in page
    answer = browser.get(f"{HERE}/{name}/export?format=csv", base_url=BASE)
    assert answer.mimetype == "text/csv"
    assert answer.is_streamed
    lines = list(csv.reader(io.StringIO(answer.text)))
    assert len(lines) - 1 == len(records(browser, name))


def test_tm12_representatives_of_a_past_day(site: Site) -> None:
    """TM-12: who held the office; how to reach somebody who left is not said."""
    browser = site.browser(RA)
    assert [(one["office"], one["person_id"]) for one in records(browser, "representatives")] == [
        ("ra", RA)
    ]
    past = {one["person_id"]: one for one in records(browser, "representatives", at=PAST)}
    assert set(past) == {RA, APPREP}
    assert past[RA]["email"] == "tremblay@lakes.example"
    assert (past[APPREP]["name"], past[APPREP]["email"], past[APPREP]["phone"]) == (
        "Anna Cook", "", "",
    )  # fmt: skip
    page = browser.get(f"{HERE}/representatives?at={PAST}", base_url=BASE).text
    assert "Anna Cook" in page
    assert "cook@lakes.example" not in page


def test_the_desk_sees_everybody_in_the_past_too(site: Site) -> None:
    """An operator of the IESO sees every person, so the past hides nobody from him."""
    browser = site.browser("100010", groups=(site.runtime.settings.operator_group,))
    past = {one["person_id"]: one for one in records(browser, "representatives", at=PAST)}
    assert past[APPREP]["email"] == "cook@lakes.example"


def test_co02_contact_roles_of_a_past_day(site: Site) -> None:
    """A role that nobody holds is on the list, with its limits. The trader is a custodian here, so
    his address is told."""
    browser = site.browser(RA)
    now = records(browser, "contact-roles")
    assert {one["role"] for one in now if one["person_id"] == ""} == {"settle", "submit", "view",
                                                                      "meter"}  # fmt: skip
    past = [one for one in records(browser, "contact-roles", at=PAST) if one["person_id"]]
    assert [(one["role"], one["person_id"], one["email"]) for one in past] == [
        ("settle", TRADER, "moreau@lakes.example"),
        ("submit", TRADER, "moreau@lakes.example"),
    ]


def test_ma01_machines_by_the_filter_of_the_page(site: Site) -> None:
    browser = site.browser(RA)
    (one,) = records(browser, "machines", id="api northern lakes")
    assert (one["custodian_id"], one["networks"]) == (TRADER, ["192.0.2.1/32"])
    assert records(browser, "machines", id="nothing") == []


def test_a_day_that_is_not_over_is_now(site: Site) -> None:
    """As the page: the future, and what is no day, show the present."""
    browser = site.browser(RA)
    for at in ("2200-01-01", NOW.date().isoformat(), "soon"):
        assert len(records(browser, "representatives", at=at)) == 1


def test_participations_say_nothing_of_later(site: Site) -> None:
    """Before the end, the end is not there."""
    with site.runtime.work() as work:
        here = work.db.scalars(select(Organization)).one()
        assert here is not None
    browser = site.browser(RA)
    (one,) = records(browser, "participations")
    assert (one["market"], one["state"], one["ended"]) == ("energy", "approved", "")
    assert records(browser, "participations", at="2020-01-01") == []


def test_the_whole_history_is_read_page_after_page(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each page in a unit of work of its own, after the request is over."""
    monkeypatch.setattr(history_list, "SIZE", 2)
    with site.runtime.work() as work:
        here = work.db.scalars(select(Organization)).one()
        for number in range(5):
            history.record(work, f"act.{number}", organization=here)
    found = records(site.browser(RA), "history")
    assert [one["action"] for one in found] == [f"act.{number}" for number in (4, 3, 2, 1, 0)]
