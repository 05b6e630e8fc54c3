"""What the gateway has of a machine account now, beside what is registered (MA-02, PR-07)."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from registration import account_pushes
from registration.gateway_drift import Drift, differences
from registration.kept_machines import KeptMachine
from registration.models import Push
from registration.transaction import UnitOfWork
from registration_bridge.bridge_client import BridgeError


@dataclass(frozen=True)
class MachineCheck:
    """What came of it."""

    #: Why the gateway was not reached; empty if it was.
    unreachable: str = ""
    #: Whether the gateway has the account.
    is_there: bool = False
    #: Whether a change is on its way to the gateway, which explains differences.
    is_waiting: bool = False
    drifts: tuple[Drift, ...] = ()


def check(work: UnitOfWork, machine: KeptMachine) -> MachineCheck:
    """Ask the gateway. The transaction ends before, so that none stays open meanwhile."""
    account = machine.row.account
    ours, external_id = account_pushes.user(work, account), account.external_id
    waiting = select(Push.id).where(Push.account_id == account.id, Push.state == "queued")
    is_waiting, now = work.db.scalars(waiting).first() is not None, work.now
    work.db.rollback()
    try:
        with work.ports.bridge() as bridge:
            theirs = bridge.find("externalId", external_id)
    except BridgeError as error:
        return MachineCheck(unreachable=error.detail, is_waiting=is_waiting)
    if theirs is None:
        return MachineCheck(is_waiting=is_waiting)
    return MachineCheck("", True, is_waiting, tuple(differences(ours, theirs, now)))
