"""What a confirmed batch of grants and revocations would do: a plan from what is so and what is
asked (AR-01 to AR-06). Nothing is written here.

A cell is one account and one access role at one organization. Its version counts its changes, so
that a form that was drawn before somebody else's change is found out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from registration.delegation import Refused, may
from registration.delegation_facts import AccountKind, Actor, Facts, Machine, Role, Target
from registration.delegation_rules import Action, Reason


class AccountKey(NamedTuple):
    """The personal account of a person (Person ID), or a machine account (user name)."""

    kind: AccountKind
    id: str


class Cell(NamedTuple):
    """One account and one access role, at the organization of the plan."""

    account: AccountKey
    role: str


class CellState(NamedTuple):
    """Whether the role is held, and how often the cell has changed."""

    is_held: bool = False
    version: int = 0

    @classmethod
    def counted(cls, changes: int, *, is_held: bool) -> CellState:
        """After so many changes. The version is odd while the role is held, also when two accounts
        of one person hold it."""
        return cls(is_held, changes | 1 if is_held else changes)


@dataclass(frozen=True)
class Change:
    """Grant or revoke the role, by somebody who saw this version of the cell."""

    cell: Cell
    grants: bool
    saw: int


class ConflictKind(StrEnum):
    """What somebody else did to the cell meanwhile."""

    GRANTED = "granted"
    REVOKED = "revoked"
    #: It is as it was seen, but was changed and changed back.
    CHANGED_BACK = "changed_back"
    #: The batch itself changes the cell twice.
    TWICE = "twice"


@dataclass(frozen=True)
class Conflict:
    """A cell that is not as the actor saw it."""

    cell: Cell
    kind: ConflictKind


@dataclass(frozen=True)
class Denied:
    """A change that the actor may not make."""

    cell: Cell
    refused: Refused


@dataclass(frozen=True)
class Plan:
    """What would happen. Only a plan without ``denied``, ``conflicts`` and ``custodies`` is carried
    out, and then as a whole."""

    added: tuple[Cell, ...] = ()
    ended: tuple[Cell, ...] = ()
    #: Asked for, and so already.
    unchanged: tuple[Cell, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    denied: tuple[Denied, ...] = ()
    #: Machines whose custodian would keep no role here: hand them over or stop them first.
    custodies: tuple[Machine, ...] = ()

    @property
    def is_possible(self) -> bool:
        """Whether it can be confirmed."""
        return not (self.conflicts or self.denied or self.custodies)


@dataclass(frozen=True)
class Situation:
    """The organization, its access roles by name, its cells and the machines it uses."""

    organization: str
    roles: Mapping[str, Role]
    cells: Mapping[Cell, CellState]
    machines: Mapping[str, Machine] = field(default_factory=dict)
    #: People who keep something else here, such as a contact role or an office.
    stay: frozenset[str] = frozenset()
    #: Person IDs that are asked for and that nobody has.
    unregistered: frozenset[str] = frozenset()

    def state(self, cell: Cell) -> CellState:
        """How the cell is; a cell without a record was never changed."""
        return self.cells.get(cell, CellState())


def plan(actor: Actor, changes: Iterable[Change], situation: Situation, facts: Facts) -> Plan:
    """The plan of the batch. A role that the organization does not have, and a machine of another
    one, are denied like any other act without right."""
    asked = tuple(changes)
    answers = (_denied(actor, change, situation, facts) for change in asked)
    conflicts = (_conflict(change, situation) for change in asked)
    open_ones = [one for one in asked if one.grants != situation.state(one.cell).is_held]
    ended = tuple(sorted(one.cell for one in open_ones if not one.grants))
    added = tuple(sorted(one.cell for one in open_ones if one.grants))
    return Plan(
        added=added,
        ended=ended,
        unchanged=tuple(sorted({one.cell for one in asked} - {*added, *ended})),
        conflicts=(*(one for one in conflicts if one), *_twice(asked)),
        denied=tuple(one for one in answers if one),
        custodies=_custodies(added, ended, situation),
    )


def target_of(cell: Cell, situation: Situation) -> Target | None:
    """What delegation is asked about. None if the role, the person or the machine is not there, or
    the machine has no user name yet."""
    role = situation.roles.get(cell.role)
    if role is None:
        return None
    if cell.account.kind is AccountKind.PERSON:
        is_there = cell.account.id not in situation.unregistered
        return Target(situation.organization, cell.account.id, role=role) if is_there else None
    machine = situation.machines.get(cell.account.id)
    if machine is None or not machine.is_named:
        return None
    return Target(situation.organization, role=role, machine=machine)


def _denied(actor: Actor, change: Change, situation: Situation, facts: Facts) -> Denied | None:
    target = target_of(change.cell, situation)
    if target is None:
        return Denied(change.cell, Refused(Reason.NOT_YOURS))
    action = Action.GRANT_ACCESS if change.grants else Action.REVOKE_ACCESS
    answer = may(actor, action, target, facts)
    return Denied(change.cell, answer) if isinstance(answer, Refused) else None


def _conflict(change: Change, situation: Situation) -> Conflict | None:
    state = situation.state(change.cell)
    if state.version == change.saw:
        return None
    if state.is_held != change.grants:
        return Conflict(change.cell, ConflictKind.CHANGED_BACK)
    kind = ConflictKind.GRANTED if state.is_held else ConflictKind.REVOKED
    return Conflict(change.cell, kind)


def _twice(asked: tuple[Change, ...]) -> Iterable[Conflict]:
    seen: set[Cell] = set()
    for change in asked:
        if change.cell in seen:
            yield Conflict(change.cell, ConflictKind.TWICE)
        seen.add(change.cell)


def _custodies(
    added: tuple[Cell, ...], ended: tuple[Cell, ...], situation: Situation
) -> tuple[Machine, ...]:
    """The machines of people who lose their last role here."""
    held = {cell for cell, state in situation.cells.items() if state.is_held}
    keep = {cell.account for cell in (held - set(ended)) | set(added)}
    leaving = {
        cell.account.id
        for cell in ended
        if cell.account.kind is AccountKind.PERSON
        and cell.account not in keep
        and cell.account.id not in situation.stay
    }
    return tuple(
        machine
        for _, machine in sorted(situation.machines.items())
        if machine.custodian in leaving and machine.organization == situation.organization
    )
