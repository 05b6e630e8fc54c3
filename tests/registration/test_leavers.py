"""Somebody leaves an organization: what ends, who may say so, and what stands against it
(procedures D and J)."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from registration import access_batches, access_requests, dry_runs, leaver_holdings, leavers
from registration.access_changes import AccountKey, Cell, Change
from registration.appointment_refusals import ReasonNeedsText
from registration.appointments import EndReason
from registration.contact_rules import Fault
from registration.delegation_facts import AccountKind, Actor, Tier
from registration.delegation_rules import Reason
from registration.kept_machines import kept
from registration.leaver_refusals import LeaverNotPossible
from registration.leavers import Terms
from registration.models import (
    AccessAssignment,
    AccessRole,
    Account,
    Appointment,
    ContactAssignment,
    ContactRole,
    Custody,
    Held,
    History,
    Machine,
    Notice,
    Organization,
    Person,
    Push,
    Request,
    Task,
)
from registration.permission import NotAllowed
from registration.transaction import Runtime, UnitOfWork
from registration.work_refusals import ChangedMeanwhile
from registration_bridge.message_urns import REGISTRATION_USER
from tests.registration.fake_bridge import FakeBridge
from tests.registration.participant import OLD, RA, TRADER, participant, person

APPREP, PC, AR, OTHER = "100003", "100004", "100005", "100009"
LEFT = Terms(EndReason.LEFT)


@pytest.fixture
def lakes(work: UnitOfWork) -> Organization:
    """The trader has an access role, a contact role and a request that waits; another person has
    the same contact role."""
    here = participant(work)
    for number, name, office in ((APPREP, "Luc Roy", "apprep"), (PC, "Petra Novak", "pc"),
                                 (AR, "Ann Lee", "ar")):  # fmt: skip
        appoint(work, here, person(work, number, name), office)
    work.db.scalars(select(Person).where(Person.person_id == RA)).one().language = "fr"
    other = person(work, OTHER, "Olga Ivanov")
    role = ContactRole(code="desk", name="Desk", name_fr="Bureau", held_by="person", minimum=1,
                       exclusive_with=[], markets=[], role_groups=["EMI Desk"])  # fmt: skip
    work.db.add(role)
    work.db.flush()
    for one in (by_id(work, TRADER), other):
        work.db.add(ContactAssignment(organization_id=here.id, contact_role_id=role.id,
                                      person_id=one.id, valid_from=OLD,
                                      given_by="test"))  # fmt: skip
    work.db.flush()
    cell = Cell(AccountKey(AccountKind.PERSON, TRADER), "bids")
    access_batches.order(work, Actor(RA), here, [Change(cell, grants=True, saw=0)])
    access_requests.ask(work, Actor(TRADER), here, "view")
    work.db.execute(Notice.__table__.delete())  # type: ignore[attr-defined]
    return here


def appoint(work: UnitOfWork, here: Organization, one: Person, office: str) -> None:
    work.db.add(Appointment(person_id=one.id, organization_id=here.id, office=office,
                            valid_from=OLD, given_by="test"))  # fmt: skip
    work.db.flush()


def by_id(work: UnitOfWork, number: str) -> Person:
    return work.db.scalars(select(Person).where(Person.person_id == number)).one()


def leave(work: UnitOfWork, here: Organization, who: str = TRADER, *, by: str = RA,
          terms: Terms = LEFT, seen: str | None = None) -> Request:  # fmt: skip
    gone = by_id(work, who)
    known = leaver_holdings.of_person(work, here, gone).seen if seen is None else seen
    return leavers.leave(work, Actor(by), here, gone, known, terms)


def machine(work: UnitOfWork, here: Organization, custodian: str) -> Machine:
    account = Account(external_id="machine-1", kind="machine", username="APIIESO00001",
                      scim_id="scim-m", created_at=OLD, created_by="test")  # fmt: skip
    work.db.add(account)
    work.db.flush()
    row = Machine(account_id=account.id, organization_id=here.id, description="Sends bids",
                  created_at=OLD, created_by="test")  # fmt: skip
    work.db.add(row)
    work.db.flush()
    work.db.add(Custody(machine_id=row.id, person_id=by_id(work, custodian).id, valid_from=OLD,
                        given_by="test"))  # fmt: skip
    work.db.flush()
    return row


def open_rows(work: UnitOfWork, kind: type[Held], who: str = TRADER) -> int:
    rows = work.db.scalars(select(kind).where(kind.ended_at.is_(None)))
    holders = [one.account.person if isinstance(one, AccessAssignment) else one.person
               for one in rows]  # type: ignore[attr-defined] # fmt: skip
    return len([one for one in holders if one is not None and one.person_id == who])


def history(work: UnitOfWork) -> list[str]:
    return [one.action for one in work.db.scalars(select(History).order_by(History.id))]


def mails(work: UnitOfWork) -> dict[str, str]:
    rows = work.db.scalars(select(Notice).order_by(Notice.id))
    return {f"{row.kind} {row.recipient.partition('@')[0]}": row.body for row in rows}


def pushes(work: UnitOfWork, order: Request) -> list[Push]:
    return list(work.db.scalars(select(Push).where(Push.request_id == order.id)))


def test_d02_to_d06_everything_ends_as_one_act(work: UnitOfWork, lakes: Organization) -> None:
    """D.02, D.03, NT-03, NT-05: roles, contact roles and the request, with one push of the account
    and mails in each language."""
    order = leave(work, lakes)
    for kind in (AccessAssignment, ContactAssignment):
        assert open_rows(work, kind) == 0
    assert open_rows(work, ContactAssignment, OTHER) == 1
    asked = work.db.scalars(select(Request).where(Request.kind == "access.request")).one()
    assert (asked.state, asked.data["reason"]) == ("refused", "left")
    assert list(work.db.scalars(select(Task).where(Task.done_at.is_(None)))) == []
    assert (order.kind, order.state, order.waits_for) == ("person.left", "open", 1)
    (push,) = pushes(work, order)
    assert push.body[REGISTRATION_USER]["grants"] == []
    assert history(work)[-4:] == ["person.left", "access.revoked", "contact_role.removed",
                                  "access.request_closed"]  # fmt: skip
    found = mails(work)
    assert set(found) == {"own_leave moreau", "leaver tremblay"}
    assert "Removed: Bids\nRemoved: Desk" in found["own_leave moreau"]
    assert "a inscrit le départ de Ada Moreau" in found["leaver tremblay"]
    assert "Retiré\u00a0: bids (fr)" in found["leaver tremblay"]


@pytest.mark.parametrize("by", [PC, AR])
def test_tm01_primary_contacts_and_authorized_representatives_may_too(
    work: UnitOfWork, lakes: Organization, by: str
) -> None:
    """D.01: whoever learns of it first."""
    leave(work, lakes, by=by)
    assert open_rows(work, AccessAssignment) == 0


@pytest.mark.parametrize(
    ("by", "who", "reason"),
    [
        (APPREP, TRADER, Reason.TIER),
        (OTHER, TRADER, Reason.TIER),
        (RA, PC, Reason.HOLDS_OFFICE),
        (PC, AR, Reason.HOLDS_OFFICE),
        (AR, RA, Reason.HOLDS_OFFICE),
        ("nobody", TRADER, Reason.NOT_YOURS),
    ],
)
def test_tm01_nobody_ends_an_office_above_his_tier(
    work: UnitOfWork, lakes: Organization, by: str, who: str, reason: Reason
) -> None:
    """TM-01: the refusal names who can; nothing is done."""
    before = len(history(work))
    with pytest.raises(NotAllowed) as refused:
        leave(work, lakes, who, by=by)
    assert refused.value.reason is reason
    if reason is Reason.HOLDS_OFFICE:
        expected = {PC: (AR, PC), AR: (AR,), RA: (PC,)}[who]
        assert tuple(n for one in refused.value.who_can for n in one.people) == expected
    assert len(history(work)) == before


def test_tm07_who_has_nothing_here_does_not_exist(work: UnitOfWork, lakes: Organization) -> None:
    person(work, "100020", "Nina Stranger")
    with pytest.raises(NotAllowed) as refused:
        leave(work, lakes, "100020")
    assert refused.value.reason is Reason.NOT_YOURS


def test_j01_a_rights_administrator_leaves_and_the_office_is_vacant(
    work: UnitOfWork, lakes: Organization
) -> None:
    """J.01 to J.04, TM-06, NT-05, NT-11: the Primary Contacts get the task and the mails, and the
    gateway learns that the organization has no such officer."""
    order = leave(work, lakes, RA, by=PC)
    assert open_rows(work, Appointment, RA) == 0
    task = work.db.scalars(select(Task).where(Task.kind == "office.vacant")).one()
    assert (task.office, task.data["office"]) == (Tier.PC, Tier.RA)
    assert set(mails(work)) == {"vacancy novak", "own_leave tremblay", "leaver novak"}
    assert {push.organization_id for push in pushes(work, order)} == {None, lakes.id}
    assert "Retiré\u00a0: administrateur des droits" in mails(work)["own_leave tremblay"]


def test_co04_a_contact_role_keeps_its_minimum(work: UnitOfWork, lakes: Organization) -> None:
    """CO-04, D.02: the last contact of a role that needs one is replaced first; nothing is done."""
    leave(work, lakes, OTHER)
    with pytest.raises(LeaverNotPossible) as refused:
        leave(work, lakes)
    (breach,) = refused.value.breaches
    assert (breach.fault, breach.role, breach.count) == (Fault.BELOW_MINIMUM, "desk", 0)
    assert open_rows(work, AccessAssignment) == 1


def test_ma10_a_custodian_needs_a_successor(work: UnitOfWork, lakes: Organization) -> None:
    """MA-10: without one it is refused; with one the machine is handed over in the same order."""
    row = machine(work, lakes, TRADER)
    with pytest.raises(LeaverNotPossible) as refused:
        leave(work, lakes)
    assert [one.row.id for one in refused.value.machines] == [row.id]
    order = leave(work, lakes, terms=Terms(EndReason.LEFT, successor=by_id(work, OTHER)))
    assert kept(work, lakes, row.id).custodian.person_id == OTHER
    assert {push.account_id for push in pushes(work, order)} == {
        row.account_id, work.db.scalars(select(Account.id).where(
            Account.external_id == f"person-{TRADER}")).one(),
    }  # fmt: skip
    assert "machine.handed_over" in history(work)
    assert "Removed: custody of APIIESO00001" in mails(work)["own_leave moreau"]
    assert [one.kind for one in work.db.scalars(select(Task).where(Task.done_at.is_(None)))] == []


def test_ma10_only_who_hands_over_machines_names_a_successor(
    work: UnitOfWork, lakes: Organization
) -> None:
    """TM-01: a Primary Contact cannot give a machine account to somebody."""
    machine(work, lakes, TRADER)
    with pytest.raises(NotAllowed) as refused:
        leave(work, lakes, by=PC, terms=Terms(EndReason.LEFT, successor=by_id(work, OTHER)))
    assert refused.value.who_can[0].tier is Tier.RA


def test_a_stale_form_is_refused(work: UnitOfWork, lakes: Organization) -> None:
    """A role that somebody granted after the page was drawn would end unseen."""
    seen = leaver_holdings.of_person(work, lakes, by_id(work, TRADER)).seen
    cell = Cell(AccountKey(AccountKind.PERSON, TRADER), "view")
    access_batches.order(work, Actor(RA), lakes, [Change(cell, grants=True, saw=0)])
    with pytest.raises(ChangedMeanwhile):
        leave(work, lakes, seen=seen)
    assert open_rows(work, AccessAssignment) == 2


def test_tm14_another_reason_needs_words(work: UnitOfWork, lakes: Organization) -> None:
    with pytest.raises(ReasonNeedsText):
        leave(work, lakes, terms=Terms(EndReason.OTHER, " "))
    order = leave(work, lakes, terms=Terms(EndReason.OTHER, "new owner"))
    entry = work.db.scalars(
        select(History).where(History.action == "person.left", History.request_id == order.id)
    ).one()
    assert entry.reason == "other: new owner"


def test_ar04_roles_at_another_organization_stay(work: UnitOfWork, lakes: Organization) -> None:
    """AR-04, PR-05: and the account, which is needed there, cannot be closed."""
    elsewhere = Organization(organization_id="109131", name="Prairie", created_at=OLD,
                             updated_at=OLD)  # fmt: skip
    work.db.add(elsewhere)
    work.db.flush()
    account = work.db.scalars(select(Account).where(
        Account.external_id == f"person-{TRADER}")).one()  # fmt: skip
    role = work.db.scalars(select(AccessRole).where(AccessRole.code == "view")).one()
    work.db.add(AccessAssignment(organization_id=elsewhere.id, access_role_id=role.id,
                                 account_id=account.id, valid_from=OLD,
                                 given_by="test"))  # fmt: skip
    work.db.flush()
    with pytest.raises(NotAllowed) as refused:
        leave(work, lakes, terms=Terms(EndReason.LEFT, closes_account=True))
    assert refused.value.reason is Reason.NEEDED_ELSEWHERE
    order = leave(work, lakes)
    (push,) = pushes(work, order)
    assert [one["participantId"] for one in push.body[REGISTRATION_USER]["grants"]] == ["109131"]


def test_pr04_the_account_is_closed_if_that_is_asked_for(
    work: UnitOfWork, lakes: Organization
) -> None:
    """PR-04, PR-05, UI-10: the personal account that nothing needs, and always the one that acts
    for this organization only."""
    second = Account(external_id="second-1", kind="person", person_id=by_id(work, TRADER).id,
                     only_organization_id=lakes.id, username="moreau2", scim_id="scim-2",
                     created_at=OLD, created_by="test")  # fmt: skip
    work.db.add(second)
    work.db.flush()
    order = leave(work, lakes, terms=Terms(EndReason.LEFT, closes_account=True))
    ended = work.db.scalars(select(Account).where(Account.ended_at.is_not(None)))
    assert {one.username for one in ended} == {"moreau", "moreau2"}
    assert {push.operation for push in pushes(work, order)} == {"delete"}
    assert "Removed: account moreau\n" in mails(work)["own_leave moreau"] + "\n"


def test_an_account_that_acts_for_this_organization_only_ends(
    work: UnitOfWork, lakes: Organization
) -> None:
    """UI-10: the personal account stays open for whatever comes."""
    work.db.add(Account(external_id="second-1", kind="person", person_id=by_id(work, TRADER).id,
                        only_organization_id=lakes.id, username="moreau2", scim_id="scim-2",
                        created_at=OLD, created_by="test"))  # fmt: skip
    work.db.flush()
    order = leave(work, lakes)
    assert sorted(push.operation for push in pushes(work, order)) == ["delete", "put"]


@pytest.fixture
def stored(runtime: Runtime) -> Runtime:
    """The trader's role is committed."""
    with runtime.work() as work:
        here = participant(work)
        cell = Cell(AccountKey(AccountKind.PERSON, TRADER), "bids")
        access_batches.order(work, Actor(RA), here, [Change(cell, grants=True, saw=0)])
    return runtime


def test_the_dry_run_leaves_nothing(stored: Runtime, bridge: FakeBridge) -> None:
    """AR-05: the gateway tries the push of the account, and nothing is kept."""
    with stored.work() as work:
        here = work.db.scalars(select(Organization)).one()
        before = len(history(work))
        tried = dry_runs.of_request(work, leave(work, here))
        assert tried.refusals == ()
        assert len(history(work)) == before
        assert open_rows(work, AccessAssignment) == 1
