"""Contact roles as a service: by person, by role and by section, one batch at a time."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from registration import contact_assignments, contact_directory
from registration.catalogue import packaged
from registration.contact_refusals import (
    ContactNotFound,
    ContactRoleNotFound,
    ContactRulesBroken,
    NothingChanged,
)
from registration.contact_rules import Batch, Contact, ContactKind, Fault, Holding
from registration.delegation_facts import Actor
from registration.delegation_rules import Reason
from registration.models import (
    ContactAssignment,
    ContactRole,
    History,
    Notice,
    Push,
    Request,
    Section,
)
from registration.permission import NotAllowed
from registration.transaction import Runtime
from registration_bridge.message_urns import REGISTRATION_USER
from tests.registration.company import LAKES, WIND, Company, organization

APPREP = Actor("apprep")
SUBMITTER, VIEWER, DESK = "dispatch-data-submitter", "dispatch-data-viewer", "bids-and-offers"
WRITTEN = (ContactAssignment, History, Notice, Push, Request)


@pytest.fixture
def company(runtime: Runtime) -> Company:
    """The officers of Lakes, the catalogue, and a section of each organization."""
    company = Company(runtime)
    company.found()
    with company.work() as work:
        for role in packaged().contact_roles.values():
            if role.office is None:
                work.db.add(
                    ContactRole(
                        code=role.code, name=role.name, name_fr=role.name_fr,
                        held_by=role.held_by, minimum=role.minimum, maximum=role.maximum,
                        exclusive_with=list(role.exclusive_with), markets=list(role.markets),
                        role_groups=list(role.role_groups),
                    )
                )  # fmt: skip
        for number in (LAKES, WIND):
            work.db.add(
                Section(
                    organization_id=organization(work, number).id, name=f"Desk of {number}",
                    valid_from=work.now, given_by="test",
                )
            )  # fmt: skip
    return company


def one(role: str, name: str) -> Holding:
    return Holding(role, Contact(ContactKind.PERSON, name))


def section(company: Company, number: str = LAKES) -> Contact:
    with company.work() as work:
        row = work.db.scalars(select(Section).where(Section.name == f"Desk of {number}")).one()
        return Contact(ContactKind.SECTION, str(row.id))


def change(
    company: Company,
    added: Any = (),
    removed: Any = (),
    actor: Actor = APPREP,
    number: str = LAKES,
) -> None:
    with company.work(actor.person) as work:
        batch = Batch(frozenset(added), frozenset(removed))
        contact_assignments.change(work, actor, organization(work, number), batch, "as agreed")


def held(company: Company) -> frozenset[Holding]:
    with company.work() as work:
        return contact_directory.directory(work, organization(work)).held


def test_b_a_contact_role_opens_its_role_group_at_once(company: Company) -> None:
    """B.02, CO-01, CO-06, NT-03, PR-01: assignment, history, mails and push in one transaction."""
    change(company, [one(SUBMITTER, "french")])
    assert held(company) == {one(SUBMITTER, "french")}
    assert company.last_push()[REGISTRATION_USER]["grants"] == [
        {"roleGroup": "Dispatch Data Submitter", "participantId": LAKES, "grantedBy": "apprep"}
    ]
    assert company.history()[0] == ("contact_role.added", "apprep", "as agreed")
    assert [(kind, to) for kind, to, _ in company.notices()] == [
        ("own_roles_changed", "french@lakes.example"),
        ("roles_changed", "ra@lakes.example"),
    ]
    with company.work() as work:
        own, of_ra = (row.body for row in work.db.scalars(select(Notice).order_by(Notice.id)))
    assert "Ajouté\u00a0: Soumission des données de répartition" in own
    assert "Added: Dispatch Data Submitter – French Smith" in of_ra


def test_a_role_without_a_system_makes_no_account(company: Company) -> None:
    """CO-07."""
    change(company, [one("settlements", "new")])
    assert company.count(Push) == 0
    with company.work() as work:
        assert work.db.scalars(select(Request)).one().state == "done"


def test_a_section_holds_a_role(company: Company) -> None:
    """CO-03: of this organization only; nobody is mailed but the RA."""
    desk = section(company)
    change(company, [Holding(DESK, desk)])
    assert held(company) == {Holding(DESK, desk)}
    assert [to for _, to, _ in company.notices()] == ["ra@lakes.example"]
    with pytest.raises(ContactNotFound):
        change(company, [Holding("control-room-section", section(company, WIND))])
    with pytest.raises(ContactNotFound):
        change(company, [one(VIEWER, "nobody")])


def test_one_batch_changes_several_people_and_is_told_once_to_each(company: Company) -> None:
    """CO-02, NT-03: a person replaces another in a role that must be held."""
    change(company, [one(SUBMITTER, "new"), one("settlements", "new")])
    company.count(Notice)
    change(company, [one(SUBMITTER, "french")], [one(SUBMITTER, "new")])
    assert held(company) == {one(SUBMITTER, "french"), one("settlements", "new")}
    assert [to for _, to, _ in company.notices()][2:] == [
        "french@lakes.example",
        "new@lakes.example",
        "ra@lakes.example",
    ]
    assert [action for action, _, _ in company.history()][-3:] == [
        "contact_role.removed", "contact_role.added", "account.ordered",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("added", "removed", "fault"),
    [
        ([], [(SUBMITTER, "new")], Fault.BELOW_MINIMUM),
        ([(VIEWER, "new")], [], Fault.EXCLUDED),
        ([(SUBMITTER, "new")], [], Fault.ALREADY_HELD),
        ([], [(VIEWER, "new")], Fault.NOT_HELD),
        ([(DESK, "new")], [], Fault.WRONG_KIND),
        (
            [("invoicing-and-banking", name) for name in ("new", "french", "ar", "pc", "ra")],
            [],
            Fault.ABOVE_MAXIMUM,
        ),
    ],
)
def test_a_batch_against_the_rules_writes_nothing(
    company: Company,
    added: list[tuple[str, str]],
    removed: list[tuple[str, str]],
    fault: Fault,
) -> None:
    """CO-03 to CO-05; a stale form too: what it adds is held, or what it removes is gone."""
    change(company, [one(SUBMITTER, "new")])
    before = [company.count(model) for model in WRITTEN]
    batch = Batch(frozenset(one(*it) for it in added), frozenset(one(*it) for it in removed))
    with company.work("apprep") as work:
        broken = contact_assignments.preview(work, APPREP, organization(work), batch)
    with pytest.raises(ContactRulesBroken) as refused:
        change(company, batch.added, batch.removed)
    assert refused.value.breaches == broken
    assert [breach.fault for breach in broken] == [fault]
    assert [company.count(model) for model in WRITTEN] == before


@pytest.mark.parametrize(
    ("actor", "number", "reason"),
    [
        ("ra", LAKES, Reason.TIER),
        ("ar", LAKES, Reason.TIER),
        ("new", LAKES, Reason.NOT_YOURS),
        ("apprep", WIND, Reason.NOT_YOURS),
    ],
)
def test_only_the_applicant_representative_of_the_organization(
    company: Company, actor: str, number: str, reason: Reason
) -> None:
    """TM-07, I.01, Z-10."""
    with pytest.raises(NotAllowed) as refused:
        change(company, [one(VIEWER, "new")], actor=Actor(actor), number=number)
    assert refused.value.reason is reason


def test_roles_that_the_organization_does_not_have(company: Company) -> None:
    """RG-13, TM-01: of a participation not held, unknown ones, and offices."""
    with pytest.raises(NothingChanged):
        change(company)
    for role in ("msp-revenue-metering", "nonsense", "authorized-representative"):
        with pytest.raises(ContactRoleNotFound):
            change(company, [one(role, "new")])
    with company.work() as work:
        roles = contact_directory.directory(work, organization(work)).roles
    assert SUBMITTER in roles
    assert not {"msp-revenue-metering", "rights-administrator", "revenue-metering"} & set(roles)


def test_a_pc_takes_the_contact_roles_of_an_ra_whom_he_ends(company: Company) -> None:
    """J.01, TM-14."""
    change(company, [one(VIEWER, "ra"), one(VIEWER, "new")])
    change(company, (), [one(VIEWER, "ra")], actor=Actor("pc"))
    with pytest.raises(NotAllowed):
        change(company, (), [one(VIEWER, "new")], actor=Actor("pc"))
