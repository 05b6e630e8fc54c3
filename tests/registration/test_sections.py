"""Sections: desks that hold contact roles (CO-03), as a service and in the pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from registration import contact_assignments, organization_lists, sections
from registration.app import create_app
from registration.contact_rules import Batch, Contact, ContactKind, Holding
from registration.delegation_facts import Actor
from registration.models import History, Organization, Push, Section
from registration.permission import NotAllowed
from registration.person_fields import FieldFault
from registration.section_refusals import (
    SectionFieldsInvalid,
    SectionHoldsRoles,
    SectionNameTaken,
    SectionNotFound,
)
from registration.sections import SectionFields
from registration.transaction import Origin, Runtime, UnitOfWork
from registration.work_refusals import ChangedMeanwhile
from tests.registration.fake_bridge import FakeBridge
from tests.registration.participant import NOW, OLD, RA, TRADER, participant
from tests.registration.test_contact_role_pages import APPREP, contacts
from tests.registration.test_pages import BASE, HERE, Site, fields, token_of

ACTOR = Actor(APPREP)
DESK = SectionFields("Night desk", "416-967-1111", "night@lakes.example")
PRAIRIE = "109131"


@pytest.fixture
def lakes(runtime: Runtime) -> Runtime:
    """Lakes has the section "Control room" and contact roles; Prairie has nothing."""
    with runtime.work() as work:
        contacts(work, participant(work))
        work.db.add(Organization(organization_id=PRAIRIE, name="Prairie Wind", created_at=OLD,
                                 updated_at=OLD))  # fmt: skip
    return runtime


def at(work: UnitOfWork, number: str = "109120") -> Organization:
    return work.db.scalars(select(Organization).where(Organization.organization_id == number)).one()


def done(runtime: Runtime, act: Callable[..., Any], *values: Any, actor: Actor = ACTOR) -> None:
    with runtime.work(Origin(actor.person)) as work:
        act(work, actor, at(work), *values)


def listed(runtime: Runtime, moment: Any = None) -> list[str]:
    with runtime.work() as work:
        rows = organization_lists.sections(work, at(work), moment or work.now)
        return [one.row.name for one in rows]


def hold(runtime: Runtime, *, adds: bool) -> None:
    """The control room gets or loses a contact role."""
    batch = frozenset((Holding("meter", Contact(ContactKind.SECTION, "1")),))
    wanted = Batch(batch, frozenset()) if adds else Batch(frozenset(), batch)
    done(runtime, contact_assignments.change, wanted)


def test_co03_a_section_is_registered_changed_and_ended(lakes: Runtime) -> None:
    """History with former values; nothing is pushed; a past day shows what was."""
    done(lakes, sections.register, DESK)
    assert listed(lakes) == ["Control room", "Night desk"]
    with lakes.work() as work:
        row = work.db.scalars(select(Section).where(Section.name == "Night desk")).one()
        assert (row.phone, row.email) == ("+14169671111", "night@lakes.example")
        number = row.id
    done(lakes, sections.change, number, 1, SectionFields("Desk", "416-967-1112", DESK.email))
    lakes.ports.clock.moment += timedelta(hours=1)  # type: ignore[attr-defined]
    done(lakes, sections.end, number, 2, "moved")
    assert listed(lakes) == ["Control room"]
    assert listed(lakes, NOW) == ["Control room", "Desk"]
    with lakes.work() as work:
        rows = list(work.db.scalars(select(History).order_by(History.id)))
        assert [one.action for one in rows] == list(sections.ACTIONS)
        assert rows[1].before["phone"] == "+14169671111"
        assert rows[2].reason == "moved"
        assert work.db.scalars(select(Push)).first() is None
    with pytest.raises(SectionNotFound):
        done(lakes, sections.change, number, 3, DESK)


@pytest.mark.parametrize(
    ("entered", "faults"),
    [
        (SectionFields(), dict.fromkeys(("name", "phone", "email"), FieldFault.REQUIRED)),
        (SectionFields("x" * 121, DESK.phone, DESK.email), {"name": FieldFault.TOO_LONG}),
        (SectionFields("a\u0007", DESK.phone, DESK.email), {"name": FieldFault.NOT_TEXT}),
        (SectionFields("Desk", "12", DESK.email), {"phone": FieldFault.NOT_A_PHONE}),
        (SectionFields("Desk", DESK.phone, "desk"), {"email": FieldFault.NOT_AN_ADDRESS}),
    ],
)
def test_co03_each_field_is_checked(
    lakes: Runtime, entered: SectionFields, faults: dict[str, FieldFault]
) -> None:
    with pytest.raises(SectionFieldsInvalid) as refused:
        done(lakes, sections.register, entered)
    assert refused.value.faults == faults


def test_co03_a_name_is_there_once(lakes: Runtime) -> None:
    """A form that is sent twice makes one section."""
    done(lakes, sections.register, DESK)
    with pytest.raises(SectionNameTaken):
        done(lakes, sections.register, DESK)
    with pytest.raises(SectionNameTaken):
        done(lakes, sections.change, 1, 1, DESK)


def test_co03_a_section_with_contact_roles_is_not_ended(lakes: Runtime) -> None:
    """Nor a minimum broken: the roles are removed first."""
    hold(lakes, adds=True)
    with pytest.raises(SectionHoldsRoles) as refused:
        done(lakes, sections.end, 1, 1)
    assert refused.value.roles == ("Meter Trouble",)
    hold(lakes, adds=False)
    done(lakes, sections.end, 1, 1)
    assert listed(lakes) == []


def test_a_section_that_was_changed_meanwhile_is_not_overwritten(lakes: Runtime) -> None:
    done(lakes, sections.change, 1, 1, DESK)
    for act, values in ((sections.change, (DESK,)), (sections.end, ())):
        with pytest.raises(ChangedMeanwhile):
            done(lakes, act, 1, 1, *values)


@pytest.mark.parametrize("actor", [Actor(RA), Actor(TRADER), Actor("x", is_operator=True)])
def test_only_applicant_representatives_keep_sections(lakes: Runtime, actor: Actor) -> None:
    """Nothing is written."""
    for act, values in (
        (sections.register, (DESK,)),
        (sections.change, (1, 1, DESK)),
        (sections.end, (1, 1)),
    ):
        with pytest.raises(NotAllowed):
            done(lakes, act, *values, actor=actor)
    with lakes.work() as work:
        assert work.db.scalars(select(History)).first() is None
        with pytest.raises(SectionNotFound):
            sections.kept(work, at(work, PRAIRIE), 1)


@pytest.fixture
def site(lakes: Runtime, bridge: FakeBridge) -> Iterator[Site]:
    app = create_app(lakes.settings, lakes.ports)
    yield Site(app, lakes, bridge)
    app.extensions["runtime"].close()


def get(browser: FlaskClient, path: str) -> TestResponse:
    return browser.get(f"{HERE}/{path}", base_url=BASE)


def sent(browser: FlaskClient, page: TestResponse, path: str, **more: str) -> TestResponse:
    data = {"csrf_token": token_of(page), "version": "".join(fields(page, "version")[:1])} | more
    return browser.post(f"{HERE}/{path}/confirm", data=data, base_url=BASE)


def test_co03_sections_in_the_pages(site: Site) -> None:
    """Registered, changed and ended; the contact role that it holds stands against the end."""
    browser = site.browser(APPREP)
    page = get(browser, "new-section")
    wrong = sent(browser, page, "new-section", name="Desk", phone="1", email="desk")
    assert wrong.status_code == 400
    assert "Enter a phone number with its area code." in wrong.text
    typed = {"name": DESK.name, "phone": DESK.phone, "email": DESK.email}
    done = sent(browser, page, "new-section", **typed)
    assert done.location == f"{HERE}/sections"
    assert "night@lakes.example" in get(browser, "sections").text
    twice = sent(browser, page, "new-section", **typed)
    assert "A section has this name already." in twice.text
    page = get(browser, "sections/1/information")
    sent(browser, page, "sections/1/information", **(typed | {"name": "Day desk"}))
    assert "Day desk" in get(browser, "sections").text
    stale = sent(browser, page, "sections/1/information", **(typed | {"name": "Other"}))
    assert stale.location == f"{HERE}/sections/1/information"
    hold(site.runtime, adds=True)
    refused = get(browser, "sections/1/end")
    assert refused.status_code == 409
    assert "The section holds a contact role: Meter Trouble." in refused.text
    hold(site.runtime, adds=False)
    page = get(browser, "sections/1/end")
    sent(browser, page, "sections/1/end", why="closed")
    assert "Day desk" not in get(browser, "sections").text
    assert "Section ended" in get(browser, "history").text
    assert sent(browser, page, "sections/1/end").status_code == 404


def test_who_may_not_keep_sections_sees_no_way_to(site: Site) -> None:
    """And a change needs a recent second factor."""
    shown = get(site.browser(RA), "sections").text
    assert "Control room" in shown
    assert "new-section" not in shown
    late = site.browser(APPREP, minutes=60)
    for path in ("new-section", "sections/1/information", "sections/1/end"):
        assert "Confirm your identity" in get(late, path).text
