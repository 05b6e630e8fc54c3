"""Requests for access: a person asks for an access role at an organization to which he belongs, and
its Rights Administrators and Applicant Representatives grant or refuse it (RG-11, B.01 to B.05).

A request waits as a request in the state ``open``. What grants it is a batch (``access_batches``),
so that the same rules hold as for every other grant; a grant in the list of people closes it too.
"""

from __future__ import annotations

from sqlalchemy import select

from registration import access_batches, notices, requests, tasks, waiting_requests
from registration.access_changes import AccountKey, Cell, Change
from registration.access_request_refusals import (
    AccessRequestNotFound,
    AlreadyAsked,
    AlreadyDecided,
    RefusalNeedsReason,
    RoleHeld,
    RoleNotOffered,
)
from registration.delegation import who_can
from registration.delegation_facts import AccountKind, Actor, Facts, Role, Target, Tier
from registration.delegation_rules import Action
from registration.expired_holdings import lock_and_close
from registration.models import AccessRole, Organization, Person, Request
from registration.notice_texts import AccessAnswer
from registration.organization_facts import cells_of, facts_of, roles
from registration.permission import require
from registration.transaction import UnitOfWork
from registration.waiting_requests import APPROVED, ASKED, KIND, REFUSED

#: Shown to the person, the latest ones.
MOST = 20


def ask(work: UnitOfWork, actor: Actor, here: Organization, role: str, why: str = "") -> Request:
    """Ask for the role, in the name of the actor himself.

    Raises NotAllowed, RoleNotOffered, RoleHeld, AlreadyAsked."""
    lock_and_close(work, here)
    facts = facts_of(work, here, actor.person)
    require(actor, Action.REQUEST_ACCESS, Target(here.organization_id, actor.person), facts)
    known = roles(work).get(role)
    if known is None or not _is_offered(known, here, facts):
        raise RoleNotOffered()
    state = cells_of(work, here, actor.person).get(_cell(actor.person, role))
    if state is not None and state.is_held:
        raise RoleHeld()
    person = work.db.scalars(select(Person).where(Person.person_id == actor.person)).one()
    if any(one.data["role"] == role for one in waiting_requests.of_person(work, here, person)):
        raise AlreadyAsked()
    row = work.db.scalars(select(AccessRole).where(AccessRole.code == role)).one()
    request = requests.open_request(
        work, KIND, organization=here, person=person, data={"role": role, "why": why}
    )
    request.state, request.closed_at = "open", None
    entry = waiting_requests.record(work, ASKED, request, person, why)
    deciders = who_can(
        Action.GRANT_ACCESS, Target(here.organization_id, actor.person, role=known), facts
    )
    for one in deciders:
        _give_task(work, request, person, row, one.tier)
    told = {number for one in deciders for number in one.people} - {actor.person}
    for decider in work.db.scalars(select(Person).where(Person.person_id.in_(told))):
        notices.of_access_request(
            work, AccessAnswer.WAITS, decider, entry,
            organization=here.name, role=row, by=person.full_name, why=why,
        )  # fmt: skip
    return request


def approve(work: UnitOfWork, actor: Actor, here: Organization, number: str) -> Request:
    """Grant the role that was asked for; returns the order.

    Raises AccessRequestNotFound, NotAllowed, AlreadyDecided, BatchNotPossible."""
    request, person = _decided(work, actor, here, number)
    cell = _cell(person.person_id, request.data["role"])
    state = cells_of(work, here, person.person_id).get(cell)
    change = Change(cell, grants=True, saw=state.version if state else 0)
    why = request.data.get("why", "")
    done = access_batches.order(work, actor, here, [change], why=f"{request.number} {why}".strip())
    if request.state == "open":
        # The person has the role already.
        waiting_requests.close(work, actor, request, "done", order=done.number)
        waiting_requests.record(work, APPROVED, request, person)
    return done


def refuse(work: UnitOfWork, actor: Actor, here: Organization, number: str, reason: str) -> Request:
    """Refuse what was asked for; the person gets a mail with the reason.

    Raises AccessRequestNotFound, NotAllowed, AlreadyDecided, RefusalNeedsReason."""
    request, person = _decided(work, actor, here, number)
    if not reason.strip():
        raise RefusalNeedsReason()
    role = request.data["role"]
    waiting_requests.close(work, actor, request, "refused", reason=reason.strip())
    entry = waiting_requests.record(work, REFUSED, request, person, reason.strip())
    row = work.db.scalars(select(AccessRole).where(AccessRole.code == role)).one()
    notices.of_access_request(
        work, AccessAnswer.REFUSED, person, entry,
        organization=here.name, role=row, by=notices.by_name(work, actor), why=reason.strip(),
    )  # fmt: skip
    return request


def waiting(work: UnitOfWork, here: Organization, number: str) -> Request:
    """The request for access of this organization, whatever its state. Raises
    AccessRequestNotFound."""
    request = requests.by_number(work, number)
    if request is None or request.kind != KIND or request.organization_id != here.id:
        raise AccessRequestNotFound()
    return request


def requester(work: UnitOfWork, request: Request) -> Person:
    """Who asks. Raises AccessRequestNotFound."""
    person = work.db.get(Person, request.person_id) if request.person_id else None
    if person is None:
        raise AccessRequestNotFound()
    return person


def of_person(work: UnitOfWork, person: Person) -> list[Request]:
    """What the person asked for, the latest first."""
    query = select(Request).where(Request.kind == KIND, Request.person_id == person.id)
    return list(work.db.scalars(query.order_by(Request.id.desc()).limit(MOST)))


def role_target(work: UnitOfWork, here: Organization, request: Request) -> Target:
    """What delegation is asked about before somebody decides."""
    role = roles(work).get(request.data["role"], Role(request.data["role"]))
    return Target(here.organization_id, requester(work, request).person_id, role=role)


def _decided(
    work: UnitOfWork, actor: Actor, here: Organization, number: str
) -> tuple[Request, Person]:
    """The request that waits, if the actor may decide on it."""
    lock_and_close(work, here)
    request = waiting(work, here, number)
    work.db.refresh(request)
    person = requester(work, request)
    facts = facts_of(work, here, actor.person, person.person_id)
    require(actor, Action.GRANT_ACCESS, role_target(work, here, request), facts)
    if request.state != "open":
        raise AlreadyDecided()
    return request, person


def _is_offered(role: Role, here: Organization, facts: Facts) -> bool:
    """Whether it is for persons, and a participation is approved to which it belongs (RG-13)."""
    states = facts.states(here.organization_id, role.participations)
    return role.kind is AccountKind.PERSON and "approved" in states


def _cell(person_id: str, role: str) -> Cell:
    return Cell(AccountKey(AccountKind.PERSON, person_id), role)


def _give_task(
    work: UnitOfWork, request: Request, person: Person, role: AccessRole, tier: Tier
) -> None:
    tasks.create(
        work, ASKED, key=waiting_requests.task_key(request, tier), request=request,
        organization_id=request.organization_id, office=tier.value,
        data={"person": person.full_name, "role": role.name, "role_fr": role.name_fr},
    )  # fmt: skip
