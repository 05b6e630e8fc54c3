"""No state in which something is held that nobody allowed to give it gave.

Hypothesis lets people appoint, end, grant, revoke, take part and wait, in any order. The rules are
judged by another reading of them: each appointment leads, giver by giver, to a letter to the IESO.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from registration.access_changes import AccountKey, Cell, CellState, Change, Situation, plan
from registration.delegation import Allowed, may
from registration.delegation_facts import (
    OFFICES,
    AccountKind,
    Actor,
    Appointment,
    Facts,
    Participation,
    ParticipationState,
    Role,
    Target,
    Tier,
)
from registration.delegation_rules import Action

ORGANIZATIONS = ("north", "south")
PEOPLE = tuple(f"p{n}" for n in range(5))
DESK = "desk"
KINDS = ("energy", "capacity")
ROLES = {kind: Role(kind, frozenset((kind,))) for kind in KINDS}
WHO = st.sampled_from((*PEOPLE, DESK))
WHOM, WHERE = st.sampled_from(PEOPLE), st.sampled_from(ORGANIZATIONS)
OFFICE, KIND = st.sampled_from(OFFICES), st.sampled_from(KINDS)

#: Who could give what, as the manual says it (TM-01, Z-10, Z-22).
GIVERS = {
    Tier.AR: {Tier.AR},
    Tier.PC: {Tier.AR, Tier.PC},
    Tier.RA: {Tier.PC},
    Tier.APPREP: {Tier.AR, Tier.RA},
}
GRANTERS = {Tier.RA, Tier.APPREP}


@dataclass(frozen=True)
class Given:
    """Somebody gave something, while he held these offices there."""

    by: str
    offices: frozenset[Tier]
    letter: str = ""


class Delegation(RuleBasedStateMachine):
    """All acts that change who may do what."""

    def __init__(self) -> None:
        super().__init__()
        self.now = datetime(2026, 11, 27, tzinfo=UTC)
        self.appointments: dict[Appointment, Given] = {}
        self.states: dict[tuple[str, str], ParticipationState] = {}
        self.cells: dict[str, dict[Cell, CellState]] = {one: {} for one in ORGANIZATIONS}
        self.grants: dict[tuple[str, Cell], Given] = {}

    @initialize()
    def begin(self) -> None:
        """One organization at work, and one that only has an AR."""
        self.take_part("north", "energy", ParticipationState.APPROVED)
        self.take_part("south", "energy", ParticipationState.APPLIED)
        self.appoint(DESK, "north", "p0", Tier.AR, None, "L-1")
        self.appoint("p0", "north", "p1", Tier.PC, None, "")
        self.appoint("p1", "north", "p2", Tier.RA, None, "")
        self.appoint(DESK, "south", "p3", Tier.AR, None, "L-1")

    def facts(self) -> Facts:
        participations = (Participation(*key, state) for key, state in self.states.items())
        return Facts(self.now, tuple(self.appointments), tuple(participations))

    def given(self, who: str, where: str, letter: str = "") -> Given:
        """An independent look at what the giver holds now."""
        held = {
            one.office
            for one in self.appointments
            if (one.person, one.organization) == (who, where)
            and one.since <= self.now
            and (one.until is None or one.until > self.now)
        }
        return Given(who, frozenset(held), letter)

    def actor(self, who: str) -> Actor:
        return Actor(who, is_operator=who == DESK)

    @rule(minutes=st.integers(1, 90))
    def wait(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule(where=WHERE, kind=KIND, state=st.sampled_from(ParticipationState))
    def take_part(self, where: str, kind: str, state: ParticipationState) -> None:
        """The last role of an ended participation ends with it, as the service does."""
        self.states[where, kind] = state
        if state is not ParticipationState.APPROVED:
            for cell, old in self.cells[where].items():
                if cell.role == kind and old.is_held:
                    self.cells[where][cell] = CellState(False, old.version + 1)

    @rule(
        who=WHO, where=WHERE, whom=WHOM, office=OFFICE, lasts=st.none() | st.integers(1, 60),
        letter=st.sampled_from(("", "L-1")),
    )  # fmt: skip
    def appoint(
        self, who: str, where: str, whom: str, office: Tier, lasts: int | None, letter: str
    ) -> None:
        target = Target(where, whom, office, letter=letter)
        answer = may(self.actor(who), Action.APPOINT, target, self.facts())
        in_office = whom in self.facts().holders(office, where)
        if isinstance(answer, Allowed) and not in_office:
            until = self.now + timedelta(minutes=lasts) if lasts else None
            given = self.given(who, where, letter)
            self.appointments.setdefault(Appointment(whom, where, office, self.now, until), given)

    @rule(who=WHO, where=WHERE, whom=WHOM, office=OFFICE)
    def end(self, who: str, where: str, whom: str, office: Tier) -> None:
        target = Target(where, whom, office, letter="L-2")
        answer = may(self.actor(who), Action.END_APPOINTMENT, target, self.facts())
        if isinstance(answer, Allowed):
            for one in [one for one in self.appointments if one.in_force(self.now)]:
                if (one.person, one.organization, one.office) == (whom, where, office):
                    given = self.appointments.pop(one)
                    self.appointments[replace(one, until=self.now)] = given

    @rule(who=WHO, where=WHERE, whom=WHOM)
    def leave(self, who: str, where: str, whom: str) -> None:
        """Everything ends or nothing: each office by somebody who could end it (TM-01)."""
        held = {cell: old for cell, old in self.cells[where].items()
                if old.is_held and cell.account.id == whom}  # fmt: skip
        facts = replace(self.facts(), members=frozenset({(whom, where)} if held else ()))
        answer = may(self.actor(who), Action.RECORD_LEAVER, Target(where, whom), facts)
        if not isinstance(answer, Allowed):
            return
        by = self.given(who, where).offices
        assert by & {Tier.AR, Tier.PC, Tier.RA}
        for one in [one for one in self.appointments if one.in_force(self.now)]:
            if (one.person, one.organization) == (whom, where):
                assert by & GIVERS[one.office]
                self.appointments[replace(one, until=self.now)] = self.appointments.pop(one)
        for cell, old in held.items():
            self.cells[where][cell] = CellState(False, old.version + 1)
        assert not self.given(whom, where).offices

    @rule(who=WHO, where=WHERE, whom=WHOM, kind=KIND, grants=st.booleans(), late=st.booleans())
    def change(self, who: str, where: str, whom: str, kind: str, grants: bool, late: bool) -> None:
        """``late``: the form was drawn before the last change of the cell."""
        cell = Cell(AccountKey(AccountKind.PERSON, whom), kind)
        cells = self.cells[where]
        old = cells.get(cell, CellState())
        asked = Change(cell, grants, old.version - 1 if late else old.version)
        found = plan(self.actor(who), [asked], Situation(where, ROLES, cells), self.facts())
        assert not (late and found.is_possible)
        if not found.is_possible:
            return
        for one in (*found.added, *found.ended):
            cells[one] = CellState(one in found.added, old.version + 1)
        for one in found.added:
            self.grants[where, one] = self.given(who, where)

    @invariant()
    def every_appointment_was_given_by_somebody_who_could(self) -> None:
        """TM-01 to TM-03: by the tier above, of the same organization, never by oneself."""
        for one, given in self.appointments.items():
            by_letter = given.by == DESK and one.office is Tier.AR and given.letter
            assert by_letter or given.offices & GIVERS[one.office], (one, given)
            assert given.by != one.person

    @invariant()
    def every_role_held_was_given_by_somebody_who_could(self) -> None:
        """TM-07, RG-13."""
        for where, cells in self.cells.items():
            for cell in (cell for cell, state in cells.items() if state.is_held):
                assert self.grants[where, cell].offices & GRANTERS
                assert self.states[where, cell.role] is ParticipationState.APPROVED

    @invariant()
    def without_a_letter_nobody_holds_anything(self) -> None:
        """TM-02: every chain of givers starts with a letter to the IESO."""
        for where in ORGANIZATIONS:
            here = {one: by for one, by in self.appointments.items() if one.organization == where}
            if here:
                assert any(by.letter for by in here.values())


Delegation.TestCase.settings = settings(max_examples=80, stateful_step_count=50, deadline=None)
TestDelegation = Delegation.TestCase
