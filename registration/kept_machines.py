"""Machine accounts that were not stopped, as they are now, for services and pages (MA-01)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from registration import delegation_facts as known
from registration.machine_registry_refusals import MachineNotFound
from registration.models import Custody, Machine, MachineNetwork, Organization, Person
from registration.network_entries import Network
from registration.transaction import UnitOfWork


@dataclass(frozen=True)
class KeptMachine:
    """A machine account that was not stopped, as it is now."""

    row: Machine
    custody: Custody
    networks: tuple[MachineNetwork, ...]
    #: How often it was changed. A change that is based on an earlier number is refused.
    revision: int

    @property
    def custodian(self) -> Person:
        """Who answers for it."""
        return self.custody.person

    @property
    def name(self) -> str:
        """Its user name; what it does until the gateway has named it."""
        return self.row.account.username or self.row.description

    @property
    def entries(self) -> tuple[Network, ...]:
        """Its networks as values, in order."""
        return tuple(sorted(Network(one.network, one.label) for one in self.networks))

    @property
    def fact(self) -> known.Machine:
        """What delegation asks about."""
        account, here = self.row.account, self.row.organization
        return known.Machine(
            account.username or account.external_id,
            here.organization_id,
            self.custodian.person_id,
            is_named=account.username is not None,
        )


def kept(work: UnitOfWork, here: Organization, machine_id: int) -> KeptMachine:
    """The machine account, if this organization has it now. Raises MachineNotFound."""
    row = work.db.get(Machine, machine_id)
    if row is None or row.organization_id != here.id or row.account.ended_at is not None:
        raise MachineNotFound()
    custodies = _rows(work, Custody, row)
    networks = _rows(work, MachineNetwork, row)
    (custody,) = (one for one in custodies if one.is_held(work.now))
    return KeptMachine(
        row,
        custody,
        tuple(one for one in networks if one.is_held(work.now)),
        sum(1 if one.ended_at is None else 2 for one in (*custodies, *networks)),
    )


def _rows(work: UnitOfWork, kind: type[Custody] | type[MachineNetwork], row: Machine) -> list[Any]:
    query = select(kind).where(kind.machine_id == row.id).order_by(kind.id)
    return list(work.db.scalars(query.execution_options(populate_existing=True)))
