"""Contact roles of an organization: by person, by role and by section, as one batch (CO-01 to
CO-07).

Whatever the page, a confirmation is a batch of additions and removals. It is checked as a whole and
done as a whole: assignments, history, mails and pushes are one transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import select

from registration import account_pushes, accounts, custody_alarms, history, notices, requests
from registration.contact_directory import Directory, directory, sections
from registration.contact_refusals import (
    ContactNotFound,
    ContactRoleNotFound,
    ContactRulesBroken,
    NothingChanged,
)
from registration.contact_rules import Batch, Breach, Contact, ContactKind, Holding
from registration.contact_rules import breaches as broken_by
from registration.delegation_facts import Actor, Facts, Role, Target, Tier
from registration.delegation_rules import Action
from registration.expired_holdings import lock_and_close
from registration.models import (
    ContactAssignment,
    History,
    Organization,
    Person,
    Request,
    Section,
)
from registration.notices import RoleChange
from registration.organization_facts import facts_of
from registration.permission import require
from registration.transaction import UnitOfWork

#: Actions of the history.
ADDED, REMOVED = "contact_role.added", "contact_role.removed"


def preview(
    work: UnitOfWork, actor: Actor, organization: Organization, batch: Batch
) -> tuple[Breach, ...]:
    """What is wrong with the batch, for the page that asks for confirmation; empty if it can be
    confirmed. Raises NotAllowed, ContactRoleNotFound, NothingChanged."""
    known = directory(work, organization)
    facts = _facts(work, actor, organization, batch)
    _require_all(actor, known, batch, facts)
    return broken_by(known.rules, known.held, batch)


def change(
    work: UnitOfWork, actor: Actor, organization: Organization, batch: Batch, why: str = ""
) -> Request:
    """Carry out the batch now (CO-06). A form that was drawn before somebody else's change shows in
    ContactRulesBroken: already held, or not held any more.

    Raises also NotAllowed, ContactRoleNotFound, ContactNotFound, NothingChanged."""
    lock_and_close(work, organization)
    known = directory(work, organization)
    facts = _facts(work, actor, organization, batch)
    _require_all(actor, known, batch, facts)
    if broken := broken_by(known.rules, known.held, batch):
        raise ContactRulesBroken(broken)
    contacts = _contacts(work, organization, batch)
    request = requests.open_request(work, "contact_roles", organization=organization)
    entries = [
        _remove(work, actor, known, holding, contacts[holding.contact], request, why)
        for holding in sorted(batch.removed)
    ] + [
        _add(work, actor, known, holding, contacts[holding.contact], request, why)
        for holding in sorted(batch.added)
    ]
    custody_alarms.check(
        work, organization, [one for one in contacts.values() if isinstance(one, Person)]
    )
    _push(work, known, batch, contacts, request)
    _tell(work, actor, known, batch, contacts, facts, entries[0])
    return request


def _facts(work: UnitOfWork, actor: Actor, organization: Organization, batch: Batch) -> Facts:
    people = {
        one.contact.id
        for one in batch.added | batch.removed
        if one.contact.kind is ContactKind.PERSON
    }
    return facts_of(work, organization, actor.person, *people)


def _require_all(actor: Actor, known: Directory, batch: Batch, facts: Facts) -> None:
    """Check permission first: a refused actor does not learn which roles exist."""
    if not batch.added and not batch.removed:
        raise NothingChanged()
    number = known.organization.organization_id
    for action, holdings in (
        (Action.ASSIGN_CONTACT_ROLE, batch.added),
        (Action.REMOVE_CONTACT_ROLE, batch.removed),
    ):
        for one in sorted(holdings):
            row = known.roles.get(one.role)
            role = Role(one.role, frozenset(row.markets if row else ()))
            is_person = one.contact.kind is ContactKind.PERSON
            require(
                actor, action, Target(number, one.contact.id if is_person else "", role=role), facts
            )
            if row is None:
                raise ContactRoleNotFound(one.role)


def _contacts(
    work: UnitOfWork, organization: Organization, batch: Batch
) -> dict[Contact, Person | Section]:
    """The rows of the people and of the sections of this organization. Raises ContactNotFound."""
    wanted = {one.contact for one in batch.added | batch.removed}
    people = {one.id for one in wanted if one.kind is ContactKind.PERSON}
    found: dict[Contact, Person | Section] = {
        Contact(ContactKind.PERSON, row.person_id): row
        for row in work.db.scalars(select(Person).where(Person.person_id.in_(people)))
    }
    for row in sections(work, organization):
        found[Contact(ContactKind.SECTION, str(row.id))] = row
    if wanted - set(found):
        raise ContactNotFound()
    return found


def _add(
    work: UnitOfWork,
    actor: Actor,
    known: Directory,
    holding: Holding,
    contact: Person | Section,
    request: Request,
    why: str,
) -> History:
    row = ContactAssignment(
        organization_id=known.organization.id,
        contact_role_id=known.roles[holding.role].id,
        person_id=contact.id if isinstance(contact, Person) else None,
        section_id=contact.id if isinstance(contact, Section) else None,
        valid_from=work.now,
        given_by=actor.person,
        given_why=why,
    )
    work.db.add(row)
    work.db.flush()
    return _record(work, ADDED, known, contact, request, after=_values(holding), reason=why)


def _remove(
    work: UnitOfWork,
    actor: Actor,
    known: Directory,
    holding: Holding,
    contact: Person | Section,
    request: Request,
    why: str,
) -> History:
    row = known.rows[holding]
    row.valid_until = row.ended_at = work.now
    row.ended_by, row.ended_why = actor.person, why
    work.db.flush()
    return _record(work, REMOVED, known, contact, request, before=_values(holding), reason=why)


def _values(holding: Holding) -> dict[str, str]:
    return {"role": holding.role, holding.contact.kind.value: holding.contact.id}


def _record(
    work: UnitOfWork,
    action: str,
    known: Directory,
    contact: Person | Section,
    request: Request,
    *,
    before: dict[str, str] | None = None,
    after: dict[str, str] | None = None,
    reason: str,
) -> History:
    return history.record(
        work,
        action,
        organization=known.organization,
        person=contact if isinstance(contact, Person) else None,
        request=request,
        before=before,
        after=after,
        reason=reason,
    )


def _push(
    work: UnitOfWork,
    known: Directory,
    batch: Batch,
    contacts: Mapping[Contact, Person | Section],
    request: Request,
) -> None:
    """The account of each person whose role groups change; a role that opens systems makes one for
    who has none (CO-06, CO-07)."""
    opens = {code for code, row in known.roles.items() if row.role_groups}
    changed = {one.contact for one in batch.added | batch.removed if one.role in opens}
    needs_account = {one.contact for one in batch.added if one.role in opens}
    for contact in sorted(changed):
        person = contacts[contact]
        if not isinstance(person, Person):
            continue
        account = accounts.of_person(work, person)
        if account is None and contact in needs_account:
            account = accounts.ordered(work, person, request)
        if account is not None:
            account_pushes.queue(work, account, request)


def _tell(
    work: UnitOfWork,
    actor: Actor,
    known: Directory,
    batch: Batch,
    contacts: Mapping[Contact, Person | Section],
    facts: Facts,
    entry: History,
) -> None:
    """NT-03: each person about the own roles, each Rights Administrator about all, once a batch."""
    terms = {"organization": known.organization.name, "by": notices.by_name(work, actor)}
    changes = list(_changes(known, batch, contacts))
    for contact in sorted({contact for contact, _ in changes}):
        person = contacts[contact]
        if isinstance(person, Person):
            own = [change for changed, change in changes if changed == contact]
            notices.of_roles(work, person, entry, own, **terms, is_own=True)
    administrators = facts.holders(Tier.RA, known.organization.organization_id)
    for person in work.db.scalars(select(Person).where(Person.person_id.in_(administrators))):
        every = [change for _, change in changes]
        notices.of_roles(work, person, entry, every, **terms, is_own=False)


def _changes(
    known: Directory, batch: Batch, contacts: Mapping[Contact, Person | Section]
) -> Iterable[tuple[Contact, RoleChange]]:
    for holdings, is_added in ((batch.removed, False), (batch.added, True)):
        for one in sorted(holdings):
            role, contact = known.roles[one.role], contacts[one.contact]
            holder = contact.full_name if isinstance(contact, Person) else contact.name
            yield one.contact, RoleChange(is_added, role.name, role.name_fr, holder)
