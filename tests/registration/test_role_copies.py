"""The roles of a colleague as a draft: what is copied, and what not and why (AR-03, CO-04,
CO-05)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from registration.app import create_app
from registration.models import (
    AccessAssignment,
    AccessRole,
    Account,
    ContactAssignment,
    ContactRole,
    Participation,
    Person,
)
from registration.transaction import Runtime
from tests.registration.api_tokens import access_token, trust_our_key
from tests.registration.fake_bridge import FakeBridge
from tests.registration.participant import OLD, RA, TRADER, participant
from tests.registration.test_api import conforms, refusal
from tests.registration.test_contact_role_pages import APPREP, SECOND, contacts
from tests.registration.test_pages import BASE, HERE, Site, confirmed, fields, ticked, token_of

COPY = f"{HERE}/persons/{SECOND}/copy"


@pytest.fixture
def site(runtime: Runtime, bridge: FakeBridge) -> Iterator[Site]:
    """The trader has two access roles, two contact roles; the other person has one of each, and a
    contact role that excludes one of the trader's."""
    with runtime.work() as work:
        here = participant(work)
        contacts(work, here)
        roles = {one.code: one.id for one in work.db.scalars(select(AccessRole))}
        for who, code in ((TRADER, "bids"), (TRADER, "view"), (SECOND, "view")):
            account = work.db.scalars(
                select(Account).where(Account.external_id == f"person-{who}")
            ).one()
            work.db.add(AccessAssignment(organization_id=here.id, access_role_id=roles[code],
                                         account_id=account.id, valid_from=OLD,
                                         given_by="test"))  # fmt: skip
        second = work.db.scalars(select(Person).where(Person.person_id == SECOND)).one()
        role = work.db.scalars(select(ContactRole).where(ContactRole.code == "view")).one()
        work.db.add(ContactAssignment(organization_id=here.id, contact_role_id=role.id,
                                      person_id=second.id, valid_from=OLD,
                                      given_by="test"))  # fmt: skip
    app = create_app(runtime.settings, runtime.ports)
    yield Site(app, runtime, bridge)
    app.extensions["runtime"].close()


def get(browser: FlaskClient, of: str = TRADER, path: str = COPY) -> TestResponse:
    return browser.get(path, query_string={"of": of}, base_url=BASE)


def test_what_can_be_copied_goes_through_the_review(site: Site) -> None:
    """AR-05: the draft is ticks of the same review; nothing is granted before the confirmation."""
    browser = site.browser(RA)
    page = get(browser)
    assert ticked(page) == [f"person|{SECOND}|bids"]
    assert "The person has this role already." in page.text
    data = {"csrf_token": token_of(page), "cell": ticked(page), "seen": fields(page, "seen")}
    review = browser.post(f"{HERE}/roles/review", data=data, base_url=BASE)
    assert fields(review, "change") == [f"+person|{SECOND}|bids=0"]
    with site.runtime.work() as work:
        before = len(list(work.db.scalars(select(AccessAssignment))))
    assert confirmed(browser, review).status_code == 303
    with site.runtime.work() as work:
        assert len(list(work.db.scalars(select(AccessAssignment)))) == before + 1


def test_a_role_that_was_revoked_before_is_copied_with_its_version(site: Site) -> None:
    """A draft on a cell that was changed is no stale form."""
    browser = site.browser(RA)
    for sign, saw in (("+", 0), ("-", 1)):
        data = {"csrf_token": token_of(get(browser)), "change": f"{sign}person|{SECOND}|bids={saw}"}
        browser.post(f"{HERE}/roles/confirm", data=data, base_url=BASE)
    page = get(browser)
    assert fields(page, "seen") == [f"person|{SECOND}|bids=2"]
    data = {"csrf_token": token_of(page), "cell": ticked(page), "seen": fields(page, "seen")}
    review = browser.post(f"{HERE}/roles/review", data=data, base_url=BASE)
    assert confirmed(browser, review).status_code == 303


def test_tm07_what_the_viewer_may_not_give_says_who_can(site: Site) -> None:
    """TM-01, CO-02: contact roles are the Applicant Representative's; roles of a participation that
    has ended are nobody's."""
    page = get(site.browser(RA))
    assert "Applicant Representative of Northern Lakes: Anna Cook" in page.text
    assert 'name="holding"' not in page.text
    with site.runtime.work() as work:
        work.db.scalars(select(Participation)).one().ended_at = work.now
    page = get(site.browser(RA))
    assert ticked(page) == []
    assert "participation that is not approved" in page.text


