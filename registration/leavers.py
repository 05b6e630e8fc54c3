"""A person leaves an organization: everything the person has there ends in one act (procedures D
and J).

Access roles of all accounts, contact roles, appointments, machine accounts, which another person
takes over, and requests that wait. State, history, mails and pushes are one transaction. See
docs/decisions/0058.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import or_, select

from registration import (
    access_batches,
    account_pushes,
    accounts,
    appointments,
    contact_assignments,
    history,
    leaver_holdings,
    machine_registry,
    notices,
    organization_pushes,
    requests,
    vacancies,
    waiting_requests,
)
from registration.appointment_refusals import ReasonNeedsText
from registration.appointments import EndReason
from registration.delegation_facts import Actor, Target, Tier
from registration.delegation_rules import Action
from registration.expired_holdings import lock_and_close
from registration.leaver_holdings import Holdings
from registration.leaver_refusals import LeaverNotPossible
from registration.models import (
    Account,
    Appointment,
    History,
    Organization,
    Person,
    Request,
)
from registration.notice_texts import ACCOUNT, CUSTODY, OFFICE_NAMES
from registration.notices import RoleChange
from registration.organization_facts import facts_of
from registration.permission import require
from registration.transaction import UnitOfWork
from registration.work_refusals import ChangedMeanwhile

#: Kind of the request, and action of the history.
LEFT = "person.left"


@dataclass(frozen=True)
class Terms:
    """Why the person leaves, who takes over the machine accounts, and whether the personal account
    is closed too (D.02, J.01)."""

    reason: EndReason
    text: str = ""
    successor: Person | None = None
    closes_account: bool = False

    @property
    def why(self) -> str:
        """As the history keeps it."""
        text = self.text.strip()
        return f"{self.reason.value}: {text}" if text else self.reason.value


def leave(
    work: UnitOfWork,
    actor: Actor,
    here: Organization,
    person: Person,
    seen: str,
    terms: Terms,
) -> Request:
    """End everything that the person has here, now. ``seen`` is what the actor saw
    (``Holdings.seen``).

    Raises NotAllowed, ChangedMeanwhile, ReasonNeedsText, LeaverNotPossible, AlreadyCustodian."""
    lock_and_close(work, here)
    facts = facts_of(work, here, actor.person, person.person_id)
    target = Target(here.organization_id, person.person_id)
    require(actor, Action.RECORD_LEAVER, target, facts)
    gone = leaver_holdings.of_person(work, here, person)
    if gone.seen != seen:
        raise ChangedMeanwhile()
    if terms.reason is EndReason.OTHER and not terms.text.strip():
        raise ReasonNeedsText()
    waits = () if terms.successor else gone.machines
    if gone.breaches or waits:
        raise LeaverNotPossible(gone.breaches, waits)
    if terms.closes_account:
        left = leaver_holdings.without(facts, here, person)
        require(actor, Action.END_ACCOUNT, target, left)
    cells = [{"kind": "person", "id": person.person_id, "role": one.access_role.code}
             for one in gone.access]  # fmt: skip
    order = requests.open_request(
        work, LEFT, organization=here, person=person, data={"ended": cells, "added": []}
    )
    entry = history.record(
        work, LEFT, organization=here, person=person, request=order, reason=terms.why
    )
    if terms.successor is not None:
        for machine in gone.machines:
            machine_registry.hand_over(
                work, actor, here, machine.row.id, machine.revision, terms.successor, order
            )
    _end_rows(work, actor, here, gone, order, terms.why)
    closed = _close_accounts(work, actor, gone, order, terms)
    _push(work, here, gone, closed, order)
    for office, _ in leaver_holdings.vacated(here, gone, facts):
        vacancies.tell(work, here, office, entry, leaver_holdings.without(facts, here, person))
    _tell(work, actor, here, gone, closed, entry)
    return order


def _end_rows(
    work: UnitOfWork, actor: Actor, here: Organization, gone: Holdings, order: Request, why: str
) -> None:
    for access in gone.access:
        access.end(work.now, actor.person, why)
        _record(work, access_batches.REVOKED, here, gone, order, why,
                {"role": access.access_role.code}, access.account)  # fmt: skip
    for contact in gone.contacts:
        contact.end(work.now, actor.person, why)
        _record(work, contact_assignments.REMOVED, here, gone, order, why,
                {"role": contact.contact_role.code})  # fmt: skip
    for row in gone.appointments:
        row.end(work.now, actor.person, why)
        _record(work, appointments.ENDED, here, gone, order, why,
                {"office": row.office, "since": row.valid_from.isoformat()})  # fmt: skip
    for request in gone.requests:
        waiting_requests.close(work, actor, request, "refused", reason=why)
        waiting_requests.record(work, waiting_requests.CLOSED, request, gone.person, why)
    work.db.flush()


def _close_accounts(
    work: UnitOfWork, actor: Actor, gone: Holdings, order: Request, terms: Terms
) -> list[Account]:
    """Accounts that act for this organization only, and the personal one if that was asked for
    (PR-04)."""
    own = accounts.of_person(work, gone.person) if terms.closes_account else None
    closed = [*gone.accounts, *([own] if own else [])]
    for account in closed:
        account.ended_at, account.ended_by, account.ended_why = work.now, actor.person, terms.why
        history.record(
            work, accounts.ENDED, organization=order.organization, person=gone.person,
            account=account, request=order, reason=terms.why,
            before={"account": account.username or account.external_id},
        )  # fmt: skip
    work.db.flush()
    return closed


def _push(
    work: UnitOfWork, here: Organization, gone: Holdings, closed: list[Account], order: Request
) -> None:
    """The accounts that change, once each; those that were closed end at the gateway."""
    changed = {one.account.id: one.account for one in gone.access}
    opens = any(one.contact_role.role_groups for one in gone.contacts)
    own = accounts.of_person(work, gone.person)
    if own is not None and (opens or gone.appointments):
        changed[own.id] = own
    account_pushes.queue_all(
        work, (account for account in changed.values() if account.ended_at is None), order
    )
    for account in closed:
        account_pushes.queue_end(work, account, order)
    if gone.appointments:
        organization_pushes.queue(work, here, order)


def _tell(
    work: UnitOfWork,
    actor: Actor,
    here: Organization,
    gone: Holdings,
    closed: list[Account],
    entry: History,
) -> None:
    """The person, every Rights Administrator (D.06), and every Primary Contact if the person was a
    Rights Administrator (J.04)."""
    told = {Tier.RA, Tier.PC} if Tier.RA in gone.offices else {Tier.RA}
    officers = select(Appointment.person_id).where(
        Appointment.organization_id == here.id,
        Appointment.office.in_(told),
        Appointment.held_at(work.now),
    )
    query = select(Person).where(or_(Person.id == gone.person.id, Person.id.in_(officers)))
    changes, by = list(_changes(gone, closed)), notices.by_name(work, actor)
    for recipient in work.db.scalars(query.order_by(Person.id)):
        notices.of_leaver(
            work, recipient, entry, gone.person, changes, organization=here.name, by=by
        )


def _changes(gone: Holdings, closed: list[Account]) -> Iterator[RoleChange]:
    """What has ended, as lines of a mail."""
    names = [(one.access_role.name, one.access_role.name_fr) for one in gone.access]
    names += [(one.contact_role.name, one.contact_role.name_fr) for one in gone.contacts]
    names += [(OFFICE_NAMES["en"][one], OFFICE_NAMES["fr"][one]) for one in gone.offices]
    for template, accounts_of in (
        (CUSTODY, [one.name for one in gone.machines]),
        (ACCOUNT, [one.username or one.external_id for one in closed]),
    ):
        names += [(template["en"].format(name=one), template["fr"].format(name=one))
                  for one in accounts_of]  # fmt: skip
    for name, name_fr in names:
        yield RoleChange(False, name, name_fr, gone.person.full_name)


def _record(
    work: UnitOfWork,
    action: str,
    here: Organization,
    gone: Holdings,
    order: Request,
    why: str,
    before: dict[str, str],
    account: Account | None = None,
) -> None:
    history.record(
        work, action, organization=here, person=gone.person, account=account, request=order,
        before=before, reason=why, is_one_of_many=True,
    )  # fmt: skip
