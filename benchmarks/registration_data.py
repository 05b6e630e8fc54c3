"""Organizations, people and roles in the empty tables of registration, the same in every run."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Any

from sqlalchemy import Select, insert, select

from idp.demo.crowd import FAMILY, GIVEN
from registration import browser_sessions, catalogue_tables, requests
from registration.catalogue import packaged
from registration.models import (
    AccessAssignment,
    AccessRole,
    Account,
    Appointment,
    Base,
    ContactAssignment,
    ContactRole,
    Custody,
    History,
    Machine,
    MachineNetwork,
    Market,
    Organization,
    Participation,
    Person,
    Section,
    Task,
)
from registration.person_search import search_key
from registration.transaction import UnitOfWork

#: The organization of the grid: its people, and the columns of its grid.
LARGE_ID, LARGE_PEOPLE, COLUMNS = "700001", 500, 40
ROLES_EACH, BATCH = 6, 5_000
#: Of the organization of the grid, and of each of the others.
LARGE_MACHINES, MACHINES, TASKS = 50, 2, 150
OFFICES = ("ar", "pc", "ra", "apprep")


@dataclass(frozen=True)
class Cast:
    """Who visits the pages, and what they name: rows of the organization of the grid."""

    #: The Person ID of the holder of each office, and his appointment.
    offices: dict[str, str]
    appointments: dict[str, int]
    request: str
    people: tuple[str, ...]
    machines: tuple[int, ...]
    section: int
    participation: int
    contact_role: str
    #: A market in which nobody participates.
    market: str
    #: A Person ID and the code of an access role that this person does not have.
    not_held: tuple[tuple[str, str], ...]
    #: The subject of the Rights Administrator in access tokens.
    subject: str
    #: Belongs to no organization that the pages show.
    outsider: str


def write(work: UnitOfWork, organizations: int, people: int) -> Cast:
    """Everything. The first organization has LARGE_PEOPLE of the people, the others share the rest:
    four officers, a contact, ROLES_EACH access roles a person, and machines. Two offices of
    the organization of the grid, and the IESO, have TASKS open tasks each."""
    rng = random.Random(1)
    catalogue_tables.write(work, packaged())
    _more_roles(work)
    markets = list(work.db.scalars(select(Market.id)))
    since = work.now - timedelta(days=400)
    _add(work, Organization, [
        {"organization_id": str(700_001 + number), "name": f"Participant {number + 1}",
         "applied_at": since, "created_at": since, "updated_at": since, "version": 1}
        for number in range(organizations)
    ])  # fmt: skip
    places = list(work.db.scalars(select(Organization.id).order_by(Organization.id)))
    _add(work, Participation, [
        {"organization_id": place, "market_id": market, "applied_at": since, "applied_by": "bench",
         "approved_at": since, "approved_by": "bench", "version": 1}
        for place in places for market in markets
    ])  # fmt: skip
    _add(work, Person, [_person(rng, number, since) for number in range(people)])
    persons = list(work.db.scalars(select(Person.id).order_by(Person.id)))
    _add(work, Account, [
        {"external_id": f"person-{row}", "kind": "person", "person_id": row,
         "username": f"user{row}", "scim_id": f"scim-{row}", "created_at": since,
         "created_by": "bench", "version": 1}
        for row in persons
    ])  # fmt: skip
    crews = _crews(places, persons)
    _hold(work, rng, crews, since)
    machines = _machines(work, crews, since)
    _desks(work, places, since)
    order = requests.open_request(
        work, "contact_roles",
        organization=work.db.get(Organization, places[0]),
    )  # fmt: skip
    work.db.add(Market(code="market-of-nobody", name="Market of nobody", name_fr="Marché libre",
                       kind="program", position=len(markets) + 1))  # fmt: skip
    work.db.flush()
    return _cast(work, places[0], crews[0][1], order.number, machines, str(500_000 + people))


def _cast(work: UnitOfWork, place: int, crew: list[int], request: str, machines: tuple[int, ...],
          outsider: str) -> Cast:  # fmt: skip
    numbers = {
        row.id: row.person_id
        for row in work.db.execute(
            select(Person.id, Person.person_id).where(Person.id.in_(crew)).order_by(Person.id)
        )
    }
    held = {
        (row.person_id, row.code)
        for row in work.db.execute(
            select(Account.person_id, AccessRole.code)
            .join(AccessAssignment, AccessAssignment.account_id == Account.id)
            .join(AccessRole, AccessRole.id == AccessAssignment.access_role_id)
            .where(AccessAssignment.organization_id == place, Account.kind == "person")
        )
    }
    codes = list(work.db.scalars(
        select(AccessRole.code).where(AccessRole.kind == "person").order_by(AccessRole.code)
    ))  # fmt: skip
    appointments = {
        row.office: row.id
        for row in work.db.execute(
            select(Appointment.office, Appointment.id).where(Appointment.organization_id == place)
        )
    }

    def first(model: type[Section] | type[Participation]) -> int:
        query = select(model.id).where(model.organization_id == place).order_by(model.id)
        return work.db.scalars(query).first() or 0

    return Cast(
        dict(zip(OFFICES, numbers.values(), strict=False)), appointments, request,
        tuple(numbers.values()), machines, first(Section), first(Participation),
        work.db.scalars(_contact_role(ContactRole.code)).first() or "", "market-of-nobody",
        tuple((number, code) for row, number in numbers.items() for code in codes
              if (row, code) not in held),
        f"scim-{crew[OFFICES.index('ra')]}", outsider,
    )  # fmt: skip


def _contact_role(column: Any) -> Select[Any]:
    """Contact roles that people hold and no office implies."""
    return select(column).where(ContactRole.office.is_(None)).order_by(ContactRole.id)


def sign_in(work: UnitOfWork, person_id: str, groups: tuple[str, ...] = ()) -> str:
    """The cookie of a session with a second factor of now, as after a sign-in at the gateway."""
    claims = {
        browser_sessions.PERSON_ID: person_id, "sid": f"sid-{person_id}", "sub": person_id,
        "acr": browser_sessions.STRONG[0], "groups": groups, "auth_time": int(work.now.timestamp()),
    }  # fmt: skip
    token = browser_sessions.start(work, claims, "id-token")
    if token is None:
        raise SystemExit(f"{person_id} is not registered")
    return token


def _more_roles(work: UnitOfWork) -> None:
    """Access roles until the grid has its columns."""
    market = work.db.scalars(select(Market.id).order_by(Market.id)).first()
    known = work.db.scalars(select(AccessRole.id).where(AccessRole.kind == "person")).all()
    for number in range(len(known), COLUMNS):
        work.db.add(AccessRole(code=f"more-{number}", name=f"Role {number}", kind="person",
                               name_fr=f"Rôle {number}", market_id=market, position=number,
                               role_groups=[f"Group {number}"]))  # fmt: skip
    work.db.flush()


def _person(rng: random.Random, number: int, since: Any) -> dict[str, Any]:
    first, last = rng.choice(GIVEN), rng.choice(FAMILY)
    return {
        "person_id": str(500_001 + number), "first_name": first, "last_name": last,
        "main_phone": "+17055550142", "main_email": f"user{number}@participant.example",
        "search_key": search_key(first, last), "created_at": since, "updated_at": since,
        "version": 1,
    }  # fmt: skip


def _crews(places: list[int], persons: list[int]) -> list[tuple[int, list[int]]]:
    """The people of each organization."""
    rest = len(persons) - LARGE_PEOPLE
    ends = [LARGE_PEOPLE + rest * number // max(len(places) - 1, 1)
            for number in range(len(places))]  # fmt: skip
    return [(place, persons[start:end])
            for place, (start, end) in zip(places, pairwise([0, *ends]), strict=True)]  # fmt: skip


def _hold(work: UnitOfWork, rng: random.Random, crews: list[tuple[int, list[int]]],
          since: Any) -> None:  # fmt: skip
    """Offices, access roles, contact roles, and the history of the grants."""
    roles = list(work.db.scalars(select(AccessRole.id).where(AccessRole.kind == "person")))
    contact = work.db.scalars(_contact_role(ContactRole.id)).first()
    accounts = {row.person_id: row.id
                for row in work.db.execute(select(Account.person_id, Account.id))}  # fmt: skip
    given = {"valid_from": since, "given_by": "500003", "version": 1}
    rows: dict[type[Base], list[dict[str, Any]]] = {
        Appointment: [], AccessAssignment: [], ContactAssignment: [], History: [],
    }  # fmt: skip
    for place, crew in crews:
        here = {"organization_id": place} | given
        rows[Appointment] += [
            {"person_id": person, "office": office} | here
            for person, office in zip(crew, OFFICES, strict=False)
        ]
        if crew:
            rows[ContactAssignment].append(
                {"contact_role_id": contact, "person_id": crew[0]} | here
            )
        for person in crew:
            held = rng.sample(roles, ROLES_EACH)
            rows[AccessAssignment] += [
                {"account_id": accounts[person], "access_role_id": role} | here for role in held
            ]
            rows[History].append({
                "at": since, "actor": "500003", "action": "access.granted",
                "organization_id": place, "person_id": person, "before": {},
                "after": {"roles": str(len(held))}, "reason": "", "on_behalf_of": "",
            })  # fmt: skip
    for model, found in rows.items():
        _add(work, model, found)


def _machines(work: UnitOfWork, crews: list[tuple[int, list[int]]],
              since: Any) -> tuple[int, ...]:  # fmt: skip
    """Machines, each with a custodian, two networks and a role; returns those of the first
    organization."""
    role = work.db.scalars(select(AccessRole.id).where(AccessRole.kind == "machine")).first()
    wanted = [
        (place, person)
        for number, (place, crew) in enumerate(crews)
        for person in crew[: MACHINES if number else LARGE_MACHINES]
    ]
    made = {"created_at": since, "created_by": "500003", "version": 1}
    _add(work, Account, [
        {"external_id": f"machine-{number}", "kind": "machine",
         "username": f"APIIESO{number:05}", "scim_id": f"scim-machine-{number}"} | made
        for number in range(len(wanted))
    ])  # fmt: skip
    query = select(Account.id).where(Account.kind == "machine").order_by(Account.id)
    accounts = list(work.db.scalars(query))
    _add(work, Machine, [
        {"account_id": account, "organization_id": place, "description": "Program"} | made
        for account, (place, _) in zip(accounts, wanted, strict=True)
    ])  # fmt: skip
    machines = list(work.db.scalars(select(Machine.id).order_by(Machine.id)))
    given = {"valid_from": since, "given_by": "500003", "version": 1}
    rows: dict[type[Base], list[dict[str, Any]]] = {
        Custody: [{"machine_id": machine, "person_id": person} | given
                  for machine, (_, person) in zip(machines, wanted, strict=True)],
        MachineNetwork: [{"machine_id": machine, "network": f"192.0.2.{number}/32"} | given
                         for machine in machines for number in (10, 20)],
        AccessAssignment: [
            {"account_id": account, "access_role_id": role, "organization_id": place} | given
            for account, (place, _) in zip(accounts, wanted, strict=True)
        ],
    }  # fmt: skip
    for model, found in rows.items():
        _add(work, model, found)
    return tuple(machines[:LARGE_MACHINES])


def _desks(work: UnitOfWork, places: list[int], since: Any) -> None:
    """Sections, and open tasks."""
    given = {"valid_from": since, "given_by": "500004", "version": 1}
    _add(work, Section, [
        {"organization_id": place, "name": "Control room", "phone": "+17055550142",
         "email": "desk@participant.example"} | given
        for place in places
    ])  # fmt: skip
    task = {"kind": "office.vacant", "created_at": since, "data": {"office": "pc"}, "key": ""}
    _add(work, Task, [
        task | {"organization_id": place, "office": office}
        for place, office in ((places[0], "ra"), (places[0], "pc"), (places[-1], None))
        for _ in range(TASKS)
    ])  # fmt: skip


def _add(work: UnitOfWork, model: type[Base], rows: list[dict[str, Any]]) -> None:
    for start in range(0, len(rows), BATCH):
        work.db.execute(insert(model), rows[start : start + BATCH])
