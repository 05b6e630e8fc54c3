"""Grants and revocations in a batch: what is tried, what is ordered, and what is refused."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait

import pytest
from sqlalchemy import select

from registration import access_batches, appointments, grid_query, organization_facts, role_grid
from registration.access_batches import BatchNotPossible
from registration.access_changes import AccountKey, Cell, Change
from registration.appointments import EndReason
from registration.delegation_facts import AccountKind, Actor
from registration.delegation_rules import Reason
from registration.models import (
    AccessAssignment,
    Account,
    Appointment,
    History,
    Notice,
    Organization,
    Person,
    Push,
)
from registration.transaction import Origin, Runtime, UnitOfWork
from registration_bridge.bridge_client import Result
from registration_bridge.message_urns import REGISTRATION_USER as EXTENSION
from registration_bridge.user_schema import REGISTRATION
from tests.registration.fake_bridge import FakeBridge
from tests.registration.participant import NOW, OLD, RA, TRADER, participant, person


@pytest.fixture
def lakes(work: UnitOfWork) -> Organization:
    """An organization with a Rights Administrator and one approved market."""
    return participant(work)


def change(role: str, *, who: str = TRADER, grants: bool = True, saw: int = 0) -> Change:
    return Change(Cell(AccountKey(AccountKind.PERSON, who), role), grants, saw)


def held(work: UnitOfWork, here: Organization) -> set[tuple[str, str]]:
    work.db.flush()
    people = work.db.scalars(select(Person.person_id))
    cells = organization_facts.cells_of(work, here, *people)
    return {(cell.account.id, cell.role) for cell, state in cells.items() if state.is_held}


ACTOR = Actor(RA)


def test_the_extension_is_that_of_the_bridge() -> None:
    """Registration names it itself: it imports nothing of the gateway."""
    assert str(REGISTRATION) == EXTENSION


def test_ar06_a_grant_is_an_assignment_history_and_a_push(
    work: UnitOfWork, lakes: Organization
) -> None:
    """AR-06, TM-12: one transaction has them all, under a Request Number."""
    request = access_batches.order(work, ACTOR, lakes, [change("bids")], why="new desk")
    assert held(work, lakes) == {(TRADER, "bids")}
    assert request.number == "R0000001"
    assert request.waits_for == 1
    (entry,) = work.db.scalars(select(History))
    assert (entry.action, entry.actor, entry.reason) == ("access.granted", RA, "new desk")
    assert entry.after == {"role": "bids", "is_own": False}
    (push,) = work.db.scalars(select(Push))
    assert push.state == "queued"
    assert push.body[EXTENSION] == {
        "personId": TRADER,
        "accountKind": "personal",
        "grants": [
            {"roleGroup": "EMI Bids and Offers", "participantId": "109120", "grantedBy": RA}
        ],
        "requestNumber": "R0000001",
        "sequence": 1,
    }
    assert push.body["phoneNumbers"][0]["value"] == "tel:+14165550100;ext=12"


def test_ar04_a_revocation_leaves_the_other_roles(work: UnitOfWork, lakes: Organization) -> None:
    """AR-04: the row ends and stays; the push has what is left."""
    access_batches.order(work, ACTOR, lakes, [change("bids"), change("view")])
    access_batches.order(work, ACTOR, lakes, [change("bids", grants=False, saw=1)])
    assert held(work, lakes) == {(TRADER, "view")}
    ended = work.db.scalars(
        select(AccessAssignment).where(AccessAssignment.ended_at.is_not(None))
    ).one()
    assert (ended.ended_by, ended.valid_until) == (RA, NOW)
    last = list(work.db.scalars(select(Push).order_by(Push.id)))[-1]
    assert [one["roleGroup"] for one in last.body[EXTENSION]["grants"]] == ["EMI Viewer"]


def test_a_role_that_ran_out_can_be_granted_again(work: UnitOfWork, lakes: Organization) -> None:
    """Time: what expired is no longer held, and makes room; the history says both."""
    access_batches.order(work, ACTOR, lakes, [change("bids")])
    row = work.db.scalars(select(AccessAssignment)).one()
    row.valid_until = work.now
    work.db.flush()
    assert held(work, lakes) == set()
    access_batches.order(work, ACTOR, lakes, [change("bids", saw=2)])
    assert held(work, lakes) == {(TRADER, "bids")}
    entries = list(work.db.scalars(select(History).order_by(History.id)))
    assert [(one.action, one.actor) for one in entries] == [
        ("access.granted", RA), ("access.expired", "registration"), ("access.granted", RA),
    ]  # fmt: skip
    assert entries[1].before == {"role": "bids", "until": NOW.isoformat()}
    assert (entries[1].person_id, entries[1].account_id) == (row.account.person_id, row.account_id)
    assert (row.ended_at, row.ended_by, row.ended_why) == (NOW, "registration", "expired")


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (change("auction"), Reason.NOT_APPROVED),
        (change("robot"), Reason.WRONG_KIND),
        (change("no such role"), Reason.NOT_YOURS),
    ],
)
def test_tm07_a_role_outside_the_participations_is_refused(
    work: UnitOfWork, lakes: Organization, asked: Change, reason: Reason
) -> None:
    """TM-07, AR-03: and with it the whole batch."""
    with pytest.raises(BatchNotPossible) as refusal:
        access_batches.order(work, ACTOR, lakes, [change("bids"), asked])
    assert [one.refused.reason for one in refusal.value.plan.denied] == [reason]
    assert held(work, lakes) == set()


def test_tm01_nobody_without_the_right_orders(work: UnitOfWork, lakes: Organization) -> None:
    """TM-01: the account holder himself is refused; a stranger learns nothing."""
    access_batches.order(work, ACTOR, lakes, [change("view")])
    for who, reason in ((TRADER, Reason.TIER), ("nobody", Reason.NOT_YOURS)):
        with pytest.raises(BatchNotPossible) as refusal:
            access_batches.order(work, Actor(who), lakes, [change("bids")])
        assert {one.refused.reason for one in refusal.value.plan.denied} == {reason}


def test_ar10_own_access_is_marked(work: UnitOfWork, lakes: Organization) -> None:
    """AR-10."""
    access_batches.order(work, ACTOR, lakes, [change("bids", who=RA)])
    assert work.db.scalars(select(History)).one().after["is_own"] is True


def test_two_administrators_the_second_is_told(work: UnitOfWork, lakes: Organization) -> None:
    """The form of the second saw an earlier version: nothing is overwritten."""
    access_batches.order(work, ACTOR, lakes, [change("bids")])
    with pytest.raises(BatchNotPossible) as refusal:
        access_batches.order(work, ACTOR, lakes, [change("bids"), change("view")])
    assert [str(one.kind) for one in refusal.value.plan.conflicts] == ["granted"]
    assert held(work, lakes) == {(TRADER, "bids")}


def test_ar07_a_person_without_account_gets_one(work: UnitOfWork, lakes: Organization) -> None:
    """AR-07: the gateway makes the user name, so the push has none. The history has the order of
    the account too, and the mails tell of the grant."""
    person(work, "100003", "Noor Haddad", account=False)
    access_batches.order(work, ACTOR, lakes, [change("bids", who="100003")])
    push = work.db.scalars(select(Push)).one()
    assert push.account is not None
    assert push.account.external_id == "person-100003"
    assert access_batches.account_pushes.operation(push.account, push.body)["method"] == "POST"
    entries = {one.id: one.action for one in work.db.scalars(select(History).order_by(History.id))}
    assert list(entries.values()) == ["account.ordered", "access.granted"]
    assert {entries[one.history_id or 0] for one in work.db.scalars(select(Notice))} == {
        "access.granted"
    }
    access_batches.order(work, ACTOR, lakes, [change("view", who="100003")])
    assert len(list(work.db.scalars(select(Push)))) == 2
    owned = select(Account).where(Account.person_id == push.account.person_id)
    assert len(work.db.scalars(owned).all()) == 1


def test_ar06_a_role_goes_to_the_account_that_acts_here_only(
    work: UnitOfWork, lakes: Organization
) -> None:
    """AR-06, UI-10: a second account of this organization comes before the personal one."""
    trader = work.db.scalars(select(Person).where(Person.person_id == TRADER)).one()
    second = Account(external_id="second", kind="person", person_id=trader.id,
                     only_organization_id=lakes.id, created_at=OLD, created_by="test")  # fmt: skip
    work.db.add(second)
    work.db.flush()
    access_batches.order(work, ACTOR, lakes, [change("bids")])
    assert work.db.scalars(select(AccessAssignment)).one().account_id == second.id


def test_d03_a_role_is_revoked_of_every_account_of_the_person(
    work: UnitOfWork, lakes: Organization
) -> None:
    """D.03, UI-10: the role was given before there was an account for this organization only."""
    access_batches.order(work, ACTOR, lakes, [change("bids")])
    trader = work.db.scalars(select(Person).where(Person.person_id == TRADER)).one()
    second = Account(external_id="second", kind="person", person_id=trader.id,
                     only_organization_id=lakes.id, created_at=OLD, created_by="test")  # fmt: skip
    work.db.add(second)
    work.db.flush()
    assert held(work, lakes) == {(TRADER, "bids")}
    bids = work.db.scalars(select(AccessAssignment)).one().access_role_id
    work.db.add(
        AccessAssignment(organization_id=lakes.id, access_role_id=bids, account_id=second.id,
                         valid_from=OLD, given_by="test")
    )  # fmt: skip
    assert held(work, lakes) == {(TRADER, "bids")}
    access_batches.order(work, ACTOR, lakes, [change("bids", grants=False, saw=3)])
    assert held(work, lakes) == set()
    pushed = list(work.db.scalars(select(Push).order_by(Push.id)))[1:]
    assert [(one.account.external_id if one.account else "") for one in pushed] == [
        f"person-{TRADER}", "second",
    ]  # fmt: skip
    assert all(one.body[EXTENSION]["grants"] == [] for one in pushed)
    told = [one for one in work.db.scalars(select(Notice)) if one.kind == "own_roles_changed"]
    assert [one.body.count("Removed: ") for one in told] == [0, 1]


def test_ar07_whose_account_has_ended_gets_another_one(
    work: UnitOfWork, lakes: Organization
) -> None:
    """AR-07, PR-04: the ended account keeps its id for all time; its roles can still be revoked."""
    access_batches.order(work, ACTOR, lakes, [change("bids")])
    for number in (2, 3):
        for account in work.db.scalars(select(Account).where(Account.ended_at.is_(None))):
            if account.person and account.person.person_id == TRADER:
                account.ended_at, account.ended_by = work.now, "test"
        work.db.flush()
        access_batches.order(work, ACTOR, lakes, [change("view", saw=2 * (number - 2))])
        access_batches.order(
            work, ACTOR, lakes, [change("view", grants=False, saw=2 * (number - 2) + 1)]
        )
        last = work.db.scalars(select(Push).order_by(Push.id.desc())).first()
        assert last is not None
        assert last.account is not None
        assert last.account.external_id == f"person-{TRADER}-{number}"
    access_batches.order(work, ACTOR, lakes, [change("bids", grants=False, saw=1)])
    assert held(work, lakes) == set()


def test_ar05_a_trial_changes_nothing(
    work: UnitOfWork, lakes: Organization, bridge: FakeBridge
) -> None:
    """AR-05: the gateway tries what would be pushed; here nothing is left of it."""
    work.db.commit()
    trial = access_batches.attempt(work, ACTOR, lakes, [change("bids")])
    assert trial.is_possible
    assert trial.effects == ({"sessions": 1},)
    ((operation,),) = bridge.asked
    assert (operation["method"], operation["path"]) == ("PUT", f"/Users/scim-{TRADER}")
    for model in (AccessAssignment, History, Push):
        assert list(work.db.scalars(select(model))) == []


def test_a_trial_names_what_the_gateway_refuses(
    work: UnitOfWork, lakes: Organization, bridge: FakeBridge
) -> None:
    """The refusal is in the gateway's own words. If it is away, the order can wait for it."""
    work.db.commit()
    bridge.results = [Result(409, detail="the account is closed")]
    trial = access_batches.attempt(work, ACTOR, lakes, [change("bids")])
    assert trial.refusals == ((change("bids").cell.account, "the account is closed"),)
    assert not trial.is_possible
    bridge.is_away = True
    trial = access_batches.attempt(work, ACTOR, lakes, [change("bids")])
    assert (trial.unreachable, trial.is_possible) == ("no answer", True)


