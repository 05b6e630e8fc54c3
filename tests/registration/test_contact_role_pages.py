"""The pages on which contact roles are changed: by role, by person and by section (CO-01 to
CO-07)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from registration.app import create_app
from registration.models import (
    Appointment,
    ContactAssignment,
    ContactRole,
    Organization,
    Person,
    Push,
    Section,
)
from registration.transaction import Runtime, UnitOfWork
from tests.registration.fake_bridge import FakeBridge
from tests.registration.participant import OLD, TRADER, participant, person
from tests.registration.test_pages import BASE, HERE, STRONG, Site, fields, token_of

APPREP, SECOND, STRANGER = "100003", "100009", "100010"
ROLES = f"{HERE}/contact-roles"


def contacts(work: UnitOfWork, here: Organization) -> None:
    """An Applicant Representative, a desk, and four contact roles: one that must be held, a pair,
    and one for a section that opens no system."""
    apprep = person(work, APPREP, "Anna Cook")
    for number, name in ((SECOND, "Olga Ivanov"), (STRANGER, "Paul Roy")):
        person(work, number, name)
    work.db.add(Section(organization_id=here.id, name="Control room", phone="+14165550100",
                        valid_from=OLD, given_by="test"))  # fmt: skip
    rows = {
        code: ContactRole(code=code, name=name, name_fr=f"{name} (fr)", held_by=held_by,
                          minimum=minimum, maximum=maximum, exclusive_with=pairs,
                          markets=["energy"], role_groups=groups, position=number)
        for number, (code, name, held_by, minimum, maximum, pairs, groups) in enumerate((
            ("settle", "Settlements", "person", 1, 2, [], ["EMI"]),
            ("submit", "Data Submitter", "person", 0, None, ["view"], ["EMI"]),
            ("view", "Data Viewer", "person", 0, None, [], ["EMI"]),
            ("meter", "Meter Trouble", "both", 0, 1, [], []),
        ))
    }  # fmt: skip
    work.db.add_all([*rows.values(), Appointment(person_id=apprep.id, organization_id=here.id,
                     office="apprep", valid_from=OLD, given_by="test")])  # fmt: skip
    work.db.flush()
    trader = work.db.scalars(select(Person.id).where(Person.person_id == TRADER)).one()
    for code in ("settle", "submit"):
        work.db.add(ContactAssignment(organization_id=here.id, contact_role_id=rows[code].id,
                    person_id=trader, valid_from=OLD, given_by="test"))  # fmt: skip


@pytest.fixture
def site(runtime: Runtime, bridge: FakeBridge) -> Iterator[Site]:
    """The application and its contacts."""
    with runtime.work() as work:
        contacts(work, participant(work))
    app = create_app(runtime.settings, runtime.ports)
    yield Site(app, runtime, bridge)
    app.extensions["runtime"].close()


def held(site: Site) -> set[tuple[str, str]]:
    with site.runtime.work() as work:
        rows = work.db.scalars(select(ContactAssignment).where(ContactAssignment.held_at(work.now)))
        return {
            (row.contact_role.code,
             row.person.person_id if row.person else row.section.name if row.section else "")
            for row in rows
        }  # fmt: skip


FIRST = {("settle", TRADER), ("submit", TRADER)}


def review(browser: FlaskClient, path: str, *ticked: str) -> TestResponse:
    """The page, with exactly these ticks, sent for review."""
    page = browser.get(f"{HERE}/{path}", base_url=BASE)
    assert page.status_code == 200
    data: dict[str, Any] = {"csrf_token": token_of(page), "seen": fields(page, "seen"),
                            "holding": list(ticked)}  # fmt: skip
    return browser.post(f"{ROLES}/review", data=data, base_url=BASE)


def confirm(browser: FlaskClient, page: TestResponse) -> TestResponse:
    data = {"csrf_token": token_of(page), "change": fields(page, "change"), "why": "Moved"}
    return browser.post(f"{ROLES}/confirm", data=data, base_url=BASE)


def test_co01_by_person_nothing_changes_before_confirm(site: Site) -> None:
    """CO-01, CO-06: add and remove in one batch; then history, mails and a push."""
    browser = site.browser(APPREP)
    found = browser.get(f"{ROLES}/find?last_name=ivanov", base_url=BASE).text
    assert f"{HERE}/persons/{SECOND}/contact-roles" in found
    page = review(browser, f"persons/{SECOND}/contact-roles", f"settle|person|{SECOND}")
    assert page.status_code == 200
    assert held(site) == FIRST
    done = confirm(browser, page)
    assert (done.status_code, done.location) == (303, ROLES)
    assert held(site) == FIRST | {("settle", SECOND)}
    listed = browser.get(ROLES, base_url=BASE).text
    assert "The contact roles were changed: request R0000001." in listed
    history = browser.get(f"{HERE}/history", base_url=BASE).text
    assert "Contact role given" in history
    assert "Moved" in history
    with site.runtime.work() as work:
        assert len(list(work.db.scalars(select(Push)))) == 1


def test_co02_by_role_one_replaces_another(site: Site) -> None:
    """CO-02, CO-04: the minimum is that of the result, so one contact can replace the only one."""
    browser = site.browser(APPREP)
    page = browser.get(f"{ROLES}/of/settle", base_url=BASE)
    assert fields(page, "seen") == [f"settle|person|{TRADER}"]
    assert "Olga" not in page.text  # of another organization
    refused = review(browser, "contact-roles/of/settle")
    assert refused.status_code == 409
    assert "Settlements would have too few contacts: 0. The minimum is 1." in refused.text
    assert fields(refused, "change") == []
    ok = review(browser, "contact-roles/of/settle", f"settle|person|{APPREP}")
    assert confirm(browser, ok).status_code == 303
    assert held(site) == {("settle", APPREP), ("submit", TRADER)}


def test_co03_by_section_a_desk_holds_a_role(site: Site) -> None:
    """CO-03, CO-07: only roles for sections are offered; it opens no system, so nothing is
    pushed."""
    browser = site.browser(APPREP)
    page = browser.get(f"{HERE}/sections/1/contact-roles", base_url=BASE)
    assert fields(page, "holding") == ["meter|section|1"]
    ok = review(browser, "sections/1/contact-roles", "meter|section|1")
    assert "These contact roles open no systems." in ok.text
    confirm(browser, ok)
    assert held(site) == FIRST | {("meter", "Control room")}
    with site.runtime.work() as work:
        assert list(work.db.scalars(select(Push))) == []
    wrong = review(browser, "sections/1/contact-roles", "meter|section|1", "settle|section|1")
    assert "the role is for another kind of contact" in wrong.text


def test_co04_not_more_than_the_maximum_over_the_batch(site: Site) -> None:
    """CO-04: two are added, one place is free."""
    page = review(site.browser(APPREP), "contact-roles/of/settle", f"settle|person|{TRADER}",
                  f"settle|person|{APPREP}", f"settle|person|{SECOND}")  # fmt: skip
    assert page.status_code == 409
    assert "Settlements would have too many contacts: 3. The maximum is 2." in page.text


def test_co05_an_exclusive_pair_is_refused_by_name(site: Site) -> None:
    """CO-05: with what he holds, and within one batch."""
    browser = site.browser(APPREP)
    assert "Data Viewer" in browser.get(f"{ROLES}/of/submit", base_url=BASE).text
    for ticked in (
        (f"settle|person|{TRADER}", f"submit|person|{TRADER}", f"view|person|{TRADER}"),
        (f"submit|person|{SECOND}", f"view|person|{SECOND}"),
    ):
        number = ticked[0].rpartition("|")[2]
        page = review(browser, f"persons/{number}/contact-roles", *ticked)
        assert page.status_code == 409
        assert "cannot hold both: Data" in page.text


def test_two_representatives_the_second_sees_what_changed(site: Site) -> None:
    """A stale form changes nothing."""
    first, second = site.browser(APPREP), site.browser(APPREP)
    path, cell = f"persons/{SECOND}/contact-roles", f"settle|person|{SECOND}"
    late = review(second, path, cell)
    confirm(first, review(first, path, cell))
    answer = confirm(second, late)
    assert answer.status_code == 409
    assert "Olga Ivanov already holds Settlements" in answer.text
    assert held(site) == FIRST | {("settle", SECOND)}


@pytest.mark.parametrize(("acr", "minutes"), [("urn:ieso:acr:password", 0), (STRONG, 16)])
def test_contact_roles_need_a_fresh_second_factor(site: Site, acr: str, minutes: int) -> None:
    """They open systems; the changes come back after it."""
    stale = site.browser(APPREP, acr=acr, minutes=minutes)
    page = review(stale, f"persons/{SECOND}/contact-roles", f"settle|person|{SECOND}")
    assert "Confirm your identity" in page.text
    back = site.browser(APPREP).get(
        f"{ROLES}/review", query_string={"change": f"+settle|person|{SECOND}"}, base_url=BASE
    )
    assert fields(back, "change") == [f"+settle|person|{SECOND}"]


@pytest.mark.parametrize(
    ("change", "status"),
    [("nothing", 303), ("+a|b|c", 303), ("+settle|person|\u0000", 303), ("+|person|1", 303),
     ("+nothing|person|100002", 404), ("+settle|person|999999", 404), ("+meter|section|99", 404),
     ("+settle|person|" + "9" * 81, 303)],
)  # fmt: skip
def test_bad_changes_are_answered(site: Site, change: str, status: int) -> None:
    """What no form of ours says leads back; what does not exist is not there."""
    browser = site.browser(APPREP)
    token = token_of(browser.get("/my-information", base_url=BASE))
    for path, name in (("review", "change"), ("confirm", "change")):
        if path == "review":
            answer = browser.get(f"{ROLES}/{path}", query_string={name: change}, base_url=BASE)
        else:
            data = {"csrf_token": token, name: change}
            answer = browser.post(f"{ROLES}/{path}", data=data, base_url=BASE)
        assert answer.status_code == status
    assert held(site) == FIRST
    many = browser.get(f"{ROLES}/review", base_url=BASE, query_string={
        "change": [f"+settle|person|{number}" for number in range(201)]})  # fmt: skip
    assert many.status_code == 303


def test_nothing_chosen_is_said(site: Site) -> None:
    """An empty batch."""
    page = review(site.browser(APPREP), "contact-roles/of/settle", f"settle|person|{TRADER}")
    assert "Nothing would change." in page.text
