"""The difference that a push makes to a resource, for the audit log, and its version (RFC 7644
section 3.14)."""

from __future__ import annotations

from typing import Any

from scim2_models import PreconditionFailedException

from idp import current
from idp.audit import events
from idp.audit.actions import AuditAction
from registration_bridge.resource_document import ResourceDocument


def check_version(version: str, expected: str | None) -> None:
    """Raises PreconditionFailedException if another version is expected."""
    if expected is not None and version != expected:
        raise PreconditionFailedException


def shown(document: ResourceDocument) -> dict[str, Any]:
    """The values of a resource, without those that the gateway generates."""
    return {
        name: value
        for name, value in document.content.items()
        if name not in ("schemas", "meta", "id")
    }


def record_change(
    event: AuditAction, before: ResourceDocument, after: ResourceDocument, **about: Any
) -> None:
    """Record the differences, if there are any."""
    former, new = shown(before), shown(after)
    if new != former:
        events.record(
            current.work(),
            event,
            before=_without(former, new),
            after=_without(new, former),
            **about,
        )


def _without(values: dict[str, Any], others: dict[str, Any]) -> dict[str, Any]:
    """The values that differ from the other resource."""
    return {name: value for name, value in values.items() if others.get(name) != value}
