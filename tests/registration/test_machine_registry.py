"""Machine accounts as a service: registered, handed over, stopped (MA-01 to MA-05, MA-10)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from registration import (
    access_batches,
    dry_runs,
    grid_query,
    kept_machines,
    machine_registry,
    network_entries,
    organization_lists,
    push_delivery,
)
from registration.access_changes import AccountKey, Cell, Change
from registration.delegation_facts import AccountKind, Actor
from registration.delegation_rules import Reason
from registration.machine_registry_refusals import (
    AlreadyCustodian,
    DescriptionInvalid,
    DescriptionTaken,
    MachineNotFound,
    NetworksUnchanged,
)
from registration.models import (
    AccessAssignment,
    Account,
    Appointment,
    History,
    Machine,
    Notice,
    Organization,
    Person,
    Push,
    Request,
    Task,
)
from registration.network_entries import EntryFault, Network, NetworksInvalid
from registration.permission import NotAllowed
from registration.transaction import Origin, Runtime, UnitOfWork
from registration.work_refusals import ChangedMeanwhile
from registration_bridge.bridge_client import Result
from registration_bridge.message_urns import REGISTRATION_USER
from tests.registration.fake_bridge import FakeBridge
from tests.registration.participant import NOW, OLD, RA, TRADER, participant, person

ACTOR = Actor(RA)
SUCCESSOR, APPREP = "100009", "100003"
NETWORKS = (Network("192.0.2.24/32", "meter data server"), Network("2001:db8::/64"))


@pytest.fixture
def lakes(runtime: Runtime) -> Runtime:
    """The participant, another organization, and an Applicant Representative."""
    with runtime.work() as work:
        here = participant(work)
        person(work, SUCCESSOR, "Olga Ivanov")
        apprep = person(work, APPREP, "Anna Cook")
        work.db.add(Appointment(person_id=apprep.id, organization_id=here.id, office="apprep",
                                valid_from=OLD, given_by="test"))  # fmt: skip
        work.db.add(Organization(organization_id="109131", name="Prairie Wind", created_at=OLD,
                                 updated_at=OLD))  # fmt: skip
    return runtime


def at(work: UnitOfWork, number: str = "109120") -> Organization:
    return work.db.scalars(select(Organization).where(Organization.organization_id == number)).one()


def by_id(work: UnitOfWork, number: str) -> Person:
    return work.db.scalars(select(Person).where(Person.person_id == number)).one()


def done(runtime: Runtime, act: Callable[..., Any], *values: Any, actor: Actor = ACTOR) -> None:
    """``act`` of the service at Lakes; a Person ID among the values becomes the person."""
    with runtime.work(Origin(actor.person)) as work:
        people = [by_id(work, one) if isinstance(one, str) and one.isdigit() else one
                  for one in values]  # fmt: skip
        act(work, actor, at(work), *people)


def registered(runtime: Runtime) -> int:
    """A machine in the trader's custody; the row."""
    done(runtime, machine_registry.register, TRADER, NETWORKS, "Sends bids")
    with runtime.work() as work:
        return work.db.scalars(select(Machine.id).order_by(Machine.id.desc())).first() or 0


def revision(runtime: Runtime, row: int) -> int:
    with runtime.work() as work:
        return kept_machines.kept(work, at(work), row).revision


def last_push(runtime: Runtime) -> tuple[str, str, dict[str, Any]]:
    """Operation, state and body."""
    with runtime.work() as work:
        push = work.db.scalars(select(Push).order_by(Push.id.desc())).first()
        assert push is not None
        return push.operation, push.state, push.body


def mailed(runtime: Runtime) -> list[str]:
    with runtime.work() as work:
        return list(work.db.scalars(select(Notice.recipient).order_by(Notice.id)))


