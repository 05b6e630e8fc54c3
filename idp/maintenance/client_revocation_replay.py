"""What a trail says was taken from clients, done again (``denials``)."""

from __future__ import annotations

from idp.clients import client_secrets, registry
from idp.models import Client, Event
from idp.transaction import UnitOfWork


def disabled(work: UnitOfWork, event: Event) -> bool:
    """It is switched off."""
    row = _client(work, event)
    is_on = row.disabled_at is None
    registry.disable(work, row)
    return is_on


def updated(work: UnitOfWork, event: Event) -> bool:
    """It is registered as it was last: a scope, key or address that was removed is gone. Where that
    takes two operators, two had decided it."""
    row = _client(work, event)
    before, after = registry.describe(row), event.data["after"]
    data = registry.from_json(before | after)
    if registry.to_json(data) == registry.to_json(registry.current_data(row)):
        return False
    registry.update(work, row, data, is_approved=True)
    return True


def secret_rotated(work: UnitOfWork, event: Event) -> bool:
    """The secret of the backup was replaced: nobody knows the one it has from now on, so one
    operator is enough."""
    row = _client(work, event)
    if not row.has_secret:
        return False
    client_secrets.rotate(work, row, overlap_hours=0, is_approved=True)
    return True


def groups_shown(work: UnitOfWork, event: Event) -> bool:
    """It sees no role group that was taken from its view."""
    row, after = _client(work, event), event.data["after"]
    kept = [group for group in row.role_groups if group.name in after]
    is_changed = len(kept) < len(row.role_groups)
    registry.set_visible_groups(work, row, kept)
    return is_changed


def _client(work: UnitOfWork, event: Event) -> Client:
    return registry.get(work, event.client_id or "")
