"""The roles of a colleague, as a draft for somebody else: what can be given, and what not and why
(AR-03, CO-05). Nothing is written; the draft goes through the same trial and confirmation as any
other change.
"""

from __future__ import annotations

from dataclasses import dataclass

from registration import access_batches
from registration.access_changes import AccountKey, Cell, Change
from registration.contact_directory import Directory, directory
from registration.contact_rules import Batch, Breach, Contact, ContactKind, Holding, breaches
from registration.delegation import Refused, may
from registration.delegation_facts import AccountKind, Actor, Facts, Role, Target, Tier
from registration.delegation_rules import Action, offices_at
from registration.models import Organization
from registration.organization_facts import cells_of, facts_of
from registration.transaction import UnitOfWork


@dataclass(frozen=True)
class AccessCopy:
    """An access role of the colleague."""

    change: Change
    #: Why the actor may not grant it.
    refused: Refused | None = None
    is_held: bool = False

    @property
    def is_possible(self) -> bool:
        """Whether it is part of the draft."""
        return self.refused is None and not self.is_held


@dataclass(frozen=True)
class ContactCopy:
    """A contact role of the colleague."""

    holding: Holding
    refused: Refused | None = None
    is_held: bool = False
    #: The rule that it would break, beside what the person holds and what else is copied.
    breach: Breach | None = None

    @property
    def is_possible(self) -> bool:
        """Whether it is part of the draft."""
        return self.refused is None and self.breach is None and not self.is_held


@dataclass(frozen=True)
class Draft:
    """All that the colleague has here."""

    access: tuple[AccessCopy, ...]
    contacts: tuple[ContactCopy, ...]
    #: Given by appointment only.
    offices: tuple[Tier, ...]

    @property
    def is_empty(self) -> bool:
        """Whether the colleague has nothing here."""
        return not (self.access or self.contacts or self.offices)


def draft(work: UnitOfWork, actor: Actor, here: Organization, person: str, colleague: str) -> Draft:
    """What ``person`` would get (Person IDs)."""
    facts = facts_of(work, here, actor.person, person, colleague)
    return Draft(
        _access(work, actor, here, person, colleague),
        _contacts(actor, directory(work, here), facts, person, colleague),
        offices_at(colleague, here.organization_id, facts),
    )


def _access(
    work: UnitOfWork, actor: Actor, here: Organization, person: str, colleague: str
) -> tuple[AccessCopy, ...]:
    states = cells_of(work, here, person, colleague)
    source = AccountKey(AccountKind.PERSON, colleague)
    roles = sorted(cell.role for cell, one in states.items()
                   if one.is_held and cell.account == source)  # fmt: skip
    changes = []
    for role in roles:
        cell = Cell(AccountKey(AccountKind.PERSON, person), role)
        changes.append(Change(cell, grants=True, saw=states[cell].version if cell in states else 0))
    plan, _ = access_batches.planned(work, actor, here, changes)
    refusals = {one.cell: one.refused for one in plan.denied}
    return tuple(
        AccessCopy(one, refusals.get(one.cell), one.cell in plan.unchanged) for one in changes
    )


def _contacts(
    actor: Actor, known: Directory, facts: Facts, person: str, colleague: str
) -> tuple[ContactCopy, ...]:
    """In the order of the catalogue. Of two that exclude each other the first is copied."""
    source, contact = (Contact(ContactKind.PERSON, one) for one in (colleague, person))
    found, added = [], frozenset[Holding]()
    for code, row in known.roles.items():
        if Holding(code, source) not in known.held:
            continue
        one = Holding(code, contact)
        role = Role(code, frozenset(row.markets))
        target = Target(known.organization.organization_id, person, role=role)
        answer = may(actor, Action.ASSIGN_CONTACT_ROLE, target, facts)
        if isinstance(answer, Refused) or one in known.held:
            refused = answer if isinstance(answer, Refused) else None
            found.append(ContactCopy(one, refused, one in known.held))
            continue
        broken = breaches(known.rules, known.held, Batch(added=added | {one}))
        found.append(ContactCopy(one, breach=broken[0] if broken else None))
        added |= set() if broken else {one}
    return tuple(found)
