"""Replay of revocations that concern clients (see ``revocation_replay``).

Each handler returns whether it changed anything, and raises NotFound for an unknown client.
"""

from __future__ import annotations

from idp.clients import client_data, client_secrets, registry
from idp.models import Client, Event
from idp.transaction import UnitOfWork


def disabled(work: UnitOfWork, event: Event) -> bool:
    """Disable the client."""
    row = _client(work, event)
    is_on = row.disabled_at is None
    registry.disable(work, row)
    return is_on


def updated(work: UnitOfWork, event: Event) -> bool:
    """Restore the last registration: scopes, keys and URIs removed since the backup are removed
    again. Where dual control applies, two operators had already decided."""
    row = _client(work, event)
    before, after = client_data.describe(row), event.data["after"]
    data = client_data.from_json(before | after)
    if client_data.to_json(data) == client_data.to_json(client_data.current_data(row)):
        return False
    registry.update(work, row, data, is_approved=True)
    return True


def secret_rotated(work: UnitOfWork, event: Event) -> bool:
    """Replace the secret of the backup. Nobody knows the new one, so one operator is enough."""
    row = _client(work, event)
    if not row.has_secret:
        return False
    client_secrets.rotate(work, row, overlap_hours=0, is_approved=True)
    return True


def groups_shown(work: UnitOfWork, event: Event) -> bool:
    """Remove role groups that the client no longer sees."""
    row, after = _client(work, event), event.data["after"]
    kept = [group for group in row.role_groups if group.name in after]
    is_changed = len(kept) < len(row.role_groups)
    registry.set_visible_groups(work, row, kept)
    return is_changed


def _client(work: UnitOfWork, event: Event) -> Client:
    return registry.get(work, event.client_id or "")
