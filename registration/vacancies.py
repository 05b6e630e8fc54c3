"""Offices that nobody holds: who can fill one has a task and gets a mail (TM-03, TM-05, TM-06,
NT-11)."""

from __future__ import annotations

from sqlalchemy import select

from registration import notices, tasks
from registration.delegation import who_fills
from registration.delegation_facts import Facts, Tier
from registration.models import History, Organization, Person
from registration.notice_texts import NoticeKind
from registration.transaction import UnitOfWork

#: Kind of the task.
VACANCY = "office.vacant"


def tell(
    work: UnitOfWork, organization: Organization, office: Tier, entry: History, left: Facts
) -> None:
    """Ask for somebody in the office. ``entry`` is the end of the last one in the history, and
    ``left`` what is so afterwards."""
    for asked in who_fills(office, organization.organization_id, left):
        is_ieso = asked.tier is Tier.IESO
        tasks.create(
            work,
            VACANCY,
            key=_key(organization, office, asked.tier),
            organization_id=None if is_ieso else organization.id,
            office=None if is_ieso else asked.tier.value,
            data={"organization": organization.organization_id, "office": office.value},
        )
        people = select(Person).where(Person.person_id.in_(asked.people))
        for person in work.db.scalars(people):
            notices.of_office(
                work,
                NoticeKind.VACANCY,
                person,
                entry,
                office=office,
                organization=organization.name,
            )


def fill(work: UnitOfWork, organization: Organization, office: Tier) -> None:
    """Somebody holds the office: what asked for it is done."""
    for asked in Tier:
        tasks.finish(work, _key(organization, office, asked))


def _key(organization: Organization, office: Tier, asked: Tier) -> str:
    return f"{VACANCY}:{organization.organization_id}:{office.value}:{asked.value}"
