"""Machine accounts: their networks, and the one check behind every use by a program (MA-06, MA-08,
MA-11; N35): password, state, registered network, role group of the application."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from sqlalchemy import delete, select

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.credentials import links
from idp.credentials.assertions import BadAssertion
from idp.credentials.hashing import PasswordHasher
from idp.credentials.links import Purpose
from idp.directory import account_search, activation, lifecycle, role_groups, separation_of_duties
from idp.directory.lifecycle import HELD
from idp.directory.role_groups import Held
from idp.errors import Invalid, Refused
from idp.factors import authenticators
from idp.machines import machine_keys
from idp.messages import queue
from idp.models import (
    Account,
    AccountKind,
    AccountState,
    Client,
    Grant,
    MachineKey,
    Person,
    RegisteredNetwork,
)
from idp.networks import NetworkSet
from idp.policy.addresses import address_of, network_of
from idp.policy.machine_networks import MAX_LABEL, BadNetwork, canonical
from idp.policy.names import name_key, printable
from idp.policy.session_rules import may_sign_in
from idp.policy.userid import MACHINE_PREFIX
from idp.session import failed_attempts, sessions
from idp.transaction import UnitOfWork

MAX_NETWORKS = 50
#: A password that was verified is not hashed again for this long.
REMEMBERED = timedelta(seconds=60)
MAX_REMEMBERED = 10_000


class VerifiedPasswords:
    """Passwords that bcrypt found right a moment ago, as keyed digests in this process's memory.
    A digest covers the stored hash, so another password ends it at once; state, network, lock and
    role group are looked up every time."""

    def __init__(self) -> None:
        self._until: dict[str, datetime] = {}
        self._lock = Lock()

    def knows(self, digest: str, now: datetime) -> bool:
        """Whether this was verified within the last minute."""
        until = self._until.get(digest)
        # A clock that went back makes nothing last longer.
        return until is not None and now < until <= now + REMEMBERED

    def add(self, digest: str, now: datetime) -> None:
        """Remember one; when there are too many, the old ones go, then all."""
        with self._lock:
            if len(self._until) >= MAX_REMEMBERED:
                self._until = {key: end for key, end in self._until.items() if end > now}
            if len(self._until) >= MAX_REMEMBERED:
                self._until = {}
            self._until[digest] = now + REMEMBERED


@dataclass(frozen=True)
class Admitted:
    """A program that may go on, the role groups of the application that it holds, and the one
    participant that it acts for, if it named one."""

    account: Account
    held: tuple[Held, ...]
    participant: str | None = None


@dataclass(frozen=True)
class Denied:
    """The named check that failed; callers are told no more than "refused" or "not allowed"."""

    reason: str


def networks(work: UnitOfWork, account: Account) -> list[RegisteredNetwork]:
    """The registered networks, in order of their text."""
    query = select(RegisteredNetwork).where(RegisteredNetwork.account_id == account.id)
    return list(work.db.scalars(query.order_by(RegisteredNetwork.network)))


def set_networks(work: UnitOfWork, account: Account, wanted: Iterable[tuple[str, str]]) -> bool:
    """Replace the networks by these, each with its label; False when nothing differs. What came
    from a network that is gone ends; the custodian of an activated account gets a mail. Raises
    Invalid."""
    if account.kind != AccountKind.MACHINE:
        raise Invalid("only a machine account has networks")
    separation_of_duties.check(work, account)
    chosen = _checked(wanted)
    before = {row.network: row for row in networks(work, account)}
    if {name: row.label for name, row in before.items()} == chosen:
        return False
    for name, label in chosen.items():
        if name in before:
            before[name].label = label
        else:
            work.db.add(
                RegisteredNetwork(
                    account_id=account.id, network=name, label=label, created_at=work.now
                )
            )
    gone = set(before) - set(chosen)
    if gone:
        work.db.execute(
            delete(RegisteredNetwork).where(
                RegisteredNetwork.account_id == account.id, RegisteredNetwork.network.in_(gone)
            )
        )
        sessions.revoke_grants(work, Grant.account_id == account.id, "networks_changed")
    events.record(
        work, AuditAction.NETWORKS_SET, account=account, before=sorted(before), after=sorted(chosen)
    )
    if account.state != AccountState.PENDING:
        queue.enqueue(work, "networks_changed", account, networks=sorted(chosen))
    return True


def _checked(wanted: Iterable[tuple[str, str]]) -> dict[str, str]:
    chosen: dict[str, str] = {}
    for text, label in wanted:
        label = label.strip()
        if len(label) > MAX_LABEL or not printable(label):
            raise Invalid(f"a label has at most {MAX_LABEL} printable characters")
        try:
            chosen[canonical(text)] = label
        except BadNetwork as error:
            raise Invalid(str(error)) from error
    if not chosen:
        raise Invalid("a machine account needs at least one network")
    if len(chosen) > MAX_NETWORKS:
        raise Invalid(f"a machine account has at most {MAX_NETWORKS} networks")
    return chosen


def change_custodian(work: UnitOfWork, account: Account, person: Person) -> None:
    """Put the account into somebody else's custody (MA-10): the old custodian loses every way in,
    the new one is mailed a link to a new password, or, before activation, a new activation link.
    Programs stop until they have the new password. Raises Invalid or Refused."""
    if account.kind != AccountKind.MACHINE:
        raise Invalid("only a machine account has a custodian")
    separation_of_duties.check(work, account)
    separation_of_duties.check_person(work, person)
    if account.state == AccountState.DEACTIVATED:
        raise Refused("the account is closed for good")
    old = account.person
    if old.id == person.id:
        return
    queue.enqueue(work, "custodian_left", account, to=old)
    account.person, account.recovery_phone = person, None
    account.updated_at = work.now
    account_search.index(work, account)
    events.record(
        work,
        AuditAction.CUSTODIAN_CHANGED,
        account=account,
        before=old.person_id,
        after=person.person_id,
    )
    authenticators.reset(work, account)
    machine_keys.revoke_all(work, account)
    account.former_password_hash = account.former_password_until = None
    if account.state == AccountState.PENDING:
        activation.invite(work, account)
        return
    if account.state in HELD:
        # It stays locked or suspended; what it leads back to needs a new password too.
        account.resumes_as = str(AccountState.RESET_REQUIRED)
        links.end_all(work, account)
        return
    lifecycle.require_reset(work, account, reason="custodian_changed")
    expires = work.after(days=work.settings.agent_reset_days)
    token = links.issue(work, account, Purpose.RESET, expires)
    queue.enqueue(
        work,
        "custodian_changed",
        account,
        path=f"/recover/open?token={token}",
        expires_at=expires,
    )


def end_former_password(work: UnitOfWork, account: Account) -> None:
    """Programs need the new password from now on."""
    if account.former_password_hash is not None:
        account.former_password_hash = account.former_password_until = None
        account.updated_at = work.now
        events.record(work, AuditAction.PASSWORD_OVERLAP_ENDED, account=account)


def has_machine_form(name: str) -> bool:
    """Whether a name has the form of a machine account's, whether it exists or not."""
    return name_key(name).startswith(name_key(MACHINE_PREFIX))


