"""The machine account that a login names, with its registered networks, by one query.

The rate limiter and ``machine_authentication`` ask for the same login in one request.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, select, update

from idp.db import table
from idp.machines import registered_networks
from idp.models import Account, AccountKind, RegisteredNetwork, revision
from idp.models.records import MachineRecord, columns
from idp.policy.names import name_key
from idp.transaction import UnitOfWork
from service_base.prepared import Prepared

_ACCOUNT, _NETWORK = table(Account), table(RegisteredNetwork)
_COLUMNS = columns(Account, MachineRecord)
_READ = Prepared(
    select(*_COLUMNS, _NETWORK.c.id, _NETWORK.c.network, _NETWORK.c.last_used_at, revision.CURRENT)
    .select_from(_ACCOUNT.outerjoin(_NETWORK, _NETWORK.c.account_id == _ACCOUNT.c.id))
    .where(
        _ACCOUNT.c.username_key.in_((bindparam("whole"), bindparam("part"))),
        _ACCOUNT.c.kind == AccountKind.MACHINE,
    )
    .order_by(_NETWORK.c.network)
)
_USED = Prepared(
    update(_NETWORK)
    .where(_NETWORK.c.id == bindparam("network_id"))
    .values(last_used_at=bindparam("at"))
)


@dataclass(frozen=True, slots=True)
class NetworkRecord:
    """A registered network."""

    id: int
    network: str
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class MachineLogin:
    """The account that a login names, and the participant number after ``@``, if any."""

    account: MachineRecord | None
    participant: str | None
    networks: tuple[NetworkRecord, ...]

    def network_of(self, ip: str | None) -> NetworkRecord | None:
        """The first registered network of the account that contains the address, if any."""
        return next((n for n in self.networks if registered_networks.contains(n.network, ip)), None)


def account_row(work: UnitOfWork, account: MachineRecord) -> Account:
    """The row of the account, for what happens rarely."""
    return work.db.get_one(Account, account.id)


def note_use(work: UnitOfWork, network: NetworkRecord) -> None:
    """The network is used now."""
    work.run(_USED, {"network_id": network.id, "at": work.now})


def find(work: UnitOfWork, login: str) -> MachineLogin:
    """What the login names. It is read once in a unit of work.

    The operator's web services accept ``USERID`` and ``USERID@PARTICIPANT``."""
    found = work.machine_logins.get(login)
    if not isinstance(found, MachineLogin):
        found = work.machine_logins[login] = _find(work, login)
    return found


def _find(work: UnitOfWork, login: str) -> MachineLogin:
    username, at, participant = login.rpartition("@")
    whole, part = name_key(login), name_key(username) if at else ""
    # No account has an empty name.
    if not (whole or part):
        return MachineLogin(None, None, ())
    rows = [*work.run(_READ, {"whole": whole, "part": part})]
    for key, named in ((whole, None), (part, participant)):
        own = [row for row in rows if key and row.username_key == key]
        if own:
            work.see_revision(own[0][-1])
            account = MachineRecord(*own[0][: len(_COLUMNS)])
            width = len(_COLUMNS)
            networks = [NetworkRecord(*row[width:-1]) for row in own if row[width] is not None]
            return MachineLogin(account, named, tuple(networks))
    return MachineLogin(None, None, ())
