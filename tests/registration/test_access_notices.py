"""Who is told of grants and revocations."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from registration import access_batches
from registration.access_changes import AccountKey, Cell, Change
from registration.delegation_facts import AccountKind, Actor
from registration.models import (
    Account,
    Appointment,
    Custody,
    History,
    Machine,
    Notice,
    Organization,
)
from registration.transaction import UnitOfWork
from tests.registration.participant import NOW, RA, TRADER, participant, person

ACTOR = Actor(RA)


@pytest.fixture
def lakes(work: UnitOfWork) -> Organization:
    """An organization with a Rights Administrator and one approved market."""
    return participant(work)


def change(role: str, who: str = TRADER, *, grants: bool = True, saw: int = 0) -> Change:
    return Change(Cell(AccountKey(AccountKind.PERSON, who), role), grants, saw)


def mails(work: UnitOfWork) -> list[Notice]:
    return list(work.db.scalars(select(Notice).order_by(Notice.id)))


def test_the_holder_and_the_rights_administrator_get_one_mail_each(
    work: UnitOfWork, lakes: Organization
) -> None:
    """AR-09, B.05, NT-03: one for the batch, in the transaction of the change."""
    access_batches.order(work, ACTOR, lakes, [change("bids"), change("view")])
    own, of_ra = mails(work)
    assert (own.kind, own.state) == ("own_roles_changed", "queued")
    assert own.body.count("Added: ") == 2
    assert of_ra.kind == "roles_changed"
    assert of_ra.recipient != own.recipient
    assert work.db.get_one(History, own.history_id).action == "access.granted"
    access_batches.order(work, ACTOR, lakes, [change("bids", grants=False, saw=1)])
    assert "Removed: " in mails(work)[2].body


def test_an_ra_who_changes_the_own_access_gets_one_mail(
    work: UnitOfWork, lakes: Organization
) -> None:
    """AR-10, I.05, NT-10; a second Rights Administrator is told too."""
    other = person(work, "100077", "Ann Other")
    work.db.add(
        Appointment(
            person_id=other.id, organization_id=lakes.id, office="ra",
            valid_from=NOW - timedelta(days=1), given_by="test",
        )
    )  # fmt: skip
    work.db.flush()
    access_batches.order(work, ACTOR, lakes, [change("bids", RA)])
    own, of_other = mails(work)
    assert own.kind == "own_roles_changed"
    assert (of_other.kind, of_other.person_id) == ("roles_changed", other.id)


def test_the_custodian_is_told_of_the_roles_of_a_machine(
    work: UnitOfWork, lakes: Organization
) -> None:
    """NT-03, MA-05."""
    custodian = person(work, "100078", "Cora Custodian")
    program = Account(
        external_id="machine-1", kind="machine", username="APIIESO00042", created_at=NOW,
        created_by="test",
    )  # fmt: skip
    work.db.add(program)
    work.db.flush()
    machine = Machine(
        account_id=program.id, organization_id=lakes.id, created_at=NOW, created_by="test"
    )
    work.db.add(machine)
    work.db.flush()
    work.db.add(
        Custody(machine_id=machine.id, person_id=custodian.id, valid_from=NOW, given_by="test")
    )
    work.db.flush()
    asked = Change(Cell(AccountKey(AccountKind.MACHINE, "APIIESO00042"), "robot"), True, 0)
    access_batches.order(work, ACTOR, lakes, [asked])
    own, of_ra = mails(work)
    assert own.person_id == custodian.id
    assert "APIIESO00042 (Cora Custodian)" in of_ra.body


def test_a_trial_sends_nothing(work: UnitOfWork, lakes: Organization) -> None:
    """AR-05: nothing before it is confirmed."""
    work.db.commit()
    access_batches.attempt(work, ACTOR, lakes, [change("bids")])
    assert mails(work) == []
