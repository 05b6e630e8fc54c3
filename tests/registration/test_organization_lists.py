"""Who holds which office, contact roles and machines: now and on a past day."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from registration import organization_lists
from registration.delegation_facts import Tier
from registration.models import (
    Account,
    Appointment,
    ContactAssignment,
    ContactRole,
    Custody,
    Machine,
    MachineNetwork,
    Organization,
    Person,
    Section,
)
from registration.transaction import UnitOfWork
from tests.registration.participant import NOW, OLD, RA, TRADER, participant

MIDDLE = NOW - timedelta(days=50)


def by_id(work: UnitOfWork, person_id: str) -> Person:
    return work.db.scalars(select(Person).where(Person.person_id == person_id)).one()


@pytest.fixture
def lakes(work: UnitOfWork) -> Organization:
    """The participant."""
    return participant(work)


def offices(work: UnitOfWork, here: Organization, at: datetime) -> dict[Tier, list[str]]:
    found = organization_lists.offices(work, here, at)
    return {one.tier: [who.id for who in one.holders] for one in found}


def test_tm_vacant_offices_are_on_the_list(work: UnitOfWork, lakes: Organization) -> None:
    """TM-03, TM-05, TM-06: every office, from the top, also those that nobody holds."""
    assert offices(work, lakes, NOW) == {
        Tier.AR: [], Tier.PC: [], Tier.RA: [RA], Tier.APPREP: [],
    }  # fmt: skip


def test_tm04_one_authorized_representative_is_few(work: UnitOfWork, lakes: Organization) -> None:
    """TM-04: and an office that ended is there on the days before."""
    for person, until in ((RA, None), (TRADER, MIDDLE)):
        work.db.add(
            Appointment(person_id=by_id(work, person).id, organization_id=lakes.id, office="ar",
                        valid_from=OLD, valid_until=until, ended_at=until, given_by=TRADER)
        )  # fmt: skip
    work.db.flush()
    now, before = (organization_lists.offices(work, lakes, at)[0] for at in (NOW, OLD))
    assert ([one.id for one in now.holders], now.needs_another) == ([RA], True)
    assert ([one.id for one in before.holders], before.needs_another) == ([RA, TRADER], False)
    assert now.holders[0].given_by == "Ada Moreau"
    assert now.holders[0].phone == "+14165550100 x12"


def contact_role(code: str, **more: Any) -> ContactRole:
    values: dict[str, Any] = {"held_by": "both", "exclusive_with": [], "markets": ["energy"],
                              "role_groups": []}  # fmt: skip
    return ContactRole(code=code, name=code, name_fr=code, **(values | more))


def test_co04_contact_roles_show_bounds_and_holders(work: UnitOfWork, lakes: Organization) -> None:
    """CO-03, CO-04, RG-13: roles of approved participations, held by people and sections; others
    only while somebody holds them; offices are no contact roles here."""
    desk = Section(organization_id=lakes.id, name="Control room", phone="+14165550199",
                   valid_from=OLD, given_by=RA)  # fmt: skip
    roles = [
        contact_role("a-submitter", minimum=2),
        contact_role("b-elsewhere", markets=["rights"]),
        contact_role("c-held-elsewhere", markets=["rights"]),
        contact_role("d-everywhere", markets=[]),
        contact_role("e-office", office="ra"),
    ]
    work.db.add_all([desk, *roles])
    work.db.flush()
    for role, holder in ((roles[0], {"section_id": desk.id}),
                         (roles[2], {"person_id": by_id(work, TRADER).id})):  # fmt: skip
        work.db.add(
            ContactAssignment(organization_id=lakes.id, contact_role_id=role.id, valid_from=OLD,
                              given_by=RA, **holder)
        )  # fmt: skip
    work.db.flush()
    found = organization_lists.contact_roles(work, lakes, NOW)
    shown = {one.role.code: [who.name for who in one.holders] for one in found}
    assert shown == {
        "a-submitter": ["Control room"], "c-held-elsewhere": ["Ada Moreau"], "d-everywhere": [],
    }  # fmt: skip
    assert {one.role.code: one.is_short for one in found}["a-submitter"]


def test_ma02_machines_show_custodian_and_networks(work: UnitOfWork, lakes: Organization) -> None:
    """MA-02, MA-03."""
    account = Account(external_id="machine-1", kind="machine", username="APIIESO00001",
                      created_at=OLD, created_by=RA)  # fmt: skip
    work.db.add(account)
    work.db.flush()
    machine = Machine(account_id=account.id, organization_id=lakes.id, description="Bids",
                      created_at=OLD, created_by=RA)  # fmt: skip
    work.db.add(machine)
    work.db.flush()
    held = {"machine_id": machine.id, "valid_from": OLD, "given_by": RA}
    work.db.add_all([
        Custody(person_id=by_id(work, TRADER).id, **held),
        MachineNetwork(network="192.0.2.0/28", label="Office", **held),
        MachineNetwork(network="198.51.100.0/28", valid_until=MIDDLE, ended_at=MIDDLE, **held),
    ])  # fmt: skip
    work.db.flush()
    (now,), (before,) = (organization_lists.machines(work, lakes, at) for at in (NOW, OLD))
    assert (now.username, now.custodian_id, now.roles) == ("APIIESO00001", TRADER, 0)
    assert now.networks == (("192.0.2.0/28", "Office"),)
    assert len(before.networks) == 2
