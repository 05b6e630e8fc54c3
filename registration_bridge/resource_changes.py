"""The difference that a push makes to a resource, for the audit log, and its version (RFC 7644
section 3.14)."""

from __future__ import annotations

from typing import Any

from scim2_models import PreconditionFailedException

from idp import current
from idp.audit import events
from idp.audit.actions import AuditAction


def check_version(version: str, expected: str | None) -> None:
    """Raises PreconditionFailedException if another version is expected."""
    if expected is not None and version != expected:
        raise PreconditionFailedException


def shown(resource: Any) -> dict[str, Any]:
    """The values of a resource, without those that the gateway generates."""
    values: dict[str, Any] = resource.model_dump(
        scim_ctx=None, mode="json", by_alias=True, exclude_none=True
    )
    for part in (values, *(value for value in values.values() if isinstance(value, dict))):
        part.pop("schemas", None)
    return {name: value for name, value in values.items() if name not in ("meta", "id")}


def record_change(
    event: AuditAction, before: dict[str, Any], after: dict[str, Any], **about: Any
) -> None:
    """Record the differences, if there are any."""
    if after != before:
        events.record(
            current.work(),
            event,
            before=_without(before, after),
            after=_without(after, before),
            **about,
        )


def _without(values: dict[str, Any], others: dict[str, Any]) -> dict[str, Any]:
    """The values that differ from the other resource."""
    return {name: value for name, value in values.items() if others.get(name) != value}