def exists(work: UnitOfWork, name: str) -> bool:
    """Whether a machine account has this name, of the form or an older one."""
    return _named(work, name)[0] is not None


def _named(work: UnitOfWork, name: str) -> tuple[Account | None, str | None]:
    """The machine account that a login names, and the participant after ``@``: the operator's web
    services know accounts by both."""
    account = _find(work, name)
    if account is None and "@" in name:
        base, _, participant = name.rpartition("@")
        return _find(work, base), participant
    return account, None


def at_home(work: UnitOfWork, name: str) -> int | None:
    """The row of the machine account that a login names, if the request comes from one of its
    networks; in one query, since it is asked before each use."""
    keys = {name_key(name), name_key(name.rpartition("@")[0])} - {""}
    query = (
        select(RegisteredNetwork.account_id, RegisteredNetwork.network)
        .join(Account, Account.id == RegisteredNetwork.account_id)
        .where(Account.username_key.in_(keys), Account.kind == AccountKind.MACHINE)
    )
    rows = work.db.execute(query).all()
    return next((holder for holder, text in rows if _lies_in(work.origin.ip, text)), None)


def _proved(
    work: UnitOfWork, account: Account | None, name: str, assertion: str
) -> tuple[MachineKey | None, str | None]:
    """The key that signed an assertion, or which check failed."""
    try:
        return machine_keys.prove(work, account, name, assertion), None
    except BadAssertion as error:
        return None, error.check


