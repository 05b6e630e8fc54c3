"""Contact roles as programs list them, and the command of it (CO-01, CO-02, CO-04)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from registration.models import ContactAssignment, ContactRole, Section
from tests.registration.participant import OLD, RA, TRADER
from tests.registration.test_access_commands import Run
from tests.registration.test_access_commands import run as _run
from tests.registration.test_api import HERE, program, read, refusal
from tests.registration.test_contact_role_pages import SECOND
from tests.registration.test_contact_role_pages import site as _site
from tests.registration.test_pages import Site

run, site = _run, _site
LIST = f"{HERE}/contact-roles"
__all__ = ["program"]


@pytest.fixture(autouse=True)
def _desk(site: Site) -> None:
    """The control room holds a role too."""
    with site.runtime.work() as work:
        desk = work.db.scalars(select(Section)).one()
        role = work.db.scalars(select(ContactRole).where(ContactRole.code == "meter")).one()
        work.db.add(ContactAssignment(organization_id=desk.organization_id, section_id=desk.id,
                                      contact_role_id=role.id, valid_from=OLD,
                                      given_by=RA))  # fmt: skip


def listed(program: FlaskClient, **query: str) -> dict[str, Any]:
    """The roles by code."""
    answer = read(program, LIST, **query)
    assert answer.status_code == 200, answer.text
    return {one["code"]: one for one in answer.json["roles"]}  # type: ignore[index]


def test_co04_programs_list_contact_roles_with_limits_and_holders(program: FlaskClient) -> None:
    """CO-02 to CO-05: of an organization, each role with minimum, existing, maximum, the other role
    of its pair, and its people and sections."""
    roles = listed(program)
    assert list(roles) == ["settle", "submit", "view", "meter"]
    settle = roles["settle"]
    assert {name: settle[name] for name in ("minimum", "existing", "maximum", "held_by")} == {
        "minimum": 1, "existing": 1, "maximum": 2, "held_by": "person",
    }  # fmt: skip
    assert [(one["kind"], one["id"], one["name"]) for one in settle["holders"]] == [
        ("person", TRADER, "Ada Moreau")
    ]
    assert (roles["submit"]["excludes"], roles["view"]["excludes"]) == (["view"], ["submit"])
    (desk,) = roles["meter"]["holders"]
    assert (desk["kind"], desk["id"], desk["name"], desk["given_by"]) == (
        "section", "", "Control room", "Marie Tremblay",
    )  # fmt: skip


def test_co01_programs_list_the_contact_roles_of_a_person(program: FlaskClient) -> None:
    """CO-01: only what the person holds. Of a role the others are counted, not listed."""
    assert list(listed(program, person=TRADER)) == ["settle", "submit"]
    assert listed(program, person=SECOND) == listed(program, person="999999") == {}
    assert list(listed(program, role="view")) == ["view"]
    assert listed(program, role="nothing") == {}


def test_contact_roles_of_a_past_day_are_read(program: FlaskClient) -> None:
    """As every list: nobody held one before; a day that is not over is refused."""
    assert listed(program, at="2026-08-01") == {}
    assert [one["existing"] for one in listed(program, at="2026-11-26").values()] == [1, 1, 0, 1]
    assert refusal(read(program, LIST, at="2126-01-01")) == (400, "bad_request")


def test_the_command_prints_contact_roles(run: Run) -> None:
    """CO-02: a line for each holder, and one for a role that nobody holds."""
    lines = run("contact-roles", "109120").output.splitlines()
    assert [line.split()[0] for line in lines] == ["ROLE", "settle", "submit", "view", "meter"]
    assert lines[1].split() == ["settle", "1", "1", "2", TRADER, "Ada", "Moreau", "+14165550100",
                                "x12"]  # fmt: skip
    assert lines[3].split() == ["view", "0", "0", "-"]
    found = json.loads(run("contact-roles", "109120", "--person", TRADER, "--json").output)
    assert [one["code"] for one in found] == ["settle", "submit"]
