"""What a proposal contains: the changes, and the seal that covers them."""

from __future__ import annotations

import json
from typing import Any

from idp.clients import client_data, registry
from idp.clients.client_data import ClientData
from idp.directory.separation_of_duties import needs_dual_control
from idp.models import ClientProposal, ProposalKind
from idp.transaction import UnitOfWork

_PURPOSE = "client-proposal"
#: Name, present value, proposed value.
Change = tuple[str, Any, Any]


def changes(work: UnitOfWork, row: ClientProposal) -> list[Change]:
    """The changes that it proposes. For a client that gets the
    scope ``scim``, the complete registration, because nobody has confirmed the rest yet."""
    client = registry.find(work, row.client_id)
    before = client_data.describe(client) if client else {}
    groups = sorted(group.name for group in client.role_groups) if client else []
    after = dict(row.data.get("settings", {}))
    gains = row.kind == ProposalKind.UPDATE and not needs_dual_control(before.get("scopes", ()))
    if row.data.get("role_groups") is not None:
        before["role_groups"], after["role_groups"] = groups, sorted(row.data["role_groups"])
    else:
        after.pop("role_groups", None)
    if row.kind == ProposalKind.ENABLE:
        after["disabled"] = False
    if row.kind == ProposalKind.SECRET:
        before["secret"], after["secret"] = None, "new"
        after["overlap_hours"] = row.data.get("overlap_hours")
    return [
        (name, before.get(name), value)
        for name, value in after.items()
        if (before.get(name) or None) != (value or None) or (gains and value)
    ]


def to_json(data: ClientData, groups: tuple[str, ...] | None) -> dict[str, Any]:
    """The proposed registration and the role groups that the client is to see, in JSON types."""
    settings = client_data.to_json(data)
    return {"settings": settings, "role_groups": None if groups is None else list(groups)}


def client_data_of(row: ClientProposal) -> ClientData:
    """The registration that it proposes."""
    return client_data.from_json(row.data["settings"])


def fingerprint(work: UnitOfWork, client_id: str) -> str:
    """A digest of the present registration, by which a later change of it is found; empty for a new
    client."""
    client = registry.find(work, client_id)
    return work.vault.digest(_PURPOSE, _json(client_data.describe(client))) if client else ""


def seal(work: UnitOfWork, row: ClientProposal) -> str:
    """A keyed digest of all that is proposed, and by whom."""
    return work.vault.digest(_PURPOSE, _content(row))


def is_sealed(work: UnitOfWork, row: ClientProposal) -> bool:
    """Whether the stored seal is the one of its content."""
    return work.vault.matches(_PURPOSE, _content(row), row.seal)


def _content(row: ClientProposal) -> str:
    return _json(
        [
            row.public_id,
            row.kind,
            row.client_id,
            row.data,
            row.base,
            row.proposed_by,
            int(row.expires_at.timestamp()),
        ]
    )


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