def _find(work: UnitOfWork, name: str) -> Account | None:
    key = name_key(name)
    if not key:
        return None
    query = select(Account).where(Account.username_key == key, Account.kind == AccountKind.MACHINE)
    return work.db.scalar(query)


class MachineAuthenticator:
    """Lets programs in, at the token endpoint and for services behind a proxy. One for each
    process: it remembers what was verified a moment ago."""

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
        client: Client | None,
    ) -> Admitted | Denied:
        """Whether a program may use the application ``client`` with this UserID and password, or an
        assertion signed by a key of the account, from the address that the request comes from.
        Every check is made whatever the others say, one bcrypt or none for whoever exists or not;
        a refusal is in the trail. ``APIIESO00042@109120`` acts for that participant alone. A
        request without password and assertion is no guess: it counts against nobody."""
        if not password and not assertion:
            events.record(
                work,
                AuditAction.MACHINE_REFUSED,
                reason="no_credentials",
                client=client,
                proved=False,
            )
            return Denied("no_credentials")
        account, participant = _named(work, username)
        network = _network_of(work, account) if account is not None else None
        if assertion:
            # Nobody guesses a signature: failures are not counted, so a wrong clock locks nobody.
            key, check = _proved(work, account, username, assertion)
            matched, is_fresh = key is not None, False
        else:
            key, check = None, None
            matched, is_fresh = self._check(work, account, password)
            if not matched and account is not None and network is not None:
                matched = self._check_former(work, account, password)
        held = _held(work, account, client, participant)
        state = account.state_at(work.now) if account is not None else None
        reason = _reason(account, state, matched=matched, network=network, client=client, held=held)
        if assertion and reason in ("wrong_password", "no_password"):
            reason = "wrong_key"
        if account is not None and network is not None:
            reason = _settle(
                work, account, password, matched=matched, is_fresh=is_fresh, reason=reason
            )
        if reason is not None or account is None or network is None:
            more: dict[str, Any] = {"check": check} if check else {}
            events.record(
                work,
                AuditAction.MACHINE_REFUSED,
                reason=reason,
                account=account,
                client=client,
                proved=False,
                **more,
            )
            return Denied(reason or "unknown_account")
        machine_keys.touch(work, network)
        if key is not None:
            machine_keys.touch(work, key)
        return Admitted(account, tuple(held), participant)

    def _check(self, work: UnitOfWork, account: Account | None, password: str) -> tuple[bool, bool]:
        """Whether the password is right, and whether it was hashed for that (or remembered)."""
        stored = account.password_hash if account is not None else None
        return self._verify(work, account.subject if account else "", stored, password)

    def _check_former(self, work: UnitOfWork, account: Account, password: str) -> bool:
        """Whether it is the password before, that may still be used. Looked at for registered
        networks only: from elsewhere the time it takes would tell that there is one."""
        until = account.former_password_until
        if until is None or until <= work.now:
            return False
        return self._verify(work, account.subject, account.former_password_hash, password)[0]

    def _verify(
        self, work: UnitOfWork, subject: str, stored: str | None, password: str
    ) -> tuple[bool, bool]:
        digest = work.vault.digest("verified-password", f"{subject}\0{stored}\0{password}")
        if stored is not None and self._verified.knows(digest, work.now):
            return True, False
        matched = self._hasher.verify(password, stored)
        if matched:
            self._verified.add(digest, work.now)
        return matched, True


