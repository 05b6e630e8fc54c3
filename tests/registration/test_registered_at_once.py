"""Two who register, appoint or grant the same at once: one is first, the other gets the refusal
that names it, and nothing is left of the second."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from threading import Event

import pytest
from sqlalchemy import select

from registration import (
    access_batches,
    access_requests,
    appointments,
    contact_assignments,
    machine_registry,
    market_participations,
    organizations,
    persons,
    sections,
)
from registration.access_batches import BatchNotPossible
from registration.access_changes import AccountKey, Cell, Change
from registration.access_request_refusals import AlreadyAsked
from registration.appointment_refusals import AlreadyInOffice
from registration.contact_refusals import ContactRulesBroken
from registration.contact_rules import Batch, Contact, ContactKind, Holding
from registration.delegation_facts import AccountKind, Actor, Tier
from registration.machine_registry_refusals import DescriptionTaken
from registration.models import (
    AccessAssignment,
    AccessRole,
    Account,
    Appointment,
    ContactAssignment,
    ContactRole,
    History,
    Machine,
    Market,
    Notice,
    Organization,
    Participation,
    Person,
    Push,
    Request,
    Section,
    Task,
)
from registration.organization_refusals import OrganizationTaken
from registration.participation_refusals import NothingToApplyFor
from registration.person_refusals import PersonIdTaken, SameNameRegistered
from registration.section_refusals import SectionNameTaken
from registration.sections import SectionFields
from registration.transaction import Runtime, UnitOfWork
from service_base.refusals import ServiceError
from tests.registration.company import DESK, LAKES, WIND, Company, organization, person
from tests.registration.test_persons import JANE

Act = Callable[[UnitOfWork], object]
TABLES = (
    AccessAssignment, Account, Appointment, ContactAssignment, History, Machine, Notice,
    Organization, Participation, Person, Push, Request, Section, Task,
)  # fmt: skip
APPREP = Actor("apprep")
BIDS = Change(Cell(AccountKey(AccountKind.PERSON, "new"), "bids"), grants=True, saw=0)
VIEWER = Batch(frozenset([Holding("viewer", Contact(ContactKind.PERSON, "new"))]))
CONTROL_ROOM = SectionFields("Control room", "705 555 0142", "room@lakes.example")


@pytest.fixture
def company(runtime: Runtime) -> Company:
    """With an access role, a contact role and a market to apply for."""
    made = Company(runtime)
    made.found()
    with made.work() as work:
        energy = work.db.scalars(select(Market)).one()
        work.db.add_all([
            Market(code="rights", name="Rights", name_fr="Droits", kind="market"),
            AccessRole(code="bids", name="Bids", name_fr="Offres", kind="person",
                       market_id=energy.id, role_groups=["EMI Bids and Offers"]),
            ContactRole(code="viewer", name="Viewer", name_fr="Lecteur", held_by="person",
                        exclusive_with=[], markets=[], role_groups=[]),
        ])  # fmt: skip
    return made


def sunrise(name: str, number: str = "") -> Act:
    return lambda work: organizations.register(work, DESK, name, number)


def jane(actor: Actor, where: str) -> Act:
    return lambda work: persons.register(work, actor, organization(work, where), JANE)


def operator(work: UnitOfWork) -> object:
    return persons.add_known(work, str(persons.FIRST_PERSON_ID), JANE)


def new_ra(work: UnitOfWork) -> object:
    here, who = organization(work, LAKES), person(work, "new")
    return appointments.appoint(work, Actor("pc"), here, who, Tier.RA)


def bids(work: UnitOfWork) -> object:
    return access_batches.order(work, Actor("ra"), organization(work), [BIDS])


def ask(work: UnitOfWork) -> object:
    return access_requests.ask(work, Actor("pc"), organization(work), "bids")


def viewer(work: UnitOfWork) -> object:
    return contact_assignments.change(work, APPREP, organization(work), VIEWER)


def machine(work: UnitOfWork) -> object:
    here, who = organization(work), person(work, "ra")
    return machine_registry.register(work, Actor("ra"), here, who, (), "Sends bids")


def participation(work: UnitOfWork) -> object:
    return market_participations.apply(work, APPREP, organization(work), "rights")


def section(work: UnitOfWork) -> object:
    return sections.register(work, APPREP, organization(work), CONTROL_ROOM)


@pytest.mark.parametrize(
    ("first", "second", "refusal"),
    [
        (sunrise("Sunrise Solar"), sunrise("Sunrise Solar"), OrganizationTaken),
        (sunrise("Sunrise Solar", "109777"), sunrise("Other", "109777"), OrganizationTaken),
        (jane(Actor("ra"), LAKES), jane(Actor("ra"), LAKES), SameNameRegistered),
        (jane(DESK, LAKES), jane(DESK, WIND), SameNameRegistered),
        (operator, operator, PersonIdTaken),
        (jane(DESK, LAKES), operator, PersonIdTaken),
        (new_ra, new_ra, AlreadyInOffice),
        (bids, bids, BatchNotPossible),
        (ask, ask, AlreadyAsked),
        (viewer, viewer, ContactRulesBroken),
        (machine, machine, DescriptionTaken),
        (participation, participation, NothingToApplyFor),
        (section, section, SectionNameTaken),
    ],
    ids=[
        "same name", "same number", "person", "person elsewhere", "operator", "Person ID",
        "representative", "access role", "access request", "contact role", "machine",
        "participation", "section",
    ],
)  # fmt: skip
def test_the_second_of_two_at_once_is_refused_by_name(
    company: Company, first: Act, second: Act, refusal: type[ServiceError]
) -> None:
    """RG-02, RG-04, RG-05, RG-11, TM-01, TM-02, TM-08, AR-06, CO-06, MA-02: the second begins
    before the first is committed."""
    begun = Event()

    def later() -> None:
        with company.work("b") as work:
            begun.set()
            second(work)

    with ThreadPoolExecutor(1) as pool:
        with company.work("a") as work:
            first(work)
            other = pool.submit(later)
            assert begun.wait(10)
            assert not wait([other], timeout=0.1).done
        after = [company.count(table) for table in TABLES]
        with pytest.raises(refusal):
            other.result(60)
    assert [company.count(table) for table in TABLES] == after
