"""Participations as a service: applied for, decided, ended with their roles (RG-12, RG-13)."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from registration import (
    access_batches,
    contact_assignments,
    grid_query,
    kept_machines,
    machine_registry,
    market_participations,
    participation_decisions,
    participation_end,
    push_delivery,
)
from registration.access_changes import AccountKey, Cell, Change
from registration.contact_rules import Batch, Contact, ContactKind, Holding
from registration.delegation_facts import AccountKind, Actor, ParticipationState
from registration.delegation_rules import Reason
from registration.expired_holdings import lock_and_close
from registration.market_participations import Step
from registration.models import (
    AccessAssignment,
    Appointment,
    ContactAssignment,
    ContactRole,
    History,
    Market,
    Notice,
    Organization,
    Participation,
    Person,
    Push,
    Request,
    Section,
    Task,
)
from registration.network_entries import Network
from registration.participation_refusals import (
    ContactsMissing,
    NotApprovedYet,
    NothingToApplyFor,
    ParticipationNotFound,
    ReasonMissing,
)
from registration.permission import NotAllowed
from registration.transaction import Origin, Runtime, UnitOfWork
from registration.work_refusals import ChangedMeanwhile
from registration_bridge.message_urns import REGISTRATION_USER
from tests.registration.fake_bridge import FakeBridge
from tests.registration.participant import OLD, RA, TRADER, participant, person

APPREP, IESO = Actor("100003"), Actor("100006", is_operator=True)
PRAIRIE = "109131"


@pytest.fixture
def lakes(runtime: Runtime) -> Runtime:
    """Lakes takes part in energy, and not in rights; its Applicant Representative, a desk of the
    IESO, and contact roles."""
    with runtime.work() as work:
        here = participant(work)
        for actor, name in ((APPREP, "Anna Cook"), (IESO, "Iris Desk")):
            person(work, actor.person, name)
        work.db.add(Organization(organization_id=PRAIRIE, name="Prairie Wind", created_at=OLD,
                                 updated_at=OLD))  # fmt: skip
        work.db.add(Appointment(person_id=by_id(work, APPREP.person).id, organization_id=here.id,
                                office="apprep", valid_from=OLD, given_by="test"))  # fmt: skip
        for code, markets, minimum, groups in (
            ("submit", ["energy"], 1, ["EMI Submit"]),
            ("auction-desk", ["rights"], 1, []),
            ("shared", ["energy", "rights"], 0, []),
            ("settle", [], 0, []),
        ):
            work.db.add(ContactRole(code=code, name=code.title(), name_fr=code, held_by="both",
                                    minimum=minimum, exclusive_with=[], markets=markets,
                                    role_groups=groups))  # fmt: skip
        work.db.add(Section(organization_id=here.id, name="Control room", valid_from=OLD,
                            given_by="test"))  # fmt: skip
    return runtime


def at(work: UnitOfWork, number: str = "109120") -> Organization:
    return work.db.scalars(select(Organization).where(Organization.organization_id == number)).one()


def by_id(work: UnitOfWork, number: str) -> Person:
    return work.db.scalars(select(Person).where(Person.person_id == number)).one()


def applied(runtime: Runtime, actor: Actor = APPREP, market: str = "rights") -> int:
    with runtime.work(Origin(actor.person)) as work:
        return market_participations.apply(work, actor, at(work), market).id


def done(runtime: Runtime, actor: Actor, act: Any, row: int, *values: Any) -> None:
    """``act`` of a service, on the participation as it is now."""
    with runtime.work(Origin(actor.person)) as work:
        version = work.db.get_one(Participation, row).version
        act(work, actor, at(work), row, version, *values)


def step(runtime: Runtime, row: int, one: Step, actor: Actor = APPREP) -> None:
    with runtime.work(Origin(actor.person)) as work:
        market_participations.confirm_step(work, actor, at(work), row, one)


def tasks(runtime: Runtime) -> list[tuple[str, str | None]]:
    with runtime.work() as work:
        rows = work.db.scalars(select(Task).where(Task.done_at.is_(None)).order_by(Task.id))
        return [(row.kind, row.office) for row in rows]


def history(runtime: Runtime) -> list[tuple[str, str]]:
    with runtime.work() as work:
        return [
            (row.action, row.actor) for row in work.db.scalars(select(History).order_by(History.id))
        ]


def mails(runtime: Runtime) -> list[tuple[str, str]]:
    with runtime.work() as work:
        rows = work.db.scalars(select(Notice).order_by(Notice.id))
        return [(row.kind, row.recipient) for row in rows]


def columns(runtime: Runtime) -> set[str]:
    """The access roles that can be given to persons."""
    with runtime.work() as work:
        grid = grid_query.grid(work, at(work), AccountKind.PERSON, work.now, is_french=False)
        return {one.code for one in grid.columns}


def state(runtime: Runtime, row: int) -> tuple[ParticipationState, str]:
    """Of the participation and of its request."""
    with runtime.work() as work:
        found = market_participations.progress(work, at(work), row)
        query = select(Request.state).where(Request.number == found.number)
        return found.state, work.db.scalars(query).one()


def test_rg12_an_application_has_a_request_number_and_tasks(lakes: Runtime) -> None:
    """RG-12: two tasks for the Applicant Representatives, one for the IESO; no role yet (RG-13)."""
    row = applied(lakes)
    assert state(lakes, row) == (ParticipationState.APPLIED, "open")
    assert tasks(lakes) == [
        ("participation.connectivity", "apprep"),
        ("participation.contacts", "apprep"),
        ("participation.decide", None),
    ]
    assert columns(lakes) == {"bids", "view"}
    with lakes.work() as work:
        found = market_participations.progress(work, at(work), row)
        assert found.number == "R0000001"
        assert [one.done_by for one in found.steps] == ["", ""]
        assert market_participations.available(work, at(work)) == []
        assert len(market_participations.of(work, at(work), work.now)) == 2
        assert len(market_participations.of(work, at(work), OLD)) == 1


@pytest.mark.parametrize("market", ["energy", "nothing"])
def test_rg12_what_the_organization_has_is_not_applied_for(lakes: Runtime, market: str) -> None:
    with pytest.raises(NothingToApplyFor):
        applied(lakes, market=market)


def test_rg12_an_application_is_made_once(lakes: Runtime) -> None:
    applied(lakes)
    with pytest.raises(NothingToApplyFor):
        applied(lakes)


def test_tm08_the_first_application_is_the_iesos(lakes: Runtime) -> None:
    """TM-08: before it, people of the organization cannot be registered."""
    with lakes.work(Origin(IESO.person)) as work:
        market_participations.apply(work, IESO, at(work, PRAIRIE), "energy")
        assert at(work, PRAIRIE).applied_at == work.now


def test_rg12_rg13_an_approval_opens_the_roles(lakes: Runtime, bridge: FakeBridge) -> None:
    """RG-13; the gateway and the representatives who act on it are told."""
    row = applied(lakes)
    with pytest.raises(NotApprovedYet):
        step(lakes, row, Step.CONTACTS)
    done(lakes, IESO, participation_decisions.approve, row)
    assert state(lakes, row) == (ParticipationState.APPROVED, "done")
    push_delivery.deliver_due(lakes)
    assert [one["value"] for one in bridge.registered["109120"]["participations"]] == [
        "Energy", "Rights",
    ]  # fmt: skip
    assert columns(lakes) == {"auction", "bids", "view"}
    assert sorted(mails(lakes)) == [
        ("participation", "cook@lakes.example"), ("participation", "tremblay@lakes.example"),
    ]  # fmt: skip
    with pytest.raises(ContactsMissing) as refused:
        step(lakes, row, Step.CONTACTS)
    assert refused.value.roles == ("Auction-Desk",)
    contact(lakes, Holding("auction-desk", Contact(ContactKind.PERSON, TRADER)))
    for one in Step:
        step(lakes, row, one)
    assert tasks(lakes) == []
    with pytest.raises(ChangedMeanwhile):
        step(lakes, row, Step.CONNECTIVITY)
    assert ("participation.approved", IESO.person) in history(lakes)
    with pytest.raises(ChangedMeanwhile):
        done(lakes, IESO, participation_decisions.refuse, row, "no")


@pytest.mark.parametrize(
    ("act", "actor", "request_state"),
    [
        (participation_decisions.refuse, IESO, "refused"),
        (participation_decisions.withdraw, APPREP, "done"),
    ],
)
def test_rg12_an_application_is_refused_or_withdrawn_with_a_reason(
    lakes: Runtime, act: Any, actor: Actor, request_state: str
) -> None:
    """The tasks go, and it can be applied for again."""
    row = applied(lakes)
    with pytest.raises(ReasonMissing):
        done(lakes, actor, act, row, " ")
    done(lakes, actor, act, row, "not ready")
    assert state(lakes, row) == (ParticipationState.ENDED, request_state)
    assert tasks(lakes) == []
    with lakes.work() as work:
        assert market_participations.progress(work, at(work), row).was_refused
        assert "not ready" in work.db.scalars(select(Notice.body)).first()  # type: ignore[operator]
    assert applied(lakes) != row


def contact(runtime: Runtime, *added: Holding) -> None:
    with runtime.work(Origin(APPREP.person)) as work:
        contact_assignments.change(work, APPREP, at(work), Batch(frozenset(added), frozenset()))


def grant(runtime: Runtime, kind: AccountKind, name: str, role: str) -> None:
    with runtime.work(Origin(RA)) as work:
        cell = Cell(AccountKey(kind, name), role)
        access_batches.order(work, Actor(RA), at(work), [Change(cell, True, 0)])


def energy(runtime: Runtime) -> int:
    with runtime.work() as work:
        query = select(Participation.id).join(Market).where(Market.code == "energy")
        return work.db.scalars(query).one()


def test_rg12_rg13_an_end_takes_all_roles_in_one_transaction(lakes: Runtime) -> None:
    """Access roles of people and machines, contact roles of people and sections: history, mails,
    and one push for each account. What another participation means stays."""
    rights = applied(lakes)
    done(lakes, IESO, participation_decisions.approve, rights)
    with lakes.work(Origin(RA)) as work:
        machine_registry.register(work, Actor(RA), at(work), by_id(work, TRADER),
                                  (Network("192.0.2.1/32"),), "Bids")  # fmt: skip
    push_delivery.deliver_due(lakes)
    grant(lakes, AccountKind.PERSON, TRADER, "bids")
    grant(lakes, AccountKind.PERSON, TRADER, "auction")
    grant(lakes, AccountKind.MACHINE, "user1", "robot")
    section = Contact(ContactKind.SECTION, "1")
    trader = Contact(ContactKind.PERSON, TRADER)
    contact(lakes, Holding("submit", section), Holding("submit", trader),
            Holding("shared", trader), Holding("settle", trader))  # fmt: skip
    push_delivery.deliver_due(lakes)
    before = len(mails(lakes))
    done(lakes, IESO, participation_end.end, energy(lakes), "left the market")
    with lakes.work() as work:
        access = work.db.scalars(select(AccessAssignment).where(AccessAssignment.held_at(work.now)))
        assert [one.access_role.code for one in access] == ["auction"]
        kept = work.db.scalars(select(ContactAssignment).where(ContactAssignment.held_at(work.now)))
        assert sorted(one.contact_role.code for one in kept) == ["settle", "shared"]
        queued = work.db.scalars(select(Push).where(Push.state == "queued")).all()
        assert [one.organization_id for one in queued if one.organization_id] == [at(work).id]
        bodies = [one.body[REGISTRATION_USER] for one in queued if not one.organization_id]
        pushed = {body["accountKind"]: body for body in bodies}
        assert (len(bodies), set(pushed)) == (2, {"personal", "machine"})
        assert [one["roleGroup"] for one in pushed["personal"]["grants"]] == ["TRA"]
        ended = work.db.scalars(select(History.action).where(
            History.reason == "participation ended").order_by(History.id))  # fmt: skip
        assert list(ended) == ["access.revoked"] * 2 + ["contact_role.removed"] * 2
        request = work.db.scalars(select(Request).order_by(Request.id.desc())).first()
        assert request is not None
        assert (request.state, request.waits_for) == ("open", 3)
    assert sorted(mails(lakes)[before:]) == [
        ("own_roles_changed", "moreau@lakes.example"),
        ("participation", "cook@lakes.example"), ("participation", "tremblay@lakes.example"),
        ("roles_changed", "tremblay@lakes.example"),
    ]  # fmt: skip
    done(lakes, IESO, participation_end.end, rights, "left this one too")
    with lakes.work() as work:
        kept = work.db.scalars(select(ContactAssignment).where(ContactAssignment.held_at(work.now)))
        assert list(kept) == []
    assert ("machine.custodian", "ra") in tasks(lakes)


def test_rg12_an_end_needs_an_approved_participation_and_a_reason(lakes: Runtime) -> None:
    row = applied(lakes)
    with pytest.raises(ChangedMeanwhile):
        done(lakes, IESO, participation_end.end, row, "why")
    with pytest.raises(ReasonMissing):
        done(lakes, IESO, participation_end.end, energy(lakes), "")
    with lakes.work(Origin(IESO.person)) as work, pytest.raises(ChangedMeanwhile):
        participation_end.end(work, IESO, at(work), energy(lakes), 99, "why")


@pytest.mark.parametrize("actor", [APPREP, Actor(RA), Actor(TRADER), Actor("999")])
def test_rg12_only_the_ieso_decides(lakes: Runtime, actor: Actor) -> None:
    """Nothing is written."""
    row = applied(lakes)
    written = history(lakes)
    for act, one, values in (
        (participation_decisions.approve, row, ()),
        (participation_decisions.refuse, row, ("no",)),
        (participation_end.end, energy(lakes), ("no",)),
    ):
        with pytest.raises(NotAllowed) as refused:
            done(lakes, actor, act, one, *values)
        assert refused.value.reason in (Reason.TIER, Reason.NOT_YOURS)
    assert history(lakes) == written


@pytest.mark.parametrize("actor", [Actor(RA), Actor(TRADER), Actor("999")])
def test_rg12_only_applicant_representatives_and_the_ieso_apply(
    lakes: Runtime, actor: Actor
) -> None:
    row = applied(lakes)
    with pytest.raises(NotAllowed):
        applied(lakes, actor)
    with pytest.raises(NotAllowed):
        step(lakes, row, Step.CONNECTIVITY, actor)
    with pytest.raises(NotAllowed):
        done(lakes, actor, participation_decisions.withdraw, row, "no")


def test_tm07_a_participation_of_another_organization_does_not_exist(lakes: Runtime) -> None:
    row = energy(lakes)
    with lakes.work(Origin(IESO.person)) as work, pytest.raises(ParticipationNotFound):
        participation_end.end(work, IESO, at(work, PRAIRIE), row, 1, "why")


def test_ma03_a_custodian_with_nothing_else_is_a_task_until_he_has_something(
    lakes: Runtime,
) -> None:
    """MA-03: a contact role ends and comes back; then the machine is stopped."""
    with lakes.work(Origin(RA)) as work:
        machine_registry.register(work, Actor(RA), at(work), by_id(work, TRADER),
                                  (Network("192.0.2.1/32"),), "Bids")  # fmt: skip
    held = Holding("settle", Contact(ContactKind.PERSON, TRADER))
    contact(lakes, held)
    alarm = ("machine.custodian", "ra")
    with lakes.work(Origin(APPREP.person)) as work:
        batch = Batch(frozenset(), frozenset((held,)))
        contact_assignments.change(work, APPREP, at(work), batch)
    assert tasks(lakes) == [alarm]
    grant(lakes, AccountKind.PERSON, TRADER, "bids")
    assert tasks(lakes) == []
    with lakes.work() as work:
        row = work.db.scalars(select(AccessAssignment)).one()
        row.valid_until = work.now
    with lakes.work(Origin(APPREP.person)) as work:
        lock_and_close(work, at(work))
    assert tasks(lakes) == [alarm]
    with lakes.work(Origin(RA)) as work:
        machine_registry.stop(work, Actor(RA), at(work), 1,
                              kept_machines.kept(work, at(work), 1).revision)  # fmt: skip
    assert tasks(lakes) == []
