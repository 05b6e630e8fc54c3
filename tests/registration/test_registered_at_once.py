"""Two who register the same at the same time: one is first, the other gets the refusal that names
it, and nothing is left of the second."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from registration import appointments, organizations, persons
from registration.appointment_refusals import AlreadyInOffice
from registration.delegation_facts import Actor, Tier
from registration.models import Appointment, History, Notice, Organization, Person, Push, Request
from registration.organization_refusals import OrganizationTaken
from registration.person_refusals import SameNameRegistered
from registration.transaction import Runtime, UnitOfWork
from service_base.refusals import Refusal
from tests.registration.company import DESK, LAKES, WIND, Company, organization, person
from tests.registration.test_persons import JANE

Act = Callable[[UnitOfWork], object]
TABLES = (Organization, Person, Appointment, History, Notice, Push, Request)


@pytest.fixture
def company(runtime: Runtime) -> Company:
    made = Company(runtime)
    made.found()
    return made


def sunrise(name: str, number: str = "") -> Act:
    return lambda work: organizations.register(work, DESK, name, number)


def jane(actor: Actor, where: str) -> Act:
    return lambda work: persons.register(work, actor, organization(work, where), JANE)


def new_ra(work: UnitOfWork) -> object:
    here, who = organization(work, LAKES), person(work, "new")
    return appointments.appoint(work, Actor("pc"), here, who, Tier.RA)


@pytest.mark.parametrize(
    ("first", "second", "refusal"),
    [
        (sunrise("Sunrise Solar"), sunrise("Sunrise Solar"), OrganizationTaken),
        (sunrise("Sunrise Solar", "109777"), sunrise("Other", "109777"), OrganizationTaken),
        (jane(Actor("ra"), LAKES), jane(Actor("ra"), LAKES), SameNameRegistered),
        (jane(DESK, LAKES), jane(DESK, WIND), SameNameRegistered),
        (new_ra, new_ra, AlreadyInOffice),
    ],
    ids=["same name", "same number", "person", "person elsewhere", "representative"],
)
def test_the_second_of_two_at_once_is_refused_by_name(
    company: Company, first: Act, second: Act, refusal: type[Refusal]
) -> None:
    """RG-04, RG-05, TM-01, TM-02: the second begins before the first is committed."""

    def later() -> None:
        with company.work("b") as work:
            second(work)

    with ThreadPoolExecutor(1) as pool:
        with company.work("a") as work:
            first(work)
            other = pool.submit(later)
            with pytest.raises(TimeoutError):
                other.result(0.3)
        after = [company.count(table) for table in TABLES]
        with pytest.raises(refusal):
            other.result(60)
    assert [company.count(table) for table in TABLES] == after
