"""The machine account that a login names, with its registered networks, by one query.

The rate limiter and ``machine_authentication`` ask for the same login in one request.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import bindparam, select

from idp.machines import registered_networks
from idp.models import Account, AccountKind, RegisteredNetwork, revision
from idp.policy.names import name_key
from idp.transaction import UnitOfWork

_READ = (
    select(Account, RegisteredNetwork, revision.CURRENT)
    .outerjoin(RegisteredNetwork, RegisteredNetwork.account_id == Account.id)
    .where(
        Account.username_key.in_((bindparam("whole"), bindparam("part"))),
        Account.kind == AccountKind.MACHINE,
    )
    .order_by(RegisteredNetwork.network)
)


@dataclass(frozen=True)
class MachineLogin:
    """The account that a login names, and the participant number after ``@``, if any."""

    account: Account | None
    participant: str | None
    networks: tuple[RegisteredNetwork, ...]

    def network_of(self, ip: str | None) -> RegisteredNetwork | None:
        """The first registered network of the account that contains the address, if any."""
        return next((n for n in self.networks if registered_networks.contains(n.network, ip)), None)


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
    rows = work.db.execute(_READ, {"whole": whole, "part": part}).all()
    for key, named in ((whole, None), (part, participant)):
        own = [row for row in rows if key and row[0].username_key == key]
        if own:
            work.see_revision(own[0][2])
            networks = tuple(network for _, network, _ in own if network is not None)
            return MachineLogin(own[0][0], named, networks)
    return MachineLogin(None, None, ())