def test_ma02_ma03_a_machine_is_registered_with_networks_and_one_custodian(
    lakes: Runtime, bridge: FakeBridge
) -> None:
    """Account, custody, networks, history, mails and push in one transaction; the gateway chooses
    the user name, and roles are given when it has."""
    row = registered(lakes)
    body = last_push(lakes)[2]
    extension = body[REGISTRATION_USER]
    assert extension["accountKind"] == "machine"
    assert extension["personId"] == TRADER
    assert extension["registeredNetworks"] == [
        {"value": "192.0.2.24/32", "label": "meter data server"},
        {"value": "2001:db8::/64", "label": ""},
    ]
    assert "userName" not in body
    assert mailed(lakes) == ["moreau@lakes.example", "tremblay@lakes.example"]
    with lakes.work() as work:
        entry = work.db.scalars(select(History)).one()
        assert (entry.action, entry.actor) == (machine_registry.REGISTERED, RA)
        assert entry.after["custodian"] == TRADER
        (shown,) = organization_lists.machines(work, at(work), work.now)
        assert (shown.username, shown.description, shown.custodian_id) == ("", "Sends bids", TRADER)
        asked = Change(Cell(AccountKey(AccountKind.MACHINE, "machine-0000001"), "robot"), True, 0)
        found, _ = access_batches.planned(work, ACTOR, at(work), [asked])
        assert found.denied
    push_delivery.deliver_due(lakes)
    with lakes.work() as work:
        kept = kept_machines.kept(work, at(work), row)
        assert kept.name == "user1"


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("", [(0, EntryFault.MISSING)]),
        ("192.0.2.1\nserver\n10.0.0.0/8", [(2, EntryFault.FORM), (3, EntryFault.TOO_WIDE_IPV4)]),
        ("192.0.2.1/24 x", [(1, EntryFault.HOST_BITS)]),
        ("::ffff:192.0.2.1", [(1, EntryFault.MAPPED)]),
        ("::/8\n0.0.0.0/32", [(1, EntryFault.TOO_WIDE_IPV6), (2, EntryFault.NO_HOST)]),
        ("192.0.2.1\n192.0.2.1/32 again", [(2, EntryFault.TWICE)]),
        (f"192.0.2.1 {'x' * 61}", [(1, EntryFault.LABEL)]),
        ("192.0.2.1 a\u0007", [(1, EntryFault.LABEL)]),
        ("\n".join(f"192.0.2.{n}" for n in range(51)), [(0, EntryFault.TOO_MANY)]),
    ],
)
def test_ma02_blank_and_invalid_networks_are_refused(
    text: str, faults: list[tuple[int, EntryFault]]
) -> None:
    """Each line with its fault; IPv4 and IPv6."""
    with pytest.raises(NetworksInvalid) as refused:
        network_entries.read(text)
    assert [(one.line, one.fault) for one in refused.value.faults] == faults


def test_ma02_networks_are_read_and_written() -> None:
    """What is written reads the same."""
    read = network_entries.read("2001:db8::/64\r\n\n  192.0.2.24   meter  data server ")
    assert read == NETWORKS
    assert network_entries.read(network_entries.written(read)) == read


@pytest.mark.parametrize("text", ["", "  ", "x" * 201, "a\u0007"])
def test_a_machine_needs_a_description(lakes: Runtime, text: str) -> None:
    with pytest.raises(DescriptionInvalid):
        done(lakes, machine_registry.register, TRADER, NETWORKS, text)


def test_a_form_that_is_sent_twice_registers_one_machine(lakes: Runtime) -> None:
    """The description is the name of an account until the gateway has named it."""
    row = registered(lakes)
    with pytest.raises(DescriptionTaken):
        done(lakes, machine_registry.register, TRADER, NETWORKS, "Sends  bids")
    done(lakes, machine_registry.stop, row, revision(lakes, row))
    assert registered(lakes) != row


