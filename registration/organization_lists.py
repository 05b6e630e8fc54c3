"""Lists of an organization as of any moment: who holds which office, contact roles, machines."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select

from registration.delegation_facts import OFFICES, Tier
from registration.models import (
    AccessAssignment,
    Appointment,
    ContactAssignment,
    ContactRole,
    Custody,
    Machine,
    MachineNetwork,
    Market,
    Organization,
    Participation,
    Section,
)
from registration.organization_facts import names
from registration.transaction import UnitOfWork


@dataclass(frozen=True)
class Holder:
    """A person in an office, or a person or section with a contact role."""

    name: str
    id: str
    phone: str
    email: str
    since: datetime
    until: datetime | None
    given_by: str
    #: The row of the appointment or assignment.
    row: int


@dataclass(frozen=True)
class Office:
    """An office and who is in it; nobody: it is vacant (TM-03, TM-05, TM-06)."""

    tier: Tier
    holders: tuple[Holder, ...]

    @property
    def needs_another(self) -> bool:
        """One Authorized Representative is few: when he leaves, the IESO must act (TM-04)."""
        return self.tier is Tier.AR and len(self.holders) == 1


@dataclass(frozen=True)
class HeldContactRole:
    """A contact role of the organization's participations, its bounds and holders (CO-04)."""

    role: ContactRole
    holders: tuple[Holder, ...]

    @property
    def is_short(self) -> bool:
        """Whether fewer hold it than must."""
        return len(self.holders) < self.role.minimum


@dataclass(frozen=True)
class ShownMachine:
    """A machine, its custodian, and from where it may be used."""

    username: str
    description: str
    custodian: str
    custodian_id: str
    networks: tuple[tuple[str, str], ...]
    roles: int
    #: The row of the machine.
    row: int


@dataclass(frozen=True)
class ShownSection:
    """A section and its contact roles (CO-03)."""

    row: Section
    roles: tuple[ContactRole, ...]


def sections(work: UnitOfWork, here: Organization, at: datetime) -> list[ShownSection]:
    """The sections, by name."""
    held: dict[int | None, list[ContactRole]] = defaultdict(list)
    for one in work.db.scalars(
        select(ContactAssignment)
        .where(
            ContactAssignment.organization_id == here.id,
            ContactAssignment.section_id.is_not(None),
            ContactAssignment.held_at(at),
        )
        .order_by(ContactAssignment.id)
    ):
        held[one.section_id].append(one.contact_role)
    query = select(Section).where(Section.organization_id == here.id, Section.held_at(at))
    rows = work.db.scalars(query.order_by(Section.name, Section.id))
    return [ShownSection(row, tuple(held[row.id])) for row in rows]


def offices(work: UnitOfWork, here: Organization, at: datetime) -> list[Office]:
    """Every office, from the top."""
    rows = list(
        work.db.scalars(
            select(Appointment)
            .where(Appointment.organization_id == here.id, Appointment.held_at(at))
            .order_by(Appointment.valid_from, Appointment.id)
        )
    )
    givers = names(work, (row.given_by for row in rows))
    return [
        Office(
            tier,
            tuple(_holder(row, givers) for row in rows if Tier(row.office) is tier),
        )
        for tier in OFFICES
    ]


def contact_roles(work: UnitOfWork, here: Organization, at: datetime) -> list[HeldContactRole]:
    """The contact roles of approved participations, and those that are still held. Offices are
    another list."""
    rows = list(
        work.db.scalars(
            select(ContactAssignment)
            .where(ContactAssignment.organization_id == here.id, ContactAssignment.held_at(at))
            .order_by(ContactAssignment.valid_from, ContactAssignment.id)
        )
    )
    givers = names(work, (row.given_by for row in rows))
    held: dict[int, list[Holder]] = defaultdict(list)
    for row in rows:
        held[row.contact_role_id].append(_holder(row, givers))
    approved = _approved(work, here, at)
    query = select(ContactRole).where(ContactRole.office.is_(None))
    return [
        HeldContactRole(role, tuple(held[role.id]))
        for role in work.db.scalars(query.order_by(ContactRole.position, ContactRole.id))
        if held[role.id] or (approved and (not role.markets or approved & set(role.markets)))
    ]


def machines(
    work: UnitOfWork, here: Organization, at: datetime, username: str = ""
) -> list[ShownMachine]:
    """The machines, by user name; or the one with this user name (MA-01)."""
    rows = list(
        work.db.scalars(
            select(Custody)
            .join(Machine, Custody.machine_id == Machine.id)
            .where(Machine.organization_id == here.id, Custody.held_at(at))
        )
    )
    ids = [row.machine_id for row in rows]
    networks: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for network in work.db.scalars(
        select(MachineNetwork)
        .where(MachineNetwork.machine_id.in_(ids), MachineNetwork.held_at(at))
        .order_by(MachineNetwork.id)
    ):
        networks[network.machine_id].append((network.network, network.label))
    roles: dict[int, int] = defaultdict(int)
    for account in work.db.scalars(
        select(AccessAssignment.account_id).where(
            AccessAssignment.organization_id == here.id,
            AccessAssignment.account_id.in_([row.machine.account_id for row in rows]),
            AccessAssignment.held_at(at),
        )
    ):
        roles[account] += 1
    found = [
        ShownMachine(
            row.machine.account.username or "",
            row.machine.description,
            row.person.full_name,
            row.person.person_id,
            tuple(networks[row.machine_id]),
            roles[row.machine.account_id],
            row.machine_id,
        )
        for row in rows
    ]
    wanted = [one for one in found
              if not username or one.username.casefold() == username.casefold()]  # fmt: skip
    return sorted(wanted, key=lambda one: one.username)


def _approved(work: UnitOfWork, here: Organization, at: datetime) -> set[str]:
    query = (
        select(Market.code)
        .join(Participation, Participation.market_id == Market.id)
        .where(
            Participation.organization_id == here.id,
            Participation.approved_at <= at,
            or_(Participation.ended_at.is_(None), Participation.ended_at > at),
        )
    )
    return set(work.db.scalars(query))


def _holder(row: Appointment | ContactAssignment, givers: dict[str, str]) -> Holder:
    given_by = givers.get(row.given_by, row.given_by)
    if row.person is not None:
        person = row.person
        phone = " x".join(filter(None, (person.main_phone, person.main_phone_extension)))
        who = (person.full_name, person.person_id, phone, person.main_email)
    else:
        section = row.section
        who = (section.name, "", section.phone, section.email) if section else ("", "", "", "")
    return Holder(*who, row.valid_from, row.valid_until, given_by, row.id)
