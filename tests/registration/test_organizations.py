"""The IESO registers organizations and finds them (TM-02, TM-03, TM-08)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from registration import history_list, organizations, push_delivery
from registration.app import create_app
from registration.delegation_facts import Actor
from registration.history_list import Asked
from registration.models import History, Organization, Push, Request
from registration.organization_refusals import (
    OrganizationNameInvalid,
    OrganizationNumberInvalid,
    OrganizationTaken,
)
from registration.permission import NotAllowed
from registration.transaction import Runtime, UnitOfWork
from tests.registration.api_tokens import access_token, trust_our_key
from tests.registration.fake_bridge import FakeBridge
from tests.registration.participant import RA, TRADER, participant
from tests.registration.test_api import conforms, refusal
from tests.registration.test_commands import run
from tests.registration.test_pages import BASE, Site, token_of

DESK = Actor("100310", is_operator=True)
NAME = "Énergie du Nord Inc."


@pytest.fixture
def site(runtime: Runtime, bridge: FakeBridge) -> Iterator[Site]:
    """The application, with Northern Lakes and its people."""
    with runtime.work() as work:
        participant(work)
    app = create_app(runtime.settings, runtime.ports)
    yield Site(app, runtime, bridge)
    app.extensions["runtime"].close()


def test_a_new_organization_is_in_the_history_and_at_the_gateway(
    runtime: Runtime, bridge: FakeBridge
) -> None:
    """TM-02, TM-12: under the next free Organization ID; the gateway knows it before anybody is
    appointed."""
    with runtime.work() as work:
        work.db.add(Organization(organization_id="200001", name="Taken", created_at=work.now,
                                 updated_at=work.now))  # fmt: skip
        row = organizations.register(work, DESK, f"  {NAME} ")
        assert (row.organization_id, row.name, row.applied_at) == ("200002", NAME, None)
        (entry,), _ = history_list.page(work, row, Asked())
        assert (entry.action, entry.after["name"]) == (organizations.REGISTERED, NAME)
    push_delivery.deliver_due(runtime)
    assert bridge.registered["200002"]["name"] == NAME
    with runtime.work() as work:
        push = work.db.scalars(select(Push)).one()
        assert push.request is not None
        assert (push.state, push.request.state) == ("done", "done")


def test_the_number_can_be_given_and_is_taken_once(work: UnitOfWork) -> None:
    """Organizations that other systems of the IESO number keep their Organization ID."""
    assert organizations.register(work, DESK, NAME, "109777").organization_id == "109777"
    for name, number in (("Other", "109777"), (NAME.upper(), "")):
        with pytest.raises(OrganizationTaken) as refused:
            organizations.register(work, DESK, name, number)
        assert (refused.value.name, refused.value.number) == (NAME, "109777")


@pytest.mark.parametrize("name", ["", " ", "x" * 201, "a\x00b"])
def test_a_name_is_required_and_text(work: UnitOfWork, name: str) -> None:
    with pytest.raises(OrganizationNameInvalid):
        organizations.register(work, DESK, name)


@pytest.mark.parametrize("number", ["A1", "1" * 21, "١٢٣"])
def test_an_organization_id_has_digits_only(work: UnitOfWork, number: str) -> None:
    with pytest.raises(OrganizationNumberInvalid):
        organizations.register(work, DESK, NAME, number)


def test_only_the_ieso_registers_organizations(work: UnitOfWork) -> None:
    """TM-02."""
    with pytest.raises(NotAllowed):
        organizations.register(work, Actor(RA), NAME)


def test_the_list_is_searched_and_goes_on_after_a_row(work: UnitOfWork) -> None:
    """By any part of the name, or by the whole Organization ID; nothing is left out or twice."""
    rows = [organizations.register(work, DESK, f"Solar {n % 7} {n}") for n in range(60)]
    first, after = organizations.search(work, "solar")
    second, end = organizations.search(work, "solar", after=after)
    assert (len(first), end) == (organizations.SIZE, 0)
    assert [one.name for one in first + second] == sorted(one.name for one in rows)
    assert organizations.search(work, rows[3].organization_id) == ([rows[3]], 0)
    assert organizations.search(work, "100%") == ([], 0)


def test_the_desk_registers_an_organization_and_its_first_representative(site: Site) -> None:
    """TM-02, TM-03, TM-08: from nothing to the first Authorized Representative, in the pages."""
    desk = site.browser(TRADER, groups=(site.runtime.settings.operator_group,))
    assert "Organizations" in desk.get("/", base_url=BASE).text
    page = desk.get("/new-organization?name=Prairie", base_url=BASE)
    data = {"csrf_token": token_of(page), "name": "Prairie Wind", "number": "x"}
    wrong = desk.post("/new-organization/confirm", data=data, base_url=BASE)
    assert (wrong.status_code, "1 to 20 digits" in wrong.text) == (400, True)
    done = desk.post("/new-organization/confirm", data=data | {"number": "109888"}, base_url=BASE)
    here = "/organizations/109888"
    assert done.location == f"{here}/participations"
    shown = desk.get(done.location, base_url=BASE).text
    assert "Prairie Wind" in shown
    assert f'href="{here}/representatives"' in shown
    listed = desk.get("/organizations?q=wind", base_url=BASE).text
    assert f'href="{here}/representatives"' in listed
    early = desk.get(f"{here}/representatives/appoint/{RA}/review?office=ar&letter=L-1",
                     base_url=BASE)  # fmt: skip
    assert early.status_code == 403
    desk.post(f"{here}/participations/apply/rights/confirm", data=data, base_url=BASE)
    made = desk.post(
        f"{here}/representatives/appoint/{RA}/confirm",
        data=data | {"office": "ar", "letter": "L-2026-7", "why": "", "until": ""}, base_url=BASE,
    )  # fmt: skip
    assert made.status_code == 303
    assert "L-2026-7" in desk.get(f"{here}/history", base_url=BASE).text


def call(site: Site, **body: Any) -> TestResponse:
    """Registers an organization with the token of somebody of the desk."""
    trust_our_key(site.app)
    path = "/api/v1/organizations"
    token = access_token(TRADER, groups=[site.runtime.settings.operator_group])
    head = {"Authorization": f"Bearer {token}"}
    answer = site.app.test_client().post(path, json=body, headers=head, base_url=BASE)
    return conforms(answer, path, "post")


def test_tm02_a_program_of_the_desk_registers_an_organization(site: Site) -> None:
    """TM-02, TM-12: tried, then registered with history, request and push, as on the page."""
    tried = call(site, name=NAME, preview=True)
    found = {"id": "200001", "name": NAME}
    assert (tried.status_code, tried.json) == (200, {"organization": found, "request": None})
    with site.runtime.work() as work:
        for table in (Request, Push, History):
            assert work.db.scalar(select(func.count()).select_from(table)) == 0
    done = call(site, name=NAME)
    assert (done.status_code, done.json["organization"]) == (201, found)
    order = done.json["request"]
    assert (order["kind"], order["organization"]) == ("organization", "200001")
    assert done.headers["Location"] == f"/api/v1/requests/{order['number']}"
    push_delivery.deliver_due(site.runtime)
    assert site.bridge.registered["200001"]["name"] == NAME


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, (400, "organization_name_invalid")),
        ({"name": "x" * 201}, (400, "organization_name_invalid")),
        ({"name": NAME, "number": "A1"}, (400, "organization_number_invalid")),
        ({"name": "northern lakes"}, (409, "organization_taken")),
        ({"name": NAME, "number": "109120"}, (409, "organization_taken")),
        ({"name": "a\x00b"}, (400, "bad_request")),
        ({"name": NAME, "applied_at": "2026-11-27"}, (400, "bad_request")),
    ],
)
def test_an_organization_is_refused_by_name(
    site: Site, body: dict[str, Any], said: tuple[int, str]
) -> None:
    """The preview and the order are refused alike."""
    for more in ({"preview": True}, {}):
        assert refusal(call(site, **body, **more)) == said


def test_pages_of_the_desk_exist_for_nobody_else(site: Site) -> None:
    """TM-07: an administrator does not learn which organizations there are."""
    admin = site.browser(RA)
    assert admin.get("/organizations", base_url=BASE).status_code == 404
    assert "Organizations</a>" not in admin.get("/", base_url=BASE).text


def test_the_first_operator_is_registered_by_a_command(tmp_path: Path) -> None:
    """RG-02, RG-03: under the Person ID that the gateway gave, with all required fields, once."""
    run(tmp_path, "db", "upgrade")
    words = (
        "operator", "add", "100310", "--first-name", "Mei", "--last-name", "Osei", "--main-email",
        "osei@ieso.example", "--main-phone", "416-967-1111", "--address-1", "120 Adelaide St W",
        "--city", "Toronto",
    )  # fmt: skip
    done = run(tmp_path, *words, "--postal-code", "M5H 1T1")
    assert done.output == "Mei Osei (100310) can sign in.\n"
    assert run(tmp_path, *words, "--postal-code", "M5H 1T1").output == (
        "refused: somebody has the Person ID 100310 already\n"
    )
    assert run(tmp_path, *words, "--postal-code", "1").output == (
        "refused: postal_code: not_a_postal_code\n"
    )