def test_ma06_networks_are_changed_with_their_labels(lakes: Runtime) -> None:
    """What stays is not touched; a past day shows what was."""
    row = registered(lakes)
    lakes.ports.clock.moment += timedelta(hours=1)  # type: ignore[attr-defined]
    wanted = (Network("192.0.2.24/32", "new label"), Network("2001:db8::/64"))
    done(lakes, machine_registry.change_networks, row, revision(lakes, row), wanted)
    push = last_push(lakes)
    assert [one["label"] for one in push[2][REGISTRATION_USER]["registeredNetworks"]] == [
        "", "new label",
    ]  # fmt: skip
    with lakes.work() as work:
        entry = work.db.scalars(select(History).order_by(History.id.desc())).first()
        assert entry is not None
        assert entry.before["networks"] == "192.0.2.24/32 meter data server, 2001:db8::/64"
        assert entry.after["networks"] == "192.0.2.24/32 new label, 2001:db8::/64"
        (past,) = organization_lists.machines(work, at(work), NOW + timedelta(minutes=1))
        assert ("192.0.2.24/32", "meter data server") in past.networks
    with pytest.raises(NetworksUnchanged):
        done(lakes, machine_registry.change_networks, row, revision(lakes, row), wanted)


def test_ma10_a_machine_is_handed_over_and_both_are_told(lakes: Runtime) -> None:
    """The former custodian is free, the successor belongs to the organization."""
    row = registered(lakes)
    done(lakes, machine_registry.hand_over, row, revision(lakes, row), SUCCESSOR)
    assert last_push(lakes)[2][REGISTRATION_USER]["personId"] == SUCCESSOR
    assert mailed(lakes)[2:] == [
        "ivanov@lakes.example", "moreau@lakes.example", "tremblay@lakes.example",
    ]  # fmt: skip
    with lakes.work() as work:
        (shown,) = organization_lists.machines(work, at(work), work.now)
        assert shown.custodian_id == SUCCESSOR
    with pytest.raises(AlreadyCustodian):
        done(lakes, machine_registry.hand_over, row, revision(lakes, row), SUCCESSOR)


def named(runtime: Runtime) -> int:
    """A registered machine that the gateway has named, with an access role."""
    row = registered(runtime)
    push_delivery.deliver_due(runtime)
    with runtime.work(Origin(RA)) as work:
        asked = Change(Cell(AccountKey(AccountKind.MACHINE, "user1"), "robot"), True, 0)
        access_batches.order(work, ACTOR, at(work), [asked])
    push_delivery.deliver_due(runtime)
    return row


def test_pr04_a_stopped_machine_loses_roles_and_account(lakes: Runtime, bridge: FakeBridge) -> None:
    """MA-05: roles, networks and custody end with it; the gateway closes the account."""
    row = named(lakes)
    done(lakes, machine_registry.stop, row, revision(lakes, row), "no longer used")
    assert last_push(lakes)[0] == "delete"
    push_delivery.deliver_due(lakes)
    assert bridge.kept == {}
    with lakes.work() as work:
        assert work.db.scalars(select(AccessAssignment)).one().ended_why == "no longer used"
        entry = work.db.scalars(select(History).order_by(History.id.desc())).first()
        assert entry is not None
        assert entry.before == {"machine": "user1", "custodian": TRADER, "roles": "robot"}
        assert set(work.db.scalars(select(Request.state))) == {"done"}
        assert organization_lists.machines(work, at(work), work.now) == []
        grid = grid_query.grid(work, at(work), AccountKind.MACHINE, work.now, is_french=False)
        assert grid.rows == ()
        with pytest.raises(MachineNotFound):
            kept_machines.kept(work, at(work), row)
    with pytest.raises(MachineNotFound):
        done(lakes, machine_registry.stop, row, 1)


def test_a_user_name_that_another_account_has_is_a_task(lakes: Runtime, bridge: FakeBridge) -> None:
    """PR-03: the push is not tried for ever."""
    with lakes.work() as work:
        work.db.add(Account(external_id="machine-other", kind="machine", username="user1",
                            created_at=OLD, created_by="test"))  # fmt: skip
    registered(lakes)
    push_delivery.deliver_due(lakes)
    assert last_push(lakes)[1] == "refused"
    with lakes.work() as work:
        (task,) = work.db.scalars(select(Task))
        assert task.data["words"] == "the gateway answered with another account: user1"


