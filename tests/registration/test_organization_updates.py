"""What can be updated of an organization, by whom, and the change of its name (RG-15)."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from registration import history_list, organizations, push_delivery
from registration.delegation_facts import Actor
from registration.history_list import Asked
from registration.models import Appointment, Organization, Request
from registration.organization_refusals import OrganizationNameInvalid, OrganizationTaken
from registration.permission import NotAllowed
from registration.transaction import UnitOfWork
from registration.work_refusals import ChangedMeanwhile
from tests.registration.participant import OLD, RA, TRADER, participant, person
from tests.registration.test_organizations import DESK
from tests.registration.test_pages import BASE, HERE, Site, fields, token_of
from tests.registration.test_pages import site as _site

site = _site
NEW = "Northern Lakes Hydro"
#: What Registration does not keep.
ELSEWHERE = ("Licence", "Emergency preparedness plan", "Control centres", "Facility contact")


def desk_of(site: Site, minutes: int = 0) -> FlaskClient:
    """A browser of somebody of the IESO."""
    group = site.runtime.settings.operator_group
    return site.browser(TRADER, minutes=minutes, groups=(group,))


def lakes(work: UnitOfWork) -> Organization:
    return work.db.scalars(
        select(Organization).where(Organization.organization_id == "109120")
    ).one()


def in_office(site: Site, number: str, office: str) -> None:
    """A new person in this office at Northern Lakes."""
    with site.runtime.work() as work:
        row = person(work, number, f"Officer {office.upper()}")
        work.db.add(Appointment(person_id=row.id, organization_id=lakes(work).id, office=office,
                                valid_from=OLD, given_by="test"))  # fmt: skip


def get(browser: FlaskClient, path: str) -> TestResponse:
    return browser.get(f"{HERE}/{path}", base_url=BASE)


def test_rg15_every_kind_of_update_names_who_does_it(site: Site) -> None:
    """RG-15, RG-11: contact roles and sections are changed here, the name by the desk; of the
    others the page says whom to ask, and offers nothing."""
    for browser, is_desk in ((site.browser(RA), False), (desk_of(site), True)):
        assert f'href="{HERE}/update"' in get(browser, "roles").text
        page = get(browser, "update").text
        main = page[page.index("<main") : page.index("</main>")]
        assert f'href="{HERE}/contact-roles"' in main
        assert f'href="{HERE}/sections"' in main
        assert "An Applicant Representative changes them." in main
        assert (f'href="{HERE}/name"' in main) is is_desk
        assert "Organization information" in main
        assert all(f"<li>{one}</li>" in main for one in ELSEWHERE)
        assert "Customer Relations" in main
        assert site.runtime.settings.contact_email in page


def test_rg15_whoever_keeps_contact_roles_is_sent_to_nobody(site: Site) -> None:
    """RG-11: the Applicant Representative changes them; for a stranger there is no page."""
    in_office(site, "100003", "apprep")
    page = get(site.browser("100003"), "update")
    assert (page.status_code, "An Applicant Representative" in page.text) == (200, False)
    assert get(site.browser(TRADER), "update").status_code == 404


def test_rg15_the_desk_changes_the_name(site: Site) -> None:
    """RG-15, PR-07: with history, Request Number and push; the Organization ID stays."""
    desk = desk_of(site)
    page = get(desk, "name")
    assert fields(page, "version") == ["1"]
    sent = {"csrf_token": token_of(page), "version": "1", "name": " ", "why": "Merger"}
    wrong = desk.post(f"{HERE}/name/confirm", data=sent, base_url=BASE)
    assert (wrong.status_code, "The name is required" in wrong.text) == (400, True)
    taken = desk.post(f"{HERE}/name/confirm", data=sent | {"name": "PRAIRIE WIND"}, base_url=BASE)
    assert (taken.status_code, "is registered already" in taken.text) == (400, True)
    done = desk.post(f"{HERE}/name/confirm", data=sent | {"name": NEW}, base_url=BASE)
    assert (done.status_code, done.location) == (303, f"{HERE}/update")
    assert f"The organization has the name {NEW}." in get(desk, "update").text
    stale = desk.post(f"{HERE}/name/confirm", data=sent | {"name": "Other"}, base_url=BASE)
    assert stale.location == f"{HERE}/name"
    assert "has changed since you opened it" in get(desk, "name").text
    late = desk_of(site, minutes=60)
    assert "Confirm your identity" in get(late, "name").text
    push_delivery.deliver_due(site.runtime)
    assert site.bridge.registered["109120"]["name"] == NEW
    with site.runtime.work() as work:
        order = work.db.scalars(select(Request)).one()
        assert (order.kind, order.state) == (organizations.RENAMED, "done")
        here = work.db.scalars(select(Organization).where(Organization.name == NEW)).one()
        (entry,), _ = history_list.page(work, here, Asked())
        assert (entry.before, entry.after, entry.reason) == (
            {"name": "Northern Lakes"}, {"name": NEW}, "Merger",
        )  # fmt: skip
    shown = desk.get("/requests/R0000001", base_url=BASE).text
    assert "Change of the name of an organization" in shown


def test_a_name_is_changed_by_the_ieso_once_and_to_another(work: UnitOfWork) -> None:
    """RG-15, TM-07: nobody of the organization; another spelling of its own name is allowed."""
    here = participant(work)
    organizations.register(work, DESK, "Prairie Wind")
    for actor in (Actor(RA), Actor(TRADER)):
        with pytest.raises(NotAllowed):
            organizations.rename(work, actor, here, here.version, NEW)
    for name, refused in (("prairie wind", OrganizationTaken), ("", OrganizationNameInvalid)):
        with pytest.raises(refused):
            organizations.rename(work, DESK, here, here.version, name)
    with pytest.raises(ChangedMeanwhile):
        organizations.rename(work, DESK, here, here.version + 1, NEW)
    assert organizations.rename(work, DESK, here, here.version, " Northern  Lakes ") is None
    assert organizations.rename(work, DESK, here, here.version, "NORTHERN LAKES") is not None
    assert (here.name, here.organization_id, here.version) == ("NORTHERN LAKES", "109120", 2)


def test_tm16_whoever_appoints_an_ra_reads_who_should_be_one(site: Site) -> None:
    """TM-16: a hint where a Rights Administrator can be chosen, and only there."""
    advice = "should be a full-time employee in good standing"
    for number, office in (("100004", "pc"), ("100005", "ar")):
        in_office(site, number, office)
    path = f"representatives/appoint/{TRADER}"
    assert advice in get(site.browser("100004"), path).text
    assert advice not in get(site.browser("100005"), path).text
