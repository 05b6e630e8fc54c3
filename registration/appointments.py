"""Appointments: who is AR, PC, RA and Applicant Representative (TM-01 to TM-06, TM-14, TM-15).

Each act asks delegation, and writes the appointment, its history, the mails, the tasks and the push
of the account in one transaction.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from sqlalchemy import select

from registration import (
    account_pushes,
    accounts,
    custody_alarms,
    history,
    notices,
    organization_pushes,
    vacancies,
)
from registration.appointment_refusals import (
    AlreadyInOffice,
    AppointmentNotFound,
    EndBeforeStart,
    ReasonNeedsText,
)
from registration.delegation import Allowed, WhoCan, leaves_vacant, may, who_fills
from registration.delegation_facts import Actor, Facts, Target, Tier
from registration.delegation_rules import Action, Reason
from registration.expired_holdings import lock_and_close
from registration.models import Appointment, History, Organization, Person, Request
from registration.notice_texts import NoticeKind
from registration.organization_facts import facts_of
from registration.permission import NotAllowed, require
from registration.requests import open_request
from registration.transaction import UnitOfWork
from registration.work_refusals import ChangedMeanwhile

#: Actions of the history.
MADE, ENDED = "appointment.made", "appointment.ended"


class EndReason(StrEnum):
    """Why an appointment ends (TM-14)."""

    LEFT = "left"
    DUTIES_CHANGED = "duties_changed"
    AFFILIATION_CHANGED = "affiliation_changed"
    BANKRUPTCY = "bankruptcy"
    COMPROMISE = "compromise"
    OTHER = "other"


@dataclass(frozen=True)
class Terms:
    """Until when somebody is appointed, why, and by which letter (TM-02)."""

    until: datetime | None = None
    why: str = ""
    letter: str = ""


@dataclass(frozen=True)
class EndPreview:
    """What ending an appointment entails: whether the office becomes vacant, and who is asked to
    fill it; whether only one AR would be left (TM-04)."""

    is_last: bool
    asked: tuple[WhoCan, ...]
    leaves_one_ar: bool
    #: Whether the actor acts on a letter, whose reference is recorded (TM-03).
    needs_letter: bool


def appoint(
    work: UnitOfWork,
    actor: Actor,
    organization: Organization,
    person: Person,
    office: Tier,
    terms: Terms | None = None,
) -> Appointment:
    """Appoint the person, from now on. Raises NotAllowed, AlreadyInOffice, EndBeforeStart."""
    terms = terms or Terms()
    lock_and_close(work, organization)
    check(work, actor, organization, person, office, terms)
    row = Appointment(
        person_id=person.id,
        organization_id=organization.id,
        office=office.value,
        letter_reference=terms.letter.strip(),
        valid_from=work.now,
        valid_until=terms.until,
        given_by=actor.person,
        given_why=terms.why,
    )
    work.db.add(row)
    work.db.flush()
    request = open_request(work, "appointment", organization=organization, person=person)
    after = {"office": office.value, "letter": terms.letter.strip()}
    entry = _record(work, MADE, row, request, after=after, reason=terms.why)
    notices.of_office(
        work,
        NoticeKind.APPOINTED,
        person,
        entry,
        office=office,
        organization=organization.name,
        by=notices.by_name(work, actor),
        since=row.valid_from,
        until=row.valid_until,
    )
    vacancies.fill(work, organization, office)
    custody_alarms.check(work, organization, [person])
    organization_pushes.queue(work, organization, request)
    account_pushes.queue(work, accounts.ordered(work, person, request), request)
    return row


def check(
    work: UnitOfWork,
    actor: Actor,
    organization: Organization,
    person: Person,
    office: Tier,
    terms: Terms,
) -> None:
    """Whether ``appoint`` is possible now, for the page that asks for confirmation. Raises as it
    does."""
    facts = _facts(work, actor, organization, person)
    number = organization.organization_id
    target = Target(number, person.person_id, office, letter=terms.letter.strip())
    require(actor, Action.APPOINT, target, facts)
    if terms.until is not None and terms.until <= work.now:
        raise EndBeforeStart()
    if person.person_id in facts.holders(office, number):
        raise AlreadyInOffice(person.full_name)


def held(work: UnitOfWork, organization: Organization, appointment_id: int) -> Appointment:
    """The appointment, if it is one of this organization and holds now. Raises
    AppointmentNotFound."""
    row = work.db.get(Appointment, appointment_id)
    if row is None or row.organization_id != organization.id or not row.is_held(work.now):
        raise AppointmentNotFound()
    return row


def preview_end(work: UnitOfWork, actor: Actor, row: Appointment) -> EndPreview:
    """What ``end`` would entail, for the page that asks for confirmation. The letter is entered
    there. Raises AppointmentNotFound, NotAllowed."""
    facts = _facts(work, actor, row.organization, row.person)
    target = _target(row, "entered later")
    _require_end(actor, target, facts)
    answer = may(actor, Action.END_APPOINTMENT, replace(target, letter=""), facts)
    office, number = Tier(row.office), row.organization.organization_id
    is_last = leaves_vacant(target, facts)
    return EndPreview(
        is_last,
        who_fills(office, number, _without(facts, target)) if is_last else (),
        office is Tier.AR and len(facts.holders(Tier.AR, number)) == 2,
        not isinstance(answer, Allowed),
    )


def end(
    work: UnitOfWork,
    actor: Actor,
    appointment_id: int,
    version: int,
    reason: EndReason,
    text: str = "",
    letter: str = "",
) -> Appointment:
    """End the appointment now. ``version`` is that of the row which the actor saw.

    Raises AppointmentNotFound, NotAllowed, ChangedMeanwhile, ReasonNeedsText."""
    row = work.db.get(Appointment, appointment_id)
    if row is None:
        raise AppointmentNotFound()
    lock_and_close(work, row.organization)
    work.db.refresh(row)
    facts = _facts(work, actor, row.organization, row.person)
    target = _target(row, letter)
    _require_end(actor, target, facts)
    if row.version != version or not row.is_held(work.now):
        raise ChangedMeanwhile()
    if reason is EndReason.OTHER and not text.strip():
        raise ReasonNeedsText()
    is_last = leaves_vacant(target, facts)
    why = f"{reason.value}: {text.strip()}" if text.strip() else reason.value
    row.valid_until = row.ended_at = work.now
    row.ended_by, row.ended_why = actor.person, why
    work.db.flush()
    request = open_request(work, "appointment", organization=row.organization, person=row.person)
    before = {"office": row.office, "since": row.valid_from.isoformat()}
    entry = _record(work, ENDED, row, request, before=before, reason=why)
    notices.of_office(
        work,
        NoticeKind.APPOINTMENT_ENDED,
        row.person,
        entry,
        office=Tier(row.office),
        organization=row.organization.name,
        by=notices.by_name(work, actor),
    )
    if row.office == Tier.RA:
        _tell_primary_contacts(work, actor, row, entry, facts)
    if is_last:
        vacancies.tell(work, row.organization, Tier(row.office), entry, _without(facts, target))
    custody_alarms.check(work, row.organization, [row.person])
    if account := accounts.of_person(work, row.person):
        account_pushes.queue(work, account, request)
    organization_pushes.queue(work, row.organization, request)
    return row


def _tell_primary_contacts(
    work: UnitOfWork, actor: Actor, row: Appointment, entry: History, facts: Facts
) -> None:
    """J.04, NT-05: they are told that a Rights Administrator is none any more."""
    told = facts.holders(Tier.PC, row.organization.organization_id)
    for person in work.db.scalars(
        select(Person)
        .where(Person.person_id.in_(told), Person.id != row.person_id)
        .order_by(Person.id)
    ):
        notices.of_officer(
            work,
            person,
            entry,
            row.person,
            office=Tier(row.office),
            organization=row.organization.name,
            by=notices.by_name(work, actor),
        )


def _require_end(actor: Actor, target: Target, facts: Facts) -> None:
    """For an outsider the appointment does not exist."""
    try:
        require(actor, Action.END_APPOINTMENT, target, facts)
    except NotAllowed as refused:
        if refused.reason is Reason.NOT_YOURS:
            raise AppointmentNotFound() from refused
        raise


def _facts(work: UnitOfWork, actor: Actor, organization: Organization, person: Person) -> Facts:
    return facts_of(work, organization, actor.person, person.person_id)


def _target(row: Appointment, letter: str) -> Target:
    return Target(
        row.organization.organization_id,
        row.person.person_id,
        Tier(row.office),
        letter=letter.strip(),
    )


def _without(facts: Facts, target: Target) -> Facts:
    """The facts once this appointment has ended."""
    gone = (target.person, target.organization, target.office)
    kept = (one for one in facts.appointments if (one.person, one.organization, one.office) != gone)
    return replace(facts, appointments=tuple(kept))


def _record(
    work: UnitOfWork,
    action: str,
    row: Appointment,
    request: Request,
    *,
    before: dict[str, str] | None = None,
    after: dict[str, str] | None = None,
    reason: str,
) -> History:
    work.db.refresh(row, ["person", "organization"])
    return history.record(
        work,
        action,
        organization=row.organization,
        person=row.person,
        request=request,
        before=before,
        after=after,
        reason=reason,
    )
