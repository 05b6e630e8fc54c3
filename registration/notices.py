"""Mails: a row of the transaction of the change, in the language of the recipient (NT)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select

from registration.delegation_facts import Actor, Tier
from registration.models import AccessRole, History, Notice, Person
from registration.notice_texts import (
    ADDED,
    FOOT,
    GREETING,
    MACHINE_EVENTS,
    OFFICE_NAMES,
    PARTICIPATION_EVENTS,
    REMOVED,
    TEXTS,
    UNTIL,
    AccessAnswer,
    MachineEvent,
    NoticeKind,
    ParticipationEvent,
)
from registration.transaction import UnitOfWork

IESO = "IESO"
EASTERN = ZoneInfo("America/Toronto")


def of_office(
    work: UnitOfWork,
    kind: NoticeKind,
    person: Person,
    history: History,
    *,
    office: Tier,
    organization: str,
    by: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
) -> Notice:
    """A mail about an office, to the person who got or lost it or who must fill it."""
    language = person.language
    values = {
        "office": OFFICE_NAMES[language][office],
        "organization": organization,
        "by": by,
        "since": _day(since),
        "until": UNTIL[language].format(until=_day(until)) if until else "",
        "url": work.settings.url,
    }
    return _queue(work, kind, person, history, values)


def of_officer(
    work: UnitOfWork,
    recipient: Person,
    history: History,
    gone: Person,
    *,
    office: Tier,
    organization: str,
    by: str,
) -> Notice:
    """A mail to the tier above about somebody whose appointment was ended (NT-05)."""
    values = {
        "person": gone.full_name,
        "office": OFFICE_NAMES[recipient.language][office],
        "organization": organization,
        "by": by,
        "url": work.settings.url,
    }
    return _queue(work, NoticeKind.OFFICER_LEFT, recipient, history, values)


def of_account(work: UnitOfWork, person: Person, history: History, username: str) -> Notice:
    """The mail with the user name of a new account (NT-01)."""
    values = {"username": username, "url": work.settings.url}
    return _queue(work, NoticeKind.ACCOUNT_CREATED, person, history, values)


@dataclass(frozen=True)
class RoleChange:
    """A role that was added or removed, in both languages; ``holder`` is named to others only."""

    is_added: bool
    name: str
    name_fr: str
    holder: str

    def line(self, language: str, *, names_holder: bool) -> str:
        """The change as a line of a mail."""
        template = (ADDED if self.is_added else REMOVED)[language]
        name = self.name_fr if language == "fr" else self.name
        return template.format(role=f"{name} – {self.holder}" if names_holder else name)


def of_roles(
    work: UnitOfWork,
    person: Person,
    history: History,
    changes: Sequence[RoleChange],
    *,
    organization: str,
    by: str,
    is_own: bool,
) -> Notice:
    """One mail about all changes of a batch, to a holder about his own or to an RA about all."""
    kind = NoticeKind.OWN_ROLES_CHANGED if is_own else NoticeKind.ROLES_CHANGED
    lines = [one.line(person.language, names_holder=not is_own) for one in changes]
    values = {"organization": organization, "by": by, "changes": "\n".join(lines)}
    return _queue(work, kind, person, history, values)


def of_leaver(
    work: UnitOfWork,
    recipient: Person,
    history: History,
    gone: Person,
    changes: Sequence[RoleChange],
    *,
    organization: str,
    by: str,
) -> Notice:
    """A mail about everything that somebody had at an organization and that has ended, to himself
    or to somebody else (NT-03, NT-05)."""
    kind = NoticeKind.OWN_LEAVE if recipient.id == gone.id else NoticeKind.LEAVER
    lines = [one.line(recipient.language, names_holder=False) for one in changes]
    values = {"organization": organization, "by": by, "person": gone.full_name,
              "changes": "\n".join(lines), "url": work.settings.url}  # fmt: skip
    return _queue(work, kind, recipient, history, values)


def of_machine(
    work: UnitOfWork,
    event: MachineEvent,
    person: Person,
    history: History,
    *,
    machine: str,
    organization: str,
    by: str,
    **values: str,
) -> Notice:
    """A mail about a machine account. ``values`` are those that the sentence of the event names."""
    sentence = MACHINE_EVENTS[person.language][event].format(**values)
    return _queue(
        work,
        NoticeKind.MACHINE_CHANGED,
        person,
        history,
        {"machine": machine, "organization": organization, "by": by, "what": sentence,
         "url": work.settings.url},
    )  # fmt: skip


def of_access_request(
    work: UnitOfWork,
    event: AccessAnswer,
    person: Person,
    history: History,
    *,
    organization: str,
    role: AccessRole,
    by: str,
    why: str,
) -> Notice:
    """A mail about a request for access: to those who can grant it, or to the person whom they
    refused it."""
    kinds = {
        AccessAnswer.WAITS: NoticeKind.ACCESS_REQUESTED,
        AccessAnswer.REFUSED: NoticeKind.ACCESS_REFUSED,
    }
    name = role.name_fr if person.language == "fr" else role.name
    values = {"organization": organization, "role": name, "by": by, "why": why or "–",
              "url": work.settings.url}  # fmt: skip
    return _queue(work, kinds[event], person, history, values)


def of_participation(
    work: UnitOfWork,
    event: ParticipationEvent,
    person: Person,
    history: History,
    *,
    organization: str,
    market: str,
    by: str,
    why: str,
) -> Notice:
    """A mail about a participation, with the reason if there is one."""
    sentence = PARTICIPATION_EVENTS[person.language][event].format(by=by, why=why)
    return _queue(
        work,
        NoticeKind.PARTICIPATION,
        person,
        history,
        {"organization": organization, "market": market, "what": sentence,
         "url": work.settings.url},
    )  # fmt: skip


def of_person(
    work: UnitOfWork, person: Person, history: History, address: str, *, by: str
) -> Notice:
    """A mail about changed information, without the values."""
    values = {"by": by, "url": work.settings.url}
    return _queue(work, NoticeKind.PERSON_CHANGED, person, history, values, address)


def by_name(work: UnitOfWork, actor: Actor) -> str:
    """How a mail names who acted: the people of the IESO's desk are not named."""
    person = work.db.scalar(select(Person).where(Person.person_id == actor.person))
    return person.full_name if person and not actor.is_operator else IESO


def _queue(
    work: UnitOfWork,
    kind: NoticeKind,
    person: Person,
    history: History,
    values: dict[str, str],
    address: str = "",
) -> Notice:
    language, settings = person.language, work.settings
    text = TEXTS[kind][language]
    prefix = "" if settings.environment == "production" else f"[{settings.environment.upper()}] "
    foot = FOOT[language].format(phone=settings.contact_phone, email=settings.contact_email)
    name = person.preferred_name or person.first_name or person.last_name
    greeting = GREETING[language].format(name=name)
    notice = Notice(
        kind=kind.value,
        person_id=person.id,
        history_id=history.id,
        recipient=address or person.main_email,
        language=language,
        subject=_one_line(prefix + text.subject.format(**values))[:200],
        body=f"{greeting}\n\n{text.body.format(**values)}\n\n{foot}\n",
        message_id=f"<{work.ports.token()}@{settings.mail_from.rpartition('@')[2]}>",
        state="queued",
        next_attempt_at=work.now,
        created_at=work.now,
    )
    work.db.add(notice)
    return notice


def _day(at: datetime | None) -> str:
    return at.astimezone(EASTERN).strftime("%Y-%m-%d %H:%M") if at else ""


def _one_line(text: str) -> str:
    """A subject is one header: names with line breaks do not make another one."""
    return " ".join(text.split())
