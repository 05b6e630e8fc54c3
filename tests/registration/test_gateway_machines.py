"""Machine accounts of registration at a gateway: made, handed over, limited and stopped there."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from idp.directory import accounts
from idp.machines import registered_networks
from idp.models import AccountState, Assignment
from registration import access_batches, dry_runs, kept_machines, machine_registry, push_delivery
from registration.access_changes import AccountKey, Cell, Change
from registration.delegation_facts import AccountKind, Actor
from registration.models import (
    AccessRole,
    Account,
    Machine,
    Market,
    Organization,
    Participation,
    Person,
    Push,
    Request,
)
from registration.network_entries import Network
from registration.transaction import Origin, Runtime, UnitOfWork
from tests.registration.test_gateway import emi, joined
from tests.registration.test_pushes import somebody
from tests.world import World

__all__ = ["emi", "joined"]
ADMIN, SUCCESSOR, MIM = "100002", "100778", "MIM"
SERVER = (Network("192.0.2.24/32", "meter data server"),)


def prepared(runtime: Runtime) -> None:
    """The participation is approved; somebody else has the same telephone number."""
    with runtime.work() as work:
        somebody(work)
        work.db.add(Participation(organization_id=here(work).id, applied_at=work.now,
                                  market_id=work.db.scalars(select(Market.id)).one(),
                                  applied_by="test", approved_at=work.now))  # fmt: skip
        work.db.add(
            Person(person_id=SUCCESSOR, first_name="Olga", last_name="Ivanov",
                   main_phone="+14165550100", main_phone_extension="12", search_key="ivanov|olga",
                   main_email="olga@lakes.example", created_at=work.now, updated_at=work.now)
        )  # fmt: skip


def here(work: UnitOfWork) -> Organization:
    return work.db.scalars(select(Organization)).one()


def by_id(work: UnitOfWork, number: str) -> Person:
    return work.db.scalars(select(Person).where(Person.person_id == number)).one()


def ordered(runtime: Runtime, act: Any, *values: Any) -> None:
    """Order it, as it is now, after the gateway has tried it; then it is done there."""
    for is_dry in (True, False):
        with runtime.work(Origin(ADMIN)) as work:
            people = [by_id(work, one) if one == SUCCESSOR else one for one in values]
            (row,) = work.db.scalars(select(Machine.id))
            revision = kept_machines.kept(work, here(work), row).revision
            request = act(work, Actor(ADMIN), here(work), row, revision, *people)
            if is_dry:
                assert dry_runs.of_request(work, request).refusals == ()
    push_delivery.deliver_due(runtime)
    with runtime.work() as work:
        assert set(work.db.scalars(select(Push.last_error))) == {""}
        assert set(work.db.scalars(select(Request.state))) == {"done"}


def registered(runtime: Runtime) -> str:
    """The user name that the gateway chose."""
    prepared(runtime)
    for is_dry in (True, False):
        with runtime.work(Origin(ADMIN)) as work:
            custodian = by_id(work, ADMIN)
            request = machine_registry.register(
                work, Actor(ADMIN), here(work), custodian, SERVER, "Bids"
            )
            if is_dry:
                assert dry_runs.of_request(work, request).refusals == ()
    push_delivery.deliver_due(runtime)
    with runtime.work() as work:
        query = select(Account.username).where(Account.kind == "machine")
        return str(work.db.scalars(query).one())


def at_gateway(world: World, name: str) -> tuple[str, bool, list[str]]:
    """The custodian there, whether the account is open, and its networks."""
    with world.work() as work:
        account = accounts.by_username(work, name)
        networks = [row.network for row in registered_networks.of(work, account)]
        is_open = account.state != AccountState.DEACTIVATED
        return account.person.person_id, is_open, networks


def test_ma02_the_gateway_makes_and_names_the_account(joined: Runtime, world: World) -> None:
    """MA-02, MA-03: with its networks; the custodian is invited."""
    name = registered(joined)
    assert name.startswith("APIIESO")
    assert world.mails("account_created", to=name)
    assert at_gateway(world, name) == (ADMIN, True, ["192.0.2.24/32"])


def test_ma10_pr04_networks_custodian_and_end_follow(joined: Runtime, world: World) -> None:
    """MA-02, MA-10, PR-04: each is tried there first. The successor, whom the gateway does not know
    yet, has the telephone number of the former custodian."""
    name = registered(joined)
    wanted = (Network("192.0.2.25/32"), Network("2001:db8::/64", "reserve"))
    ordered(joined, machine_registry.change_networks, wanted)
    assert at_gateway(world, name)[2] == ["192.0.2.25/32", "2001:db8::/64"]
    ordered(joined, machine_registry.hand_over, SUCCESSOR)
    assert at_gateway(world, name)[0] == SUCCESSOR
    ordered(joined, machine_registry.stop, "replaced")
    assert at_gateway(world, name)[1] is False


def changed(runtime: Runtime, name: str, *, grants: bool, saw: int) -> None:
    """The machine gets or loses its only role."""
    cell = Cell(AccountKey(AccountKind.MACHINE, name), "robot")
    with runtime.work(Origin(ADMIN)) as work:
        access_batches.order(work, Actor(ADMIN), here(work), [Change(cell, grants, saw)])
    push_delivery.deliver_due(runtime)
    with runtime.work() as work:
        assert set(work.db.scalars(select(Push.last_error))) == {""}


def test_ar04_the_last_role_of_a_machine_is_revoked_there(joined: Runtime, world: World) -> None:
    """AR-04, MA-04: a patch without role groups leaves none."""
    name = registered(joined)
    world.role_group(MIM, "emi", kind="machine")
    with joined.work() as work:
        market = work.db.scalars(select(Market.id)).one()
        work.db.add(AccessRole(code="robot", name="Robot", name_fr="Robot", kind="machine",
                               market_id=market, role_groups=[MIM]))  # fmt: skip
    for grants, held in ((True, [MIM]), (False, [])):
        changed(joined, name, grants=grants, saw=0 if grants else 1)
        with world.work() as work:
            account = accounts.by_username(work, name)
            rows = work.db.scalars(
                select(Assignment).where(
                    Assignment.account_id == account.id, Assignment.revoked_at.is_(None)
                )
            )
            assert [row.role_group.name for row in rows] == held
