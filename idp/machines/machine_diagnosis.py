"""Diagnosis for custodians and operators: which check a program would fail."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from idp.machines import machine_keys, registered_networks
from idp.machines.machine_authentication import attempts_key, role_groups_of
from idp.models import Account, AccountKind, Client
from idp.policy.session_rules import may_sign_in
from idp.session import failed_attempts
from idp.transaction import UnitOfWork


class CheckName(StrEnum):
    """The checks, as the command shows them."""

    KIND = "kind"
    STATE = "state"
    PASSWORD_OR_KEY = "password or key"  # noqa: S105 - the name of a check
    NETWORK = "network"
    LOCK = "lock"
    APPLICATION = "application"
    ROLE_GROUP = "role group"


@dataclass(frozen=True)
class Check:
    """One check that a program must pass, and its present result."""

    name: CheckName
    is_met: bool
    detail: str


def diagnose(work: UnitOfWork, account: Account, ip: str, client: Client | None) -> list[Check]:
    """The result of every check for a program at the address ``ip``, except the password itself.
    Counts and changes nothing."""
    state = account.effective_state(work.now)
    is_locked = failed_attempts.is_locked(work, attempts_key(account, ip))
    checks = [
        Check(CheckName.KIND, account.kind == AccountKind.MACHINE, str(account.kind)),
        Check(CheckName.STATE, may_sign_in(state), str(state)),
        _credentials(work, account),
        _network(work, account, ip),
        Check(CheckName.LOCK, not is_locked, "too many wrong passwords" if is_locked else "none"),
    ]
    if client is not None:
        held = sorted({row.group for row in role_groups_of(work, account, client)})
        checks += [
            Check(CheckName.APPLICATION, client.disabled_at is None, client.client_id),
            Check(CheckName.ROLE_GROUP, bool(held), ", ".join(held) or "none of this application"),
        ]
    return checks


def _credentials(work: UnitOfWork, account: Account) -> Check:
    found = ["password"] if account.password_hash else []
    until = account.former_password_until
    if until is not None and until > work.now:
        found.append(f"former password until {until:%Y-%m-%d %H:%M} UTC")
    found += [f"key {row.label!a}" for row in machine_keys.usable(work, account)]
    return Check(CheckName.PASSWORD_OR_KEY, bool(found), ", ".join(found) or "none")


def _network(work: UnitOfWork, account: Account, ip: str) -> Check:
    network = registered_networks.containing(work, account, ip)
    if network is not None:
        return Check(CheckName.NETWORK, True, network.network)
    listed = ", ".join(row.network for row in registered_networks.of(work, account))
    return Check(CheckName.NETWORK, False, f"registered: {listed or 'none'}")