def test_a_machine_that_was_never_made_is_stopped(lakes: Runtime, bridge: FakeBridge) -> None:
    """The gateway refused it: nothing is left there."""
    bridge.results = [Result(400, detail="refused")]
    row = registered(lakes)
    push_delivery.deliver_due(lakes)
    done(lakes, machine_registry.stop, row, revision(lakes, row))
    push_delivery.deliver_due(lakes)
    assert last_push(lakes)[1] == "done"


@pytest.mark.parametrize("actor", [Actor(APPREP), Actor(TRADER), Actor("100006", is_operator=True)])
def test_ma01_only_a_rights_administrator_changes_machines(lakes: Runtime, actor: Actor) -> None:
    """Not even the custodian; nothing is written."""
    row = registered(lakes)
    seen = revision(lakes, row)
    for act, values in (
        (machine_registry.register, (TRADER, NETWORKS, "Other")),
        (machine_registry.change_networks, (row, seen, NETWORKS[:1])),
        (machine_registry.hand_over, (row, seen, SUCCESSOR)),
        (machine_registry.stop, (row, seen)),
    ):
        with pytest.raises(NotAllowed) as refused:
            done(lakes, act, *values, actor=actor)
        assert refused.value.reason in (Reason.TIER, Reason.NOT_YOURS)
    with lakes.work() as work:
        assert len(list(work.db.scalars(select(Machine)))) == 1
        assert len(list(work.db.scalars(select(History)))) == 1


def test_a_machine_that_was_changed_meanwhile_is_not_overwritten(lakes: Runtime) -> None:
    """The second administrator sees it again."""
    row = registered(lakes)
    seen = revision(lakes, row)
    done(lakes, machine_registry.change_networks, row, seen, NETWORKS[:1])
    for act, values in (
        (machine_registry.change_networks, (NETWORKS,)),
        (machine_registry.hand_over, (SUCCESSOR,)),
        (machine_registry.stop, ()),
    ):
        with pytest.raises(ChangedMeanwhile):
            done(lakes, act, row, seen, *values)


def test_ma03_a_custodian_keeps_his_last_role_until_the_machine_is_handed_over(
    lakes: Runtime,
) -> None:
    """Also while the gateway has not named the machine yet."""
    bids = Cell(AccountKey(AccountKind.PERSON, TRADER), "bids")
    with lakes.work(Origin(RA)) as work:
        access_batches.order(work, ACTOR, at(work), [Change(bids, True, 0)])
    row = registered(lakes)
    with lakes.work() as work:
        found, _ = access_batches.planned(work, ACTOR, at(work), [Change(bids, False, 1)])
        assert [one.userid for one in found.custodies] == ["machine-0000001"]
    done(lakes, machine_registry.stop, row, revision(lakes, row))
    with lakes.work() as work:
        found, _ = access_batches.planned(work, ACTOR, at(work), [Change(bids, False, 1)])
        assert found.is_possible


def test_the_gateway_is_asked_before_a_stop(lakes: Runtime, bridge: FakeBridge) -> None:
    """AR-05: its effects and refusals, and nothing is written."""
    row = named(lakes)

    def asked() -> dry_runs.DryRun:
        with lakes.work(Origin(RA)) as work:
            seen = kept_machines.kept(work, at(work), row).revision
            request = machine_registry.stop(work, ACTOR, at(work), row, seen)
            return dry_runs.of_request(work, request)

    assert asked().effects == ({"sessions": 1},)
    bridge.results = [Result(409, detail="not now")]
    assert asked().refusals == ("not now",)
    bridge.is_away = True
    assert asked().unreachable == "no answer"
    with lakes.work() as work:
        assert (
            work.db.scalars(select(Account).where(Account.kind == "machine")).one().ended_at is None
        )
