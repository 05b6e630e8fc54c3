"""Registered networks of machine accounts: the addresses from which programs may use an account
(MA-02)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import lru_cache

from sqlalchemy import delete, select

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.directory import separation_of_duties
from idp.machines.machine_refusals import (
    LabelInvalid,
    NetworkInvalid,
    NetworkMissing,
    NetworksOfPerson,
    TooManyNetworks,
)
from idp.messages import queue
from idp.messages.message_kinds import MailKind
from idp.models import Account, AccountKind, AccountState, Grant, RegisteredNetwork
from idp.policy.addresses import Network, address_of
from idp.policy.machine_networks import MAX_LABEL, MAX_NETWORKS, BadNetwork, canonical
from idp.policy.names import printable
from idp.session import sessions
from idp.session.end_reasons import EndReason
from idp.transaction import UnitOfWork


def of(work: UnitOfWork, account: Account) -> list[RegisteredNetwork]:
    """The registered networks of an account, in order of their text."""
    query = select(RegisteredNetwork).where(RegisteredNetwork.account_id == account.id)
    return list(work.db.scalars(query.order_by(RegisteredNetwork.network)))


def containing(work: UnitOfWork, account: Account, ip: str | None) -> RegisteredNetwork | None:
    """The first registered network of the account that contains the address, if any."""
    return next((row for row in of(work, account) if contains(row.network, ip)), None)


def contains(network: str, ip: str | None) -> bool:
    """Whether a registered network, in canonical form, contains the address."""
    address = address_of(ip)
    return address is not None and address in _parsed(network)


@lru_cache(4096)
def _parsed(network: str) -> Network:
    return ipaddress.ip_network(network)


def replace(work: UnitOfWork, account: Account, wanted: Iterable[tuple[str, str]]) -> bool:
    """Replace the registered networks by ``wanted``, pairs of network and label.

    Returns False when nothing changes. Removing a network revokes the account's grants. The
    custodian of an activated account gets a mail. Raises Invalid."""
    if account.kind != AccountKind.MACHINE:
        raise NetworksOfPerson()
    separation_of_duties.check(work, account)
    after = _validated(wanted)
    before = {row.network: row for row in of(work, account)}
    if {network: row.label for network, row in before.items()} == after:
        return False
    _store(work, account, before, after)
    if removed := set(before) - set(after):
        _remove(work, account, removed)
    events.record(
        work, AuditAction.NETWORKS_SET, account=account, before=sorted(before), after=sorted(after)
    )
    if account.state != AccountState.PENDING:
        queue.enqueue(work, MailKind.NETWORKS_CHANGED, account, networks=sorted(after))
    return True


def _store(
    work: UnitOfWork,
    account: Account,
    before: dict[str, RegisteredNetwork],
    after: dict[str, str],
) -> None:
    for network, label in after.items():
        if network in before:
            before[network].label = label
        else:
            row = RegisteredNetwork(
                account_id=account.id, network=network, label=label, created_at=work.now
            )
            work.db.add(row)


def _remove(work: UnitOfWork, account: Account, networks: set[str]) -> None:
    work.db.execute(
        delete(RegisteredNetwork).where(
            RegisteredNetwork.account_id == account.id, RegisteredNetwork.network.in_(networks)
        )
    )
    sessions.revoke_grants(work, Grant.account_id == account.id, EndReason.NETWORKS_CHANGED)


def _validated(wanted: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The label of each network, by its canonical text."""
    labels: dict[str, str] = {}
    for text, label in wanted:
        label = label.strip()
        if len(label) > MAX_LABEL or not printable(label):
            raise LabelInvalid(MAX_LABEL)
        try:
            labels[canonical(text)] = label
        except BadNetwork as error:
            raise NetworkInvalid(text, error.fault) from error
    if not labels:
        raise NetworkMissing()
    if len(labels) > MAX_NETWORKS:
        raise TooManyNetworks(MAX_NETWORKS)
    return labels
