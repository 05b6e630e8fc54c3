"""Authentication of programs: the one check behind the token endpoint and forward authentication
(MA-06, MA-08, MA-11; N35)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.credentials.assertions import BadAssertion
from idp.credentials.credential_refusals import AssertionCheck
from idp.credentials.hashing import PasswordHasher
from idp.directory import held_role_groups
from idp.machines import machine_keys, machine_logins
from idp.machines.machine_logins import NetworkRecord
from idp.machines.machine_refusals import OF_STATE, MachineRefusal
from idp.machines.verified_passwords import VerifiedPasswords
from idp.models import Account, AccountState, MachineKey
from idp.models.records import AnyClient, MachineRecord
from idp.policy.addresses import network_of
from idp.policy.held_role_group import HeldRoleGroup
from idp.policy.session_rules import may_sign_in
from idp.session import failed_attempts
from idp.transaction import UnitOfWork

#: ``last_used_at`` of a key or a network is written at most this often.
LAST_USED_PRECISION = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True)
class AuthenticatedMachine:
    """A machine account that may use an application, with its role groups of the application.
    ``participant`` is set if the login names one: the account acts for that participant only."""

    account: MachineRecord
    client: AnyClient
    role_groups: tuple[HeldRoleGroup, ...]
    participant: str | None = None


@dataclass(frozen=True)
class Denied:
    """The check that failed. The audit trail gets it; the caller does not."""

    reason: MachineRefusal


@dataclass(frozen=True, kw_only=True)
class _Proof:
    """Result of verifying a password or an assertion."""

    is_valid: bool
    is_assertion: bool = False
    #: A password was hashed for it, so a failure counts as a guess.
    is_counted: bool = False
    #: For an assertion: the key that signed it, or the check that failed.
    key: MachineKey | None = None
    failed_check: AssertionCheck | None = None


@dataclass(frozen=True, kw_only=True)
class _Attempt:
    """The results of all checks of one attempt."""

    account: MachineRecord | None
    state: AccountState | None
    participant: str | None
    network: NetworkRecord | None
    client: AnyClient | None
    role_groups: list[HeldRoleGroup]
    proof: _Proof


class MachineAuthenticator:
    """Authenticates programs. Each process has one, because it remembers verified passwords for a
    minute."""

    def __init__(self, hasher: PasswordHasher) -> None:
        self._hasher = hasher
        self._verified = VerifiedPasswords()

    def authenticate(
        self,
        work: UnitOfWork,
        *,
        username: str,
        password: str = "",
        assertion: str = "",
        client: AnyClient | None,
    ) -> AuthenticatedMachine | Denied:
        """Authenticate a program that wants to use the application ``client``, by password or by an
        assertion that a key of the account signed.

        The request's address must be in a registered network. Every check is made, whatever the
        result of the others, and an unknown account costs as many hashes as a known one. A login
        ``APIIESO00042@109120`` acts for that participant only. A request without password and
        assertion is not a guess and counts against nobody. Every refusal is an audit event."""
        if not password and not assertion:
            return _denied(work, MachineRefusal.NO_CREDENTIALS, client=client)
        attempt = self._check(work, username, password, assertion, client)
        account, network, proof = attempt.account, attempt.network, attempt.proof
        reason = _first_failure(attempt)
        if account is not None and network is not None:
            reason = _count(work, account, password, proof, reason)
        if reason is not None or account is None or network is None or client is None:
            reason = reason or MachineRefusal.UNKNOWN_ACCOUNT
            return _denied(work, reason, account=account, client=client, check=proof.failed_check)
        _note_use(work, network, proof.key)
        return AuthenticatedMachine(
            account=account,
            client=client,
            role_groups=tuple(attempt.role_groups),
            participant=attempt.participant,
        )

    def _check(
        self,
        work: UnitOfWork,
        username: str,
        password: str,
        assertion: str,
        client: AnyClient | None,
    ) -> _Attempt:
        login = machine_logins.find(work, username)
        account, participant = login.account, login.participant
        network = login.network_of(work.origin.ip)
        if assertion:
            proof = _verify_assertion(work, account, username, assertion)
        else:
            proof = self._verify_password(work, account, password, in_network=network is not None)
        return _Attempt(
            account=account,
            state=account.effective_state(work.now) if account is not None else None,
            participant=participant,
            network=network,
            client=client,
            role_groups=role_groups_of(work, account, client, participant),
            proof=proof,
        )

    def _verify_password(
        self, work: UnitOfWork, account: MachineRecord | None, password: str, *, in_network: bool
    ) -> _Proof:
        """Verify the present password, then the former one while it is accepted. The former one is
        verified for registered networks only: elsewhere, the time of the second hash would reveal
        that there is one."""
        stored = account.password_hash if account is not None else None
        subject = account.subject if account is not None else ""
        is_valid, is_hashed = self._matches(work, subject, stored, password)
        if not is_valid and account is not None and in_network:
            until = account.former_password_until
            if until is not None and until > work.now:
                former = account.former_password_hash
                is_valid, _ = self._matches(work, subject, former, password)
        return _Proof(is_valid=is_valid, is_counted=is_hashed)

    def _matches(
        self, work: UnitOfWork, subject: str, stored: str | None, password: str
    ) -> tuple[bool, bool]:
        """Whether the password matches the stored hash, and whether it was hashed to find out."""
        digest = work.vault.digest("verified-password", f"{subject}\0{stored}\0{password}")
        if stored is not None and self._verified.contains(digest, work.now):
            return True, False
        is_match = self._hasher.verify(password, stored)
        if is_match:
            self._verified.add(digest, work.now)
        return is_match, True


def role_groups_of(
    work: UnitOfWork,
    account: Account | MachineRecord | None,
    client: AnyClient | None,
    participant: str | None = None,
) -> list[HeldRoleGroup]:
    """The account's role groups of the application, all of them or those at one participant."""
    if account is None or client is None or not client.allows_account(account):
        return []
    rows = held_role_groups.held_for_client(work, account.id, client.id)
    return [row for row in rows if participant in (None, row.participant)]


