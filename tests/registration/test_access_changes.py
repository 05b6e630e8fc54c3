"""What a batch of grants and revocations would do, before anybody confirms it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from registration.access_changes import (
    AccountKey,
    Cell,
    CellState,
    Change,
    Conflict,
    ConflictKind,
    Plan,
    Situation,
    plan,
)
from registration.delegation_facts import (
    AccountKind,
    Actor,
    Appointment,
    Facts,
    Machine,
    Participation,
    ParticipationState,
    Role,
    Tier,
)
from registration.delegation_rules import Reason

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
LAKES = "109120"
RA = Actor("ra")
FACTS = Facts(
    NOW,
    (Appointment("ra", LAKES, Tier.RA, NOW - timedelta(days=1)),),
    (Participation(LAKES, "energy", ParticipationState.APPROVED),),
)
ANNA = AccountKey(AccountKind.PERSON, "100")
SERVER = AccountKey(AccountKind.MACHINE, "APIIESO00042")
MACHINE = Machine(SERVER.id, LAKES, ANNA.id)
ROLES = {
    "bid": Role("bid", frozenset(("energy",))),
    "view": Role("view", frozenset(("energy",))),
    "auction": Role("auction", frozenset(("capacity",))),
    "program": Role("program", frozenset(("energy",)), AccountKind.MACHINE),
}
BID, VIEW = Cell(ANNA, "bid"), Cell(ANNA, "view")
HELD = CellState(is_held=True, version=1)
BEFORE = Situation(LAKES, ROLES, {BID: HELD}, {SERVER.id: MACHINE})


def planned(*changes: Change, situation: Situation = BEFORE, actor: Actor = RA) -> Plan:
    return plan(actor, changes, situation, FACTS)


def test_a_batch_adds_and_ends() -> None:
    """AR-03, AR-04, MA-04."""
    program = Cell(SERVER, "program")
    found = planned(Change(VIEW, True, 0), Change(BID, False, 1), Change(program, True, 0))
    assert found == Plan(added=(program, VIEW), ended=(BID,))
    assert found.is_possible


def test_a_grant_that_the_actor_may_not_give_stops_the_batch() -> None:
    """TM-07, AR-03: a participation not held, a role of the other kind, an unknown role."""
    wrong = {
        Cell(ANNA, "auction"): Reason.NOT_APPROVED,
        Cell(ANNA, "program"): Reason.WRONG_KIND,
        Cell(SERVER, "bid"): Reason.WRONG_KIND,
        Cell(ANNA, "none"): Reason.NOT_YOURS,
        Cell(AccountKey(AccountKind.MACHINE, "APIIESO00043"), "program"): Reason.NOT_YOURS,
    }
    found = planned(*(Change(cell, True, 0) for cell in wrong), Change(VIEW, True, 0))
    assert {one.cell: one.refused.reason for one in found.denied} == wrong
    assert not found.is_possible


def test_a_stranger_plans_nothing() -> None:
    """TM-07."""
    found = planned(Change(BID, False, 1), actor=Actor("somebody"))
    assert [one.refused.reason for one in found.denied] == [Reason.NOT_YOURS]


def test_the_second_administrator_sees_what_the_first_did() -> None:
    """Two at once: nothing is overwritten."""
    assert planned(Change(BID, True, 0)).conflicts == (Conflict(BID, ConflictKind.GRANTED),)
    gone = replace(BEFORE, cells={BID: CellState(False, 2)})
    found = planned(Change(BID, False, 1), situation=gone)
    assert found.conflicts == (Conflict(BID, ConflictKind.REVOKED),)
    assert not found.is_possible
    again = planned(Change(BID, True, 0), situation=gone)
    assert again.conflicts == (Conflict(BID, ConflictKind.CHANGED_BACK),)


def test_a_batch_that_changes_a_cell_twice_is_refused() -> None:
    found = planned(Change(BID, False, 1), Change(BID, True, 1))
    assert Conflict(BID, ConflictKind.TWICE) in found.conflicts


def test_what_is_so_already_is_not_done_again() -> None:
    """PR-01: idempotent."""
    found = planned(Change(BID, True, 1))
    assert (found.added, found.unchanged) == ((), (BID,))
    assert found.is_possible


def test_the_last_role_of_a_custodian_needs_a_successor_first() -> None:
    """MA-03: unless he keeps something else here, or gets it in the same batch."""
    found = planned(Change(BID, False, 1))
    assert found.custodies == (MACHINE,)
    assert not found.is_possible
    assert planned(Change(BID, False, 1), Change(VIEW, True, 0)).is_possible
    stays = replace(BEFORE, stay=frozenset((ANNA.id,)))
    assert planned(Change(BID, False, 1), situation=stays).is_possible
    other = replace(BEFORE, machines={SERVER.id: replace(MACHINE, custodian="200")})
    assert planned(Change(BID, False, 1), situation=other).is_possible