def test_the_grid_is_that_of_any_day(work: UnitOfWork, lakes: Organization) -> None:
    """AR-03, RG-13: roles of approved participations only; who held what on a past day."""
    access_batches.order(work, ACTOR, lakes, [change("bids")])
    work.db.flush()
    now = grid_query.grid(work, lakes, AccountKind.PERSON, NOW, is_french=False)
    assert [column.code for column in now.columns] == ["bids", "view"]
    rows = role_grid.arranged(now, role_grid.Wanted()).rows
    assert [(row.name, sorted(row.holdings)) for row in rows] == [
        ("Moreau, Ada", ["bids"]),
        ("Tremblay, Marie", []),
    ]
    assert role_grid.seen(now) == f"person|{TRADER}|bids=1"
    before = grid_query.grid(work, lakes, AccountKind.PERSON, OLD, is_french=True)
    assert [row.name for row in before.rows] == ["Tremblay, Marie"]
    assert [column.heading for column in before.columns] == ["Énergie", "Énergie"]


def test_two_orders_for_an_account_at_once_lose_nothing(
    runtime: Runtime, bridge: FakeBridge
) -> None:
    """Concurrency: the push of the later one says what the earlier one gave."""
    with runtime.work(Origin(RA)) as work:
        organization_id = participant(work).id

    def grant(role: str) -> None:
        with runtime.work(Origin(RA)) as work:
            here = work.db.get_one(Organization, organization_id)
            access_batches.order(work, ACTOR, here, [change(role)])

    with ThreadPoolExecutor(1) as other:
        with runtime.work(Origin(RA)) as work:
            here = work.db.get_one(Organization, organization_id)
            access_batches.order(work, ACTOR, here, [change("bids")])
            later = other.submit(grant, "view")
        later.result(30)
    with runtime.work() as work:
        bodies = [push.body for push in work.db.scalars(select(Push).order_by(Push.id))]
    groups = [[one["roleGroup"] for one in body[EXTENSION]["grants"]] for body in bodies]
    assert groups == [["EMI Bids and Offers"], ["EMI Bids and Offers", "EMI Viewer"]]