def test_co05_exclusive_and_full_roles_are_not_copied(site: Site) -> None:
    """CO-04, CO-05: the reason is that of the review; offices are given by appointment."""
    browser = site.browser(APPREP)
    page = get(browser)
    assert fields(page, "holding") == [f"settle|person|{SECOND}"]
    assert "Olga Ivanov cannot hold both: Data Submitter, Data Viewer." in page.text
    data = {"csrf_token": token_of(page), "holding": fields(page, "holding")}
    review = browser.post(f"{HERE}/contact-roles/review", data=data, base_url=BASE)
    assert fields(review, "change") == [f"+settle|person|{SECOND}"]
    office = get(browser, RA).text
    assert "This role is given by appointment, not as a contact role." in office
    assert "Rights Administrator" in office


def test_tm07_a_colleague_belongs_to_the_organization(site: Site) -> None:
    """A stranger's roles are nobody's business here; oneself is no colleague of oneself."""
    browser = site.browser(RA)
    assert get(browser, "100011").status_code == 404
    assert get(browser, "999999").status_code == 404
    assert 'name="cell"' not in get(browser, SECOND).text
    assert get(browser, path=f"{HERE}/persons/999999/copy").status_code == 404


def call(site: Site, changes: Any, **more: Any) -> TestResponse:
    """Sends changes of contact roles with the token of the Applicant Representative."""
    path = "/api/v1/organizations/109120/contact-roles/changes"
    body = {"changes": changes} | more
    program = site.app.test_client()
    head = {"Authorization": f"Bearer {access_token(APPREP)}"}
    return conforms(program.post(path, json=body, headers=head, base_url=BASE), path, "post")


def test_co05_programs_copy_contact_roles_too(site: Site) -> None:
    """CO-04 to CO-06: the draft of the page; tried, done with history, and refused when it is sent
    again."""
    trust_our_key(site.app)
    path = f"/api/v1/organizations/109120/persons/{SECOND}/copy"
    head = {"Authorization": f"Bearer {access_token(APPREP)}"}
    asked = site.app.test_client().get(f"{path}?of={TRADER}", headers=head, base_url=BASE)
    found = conforms(asked, path, "get").json
    changes = [{"action": "add", "id": SECOND, "role": "settle"}]
    assert found["contact_changes"] == changes
    refused = {one["role"]: one for one in found["not_copied"] if one["kind"] == "contact_role"}
    assert refused["submit"]["reasons"] == [
        "Olga Ivanov cannot hold both: Data Submitter, Data Viewer."
    ]
    tried = call(site, changes, preview=True)
    assert (tried.status_code, tried.json["possible"], tried.json["request"]) == (200, True, None)
    done = call(site, changes, why="New desk")
    assert (done.status_code, done.json["request"]["kind"]) == (201, "contact_roles")
    again = call(site, changes)
    assert (again.status_code, refusal(again)[1]) == (409, "contact_roles_not_possible")
    assert again.json["obstacles"][0].startswith("Olga Ivanov already holds Settlements")
    ended = call(site, [changes[0] | {"action": "remove"}])
    assert ended.status_code == 201
    office = site.app.test_client().get(f"{path}?of={RA}", headers=head, base_url=BASE).json
    assert [(one["kind"], one["role"]) for one in office["not_copied"]] == [("appointment", "ra")]


@pytest.mark.parametrize(
    ("change", "status", "parameter"),
    [
        ({"action": "grant"}, 400, "changes[0].action"),
        ({"id": ""}, 400, "changes[0].id"),
        ({"role": "x" * 81}, 400, "changes[0].role"),
        ({"version": 1}, 400, "changes[0].version"),
        ({"id": "999999"}, 404, None),
        ({"role": "nothing"}, 404, None),
    ],
)
def test_contact_roles_that_cannot_be_read_are_refused(
    site: Site, change: dict[str, Any], status: int, parameter: str | None
) -> None:
    """By the name of the member; a person or role that is not there is 404."""
    trust_our_key(site.app)
    one = {"action": "add", "id": SECOND, "role": "settle"} | change
    for more in ({"preview": True}, {}):
        answer = call(site, [one], **more)
        assert (answer.status_code, answer.json.get("parameter")) == (status, parameter)
