"""Client secrets: issue, compare and rotate them with an overlap.

After a rotation, the old secret works for some hours, so that the application keeps working while
its configuration changes. It can be revoked at once. Only digests are stored, except for clients
that sign with their secret (``client_secret_jwt``): theirs are stored sealed too.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import bindparam, update

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.clients.client_refusals import NoSecret, OverlapInvalid
from idp.db import table
from idp.directory import separation_of_duties
from idp.models import AuthMethod, Client
from idp.models.records import AnyClient
from idp.policy.registered_values import MAX_OVERLAP_HOURS
from idp.transaction import UnitOfWork
from idp.vault import is_among

_PURPOSE = "client-secret"
_STORE = (
    update(table(Client))
    .where(table(Client).c.id == bindparam("key"))
    .values(secret_digest=bindparam("digest"))
)


def issue(work: UnitOfWork, client: Client) -> str:
    """Issue a new secret, to be shown only now."""
    secret = work.token(32)
    client.secret_digest = work.vault.digest(_PURPOSE, secret)
    is_read = client.auth_method == AuthMethod.SECRET_JWT
    client.sealed_secret = work.vault.encrypt(secret) if is_read else None
    return secret


def parse_overlap_hours(typed: str) -> int:
    """Parse hours as entered. Raises Invalid unless it is a whole number, so that a typing error
    revokes no secret."""
    if not (typed.isascii() and typed.isdigit() and len(typed) < 5):
        raise OverlapInvalid(MAX_OVERLAP_HOURS)
    return int(typed)


def check_rotation(client: Client, overlap_hours: int) -> None:
    """Raises Invalid for a client without a secret, or an overlap that is too long."""
    if not client.has_secret:
        raise NoSecret()
    if not 0 <= overlap_hours <= MAX_OVERLAP_HOURS:
        raise OverlapInvalid(MAX_OVERLAP_HOURS)


def rotate(
    work: UnitOfWork, client: Client, *, overlap_hours: int, is_approved: bool = False
) -> str:
    """Issue a new secret, to be shown only now. The present one works for the overlap; an older one
    is revoked. Raises as ``check_rotation``, or Refused for a provisioning client without
    ``is_approved``."""
    separation_of_duties.check_dual_control(client.scopes, is_approved=is_approved)
    check_rotation(client, overlap_hours)
    before, sealed_before = client.secret_digest, client.sealed_secret
    secret = issue(work, client)
    kept = overlap_hours > 0 and before is not None
    client.former_secret_digest = before if kept else None
    client.former_sealed_secret = sealed_before if kept else None
    until = work.now + timedelta(hours=overlap_hours) if kept else None
    client.former_secret_until = until
    client.updated_at = work.now
    written = until.isoformat() if until else None
    events.record(work, AuditAction.CLIENT_SECRET_ROTATED, client=client, old_secret_until=written)
    return secret


def old_secret_expires_at(work: UnitOfWork, client: AnyClient) -> datetime | None:
    """When the old secret expires; None if there is none."""
    until = client.former_secret_until
    return until if until is not None and until > work.now else None


def revoke_old(work: UnitOfWork, client: Client) -> bool:
    """Revoke the old secret; False if there is none."""
    if old_secret_expires_at(work, client) is None:
        return False
    clear_old(client)
    client.updated_at = work.now
    events.record(work, AuditAction.CLIENT_OLD_SECRET_ENDED, client=client)
    return True


def is_missing(client: Client) -> bool:
    """Whether the method of the client needs a secret that was never issued."""
    is_read = client.auth_method == AuthMethod.SECRET_JWT
    return client.has_secret and (client.sealed_secret if is_read else client.secret_digest) is None


def remove_unused(client: Client) -> None:
    """Remove what the method of the client does not need."""
    if client.auth_method != AuthMethod.SECRET_JWT:
        client.sealed_secret = client.former_sealed_secret = None
    if not client.has_secret:
        client.secret_digest = None
        clear_old(client)


def clear_old(client: Client) -> None:
    """As ``revoke_old``, for a change that records its own event."""
    client.former_secret_digest = client.former_secret_until = None
    client.former_sealed_secret = None


def readable(work: UnitOfWork, client: AnyClient) -> list[str]:
    """The secrets with which the client may sign now, the new one first. None for a client that had
    another method when they were issued."""
    sealed = [client.sealed_secret]
    if old_secret_expires_at(work, client):
        sealed.append(client.former_sealed_secret)
    return [work.vault.decrypt(value) for value in sealed if value]


def matches(work: UnitOfWork, client: AnyClient | None, secret: str) -> bool:
    """Compare with the stored digests, new and old, in constant time. A missing client or old
    secret costs the same time."""
    stored = client.secret_digest if client else None
    former = client.former_secret_digest if client and old_secret_expires_at(work, client) else None
    digests = work.vault.digests(_PURPOSE, secret)
    is_new = is_among(digests, stored or "")
    is_old = is_among(digests, former or "")
    if is_new and client and stored != digests[0]:
        # By a key that is used no more for new digests.
        work.run(_STORE, {"key": client.id, "digest": digests[0]})
    return is_new or is_old
