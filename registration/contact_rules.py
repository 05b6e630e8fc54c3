"""The rules of contact roles, over a batch as a whole: minimum, maximum, kind of holder and pairs
that exclude each other (CO-03 to CO-05).

The batch is checked by its result, so that one person can replace another in a role of exactly one.
What was wrong before and is not made worse is no fault of the batch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum


class ContactKind(StrEnum):
    """Who holds a contact role: a person or a section, such as a desk or a control room."""

    PERSON = "person"
    SECTION = "section"


@dataclass(frozen=True, order=True)
class Contact:
    """A person (Person ID) or a section of the organization."""

    kind: ContactKind
    id: str


@dataclass(frozen=True)
class ContactRule:
    """The limits of one contact role at one organization."""

    name: str
    kinds: frozenset[ContactKind] = frozenset((ContactKind.PERSON,))
    minimum: int = 0
    #: None: any number.
    maximum: int | None = None
    excludes: frozenset[str] = frozenset()


@dataclass(frozen=True, order=True)
class Holding:
    """A contact holds a role."""

    role: str
    contact: Contact


@dataclass(frozen=True)
class Batch:
    """What is added and removed by one confirmation."""

    added: frozenset[Holding] = frozenset()
    removed: frozenset[Holding] = frozenset()


class Fault(StrEnum):
    """Why a batch is refused."""

    ALREADY_HELD = "already_held"
    NOT_HELD = "not_held"
    BOTH_WAYS = "both_ways"
    WRONG_KIND = "wrong_kind"
    BELOW_MINIMUM = "below_minimum"
    ABOVE_MAXIMUM = "above_maximum"
    EXCLUDED = "excluded"


@dataclass(frozen=True, order=True)
class Breach:
    """One fault: of a role, and of a contact where the fault is his."""

    fault: Fault
    role: str
    contact: Contact | None = None
    #: The other role of an exclusive pair.
    other: str = ""
    #: How many would hold the role, and the limit that this passes.
    count: int = 0
    limit: int = 0


@dataclass(frozen=True)
class RoleCount:
    """A line of the list of contact roles: the limits, and how many hold it (CO-04)."""

    rule: ContactRule
    existing: int
    is_held: bool = False


def breaches(
    rules: Mapping[str, ContactRule], held: frozenset[Holding], batch: Batch
) -> tuple[Breach, ...]:
    """Everything that is wrong with the batch, in a fixed order; empty if it may be confirmed.

    Raises KeyError for a role without a rule: it is not one of this organization."""
    after = (held - batch.removed) | batch.added
    found = [*_against_holdings(held, batch), *_kinds(rules, batch)]
    found += _numbers(rules, held, after, batch)
    found += _pairs(rules, after, batch)
    return tuple(sorted(found, key=_order))


def for_contact(
    rules: Mapping[str, ContactRule], held: frozenset[Holding], contact: Contact
) -> tuple[RoleCount, ...]:
    """By person or by section: the roles that this contact holds or can hold (CO-01, CO-03)."""
    counts = Counter(one.role for one in held)
    return tuple(
        RoleCount(rule, counts[name], Holding(name, contact) in held)
        for name, rule in sorted(rules.items())
        if contact.kind in rule.kinds or Holding(name, contact) in held
    )


def by_role(
    rules: Mapping[str, ContactRule], held: frozenset[Holding]
) -> tuple[tuple[RoleCount, tuple[Contact, ...]], ...]:
    """By role: each role with its contacts (CO-02)."""
    return tuple(
        (RoleCount(rule, len(contacts)), contacts)
        for name, rule in sorted(rules.items())
        for contacts in (tuple(sorted(one.contact for one in held if one.role == name)),)
    )


def below_minimum(
    rules: Mapping[str, ContactRule], held: frozenset[Holding]
) -> tuple[RoleCount, ...]:
    """The roles for which contacts are missing: the tasks of the Applicant Representative."""
    counts = Counter(one.role for one in held)
    return tuple(
        RoleCount(rule, counts[name])
        for name, rule in sorted(rules.items())
        if counts[name] < rule.minimum
    )


def _against_holdings(held: frozenset[Holding], batch: Batch) -> Iterable[Breach]:
    for one in batch.added & held:
        yield Breach(Fault.ALREADY_HELD, one.role, one.contact)
    for one in batch.removed - held:
        yield Breach(Fault.NOT_HELD, one.role, one.contact)
    for one in batch.added & batch.removed:
        yield Breach(Fault.BOTH_WAYS, one.role, one.contact)


def _kinds(rules: Mapping[str, ContactRule], batch: Batch) -> Iterable[Breach]:
    for one in batch.added:
        if one.contact.kind not in rules[one.role].kinds:
            yield Breach(Fault.WRONG_KIND, one.role, one.contact)


def _numbers(
    rules: Mapping[str, ContactRule],
    held: frozenset[Holding],
    after: frozenset[Holding],
    batch: Batch,
) -> Iterable[Breach]:
    before_count, after_count = (Counter(one.role for one in some) for some in (held, after))
    for name in {one.role for one in batch.added | batch.removed}:
        rule, before, count = rules[name], before_count[name], after_count[name]
        if count < rule.minimum and count < before:
            yield Breach(Fault.BELOW_MINIMUM, name, count=count, limit=rule.minimum)
        if rule.maximum is not None and count > rule.maximum and count > before:
            yield Breach(Fault.ABOVE_MAXIMUM, name, count=count, limit=rule.maximum)


def _pairs(
    rules: Mapping[str, ContactRule], after: frozenset[Holding], batch: Batch
) -> Iterable[Breach]:
    """Exclusion holds in both directions, whichever of the two rules names it. A pair of which
    both roles are added is reported once."""
    seen = set()
    for one in sorted(batch.added):
        for other in sorted({it.role for it in after if it.contact == one.contact}):
            pair = (frozenset((one.role, other)), one.contact)
            excludes = other in rules[one.role].excludes or (
                other in rules and one.role in rules[other].excludes
            )
            if other != one.role and excludes and pair not in seen:
                seen.add(pair)
                yield Breach(Fault.EXCLUDED, one.role, one.contact, other)


def _order(one: Breach) -> tuple[int, str, str]:
    return list(Fault).index(one.fault), one.role, one.contact.id if one.contact else ""
