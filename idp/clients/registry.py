"""The registry of relying parties and other OAuth clients."""

from __future__ import annotations

import re

from sqlalchemy import or_, select

from idp import client_records
from idp.audit import events
from idp.audit.actions import AuditAction
from idp.clients import client_secrets, client_validation
from idp.clients.client_data import ClientData, describe, to_json
from idp.clients.client_refusals import (
    ClientExists,
    ClientIdInvalid,
    ClientNotFound,
    PublicityChanged,
    SectorChanged,
)
from idp.directory import separation_of_duties
from idp.models import AuthMethod, Client, RoleGroup
from idp.models.records import ClientRecord
from idp.transaction import UnitOfWork

MAX_RESOURCE = 2000
_CLIENT_ID = re.compile(r"[A-Za-z0-9._~-]{3,100}")


def create(
    work: UnitOfWork, data: ClientData, *, client_id: str | None = None, is_approved: bool = False
) -> tuple[Client, str]:
    """Register a client. Returns it and its secret, to be shown only now (empty for a public
    client). Raises Invalid with all faults, Conflict, or Refused for a provisioning client without
    ``is_approved``."""
    client_id = client_id or work.token(16)
    separation_of_duties.check_dual_control(data.scopes, is_approved=is_approved)
    check_new(work, client_id, data)
    client = Client(client_id=client_id, created_at=work.now, updated_at=work.now)
    _apply(client, data)
    work.db.add(client)
    secret = client_secrets.issue(work, client) if client.has_secret else ""
    work.db.flush()
    events.record(work, AuditAction.CLIENT_CREATED, client=client, settings=to_json(data))
    return client, secret


def check_new(work: UnitOfWork, client_id: str, data: ClientData) -> None:
    """Raises Invalid or Conflict if the data cannot be registered."""
    if not _CLIENT_ID.fullmatch(client_id):
        raise ClientIdInvalid()
    if work.db.scalar(select(Client.id).where(Client.client_id == client_id)) is not None:
        raise ClientExists(client_id)
    client_validation.check(work, data)


def check_update(work: UnitOfWork, client: Client, data: ClientData) -> None:
    """Raises Invalid if the data cannot be registered for this client."""
    client_validation.check(work, data)
    if data.auth_method != client.auth_method and AuthMethod.NONE in (
        data.auth_method,
        client.auth_method,
    ):
        raise PublicityChanged()
    if data.sector_identifier != client.sector_identifier:
        raise SectorChanged()


def update(
    work: UnitOfWork, client: Client, data: ClientData, *, is_approved: bool = False
) -> None:
    """Replace the registration of a client. Raises Invalid, or Refused for a provisioning client
    without ``is_approved``."""
    separation_of_duties.check_dual_control(data.scopes, is_approved=is_approved)
    check_update(work, client, data)
    before = describe(client)
    _apply(client, data)
    client_secrets.remove_unused(client)
    client.updated_at = work.now
    events.record(
        work, AuditAction.CLIENT_UPDATED, client=client, before=before, after=to_json(data)
    )


def set_visible_groups(work: UnitOfWork, client: Client, groups: list[RoleGroup]) -> None:
    """Set the role groups that the client sees."""
    before = sorted(group.name for group in client.role_groups)
    after = sorted(group.name for group in groups)
    if before != after:
        client.role_groups = groups
        client.updated_at = work.now
        events.record(
            work, AuditAction.CLIENT_ROLE_GROUPS, client=client, before=before, after=after
        )


def disable(work: UnitOfWork, client: Client) -> None:
    """Disable a client: it gets no new tokens, and everything issued to it is revoked at once
    (N18)."""
    if client.disabled_at is None:
        client.disabled_at = work.now
        client.updated_at = work.now
        from idp.models import Grant
        from idp.session import sessions
        from idp.session.end_reasons import EndReason

        sessions.revoke_grants(work, Grant.client_id == client.id, EndReason.CLIENT_DISABLED)
        sessions.revoke_exchanged_tokens(work, client)
        events.record(work, AuditAction.CLIENT_DISABLED, client=client)


def enable(work: UnitOfWork, client: Client, *, is_approved: bool = False) -> None:
    """Enable a client again, with its secret or keys. What was revoked stays revoked. Raises
    Refused for a provisioning client without ``is_approved``."""
    separation_of_duties.check_dual_control(client.scopes, is_approved=is_approved)
    if client.disabled_at is not None:
        client.disabled_at = None
        client.updated_at = work.now
        events.record(work, AuditAction.CLIENT_ENABLED, client=client)


def find(work: UnitOfWork, client_id: str) -> Client | None:
    """The client with this id, disabled or not."""
    # Do not query for an impossible id: PostgreSQL rejects NUL and lone surrogates.
    if not _CLIENT_ID.fullmatch(client_id):
        return None
    found: Client | None = work.clients.get(client_id)
    if found is None or found not in work.db:
        found = work.db.scalar(select(Client).where(Client.client_id == client_id))
        if found is not None:
            work.clients[client_id] = found
    return found


def find_record(work: UnitOfWork, client_id: str) -> ClientRecord | None:
    """As ``find``, as a value that the process keeps."""
    return client_records.by_client_id(work, client_id) if _CLIENT_ID.fullmatch(client_id) else None


def find_by_resource(work: UnitOfWork, resource: str) -> Client | None:
    """The enabled client with this audience or client id."""
    if not resource or len(resource) > MAX_RESOURCE or not resource.isprintable():
        return None
    named = or_(Client.client_id == resource, Client.audience == resource)
    rows = work.db.scalars(select(Client).where(named, Client.disabled_at.is_(None)).limit(2)).all()
    return rows[0] if len(rows) == 1 else None


def with_audience(work: UnitOfWork, audience: str) -> list[Client]:
    """The enabled clients whose tokens are for this audience."""
    query = select(Client).where(Client.audience == audience, Client.disabled_at.is_(None))
    return list(work.db.scalars(query))


def get(work: UnitOfWork, client_id: str) -> Client:
    """As ``find``; raises NotFound."""
    client = find(work, client_id)
    if client is None:
        raise ClientNotFound(client_id)
    return client


def list_clients(work: UnitOfWork) -> list[Client]:
    """All clients by name."""
    return list(work.db.scalars(select(Client).order_by(Client.name, Client.client_id)))


def allowed_origins(work: UnitOfWork) -> frozenset[str]:
    """The origins that enabled clients registered for cross-origin requests."""
    return client_records.allowed_origins(work)


def _apply(client: Client, data: ClientData) -> None:
    for name, value in to_json(data).items():
        if name != "role_groups":
            setattr(client, name, value)
