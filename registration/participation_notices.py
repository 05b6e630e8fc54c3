"""The mails about a participation: to the representatives who act on it, each in his language."""

from __future__ import annotations

from sqlalchemy import select

from registration import notices
from registration.delegation_facts import Actor, Tier
from registration.models import Appointment, History, Participation, Person
from registration.notice_texts import ParticipationEvent
from registration.transaction import UnitOfWork

#: Applicant Representatives see to contact roles, Rights Administrators to access roles.
TOLD = (Tier.APPREP.value, Tier.RA.value, Tier.PC.value)


def tell(
    work: UnitOfWork,
    actor: Actor,
    row: Participation,
    entry: History,
    event: ParticipationEvent,
    *,
    why: str = "",
) -> None:
    """Queue the mails, one for each person."""
    in_office = select(Appointment.person_id).where(
        Appointment.organization_id == row.organization_id,
        Appointment.office.in_(TOLD),
        Appointment.held_at(work.now),
    )
    by = notices.by_name(work, actor)
    for person in work.db.scalars(select(Person).where(Person.id.in_(in_office))):
        is_french = person.language == "fr"
        notices.of_participation(
            work,
            event,
            person,
            entry,
            organization=row.organization.name,
            market=row.market.name_fr if is_french else row.market.name,
            by=by,
            why=why,
        )
