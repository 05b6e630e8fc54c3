"""Registering persons and changing one's own information."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select

from registration import person_search, persons
from registration.appointments import appoint
from registration.delegation_facts import Actor, Tier
from registration.delegation_rules import Reason
from registration.models import Account, Custody, History, Machine, Notice, Person, Push, Request
from registration.permission import NotAllowed
from registration.person_fields import REQUIRED, FieldFault, PersonFields, PersonFieldsInvalid
from registration.person_refusals import SameNameRegistered
from registration.person_search import Sought
from registration.transaction import Runtime
from registration.work_refusals import ChangedMeanwhile
from registration_bridge.message_urns import REGISTRATION_USER
from tests.registration.company import DESK, LAKES, WIND, Company, organization, person

JANE = PersonFields(
    first_name=" Jane ", last_name="Doe", main_phone="(705) 555-0142", main_email="jane@x.example",
    address_1="12 Park Lane", city="Toronto", province="Ontario", postal_code="m5v 3y3",
    country="Canada",
)  # fmt: skip


@pytest.fixture
def company(runtime: Runtime) -> Company:
    company = Company(runtime)
    company.found()
    return company


def register(
    company: Company, entered: PersonFields, actor: str = "ra", seen: tuple[str, ...] = ()
) -> str:
    with company.work(actor) as work:
        row = persons.register(work, Actor(actor), organization(work), entered, seen=seen)
        return row.person_id


def update(company: Company, name: str, actor: Actor | None = None, **changes: str) -> None:
    actor = actor or Actor(name)
    with company.work(actor.person) as work:
        row = person(work, name)
        entered = replace(persons.fields_of(row), **changes)
        persons.update(work, actor, row, entered, row.version)


def complete(company: Company, name: str) -> None:
    """Give a person of the company all required fields."""
    update(
        company, name, DESK, main_phone="+17055550142", address_1="1 Main St", city="Barrie",
        province="Ontario", postal_code="L4M 1A1", country="Canada",
    )  # fmt: skip


def test_a_person_gets_a_number_of_his_own(company: Company) -> None:
    """RG-02, RG-03, RG-08: cleaned values, a Person ID and an entry of the history; no account."""
    first = register(company, JANE)
    second = register(company, replace(JANE, last_name="Roe"), "apprep")
    assert (first, second) == ("500001", "500002")
    with company.work() as work:
        row = person(work, first)
        assert (row.first_name, row.main_phone, row.postal_code) == (
            "Jane", "+17055550142", "M5V 3Y3",
        )  # fmt: skip
    assert company.history()[0] == ("person.registered", "ra", "")
    assert company.count(Account) == company.count(Push) == 0


def test_a_number_that_is_in_use_is_passed_over(company: Company) -> None:
    """RG-02: people who were taken over from another system keep theirs."""
    with company.work() as work:
        person(work, "new").person_id = "500001"
    assert register(company, JANE) == "500002"


@pytest.mark.parametrize("name", REQUIRED)
def test_required_fields(company: Company, name: str) -> None:
    """RG-03: named, at registration and at every change."""
    with pytest.raises(PersonFieldsInvalid) as refused:
        register(company, replace(JANE, **{name: "  "}))
    assert refused.value.faults == {name: FieldFault.REQUIRED}
    number = register(company, JANE)
    with pytest.raises(PersonFieldsInvalid):
        update(company, number, **{name: ""})
    assert company.count(Person) == 7


@pytest.mark.parametrize(
    ("changes", "faults"),
    [
        ({"main_phone": "12"}, {"main_phone": FieldFault.NOT_A_PHONE}),
        ({"fax": "705 555 0142 ext 3"}, {"fax": FieldFault.NOT_A_PHONE}),
        ({"main_phone_extension": "x1"}, {"main_phone_extension": FieldFault.NOT_AN_EXTENSION}),
        ({"main_email": "a@b, c@d"}, {"main_email": FieldFault.NOT_AN_ADDRESS}),
        ({"alternate_email_1": "é@x.example"}, {"alternate_email_1": FieldFault.NOT_AN_ADDRESS}),
        ({"postal_code": "12345"}, {"postal_code": FieldFault.NOT_A_POSTAL_CODE}),
        ({"country": "us"}, {"postal_code": FieldFault.NOT_A_POSTAL_CODE}),
        ({"city": "x" * 81}, {"city": FieldFault.TOO_LONG}),
        ({"position": "a\u0007b"}, {"position": FieldFault.NOT_TEXT}),
        ({"language": "de"}, {"language": FieldFault.NOT_A_LANGUAGE}),
        (
            {"first_name": "", "fax": "?"},
            {"first_name": FieldFault.REQUIRED, "fax": FieldFault.NOT_A_PHONE},
        ),
    ],
)
def test_each_wrong_field_is_named(changes: dict[str, str], faults: dict[str, FieldFault]) -> None:
    """RG-03."""
    with pytest.raises(PersonFieldsInvalid) as refused:
        replace(JANE, **changes).cleaned()
    assert refused.value.faults == faults


def test_postal_codes_of_other_countries_are_free() -> None:
    """RG-03."""
    assert replace(JANE, country="France", postal_code="75001").cleaned().postal_code == "75001"
    assert replace(JANE, country="USA", postal_code="10001-1234").cleaned().country == "USA"


def test_a_person_of_the_same_name_must_have_been_seen(company: Company) -> None:
    """RG-04, RG-05: whatever the accents and capitals; the search finds both."""
    first = register(company, replace(JANE, last_name="Léger"))
    twin = replace(JANE, first_name="JANE", last_name="leger", preferred_name="Janie")
    with pytest.raises(SameNameRegistered) as refused:
        register(company, twin)
    assert refused.value.person_ids == (first,)
    second = register(company, twin, seen=(first,))
    with company.work() as work:
        found = person_search.search(work, Sought(last_name="leg")).persons
        assert {row.person_id for row in found} == {first, second}


@pytest.mark.parametrize(
    ("actor", "number", "reason"),
    [
        ("new", LAKES, Reason.NOT_YOURS),
        ("ra", WIND, Reason.NOT_YOURS),
    ],
)
def test_who_may_not_register_persons(
    company: Company, actor: str, number: str, reason: Reason
) -> None:
    """TM-07, Z-10."""
    with pytest.raises(NotAllowed) as refused, company.work(actor) as work:
        persons.register(work, Actor(actor), organization(work, number), JANE)
    assert refused.value.reason is reason


def test_c_h_a_change_goes_to_all_accounts_and_is_told(company: Company) -> None:
    """C.01 to C.04, H.01 to H.04, RG-07 to RG-09, NT-04, NT-10, NT-12: machines included."""
    complete(company, "ra")
    with company.work("pc") as work:
        appoint(work, Actor("pc"), organization(work), person(work, "new"), Tier.RA)
        ra = person(work, "ra")
        own = Account(
            external_id="person-ra", kind="person", person_id=ra.id, created_at=work.now,
            created_by="test",
        )  # fmt: skip
        program = Account(
            external_id="machine-1", kind="machine", username="APIIESO00042",
            created_at=work.now, created_by="test",
        )  # fmt: skip
        work.db.add_all((own, program))
        work.db.flush()
        machine = Machine(
            account_id=program.id, organization_id=organization(work).id, created_at=work.now,
            created_by="test",
        )  # fmt: skip
        work.db.add(machine)
        work.db.flush()
        work.db.add(
            Custody(machine_id=machine.id, person_id=ra.id, valid_from=work.now, given_by="test")
        )
    before = company.count(Push)
    update(company, "ra", main_email="new.address@lakes.example", fax="7055550143")
    with company.work() as work:
        pushes = work.db.scalars(select(Push).order_by(Push.id)).all()[before:]
        assert [push.body["externalId"] for push in pushes] == ["person-ra", "machine-1"]
        for push in pushes:
            assert push.body["emails"][0]["value"] == "new.address@lakes.example"
            assert push.body[REGISTRATION_USER]["personId"] == "ra"
        request = work.db.scalars(select(Request).order_by(Request.id.desc())).first()
        assert request is not None
        assert request.waits_for == 2
        entry = work.db.scalars(select(History).order_by(History.id.desc())).first()
        assert entry is not None
        assert entry.before == {"main_email": "ra@lakes.example", "fax": ""}
        assert entry.after == {"main_email": "new.address@lakes.example", "fax": "+17055550143"}
    assert [(kind, to) for kind, to, _ in company.notices()][-2:] == [
        ("person_changed", "new.address@lakes.example"),
        ("person_changed", "ra@lakes.example"),
    ]


def test_what_the_gateway_does_not_keep_is_not_pushed(company: Company) -> None:
    """RG-09: an address of a street; one mail, since the mail address stays. Nothing changed:
    nothing is written."""
    complete(company, "new")
    pushes, mails = company.count(Push), company.count(Notice)
    update(company, "new", address_2="Suite 5")
    assert (company.count(Push), company.count(Notice)) == (pushes, mails + 1)
    update(company, "new")
    assert company.count(Notice) == mails + 1


@pytest.mark.parametrize("actor", ["ar", "pc", "ra", "apprep", "french"])
def test_nobody_changes_somebody_else(company: Company, actor: str) -> None:
    """RG-07, TM-01: who could change an address could take over the account."""
    complete(company, "new")
    with pytest.raises(NotAllowed):
        update(company, "new", Actor(actor), main_email="mine@x.example")


def test_the_second_form_does_not_overwrite_the_first(company: Company) -> None:
    """The form carries the version of the row."""
    complete(company, "new")
    with company.work("new") as work:
        row = person(work, "new")
        entered = replace(persons.fields_of(row), city="Sudbury")
        with pytest.raises(ChangedMeanwhile):
            persons.update(work, Actor("new"), row, entered, row.version - 1)
