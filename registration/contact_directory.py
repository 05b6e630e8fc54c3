"""The contact roles that an organization has, and who holds them now (CO-04, RG-13)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select

from registration.contact_rules import Contact, ContactKind, ContactRule, Holding
from registration.delegation_facts import ParticipationState
from registration.models import ContactAssignment, ContactRole, Organization, Section
from registration.organization_facts import participations
from registration.transaction import UnitOfWork

_KINDS = {
    "person": frozenset((ContactKind.PERSON,)),
    "section": frozenset((ContactKind.SECTION,)),
    "both": frozenset(ContactKind),
}


@dataclass(frozen=True)
class Directory:
    """The contact roles that an organization has now, who holds them, and their rows."""

    organization: Organization
    roles: Mapping[str, ContactRole]
    rows: Mapping[Holding, ContactAssignment]

    @property
    def rules(self) -> dict[str, ContactRule]:
        """The limits of each role."""
        return {
            code: ContactRule(
                code, _KINDS[row.held_by], row.minimum, row.maximum, frozenset(row.exclusive_with)
            )
            for code, row in self.roles.items()
        }

    @property
    def held(self) -> frozenset[Holding]:
        """Who holds what."""
        return frozenset(self.rows)


def directory(work: UnitOfWork, organization: Organization) -> Directory:
    """The contact roles of the approved participations (RG-13), and those that are still held."""
    approved = {
        one.kind
        for one in participations(work, organization)
        if one.state is ParticipationState.APPROVED
    }
    held = work.db.scalars(
        select(ContactAssignment).where(
            ContactAssignment.organization_id == organization.id,
            ContactAssignment.held_at(work.now),
        )
    )
    rows = {_holding(row): row for row in held}
    kept = {holding.role for holding in rows}
    catalogue = work.db.scalars(
        select(ContactRole).where(ContactRole.office.is_(None)).order_by(ContactRole.position)
    )
    roles = {
        row.code: row
        for row in catalogue
        if row.code in kept or approved & set(row.markets or approved)
    }
    return Directory(organization, roles, rows)


def sections(work: UnitOfWork, organization: Organization) -> list[Section]:
    """The sections that the organization has now, by name."""
    query = select(Section).where(
        Section.organization_id == organization.id, Section.held_at(work.now)
    )
    return list(work.db.scalars(query.order_by(Section.name, Section.id)))


def _holding(row: ContactAssignment) -> Holding:
    if row.person is not None:
        contact = Contact(ContactKind.PERSON, row.person.person_id)
    else:
        contact = Contact(ContactKind.SECTION, str(row.section_id))
    return Holding(row.contact_role.code, contact)
