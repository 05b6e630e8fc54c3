"""Sections: desks of an organization with a telephone number and an e-mail address, which hold
contact roles (CO-03). ``contact_assignments`` gives them roles.

Each act asks delegation, and writes the change and its history in one transaction. The gateway has
no sections, so nothing is pushed.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields

from sqlalchemy import select

from registration import history
from registration.delegation_facts import Actor, Target
from registration.delegation_rules import Action
from registration.expired_holdings import lock_and_close
from registration.models import ContactAssignment, Organization, Section
from registration.organization_facts import facts_of
from registration.permission import require
from registration.person_fields import FieldFault, email_address, phone_number
from registration.section_refusals import (
    SectionFieldsInvalid,
    SectionHoldsRoles,
    SectionNameTaken,
    SectionNotFound,
)
from registration.transaction import UnitOfWork
from registration.work_refusals import ChangedMeanwhile

#: Actions of the history.
REGISTERED, CHANGED, ENDED = "section.registered", "section.changed", "section.ended"
ACTIONS = (REGISTERED, CHANGED, ENDED)
MAX_NAME = 120


@dataclass(frozen=True)
class SectionFields:
    """All fields that people enter; each is required."""

    name: str = ""
    phone: str = ""
    email: str = ""

    def cleaned(self) -> SectionFields:
        """The fields as they are stored. Raises SectionFieldsInvalid with the fault of every
        field."""
        values = {one.name: " ".join(getattr(self, one.name).split()) for one in fields(self)}
        found = SectionFields(
            values["name"],
            phone_number(values["phone"]) or "",
            email_address(values["email"]) or "",
        )
        faults = {name: FieldFault.REQUIRED for name, value in values.items() if not value}
        if len(found.name) > MAX_NAME:
            faults["name"] = FieldFault.TOO_LONG
        elif not found.name.isprintable():
            faults["name"] = FieldFault.NOT_TEXT
        if values["phone"] and not found.phone:
            faults["phone"] = FieldFault.NOT_A_PHONE
        if values["email"] and not found.email:
            faults["email"] = FieldFault.NOT_AN_ADDRESS
        if faults:
            raise SectionFieldsInvalid(faults)
        return found


def fields_of(row: Section) -> SectionFields:
    """What is registered."""
    return SectionFields(row.name, row.phone, row.email)


def kept(work: UnitOfWork, here: Organization, section_id: int) -> Section:
    """The section, if this organization has it now. Raises SectionNotFound."""
    row = work.db.get(Section, section_id, populate_existing=True)
    if row is None or row.organization_id != here.id or not row.is_held(work.now):
        raise SectionNotFound()
    return row


def roles_of(work: UnitOfWork, row: Section) -> list[ContactAssignment]:
    """The contact roles that it holds now."""
    query = select(ContactAssignment).where(
        ContactAssignment.section_id == row.id, ContactAssignment.held_at(work.now)
    )
    return list(work.db.scalars(query.order_by(ContactAssignment.id)))


def register(work: UnitOfWork, actor: Actor, here: Organization, entered: SectionFields) -> Section:
    """A new section. Raises NotAllowed, SectionFieldsInvalid, SectionNameTaken."""
    _begin(work, actor, here)
    values = entered.cleaned()
    _check_name(work, here, values.name)
    row = Section(
        organization_id=here.id,
        **asdict(values),
        valid_from=work.now,
        given_by=actor.person,
    )
    work.db.add(row)
    work.db.flush()
    history.record(work, REGISTERED, organization=here, after=asdict(values))
    return row


def change(
    work: UnitOfWork,
    actor: Actor,
    here: Organization,
    section_id: int,
    version: int,
    entered: SectionFields,
) -> bool:
    """Change name, number or address; it keeps its roles. Returns whether something is different.
    Raises SectionNotFound, ChangedMeanwhile, and as ``register``."""
    _begin(work, actor, here)
    row = kept(work, here, section_id)
    before, after = asdict(fields_of(row)), asdict(entered.cleaned())
    if row.version != version:
        raise ChangedMeanwhile()
    if before == after:
        return False
    if before["name"] != after["name"]:
        _check_name(work, here, after["name"])
    for name, value in after.items():
        setattr(row, name, value)
    work.db.flush()
    history.record(work, CHANGED, organization=here, before=before, after=after)
    return True


def end(
    work: UnitOfWork,
    actor: Actor,
    here: Organization,
    section_id: int,
    version: int,
    why: str = "",
) -> None:
    """The section is no more. Raises NotAllowed, SectionNotFound, ChangedMeanwhile,
    SectionHoldsRoles."""
    _begin(work, actor, here)
    row = kept(work, here, section_id)
    if row.version != version:
        raise ChangedMeanwhile()
    if held := roles_of(work, row):
        raise SectionHoldsRoles(tuple(one.contact_role.name for one in held))
    row.valid_until = row.ended_at = work.now
    row.ended_by, row.ended_why = actor.person, why
    work.db.flush()
    history.record(work, ENDED, organization=here, before=asdict(fields_of(row)), reason=why)


def _begin(work: UnitOfWork, actor: Actor, here: Organization) -> None:
    lock_and_close(work, here)
    facts = facts_of(work, here, actor.person)
    require(actor, Action.KEEP_SECTIONS, Target(here.organization_id), facts)


def _check_name(work: UnitOfWork, here: Organization, name: str) -> None:
    query = select(Section.id).where(
        Section.organization_id == here.id, Section.name == name, Section.held_at(work.now)
    )
    if work.db.scalars(query).first() is not None:
        raise SectionNameTaken()
