"""The people of the demonstration in the tables of registration."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from registration import account_pushes, catalogue, catalogue_tables, demo_data, demo_tables
from registration.models import AccessAssignment, Account, Machine, Person, Task
from registration.transaction import UnitOfWork
from registration_bridge.message_urns import REGISTRATION_USER

KNOWN = {
    "100405": demo_tables.GatewayAccount("nwosua", "scim-5"),
    "APIIESO00042": demo_tables.GatewayAccount("APIIESO00042", "scim-42"),
}


def test_the_demonstration_is_written_once(work: UnitOfWork) -> None:
    """Sixty people, two machines, one vacancy, one participation that is applied for, and one
    contractor whose access has expired."""
    catalogue_tables.write(work, catalogue.packaged())
    assert demo_tables.write(work, demo_data.packaged(), KNOWN)
    assert not demo_tables.write(work, demo_data.packaged(), KNOWN)
    assert len(work.db.scalars(select(Person.id)).all()) == 60
    machines = work.db.scalars(select(Machine)).all()
    assert {one.account.username for one in machines} == {"APIIESO00042", "APIIESO00091"}
    task, *steps = work.db.scalars(select(Task).order_by(Task.kind)).all()
    assert [one.kind for one in steps] == [
        "participation.connectivity", "participation.contacts", "participation.decide",
    ]  # fmt: skip
    assert task.data == {"organization": "111340", "office": "pc"}
    assert (task.kind, task.office) == ("office.vacant", "ar")
    over = select(AccessAssignment).where(AccessAssignment.ended_at.is_not(None))
    expired = work.db.scalars(over).all()
    assert expired
    assert all(row.is_held(work.now - timedelta(days=60)) for row in expired)
    assert not any(row.is_held(work.now) for row in expired)


def test_every_account_of_it_can_be_pushed(work: UnitOfWork) -> None:
    catalogue_tables.write(work, catalogue.packaged())
    demo_tables.write(work, demo_data.packaged(), KNOWN)
    bodies = {
        account.username: account_pushes.user(work, account)
        for account in work.db.scalars(select(Account))
    }
    administrator = bodies["nwosua"][REGISTRATION_USER]["grants"]
    assert {grant["roleGroup"] for grant in administrator} >= {"Registration User"}
    machine = bodies["APIIESO00042"][REGISTRATION_USER]
    assert [network["value"] for network in machine["registeredNetworks"]] == [
        "127.0.0.1/32", "::1/128",
    ]  # fmt: skip