def _network_of(work: UnitOfWork, account: Account) -> RegisteredNetwork | None:
    """The registered network that the request's address lies in, if any."""
    rows = networks(work, account)
    return next((row for row in rows if _lies_in(work.origin.ip, row.network)), None)


def _lies_in(ip: str | None, network: str) -> bool:
    return address_of(ip) in NetworkSet([network])


def _held(
    work: UnitOfWork, account: Account | None, client: Client | None, participant: str | None = None
) -> list[Held]:
    """Its role groups of the application; at one participant, when one is named."""
    if account is None or client is None or not client.admits(account):
        return []
    rows = role_groups.held_for_client(work, account.id, client.id)
    return [row for row in rows if participant in (None, row.participant)]


def _reason(
    account: Account | None,
    state: AccountState | None,
    *,
    matched: bool,
    network: RegisteredNetwork | None,
    client: Client | None,
    held: list[Held],
) -> str | None:
    if account is None or state is None:
        return "unknown_account"
    if network is None:
        return "network_not_registered"
    if not matched:
        return "wrong_password" if account.password_hash else "no_password"
    if not may_sign_in(state):
        return f"account_{state}"
    if client is None or client.disabled_at is not None:
        return "unknown_application"
    return None if held else "no_role_group"


def _settle(
    work: UnitOfWork,
    account: Account,
    password: str,
    *,
    matched: bool,
    is_fresh: bool,
    reason: str | None,
) -> str | None:
    """Count the password under the network it came from: nobody elsewhere can lock a machine out,
    and a password from elsewhere is refused in any case. A program that goes on sending its old
    password guesses once: it stops no other program of the account."""
    key = f"network:{account.id}:{network_of(work.origin.ip)}"
    if not is_fresh:
        return "throttled" if failed_attempts.is_locked(work, key) else reason
    if not matched and failed_attempts.was_tried(work, key, account, password):
        return reason
    counts = failed_attempts.record_outcome(work, key, account, matched=matched)
    return reason if counts or not matched else "throttled"


def _credentials(work: UnitOfWork, account: Account) -> tuple[bool, str]:
    """Whether there is anything to authenticate with, and what."""
    words = ["password"] if account.password_hash else []
    until = account.former_password_until
    if until is not None and until > work.now:
        words.append(f"former password until {until:%Y-%m-%d %H:%M} UTC")
    words += [f"key {row.label!a}" for row in machine_keys.usable(work, account)]
    return bool(words), ", ".join(words) or "none"


@dataclass(frozen=True)
class Check:
    """One check that a program has to pass, and how it stands now."""

    name: str
    is_met: bool
    detail: str


def diagnose(work: UnitOfWork, account: Account, ip: str, client: Client | None) -> list[Check]:
    """What stands in the way of a program at this address, the password aside; for the custodian's
    question "which check fails?". Nothing is counted or changed."""
    state, registered = account.state_at(work.now), networks(work, account)
    fitting = [row for row in registered if _lies_in(ip, row.network)]
    listed = ", ".join(row.network for row in registered)
    lock = failed_attempts.is_locked(work, f"network:{account.id}:{network_of(ip)}")
    checks = [
        Check("kind", account.kind == AccountKind.MACHINE, str(account.kind)),
        Check("state", may_sign_in(state), str(state)),
        Check("password or key", *_credentials(work, account)),
        Check(
            "network",
            bool(fitting),
            fitting[0].network if fitting else f"registered: {listed or 'none'}",
        ),
        Check("lock", not lock, "too many wrong passwords" if lock else "none"),
    ]
    if client is not None:
        held = sorted({row.group for row in _held(work, account, client)})
        checks.append(Check("application", client.disabled_at is None, client.client_id))
        checks.append(
            Check("role group", bool(held), ", ".join(held) or "none of this application")
        )
    return checks