def attempts_key(account: Account | MachineRecord, ip: str | None) -> str:
    """The key under which failed attempts are counted: each network has its own, so nobody
    elsewhere can lock a machine account."""
    return f"network:{account.id}:{network_of(ip)}"


def _verify_assertion(
    work: UnitOfWork, account: MachineRecord | None, name: str, assertion: str
) -> _Proof:
    """Failures are not counted: nobody guesses a signature, and a wrong clock must not lock an
    account."""
    row = machine_logins.account_row(work, account) if account is not None else None
    try:
        key = machine_keys.verify_assertion(work, row, name, assertion)
    except BadAssertion as error:
        return _Proof(is_valid=False, is_assertion=True, failed_check=error.check)
    return _Proof(is_valid=True, is_assertion=True, key=key)


def _first_failure(attempt: _Attempt) -> MachineRefusal | None:
    """The reason to refuse, if any: the first check that failed."""
    if attempt.account is None or attempt.state is None:
        return MachineRefusal.UNKNOWN_ACCOUNT
    if attempt.network is None:
        return MachineRefusal.NETWORK_NOT_REGISTERED
    if not attempt.proof.is_valid:
        if attempt.proof.is_assertion:
            return MachineRefusal.WRONG_KEY
        return (
            MachineRefusal.WRONG_PASSWORD
            if attempt.account.password_hash
            else MachineRefusal.NO_PASSWORD
        )
    if not may_sign_in(attempt.state):
        return OF_STATE[attempt.state]
    if attempt.client is None or attempt.client.disabled_at is not None:
        return MachineRefusal.UNKNOWN_APPLICATION
    return None if attempt.role_groups else MachineRefusal.NO_ROLE_GROUP


def _count(
    work: UnitOfWork,
    account: MachineRecord,
    password: str,
    proof: _Proof,
    reason: MachineRefusal | None,
) -> MachineRefusal | None:
    """Count the attempt under the network of the request. Returns the reason to refuse, if any.

    A program that repeats the same wrong password counts once, so it does not lock the account for
    other programs."""
    key = attempts_key(account, work.origin.ip)
    if not proof.is_counted:
        return MachineRefusal.THROTTLED if failed_attempts.is_locked(work, key) else reason
    row = machine_logins.account_row(work, account)
    if not proof.is_valid and failed_attempts.was_tried(work, key, row, password):
        return reason
    is_accepted = failed_attempts.record_outcome(work, key, row, matched=proof.is_valid)
    return MachineRefusal.THROTTLED if proof.is_valid and not is_accepted else reason


def _denied(
    work: UnitOfWork,
    reason: MachineRefusal,
    *,
    client: AnyClient | None,
    account: MachineRecord | None = None,
    check: AssertionCheck | None = None,
) -> Denied:
    detail: dict[str, Any] = {"check": check} if check else {}
    events.record(
        work,
        AuditAction.MACHINE_REFUSED,
        reason=reason,
        account=machine_logins.account_row(work, account) if account is not None else None,
        client=client,
        proved=False,
        **detail,
    )
    return Denied(reason)


def _note_use(work: UnitOfWork, network: NetworkRecord, key: MachineKey | None) -> None:
    if _is_old(work, network.last_used_at):
        machine_logins.note_use(work, network)
    if key is not None and _is_old(work, key.last_used_at):
        key.last_used_at = work.now


def _is_old(work: UnitOfWork, last_used_at: datetime | None) -> bool:
    return last_used_at is None or work.now - last_used_at > LAST_USED_PRECISION
