"""Requests for access: who asks, who decides, and what comes of it (RG-11, procedure B)."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from registration import access_batches, access_requests, own_lists
from registration.access_batches import BatchNotPossible
from registration.access_changes import AccountKey, Cell, Change
from registration.access_request_refusals import (
    AccessRequestNotFound,
    AlreadyAsked,
    AlreadyDecided,
    RefusalNeedsReason,
    RoleHeld,
    RoleNotOffered,
)
from registration.delegation_facts import AccountKind, Actor, Tier
from registration.delegation_rules import Reason
from registration.models import (
    AccessAssignment,
    Appointment,
    ContactAssignment,
    ContactRole,
    History,
    Notice,
    Organization,
    Participation,
    Person,
    Push,
    Request,
)
from registration.permission import NotAllowed
from registration.transaction import UnitOfWork
from tests.registration.participant import OLD, RA, TRADER, participant, person

APPREP, STRANGER = "100003", "100009"
ASKER, ADMIN = Actor(TRADER), Actor(RA)


@pytest.fixture
def lakes(work: UnitOfWork) -> Organization:
    """An organization with an administrator, an Applicant Representative, and the trader, who has a
    contact role."""
    here = participant(work)
    apprep = person(work, APPREP, "Luc Roy")
    apprep.language = "fr"
    person(work, STRANGER, "Olga Ivanov")
    role = ContactRole(code="desk", name="Desk", name_fr="Bureau", held_by="person",
                       exclusive_with=[], markets=[], role_groups=[])  # fmt: skip
    work.db.add(role)
    work.db.flush()
    trader = work.db.scalars(select(Person).where(Person.person_id == TRADER)).one()
    given = {"organization_id": here.id, "valid_from": OLD, "given_by": "test"}
    work.db.add_all([
        Appointment(person_id=apprep.id, office="apprep", **given),
        ContactAssignment(contact_role_id=role.id, person_id=trader.id, **given),
    ])  # fmt: skip
    work.db.flush()
    return here


def ask(work: UnitOfWork, here: Organization, role: str = "bids") -> Request:
    return access_requests.ask(work, ASKER, here, role, "new desk")


def actions(work: UnitOfWork) -> list[str]:
    return [one.action for one in work.db.scalars(select(History).order_by(History.id))]


def mails(work: UnitOfWork) -> list[tuple[str, str]]:
    rows = work.db.scalars(select(Notice).order_by(Notice.kind, Notice.recipient))
    return [(row.kind, row.recipient) for row in rows]


def open_tasks(work: UnitOfWork, here: Organization, person_id: str, office: Tier) -> list[str]:
    work.db.flush()
    person = work.db.scalars(select(Person).where(Person.person_id == person_id)).one()
    held = [(office, here.organization_id)]
    return [one.kind for one in own_lists.tasks(work, person, held)]


def test_b01_a_request_is_a_task_and_a_mail_for_everybody_who_grants(
    work: UnitOfWork, lakes: Organization
) -> None:
    """B.01: it waits under a Request Number; nothing is granted, nothing is pushed."""
    request = ask(work, lakes)
    assert (request.number, request.state, request.closed_at) == ("R0000001", "open", None)
    assert open_tasks(work, lakes, RA, Tier.RA) == ["access.requested"]
    assert open_tasks(work, lakes, APPREP, Tier.APPREP) == ["access.requested"]
    assert mails(work) == [
        ("access_requested", "roy@lakes.example"),
        ("access_requested", "tremblay@lakes.example"),
    ]
    french, english = work.db.scalars(select(Notice).order_by(Notice.recipient))
    assert "Ada Moreau demande un rôle d’accès pour Northern Lakes\u00a0: bids (fr)." in french.body
    assert "Reason: new desk" in english.body
    assert actions(work) == ["access.requested"]
    assert list(work.db.scalars(select(Push))) == []
    assert list(work.db.scalars(select(AccessAssignment))) == []


@pytest.mark.parametrize("decider", [RA, APPREP])
def test_b02_an_approval_is_an_order_like_any_other(
    work: UnitOfWork, lakes: Organization, decider: str
) -> None:
    """B.02 to B.05, NT-03: the role, its push and its mails, and the request is closed."""
    request = ask(work, lakes)
    order = access_requests.approve(work, Actor(decider), lakes, request.number)
    assert (order.kind, order.waits_for) == (access_batches.KIND, 1)
    (row,) = work.db.scalars(select(AccessAssignment))
    assert (row.access_role.code, row.given_why) == ("bids", "R0000001 new desk")
    assert request.state == "done"
    assert request.data == {"role": "bids", "why": "new desk", "decided_by": decider,
                            "order": order.number}  # fmt: skip
    assert open_tasks(work, lakes, RA, Tier.RA) == []
    assert open_tasks(work, lakes, APPREP, Tier.APPREP) == []
    assert actions(work) == ["access.requested", "access.granted", "access.request_granted"]
    assert ("own_roles_changed", "moreau@lakes.example") in mails(work)
    with pytest.raises(AlreadyDecided):
        access_requests.approve(work, ADMIN, lakes, request.number)
    with pytest.raises(AlreadyDecided):
        access_requests.refuse(work, ADMIN, lakes, request.number, "late")


def test_b03_a_grant_in_the_list_closes_what_waits_for_it(
    work: UnitOfWork, lakes: Organization
) -> None:
    """B.03: the request is granted by that order, and is nobody's task any more; a request for
    another role waits on."""
    request, other = ask(work, lakes), ask(work, lakes, "view")
    cell = Cell(AccountKey(AccountKind.PERSON, TRADER), "bids")
    order = access_batches.order(work, Actor(APPREP), lakes, [Change(cell, grants=True, saw=0)])
    assert (request.state, request.data["order"], request.data["decided_by"]) == (
        "done", order.number, APPREP,
    )  # fmt: skip
    assert other.state == "open"
    assert len(open_tasks(work, lakes, RA, Tier.RA)) == 1
    assert actions(work)[-2:] == ["access.granted", "access.request_granted"]


def test_tm07_an_operator_of_the_ieso_asks_only_where_he_belongs(
    work: UnitOfWork, lakes: Organization
) -> None:
    """He sees every organization, and has access at none by that."""
    with pytest.raises(NotAllowed) as refused:
        access_requests.ask(work, Actor(STRANGER, is_operator=True), lakes, "bids")
    assert refused.value.reason is Reason.NOT_YOURS


def test_a_refusal_has_a_reason_that_the_person_reads(
    work: UnitOfWork, lakes: Organization
) -> None:
    """Without one it is not done; afterwards the person can ask again."""
    request = ask(work, lakes)
    with pytest.raises(RefusalNeedsReason):
        access_requests.refuse(work, ADMIN, lakes, request.number, "  ")
    access_requests.refuse(work, ADMIN, lakes, request.number, "not your desk")
    assert (request.state, request.data["reason"]) == ("refused", "not your desk")
    last = work.db.scalars(select(Notice).order_by(Notice.id.desc())).first()
    assert last is not None
    assert last.recipient == "moreau@lakes.example"
    assert "Marie Tremblay has refused the access role" in last.body
    assert "Reason: not your desk" in last.body
    entries = list(work.db.scalars(select(History).order_by(History.id)))
    assert (entries[-1].action, entries[-1].reason) == ("access.request_refused", "not your desk")
    assert open_tasks(work, lakes, RA, Tier.RA) == []
    assert ask(work, lakes).state == "open"


def test_rg13_nobody_asks_for_what_he_has_or_cannot_have(
    work: UnitOfWork, lakes: Organization
) -> None:
    """RG-13, AR-03: roles of machines, of other markets and unknown ones are not offered; a second
    request of the same role is refused."""
    for role in ("auction", "robot", "nothing"):
        with pytest.raises(RoleNotOffered):
            ask(work, lakes, role)
    ask(work, lakes)
    with pytest.raises(AlreadyAsked):
        ask(work, lakes)
    cell = Cell(AccountKey(AccountKind.PERSON, TRADER), "view")
    access_batches.order(work, ADMIN, lakes, [Change(cell, grants=True, saw=0)])
    with pytest.raises(RoleHeld):
        ask(work, lakes, "view")


def test_tm07_only_members_ask_and_only_who_grants_decides(
    work: UnitOfWork, lakes: Organization
) -> None:
    """TM-01, TM-07: to an outsider the organization does not exist; the holder grants nothing."""
    with pytest.raises(NotAllowed) as refused:
        access_requests.ask(work, Actor(STRANGER), lakes, "bids")
    assert refused.value.reason is Reason.NOT_YOURS
    request = ask(work, lakes)
    for actor, reason in ((ASKER, Reason.TIER), (Actor(STRANGER), Reason.NOT_YOURS)):
        with pytest.raises(NotAllowed) as refused:
            access_requests.approve(work, actor, lakes, request.number)
        assert refused.value.reason is reason
        with pytest.raises(NotAllowed):
            access_requests.refuse(work, actor, lakes, request.number, "no")
    elsewhere = Organization(organization_id="109131", name="Prairie", created_at=OLD,
                             updated_at=OLD)  # fmt: skip
    work.db.add(elsewhere)
    work.db.flush()
    with pytest.raises(AccessRequestNotFound):
        access_requests.approve(work, ADMIN, elsewhere, request.number)
    assert request.state == "open"


def test_an_approval_after_the_participation_has_ended_is_refused(
    work: UnitOfWork, lakes: Organization
) -> None:
    """TM-07: the rules of a grant are asked again when it is granted."""
    request = ask(work, lakes)
    work.db.scalars(select(Participation)).one().ended_at = work.now
    work.db.flush()
    with pytest.raises((BatchNotPossible, NotAllowed)):
        access_requests.approve(work, ADMIN, lakes, request.number)
    assert list(work.db.scalars(select(AccessAssignment))) == []
