"""What nobody ended and has expired is closed: by the worker, and before something new is given."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from registration import appointments, contact_assignments, expired_holdings
from registration.appointments import Terms
from registration.catalogue import packaged
from registration.contact_rules import Batch, Contact, ContactKind, Holding
from registration.delegation_facts import Actor, Tier
from registration.models import Appointment, ContactAssignment, ContactRole, History
from registration.transaction import Runtime
from registration.worker import PARTS
from tests.registration.company import LAKES, WIND, Company, organization, person

ROLE = "dispatch-data-viewer"
VIEWER = Holding(ROLE, Contact(ContactKind.PERSON, "new"))


@pytest.fixture
def company(runtime: Runtime) -> Company:
    """One organization with an officer of every tier, and a contact role."""
    company = Company(runtime)
    company.found()
    role = packaged().contact_roles[ROLE]
    with company.work() as work:
        work.db.add(
            ContactRole(code=ROLE, name=role.name, name_fr=role.name_fr, held_by=role.held_by,
                        exclusive_with=[], markets=[], role_groups=list(role.role_groups))
        )  # fmt: skip
    return company


def appoint(company: Company, hours: int | None = None) -> None:
    """By the PC, a person to be RA."""
    until = None if hours is None else company.clock.now() + timedelta(hours=hours)
    with company.work("pc") as work:
        appointments.appoint(
            work, Actor("pc"), organization(work), person(work, "new"), Tier.RA, Terms(until)
        )


def give_role(company: Company) -> None:
    """By the Applicant Representative, to the same person."""
    with company.work("apprep") as work:
        batch = Batch(frozenset((VIEWER,)), frozenset())
        contact_assignments.change(work, Actor("apprep"), organization(work), batch)


def expire(company: Company, hours: int) -> None:
    """Give the open contact role an end, and let the time pass."""
    with company.work() as work:
        for row in work.db.scalars(select(ContactAssignment)):
            row.valid_until = work.now + timedelta(hours=hours)
    company.clock.advance(hours * 3600)


def test_an_appointment_and_a_contact_role_that_expired_can_be_given_again(
    company: Company,
) -> None:
    """TM-12: the history has the end between the two beginnings, in the name of registration."""
    appoint(company, hours=1)
    give_role(company)
    expire(company, hours=1)
    appoint(company)
    give_role(company)
    shown = [one for one in company.history() if one[0] != "account.ordered"]
    assert shown == [
        ("appointment.made", "pc", ""),
        ("contact_role.added", "apprep", ""),
        ("appointment.expired", "registration", "expired"),
        ("contact_role.expired", "registration", "expired"),
        ("appointment.made", "pc", ""),
        ("contact_role.added", "apprep", ""),
    ]
    with company.work() as work:
        new = person(work, "new").id
        query = select(History).where(History.reason == "expired").order_by(History.id)
        office, role = work.db.scalars(query)
        assert (office.before["office"], role.before["role"]) == ("ra", ROLE)
        assert (office.person_id, role.person_id) == (new, new)


def test_the_worker_closes_what_has_expired_once(company: Company) -> None:
    """At every organization, in its own time; what still holds stays open."""
    appoint(company, hours=1)
    with company.work() as work:
        work.db.add(
            Appointment(person_id=person(work, "french").id,
                        organization_id=organization(work, WIND).id, office="pc",
                        valid_from=work.now, valid_until=work.after(1800), given_by="test")
        )  # fmt: skip
    assert expired_holdings.close_all(company.runtime) == 0
    company.clock.advance(1800)
    assert PARTS["expired"](company.runtime) == 1
    company.clock.advance(1800)
    assert expired_holdings.close_all(company.runtime) == 1
    assert expired_holdings.close_all(company.runtime) == 0
    with company.work() as work:
        ended = select(Appointment).where(Appointment.ended_at.is_not(None))
        rows = list(work.db.scalars(ended.order_by(Appointment.id)))
        assert [(row.organization.organization_id, row.ended_by) for row in rows] == [
            (LAKES, "registration"), (WIND, "registration"),
        ]  # fmt: skip
        assert all(row.ended_at == row.valid_until for row in rows)
    assert [one[0] for one in company.history()].count("appointment.expired") == 2


def test_nt11_the_last_appointment_that_expires_leaves_a_vacancy(company: Company) -> None:
    """TM-06, NT-11: as when somebody ends it: a task and a mail to the tier above, once."""
    with company.work() as work:
        query = select(Appointment).where(Appointment.office.in_(("ra", "pc")))
        for row in work.db.scalars(query):
            row.valid_until = work.now + timedelta(hours=1 if row.office == "ra" else 2)
    company.clock.advance(3600)
    expired_holdings.close_all(company.runtime)
    expired_holdings.close_all(company.runtime)
    assert company.tasks() == [("pc", {"organization": LAKES, "office": "ra"})]
    assert [one[:2] for one in company.notices()] == [("vacancy", "pc@lakes.example")]
    company.clock.advance(3600)
    expired_holdings.close_all(company.runtime)
    assert company.tasks()[1:] == [("ar", {"organization": LAKES, "office": "pc"})]
    assert [one[:2] for one in company.notices()][1:] == [("vacancy", "ar@lakes.example")]


def test_an_appointment_that_expires_beside_another_one_leaves_no_vacancy(
    company: Company,
) -> None:
    appoint(company, hours=1)
    sent = len(company.notices())
    company.clock.advance(3600)
    expired_holdings.close_all(company.runtime)
    assert company.tasks() == []
    assert len(company.notices()) == sent
