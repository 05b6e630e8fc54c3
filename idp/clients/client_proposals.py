"""Changes of clients, with dual control: for sensitive ones, one operator proposes and another
confirms.

A client with the scope ``scim`` creates accounts and grants role groups. Registering or updating
such a client, issuing a secret or key, and enabling it again need two operators of Access
Management. Restrictions (disabling it, revoking an old secret) need one.

A proposal is never edited, and its seal covers all of it. It cannot be confirmed if the client was
changed since, if it has expired, or if its proposer is no longer an operator.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import select

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.clients import client_secrets, proposal_contents, registry
from idp.clients.client_data import ClientData
from idp.clients.client_refusals import (
    ClientChanged,
    DecidedConcurrently,
    OperatorMissing,
    OwnProposal,
    ProposalDecided,
    ProposalExpired,
    ProposalNotFound,
    ProposalTampered,
    ProposerLeft,
)
from idp.directory import held_role_groups, role_groups
from idp.directory.separation_of_duties import is_same_person, needs_dual_control
from idp.models import Account, AccountState, Client, ClientProposal, ProposalKind
from idp.policy.console import ACCESS
from idp.transaction import UnitOfWork, spend_once

HOURS = 72


class Decision(StrEnum):
    """What became of a proposal."""

    CONFIRMED = "confirmed"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


#: Its name in the audit trail; a decision without one is found at import.
RECORDED_AS = {decision: AuditAction(f"client.proposal_{decision}") for decision in Decision}


@dataclass(frozen=True)
class Outcome:
    """The result of a change: the client, and its secret if there is a new one; or a pending
    proposal."""

    client: Client | None = None
    secret: str = ""
    proposal: ClientProposal | None = None


def create(
    work: UnitOfWork,
    data: ClientData,
    *,
    client_id: str | None = None,
    groups: tuple[str, ...] | None = None,
) -> Outcome:
    """Register a client that sees these role groups, or propose to. Raises as ``registry.create``
    and ``_propose``."""
    client_id = client_id or work.token(16)
    if needs_dual_control(data.scopes):
        registry.check_new(work, client_id, data)
        return _propose(
            work, ProposalKind.CREATE, client_id, proposal_contents.to_json(data, groups)
        )
    return _create(work, client_id, data, groups)


def update(
    work: UnitOfWork, client: Client, data: ClientData, *, groups: tuple[str, ...] | None = None
) -> Outcome:
    """Update the registration, or propose to. Raises as ``registry.update`` and ``_propose``."""
    if needs_dual_control(data.scopes):
        registry.check_update(work, client, data)
        return _propose(
            work, ProposalKind.UPDATE, client.client_id, proposal_contents.to_json(data, groups)
        )
    return _update(work, client, data, groups)


def rotate_secret(work: UnitOfWork, client: Client, *, overlap_hours: int) -> Outcome:
    """Issue a new secret, or propose to. Raises as ``client_secrets.rotate`` and ``_propose``."""
    if needs_dual_control(client.scopes):
        client_secrets.check_rotation(client, overlap_hours)
        details = {"overlap_hours": overlap_hours}
        return _propose(work, ProposalKind.SECRET, client.client_id, details)
    return Outcome(client, client_secrets.rotate(work, client, overlap_hours=overlap_hours))


def enable(work: UnitOfWork, client: Client) -> Outcome:
    """Enable the client again, or propose to. Raises as ``_propose``."""
    if needs_dual_control(client.scopes) and client.disabled_at is not None:
        return _propose(work, ProposalKind.ENABLE, client.client_id, {})
    registry.enable(work, client)
    return Outcome(client)


def list_pending(work: UnitOfWork) -> list[ClientProposal]:
    """The proposals that can be confirmed, the oldest first."""
    query = select(ClientProposal).where(
        ClientProposal.decided_at.is_(None), ClientProposal.expires_at > work.now
    )
    return list(work.db.scalars(query.order_by(ClientProposal.id)))


def get(work: UnitOfWork, public_id: str) -> ClientProposal:
    """Raises NotFound."""
    row = work.db.scalar(select(ClientProposal).where(ClientProposal.public_id == public_id[:40]))
    if row is None:
        raise ProposalNotFound(public_id)
    return row


def may_confirm(row: ClientProposal, operator: Account) -> bool:
    """Whether the operator is another person than the proposer."""
    return not is_same_person(row.proposer, operator)


def confirm(work: UnitOfWork, public_id: str) -> Outcome:
    """Apply the proposal as the acting operator. Raises Forbidden for the proposer; Refused for a
    proposal that was decided, has expired, was tampered with or no longer applies; Conflict if
    another operator was first; and the errors of the change."""
    row, operator = get(work, public_id), _operator(work)
    if not may_confirm(row, operator):
        raise OwnProposal(account=operator)
    _check_open(work, row)
    if not proposal_contents.is_sealed(work, row):
        raise ProposalTampered()
    if row.base != proposal_contents.fingerprint(work, row.client_id):
        raise ClientChanged()
    able = row.proposer.effective_state(work.now) == AccountState.ACTIVE
    if not able or ACCESS not in held_role_groups.console_roles(work, row.proposer):
        raise ProposerLeft()
    _decide(work, row, operator, Decision.CONFIRMED)
    return _carry_out(work, row)


def withdraw(work: UnitOfWork, public_id: str) -> None:
    """Withdraw a proposal. Its proposer or any other operator can do so. Raises Refused or
    Conflict."""
    row, operator = get(work, public_id), _operator(work)
    _check_open(work, row)
    _decide(work, row, operator, Decision.WITHDRAWN)


def expire_next(work: UnitOfWork) -> bool:
    """Record that one proposal has expired; False if there is none."""
    row = work.db.scalar(
        select(ClientProposal)
        .where(ClientProposal.decided_at.is_(None), ClientProposal.expires_at <= work.now)
        .order_by(ClientProposal.expires_at)
        .limit(1)
    )
    if row is None:
        return False
    _decide(work, row, None, Decision.EXPIRED)
    return True


def _propose(
    work: UnitOfWork, kind: ProposalKind, client_id: str, details: dict[str, Any]
) -> Outcome:
    """Store a proposal. Raises Refused if no operator is named."""
    row = ClientProposal(
        public_id=f"p{work.token(12)}",
        kind=kind,
        client_id=client_id,
        data=details,
        base=proposal_contents.fingerprint(work, client_id),
        proposer=_operator(work),
        created_at=work.now,
        expires_at=work.now + timedelta(hours=HOURS),
    )
    work.db.add(row)
    row.proposed_by = row.proposer.id
    row.seal = proposal_contents.seal(work, row)
    work.db.flush()
    _record(work, AuditAction.CLIENT_PROPOSED, row)
    return Outcome(proposal=row)


def _operator(work: UnitOfWork) -> Account:
    """The acting operator, from the console or ``--as``. Raises Refused if a command names none."""
    account = (
        work.db.scalar(select(Account).where(Account.username == work.origin.actor))
        if work.origin.person_id is not None
        else None
    )
    if account is None:
        raise OperatorMissing()
    return account


def _check_open(work: UnitOfWork, row: ClientProposal) -> None:
    if row.decided_at is not None:
        raise ProposalDecided(row.outcome or "")
    if row.expires_at <= work.now:
        raise ProposalExpired()


def _decide(
    work: UnitOfWork, row: ClientProposal, operator: Account | None, outcome: Decision
) -> None:
    by = operator.id if operator else None
    if not spend_once(work, row, ClientProposal.decided_at, decided_by=by, outcome=outcome):
        raise DecidedConcurrently(row.public_id)
    work.db.refresh(row)
    _record(work, RECORDED_AS[outcome], row)


def _record(work: UnitOfWork, name: AuditAction, row: ClientProposal) -> None:
    events.record(
        work,
        name,
        client=registry.find(work, row.client_id),
        proposal=row.public_id,
        kind=str(row.kind),
        subject=row.client_id,
        proposed_by=row.proposer.username,
        details=row.data,
    )


def _carry_out(work: UnitOfWork, row: ClientProposal) -> Outcome:
    groups = row.data.get("role_groups")
    chosen = tuple(groups) if groups is not None else None
    if row.kind == ProposalKind.CREATE:
        return _create(
            work, row.client_id, proposal_contents.client_data_of(row), chosen, is_approved=True
        )
    client = registry.get(work, row.client_id)
    if row.kind == ProposalKind.UPDATE:
        return _update(
            work, client, proposal_contents.client_data_of(row), chosen, is_approved=True
        )
    if row.kind == ProposalKind.ENABLE:
        registry.enable(work, client, is_approved=True)
        return Outcome(client)
    hours = row.data["overlap_hours"]
    return Outcome(
        client, client_secrets.rotate(work, client, overlap_hours=hours, is_approved=True)
    )


def _create(
    work: UnitOfWork,
    client_id: str,
    data: ClientData,
    groups: tuple[str, ...] | None,
    *,
    is_approved: bool = False,
) -> Outcome:
    client, secret = registry.create(work, data, client_id=client_id, is_approved=is_approved)
    _show(work, client, groups)
    return Outcome(client, secret)


def _update(
    work: UnitOfWork,
    client: Client,
    data: ClientData,
    groups: tuple[str, ...] | None,
    *,
    is_approved: bool = False,
) -> Outcome:
    gains = needs_dual_control(data.scopes) and not needs_dual_control(client.scopes)
    registry.update(work, client, data, is_approved=is_approved)
    _show(work, client, groups)
    if not (gains and client.has_secret):
        return Outcome(client)
    # The present secret was issued by one operator, without dual control.
    return Outcome(
        client, client_secrets.rotate(work, client, overlap_hours=0, is_approved=is_approved)
    )


def _show(work: UnitOfWork, client: Client, groups: tuple[str, ...] | None) -> None:
    if groups is not None:
        registry.set_visible_groups(
            work, client, [role_groups.by_name(work, name) for name in groups]
        )
