"""People and access roles from a file (RG-03 to RG-06, AR-01 to AR-10): tried first, then carried
out as a whole.

Persons who are registered are found by their Person ID, or by name and e-mail address; nothing of
them is changed. The others are registered as new. A line that is refused stops the whole file
(docs/decisions/0059).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from sqlalchemy import select

from registration import access_batches, history, persons
from registration.access_batches import Trial
from registration.access_changes import AccountKey, Cell, CellState, Change, Plan
from registration.delegation import Refused
from registration.delegation_facts import AccountKind, Actor, Target
from registration.delegation_rules import Action
from registration.expired_holdings import lock_and_close
from registration.import_files import FileLine
from registration.import_refusals import ImportNotPossible, TooManyChanges
from registration.models import Organization, Person, Request
from registration.organization_facts import cells_of, facts_of, roles
from registration.permission import require
from registration.person_fields import FieldFault, PersonFields, PersonFieldsInvalid
from registration.role_grid import plain
from registration.transaction import UnitOfWork

#: Action of the history: the file as a whole; its persons and roles have entries of their own.
IMPORTED = "people.imported"
MAX_CHANGES = 500


class Outcome(StrEnum):
    """What comes of a line."""

    CREATED = "created"
    FOUND = "found"
    REFUSED = "refused"


class LineFault(StrEnum):
    """Why a line is refused, beside its fields, its roles and what the gateway says."""

    #: A value is a formula.
    FORMULA = "formula"
    #: Persons of this name are registered, with other e-mail addresses.
    SAME_NAME = "same_name"
    #: Nobody has this Person ID.
    UNKNOWN_PERSON = "unknown_person"
    #: The Person ID is that of somebody of another name.
    OTHER_NAME = "other_name"
    #: An earlier line has the same person.
    TWICE = "twice"
    #: There is no such access role.
    UNKNOWN_ROLE = "unknown_role"


@dataclass(frozen=True)
class Fault:
    """A fault, and the columns, roles, persons or lines that it names."""

    kind: LineFault
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class LineResult:
    """What would come of a line."""

    line: FileLine
    #: Somebody who is registered.
    person_id: str = ""
    faults: tuple[Fault, ...] = ()
    fields: Mapping[str, FieldFault] = field(default_factory=dict)
    #: Roles that delegation refuses.
    denied: tuple[tuple[str, Refused], ...] = ()
    #: Why the gateway refuses the account, in its own words.
    words: tuple[str, ...] = ()
    granted: tuple[str, ...] = ()
    #: Roles that the person holds already.
    held: tuple[str, ...] = ()

    @property
    def outcome(self) -> Outcome:
        """Whether the person is registered, found or refused."""
        if self.faults or self.fields or self.denied or self.words:
            return Outcome.REFUSED
        return Outcome.FOUND if self.person_id else Outcome.CREATED


@dataclass(frozen=True)
class Preview:
    """What would come of the file."""

    results: tuple[LineResult, ...]
    #: What each line would do to whom, for the form: another state shows in it.
    seen: str
    trial: Trial = field(default_factory=lambda: Trial(Plan()))

    @property
    def is_possible(self) -> bool:
        """Whether it can be confirmed: no line is refused, and something would change."""
        refused = any(one.outcome is Outcome.REFUSED for one in self.results)
        return not refused and any(
            one.granted or one.outcome is Outcome.CREATED for one in self.results
        )

    @property
    def counts(self) -> Counter[Outcome]:
        """How many lines have each outcome."""
        return Counter(one.outcome for one in self.results)


def preview(
    work: UnitOfWork, actor: Actor, here: Organization, lines: Sequence[FileLine]
) -> Preview:
    """What would come of the file. Everything that this unit of work wrote is rolled back.

    Raises NotAllowed, TooManyChanges."""
    written = _write(work, actor, here, lines, "")
    found = written.preview()
    if not (found.is_possible and written.changes):
        work.db.rollback()
        return found
    trial = access_batches.attempt(work, actor, here, written.changes)
    refused = {key.id: words for key, words in trial.refusals}
    results = tuple(
        replace(one, words=(refused[person],)) if person in refused else one
        for one, person in zip(found.results, written.people, strict=True)
    )
    return replace(found, results=results, trial=trial)


def carry_out(
    work: UnitOfWork,
    actor: Actor,
    here: Organization,
    lines: Sequence[FileLine],
    seen: str,
    *,
    why: str = "",
    is_attested: bool = False,
) -> tuple[int, Request | None]:
    """Do what the preview showed, all or none: register the new persons, and order the roles. The
    history has an entry of the whole file too.
    Returns how many were registered, and the order, if there are roles.

    Raises NotAllowed, TooManyChanges, ImportNotPossible."""
    lock_and_close(work, here)
    persons.wait_for_others(work)
    written = _write(work, actor, here, lines, why)
    found = written.preview()
    if not found.is_possible or found.seen != seen:
        raise ImportNotPossible()
    order = None
    if written.changes:
        order = access_batches.order(
            work, actor, here, written.changes, why=why, is_attested=is_attested
        )
    after = {
        "lines": len(lines),
        "registered": found.counts[Outcome.CREATED],
        "granted": len(written.changes),
    }
    history.record(work, IMPORTED, organization=here, request=order, after=after, reason=why)
    return found.counts[Outcome.CREATED], order


@dataclass(frozen=True)
class _Written:
    """The file with its new persons in the tables, and the roles that would be granted."""

    results: tuple[LineResult, ...]
    #: The Person ID of each line, those of new persons too; empty for a line that is refused.
    people: tuple[str, ...]
    changes: tuple[Change, ...]

    def preview(self) -> Preview:
        saw: dict[str, list[str]] = {}
        for change in self.changes:
            saw.setdefault(change.cell.account.id, []).append(f"{change.cell.role}={change.saw}")
        parts = [
            ":".join((str(one.line.number), one.person_id or "new", *saw.get(person, ())))
            for one, person in zip(self.results, self.people, strict=True)
        ]
        return Preview(self.results, " ".join(parts))


def _write(
    work: UnitOfWork, actor: Actor, here: Organization, lines: Sequence[FileLine], why: str
) -> _Written:
    facts = facts_of(work, here, actor.person)
    require(actor, Action.REGISTER_PERSON, Target(here.organization_id), facts)
    results = _identified(work, lines)
    people = tuple(
        _person_id(work, here, one, why) if one.outcome is not Outcome.REFUSED else ""
        for one in results
    )
    known, cells = frozenset(roles(work)), cells_of(work, here, *filter(None, people))
    pairs = [
        _with_roles(one, person, known, cells) for one, person in zip(results, people, strict=True)
    ]
    changes = tuple(change for _, asked in pairs for change in asked)
    if len(changes) > MAX_CHANGES:
        raise TooManyChanges(MAX_CHANGES)
    plan, _ = access_batches.planned(work, actor, here, changes)
    return _Written(_with_denied([one for one, _ in pairs], people, plan), people, changes)


def _with_roles(
    one: LineResult, person: str, known: frozenset[str], cells: Mapping[Cell, CellState]
) -> tuple[LineResult, tuple[Change, ...]]:
    """The line with what becomes of its roles, and the grants that it asks for."""
    if unknown := tuple(role for role in one.line.roles if role not in known):
        one = replace(one, faults=(*one.faults, Fault(LineFault.UNKNOWN_ROLE, unknown)))
    if not person:
        return one, ()
    account = AccountKey(AccountKind.PERSON, person)
    states = {
        role: cells.get(Cell(account, role), CellState())
        for role in one.line.roles
        if role in known
    }
    changes = tuple(
        Change(Cell(account, role), grants=True, saw=state.version)
        for role, state in states.items()
        if not state.is_held
    )
    granted = tuple(change.cell.role for change in changes)
    held = tuple(role for role, state in states.items() if state.is_held)
    return replace(one, granted=granted, held=held), changes


def _with_denied(
    results: Iterable[LineResult], people: Iterable[str], plan: Plan
) -> tuple[LineResult, ...]:
    denied: dict[str, list[tuple[str, Refused]]] = {}
    for one in plan.denied:
        denied.setdefault(one.cell.account.id, []).append((one.cell.role, one.refused))
    return tuple(
        replace(one, denied=tuple(denied.get(person, ())))
        for one, person in zip(results, people, strict=True)
    )


def _person_id(work: UnitOfWork, here: Organization, one: LineResult, why: str) -> str:
    """Of the person of this line, who is registered if he is not yet."""
    if one.person_id:
        return one.person_id
    return persons.add(work, here, one.line.entered.cleaned(), why).person_id


def _identified(work: UnitOfWork, lines: Sequence[FileLine]) -> list[LineResult]:
    """Each line with the person whom it means, or with its faults."""
    numbers = {one.person_id for one in lines}
    registered = {
        row.person_id: row
        for row in work.db.scalars(select(Person).where(Person.person_id.in_(numbers)))
    }
    found: list[LineResult] = []
    earlier: dict[tuple[str, ...], int] = {}
    for line in lines:
        result = _of_line(work, line, registered)
        keys = _keys(result)
        if first := next((earlier[key] for key in keys if key in earlier), 0):
            fault = Fault(LineFault.TWICE, (str(first),))
            result = replace(result, faults=(*result.faults, fault))
        for key in _keys_left(result):
            earlier.setdefault(key, line.number)
        found.append(result)
    return found


def _of_line(work: UnitOfWork, line: FileLine, registered: Mapping[str, Person]) -> LineResult:
    if line.formulas:
        formula = Fault(LineFault.FORMULA, line.formulas)
        return LineResult(line, faults=(formula,), fields=_field_faults(line.entered))
    if line.person_id and not line.is_another:
        person = registered.get(line.person_id)
        if person is None:
            return LineResult(line, faults=(Fault(LineFault.UNKNOWN_PERSON, (line.person_id,)),))
        if not _may_be(person, line.entered):
            return LineResult(line, faults=(Fault(LineFault.OTHER_NAME, (person.person_id,)),))
        return LineResult(line, person.person_id)
    alike = persons.same_name(work, line.entered)
    same = [one for one in alike if _email(one.main_email) == _email(line.entered.main_email)]
    if len(same) == 1 and not line.is_another:
        return LineResult(line, same[0].person_id)
    if same or (alike and not line.is_another):
        numbers = tuple(one.person_id for one in alike)
        return LineResult(line, faults=(Fault(LineFault.SAME_NAME, numbers),))
    return LineResult(line, fields=_field_faults(line.entered))


def _field_faults(entered: PersonFields) -> Mapping[str, FieldFault]:
    try:
        entered.cleaned()
    except PersonFieldsInvalid as error:
        return error.faults
    return {}


def _may_be(person: Person, entered: PersonFields) -> bool:
    """Whether the name of the line, as far as there is one, is this person's."""
    pairs = ((entered.first_name, person.first_name), (entered.last_name, person.last_name))
    return all(not typed or plain(typed) == plain(known) for typed, known in pairs)


def _keys(result: LineResult) -> tuple[tuple[str, ...], ...]:
    """What an earlier line must not have: the same person, or for a new one the same name; of
    another person of the same name only the address too."""
    if result.person_id:
        return (("person", result.person_id),)
    name, email = _name_of(result.line.entered), _email(result.line.entered.main_email)
    return (("email", *name, email),) if result.line.is_another else (("name", *name),)


def _keys_left(result: LineResult) -> tuple[tuple[str, ...], ...]:
    """By which later lines are found to mean the same person."""
    if result.person_id:
        return (("person", result.person_id),)
    name, email = _name_of(result.line.entered), _email(result.line.entered.main_email)
    return (("name", *name), ("email", *name, email))


def _name_of(entered: PersonFields) -> tuple[str, str]:
    return plain(entered.first_name), plain(entered.last_name)


def _email(address: str) -> str:
    return address.casefold()