def test_tm14_a_grant_waits_for_the_end_of_the_administrators_appointment(
    runtime: Runtime, bridge: FakeBridge
) -> None:
    """TM-14: what an administrator orders while his appointment is being ended is refused."""
    pc = "100005"
    with runtime.work() as work:
        here = participant(work)
        work.db.add(
            Appointment(person_id=person(work, pc, "Petra Novak").id, organization_id=here.id,
                        office="pc", valid_from=OLD, given_by="test")
        )  # fmt: skip
        organization_id = here.id
        row = work.db.scalars(select(Appointment).where(Appointment.office == "ra")).one().id

    def grant() -> None:
        with runtime.work(Origin(RA)) as work:
            here = work.db.get_one(Organization, organization_id)
            access_batches.order(work, ACTOR, here, [change("bids")])

    with ThreadPoolExecutor(1) as other:
        with runtime.work(Origin(pc)) as work:
            appointments.end(work, Actor(pc), row, 1, EndReason.COMPROMISE)
            later = other.submit(grant)
            assert not wait([later], timeout=0.5).done
        with pytest.raises(BatchNotPossible) as refusal:
            later.result(30)
    assert [one.refused.reason for one in refusal.value.plan.denied] == [Reason.NOT_YOURS]
    with runtime.work() as work:
        assert list(work.db.scalars(select(AccessAssignment))) == []
