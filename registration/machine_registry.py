"""Machine accounts: registered with a custodian and networks, handed over, stopped (MA-01 to MA-05,
MA-10).

Each act asks delegation, and writes the change, its history, the mails and the push of the account
in one transaction. Access roles of machines are changed like those of people (``access_batches``).
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select

from registration import account_pushes, custody_alarms, history, machine_notices, requests
from registration.delegation_facts import Actor, Target
from registration.delegation_rules import Action
from registration.expired_holdings import lock_and_close
from registration.kept_machines import KeptMachine, kept
from registration.machine_notices import MachineChange
from registration.machine_registry_refusals import (
    AlreadyCustodian,
    DescriptionInvalid,
    DescriptionTaken,
    NetworksUnchanged,
)
from registration.models import (
    AccessAssignment,
    Account,
    Custody,
    Held,
    Machine,
    MachineNetwork,
    Organization,
    Person,
    Request,
)
from registration.network_entries import Network
from registration.notice_texts import MachineEvent
from registration.organization_facts import facts_of
from registration.permission import require
from registration.transaction import UnitOfWork
from registration.work_refusals import ChangedMeanwhile

#: Actions of the history.
REGISTERED, NETWORKS = "machine.registered", "machine.networks_changed"
HANDED_OVER, STOPPED = "machine.handed_over", "machine.stopped"
#: Of requests.
KIND = "machine"
MAX_DESCRIPTION = 200


def register(
    work: UnitOfWork,
    actor: Actor,
    here: Organization,
    custodian: Person,
    networks: tuple[Network, ...],
    description: str,
) -> Request:
    """A new machine account; the gateway chooses its user name (MA-02, MA-03).

    Raises NotAllowed, DescriptionInvalid, DescriptionTaken."""
    lock_and_close(work, here)
    facts = facts_of(work, here, actor.person, custodian.person_id)
    target = Target(here.organization_id, custodian.person_id)
    require(actor, Action.REGISTER_MACHINE, target, facts)
    words = described(description)
    if _is_taken(work, here, words):
        raise DescriptionTaken()
    account = Account(
        external_id=f"machine-{requests.next_number(work, 'machine'):07}",
        kind="machine",
        created_at=work.now,
        created_by=actor.person,
    )
    work.db.add(account)
    work.db.flush()
    row = Machine(
        account_id=account.id,
        organization_id=here.id,
        description=words,
        created_at=work.now,
        created_by=actor.person,
    )
    work.db.add(row)
    work.db.flush()
    _entrust(work, actor, row, custodian)
    _add_networks(work, actor, row, networks)
    machine = kept(work, here, row.id)
    after = {"machine": words, "custodian": custodian.person_id, "networks": _said(networks)}
    return _done(work, actor, machine, REGISTERED, MachineEvent.REGISTERED, after=after)


def described(text: str) -> str:
    """The description as it is stored. Raises DescriptionInvalid."""
    words = " ".join(text.split())
    if not words or len(words) > MAX_DESCRIPTION or not words.isprintable():
        raise DescriptionInvalid(MAX_DESCRIPTION)
    return words


def change_networks(
    work: UnitOfWork,
    actor: Actor,
    here: Organization,
    machine_id: int,
    revision: int,
    networks: tuple[Network, ...],
) -> Request:
    """Use the machine account from these networks only (MA-02, MA-06).

    Raises MachineNotFound, NotAllowed, ChangedMeanwhile, NetworksUnchanged."""
    machine = _seen(work, actor, here, machine_id, revision, Action.CHANGE_NETWORKS)
    before = machine.entries
    if before == networks:
        raise NetworksUnchanged()
    wanted = set(networks)
    for row in machine.networks:
        if Network(row.network, row.label) not in wanted:
            row.end(work.now, actor.person, "networks_changed")
    work.db.flush()
    _add_networks(work, actor, machine.row, (one for one in networks if one not in set(before)))
    return _done(
        work,
        actor,
        kept(work, here, machine_id),
        NETWORKS,
        MachineEvent.NETWORKS,
        before={"machine": machine.name, "networks": _said(before)},
        after={"networks": _said(networks)},
    )


def hand_over(
    work: UnitOfWork,
    actor: Actor,
    here: Organization,
    machine_id: int,
    revision: int,
    successor: Person,
    order: Request | None = None,
) -> Request:
    """Make another person the custodian (MA-10). At the gateway, password and keys of the former
    one end, and the successor gets a link. It can be part of an ``order``.

    Raises MachineNotFound, NotAllowed, ChangedMeanwhile, AlreadyCustodian."""
    machine = _seen(work, actor, here, machine_id, revision, Action.HAND_OVER_MACHINE, successor)
    former = machine.custodian
    if former.id == successor.id:
        raise AlreadyCustodian(successor.full_name)
    machine.custody.end(work.now, actor.person, "handed_over")
    work.db.flush()
    _entrust(work, actor, machine.row, successor)
    return _done(
        work,
        actor,
        kept(work, here, machine_id),
        HANDED_OVER,
        MachineEvent.HANDED_OVER,
        before={"machine": machine.name, "custodian": former.person_id},
        after={"custodian": successor.person_id},
        former=former,
        order=order,
    )


def stop(
    work: UnitOfWork,
    actor: Actor,
    here: Organization,
    machine_id: int,
    revision: int,
    why: str = "",
) -> Request:
    """End the machine account for all time, with its roles and networks; its custodian is free
    (MA-05, PR-04). Raises MachineNotFound, NotAllowed, ChangedMeanwhile."""
    machine = _seen(work, actor, here, machine_id, revision, Action.STOP_MACHINE)
    account = machine.row.account
    held: list[Held] = [machine.custody, *machine.networks]
    roles = list(
        work.db.scalars(
            select(AccessAssignment).where(
                AccessAssignment.account_id == account.id, AccessAssignment.ended_at.is_(None)
            )
        )
    )
    for row in (*held, *roles):
        row.end(work.now, actor.person, why or "stopped")
    account.ended_at, account.ended_by, account.ended_why = work.now, actor.person, why
    work.db.flush()
    before = {
        "machine": machine.name,
        "custodian": machine.custodian.person_id,
        "roles": ", ".join(sorted(row.access_role.code for row in roles)),
    }
    return _done(work, actor, machine, STOPPED, MachineEvent.STOPPED, before=before, why=why)


def _seen(
    work: UnitOfWork,
    actor: Actor,
    here: Organization,
    machine_id: int,
    revision: int,
    action: Action,
    person: Person | None = None,
) -> KeptMachine:
    """The machine that the actor may change and that is as he saw it."""
    lock_and_close(work, here)
    machine = kept(work, here, machine_id)
    people = (actor.person, machine.custodian.person_id, *([person.person_id] if person else ()))
    target = Target(here.organization_id, person.person_id if person else "", machine=machine.fact)
    require(actor, action, target, facts_of(work, here, *people))
    if machine.revision != revision:
        raise ChangedMeanwhile()
    return machine


def _is_taken(work: UnitOfWork, here: Organization, words: str) -> bool:
    query = (
        select(Machine.id)
        .join(Account, Machine.account_id == Account.id)
        .where(
            Machine.organization_id == here.id,
            Machine.description == words,
            Account.ended_at.is_(None),
        )
    )
    return work.db.scalars(query).first() is not None


def _entrust(work: UnitOfWork, actor: Actor, row: Machine, person: Person) -> None:
    work.db.add(
        Custody(machine_id=row.id, person_id=person.id, valid_from=work.now, given_by=actor.person)
    )
    work.db.flush()


def _add_networks(
    work: UnitOfWork, actor: Actor, row: Machine, networks: Iterable[Network]
) -> None:
    for one in networks:
        work.db.add(
            MachineNetwork(
                machine_id=row.id,
                network=one.network,
                label=one.label,
                valid_from=work.now,
                given_by=actor.person,
            )
        )
    work.db.flush()


def _said(networks: Iterable[Network]) -> str:
    return ", ".join(map(str, networks))


def _done(
    work: UnitOfWork,
    actor: Actor,
    machine: KeptMachine,
    action: str,
    event: MachineEvent,
    *,
    before: dict[str, str] | None = None,
    after: dict[str, str] | None = None,
    former: Person | None = None,
    why: str = "",
    order: Request | None = None,
) -> Request:
    """The request, the history, the mails and the push of what was changed."""
    here, account = machine.row.organization, machine.row.account
    request = order or requests.open_request(work, KIND, organization=here)
    entry = history.record(
        work,
        action,
        organization=here,
        person=machine.custodian,
        account=account,
        request=request,
        before=before,
        after=after,
        reason=why,
    )
    change = MachineChange(event, machine.name, machine.custodian, former, _said(machine.entries))
    machine_notices.tell(work, actor, here, change, entry)
    if event in (MachineEvent.STOPPED, MachineEvent.HANDED_OVER):
        custody_alarms.clear(work, machine.row)
    if event is MachineEvent.STOPPED:
        account_pushes.queue_end(work, account, request)
    else:
        account_pushes.queue(work, account, request)
    return request
