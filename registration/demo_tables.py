"""Writes the invented people of the demonstration into empty tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from registration import history, market_participations, tasks
from registration.delegation_facts import Tier
from registration.demo_data import DemoData, DemoMachine, DemoOrganization, DemoPerson, DemoPlace
from registration.models import (
    AccessAssignment,
    AccessRole,
    Account,
    Appointment,
    ContactAssignment,
    ContactRole,
    Custody,
    Machine,
    MachineNetwork,
    Market,
    Organization,
    Participation,
    Person,
    Section,
)
from registration.person_search import search_key
from registration.transaction import UnitOfWork

#: Who gave everything.
ACTOR = "demo"
SINCE_DAYS = -400
#: What an organization without anybody in an office asks for: of whom.
ABOVE = {Tier.AR: None, Tier.PC: Tier.AR, Tier.RA: Tier.PC}


@dataclass(frozen=True)
class GatewayAccount:
    """An account that the gateway has already: its user name, and its id there."""

    username: str
    scim_id: str


def write(work: UnitOfWork, data: DemoData, accounts: Mapping[str, GatewayAccount]) -> bool:
    """Everything, unless something is there; returns whether it was written. ``accounts`` are by
    Person ID, those of machines by user name."""
    if work.db.scalars(select(Person.id).limit(1)).first() is not None:
        return False
    writer = _Writer(work, accounts)
    for number, organization in data.organizations.items():
        writer.add_organization(number, organization)
    for number, person in data.people.items():
        writer.add_person(number, person)
    for name, machine in data.machines.items():
        writer.add_machine(name, machine)
    writer.add_vacancies()
    history.record(work, "demo.written", after={"people": len(data.people)})
    return True


class _Writer:
    """The rows that others name."""

    def __init__(self, work: UnitOfWork, accounts: Mapping[str, GatewayAccount]) -> None:
        self._work, self._accounts = work, accounts
        db = work.db
        self._markets = {row.code: row for row in db.scalars(select(Market))}
        self._contacts = {row.code: row for row in db.scalars(select(ContactRole))}
        self._access = {row.code: row for row in db.scalars(select(AccessRole))}
        self._organizations: dict[str, Organization] = {}
        self._persons: dict[str, Person] = {}
        self._offices: set[tuple[str, Tier]] = set()

    def add_organization(self, number: str, entry: DemoOrganization) -> None:
        since = self._day(SINCE_DAYS)
        row = self._organizations[number] = self._add(
            Organization(
                organization_id=number,
                name=entry.name,
                applied_at=since,
                created_at=since,
                updated_at=since,
            )
        )
        for code in (*entry.approved, *entry.applied):
            approved = since if code in entry.approved else None
            made = self._add(
                Participation(
                    organization_id=row.id,
                    market_id=self._markets[code].id,
                    applied_at=since if approved else self._day(-10),
                    applied_by=ACTOR,
                    approved_at=approved,
                    approved_by=ACTOR if approved else "",
                )
            )
            if approved is None:
                market_participations.open_application(self._work, made)
        for name, desk in entry.sections.items():
            section = self._add(
                Section(
                    organization_id=row.id,
                    name=name,
                    phone=desk.phone,
                    email=desk.email,
                    **self._given(SINCE_DAYS),
                )
            )
            for code in desk.contacts:
                self._contact(row, code, {"section_id": section.id}, self._given(SINCE_DAYS))

    def add_person(self, number: str, entry: DemoPerson) -> None:
        since = self._day(SINCE_DAYS)
        person = self._persons[number] = self._add(
            Person(
                person_id=number,
                first_name=entry.first_name,
                middle_name=entry.middle_name,
                last_name=entry.last_name,
                preferred_name=entry.preferred_name,
                position=entry.position,
                main_phone=entry.phone,
                main_email=entry.email,
                language=entry.language,
                search_key=search_key(
                    entry.first_name, entry.last_name, entry.middle_name, entry.preferred_name
                ),
                created_at=since,
                updated_at=since,
            )
        )
        known = self._accounts.get(number)
        account = self._add(
            Account(
                external_id=f"person-{number}",
                kind="person",
                person_id=person.id,
                username=known.username if known else None,
                scim_id=known.scim_id if known else None,
                created_at=since,
                created_by=ACTOR,
            )
        )
        for organization, place in entry.at.items():
            self._place(person, account, self._organizations[organization], place)

    def add_machine(self, name: str, entry: DemoMachine) -> None:
        since = self._day(SINCE_DAYS)
        known = self._accounts.get(name)
        account = self._add(
            Account(
                external_id=f"machine-{name}",
                kind="machine",
                username=name,
                scim_id=known.scim_id if known else None,
                created_at=since,
                created_by=ACTOR,
            )
        )
        organization = self._organizations[entry.organization]
        machine = self._add(
            Machine(
                account_id=account.id,
                organization_id=organization.id,
                created_at=since,
                created_by=ACTOR,
            )
        )
        given = self._given(SINCE_DAYS)
        custodian = self._persons[entry.custodian]
        self._add(Custody(machine_id=machine.id, person_id=custodian.id, **given))
        for network, label in entry.networks.items():
            self._add(MachineNetwork(machine_id=machine.id, network=network, label=label, **given))
        for code in entry.access:
            self._grant(organization, account, code, given)

    def add_vacancies(self) -> None:
        """The tasks that a vacant office made (TM-03, TM-05, TM-06)."""
        for number, organization in self._organizations.items():
            for office, above in ABOVE.items():
                if (number, office) in self._offices:
                    continue
                tasks.create(
                    self._work,
                    "office.vacant",
                    key=f"office.vacant:{number}:{office}:{above or Tier.IESO}",
                    organization_id=organization.id if above else None,
                    office=above.value if above else None,
                    data={"organization": number, "office": office.value},
                )

    def _place(
        self, person: Person, account: Account, organization: Organization, place: DemoPlace
    ) -> None:
        given = self._given(place.from_days, place.until_days)
        for office in place.offices:
            self._offices.add((organization.organization_id, office))
            self._add(
                Appointment(
                    person_id=person.id,
                    organization_id=organization.id,
                    office=office.value,
                    letter_reference="LTR-2025-0147" if office is Tier.AR else "",
                    **given,
                )
            )
        for code in place.access:
            self._grant(organization, account, code, given)
        for code in place.contacts:
            self._contact(organization, code, {"person_id": person.id}, given)

    def _grant(
        self, organization: Organization, account: Account, code: str, given: dict[str, Any]
    ) -> None:
        self._add(
            AccessAssignment(
                organization_id=organization.id,
                access_role_id=self._access[code].id,
                account_id=account.id,
                **given,
            )
        )

    def _contact(
        self, organization: Organization, code: str, holder: dict[str, int], given: dict[str, Any]
    ) -> None:
        self._add(
            ContactAssignment(
                organization_id=organization.id,
                contact_role_id=self._contacts[code].id,
                **holder,
                **given,
            )
        )

    def _given(self, since: int, until: int | None = None) -> dict[str, Any]:
        end = self._day(until) if until is not None else None
        is_over = end is not None and end <= self._work.now
        return {
            "valid_from": self._day(since),
            "valid_until": end,
            "given_by": ACTOR,
            "ended_at": end if is_over else None,
            "ended_by": ACTOR if is_over else "",
        }

    def _day(self, number: int) -> Any:
        return self._work.now + timedelta(days=number)

    def _add(self, row: Any) -> Any:
        self._work.db.add(row)
        self._work.db.flush()
        return row
