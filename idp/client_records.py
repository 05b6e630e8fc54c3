"""Registered clients as frozen values, read once for each revision and process, and the subjects
under which they know accounts."""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, select

from idp.db import table
from idp.models import Client
from idp.models.records import AnyClient, ClientRecord, columns, frozen
from idp.transaction import UnitOfWork

_CLIENT = table(Client)
_READ = select(*columns(Client, ClientRecord))
BY_ID = _READ.where(_CLIENT.c.id == bindparam("value"))
BY_CLIENT_ID = _READ.where(_CLIENT.c.client_id == bindparam("value"))
ORIGINS = select(_CLIENT.c.allowed_origins).where(_CLIENT.c.disabled_at.is_(None))


def by_id(work: UnitOfWork, key: int) -> ClientRecord:
    """The client with this key, disabled or not. Raises LookupError."""
    found = _find(work, "id", key)
    if found is None:
        raise LookupError(f"no client {key}")
    return found


def by_client_id(work: UnitOfWork, client_id: str) -> ClientRecord | None:
    """The client with this id, disabled or not."""
    return _find(work, "client_id", client_id)


def allowed_origins(work: UnitOfWork) -> frozenset[str]:
    """The origins that enabled clients registered for cross-origin requests."""
    kept = work.kept()
    if ("origins", "") not in kept:
        rows = work.run(ORIGINS).scalars()
        kept["origins", ""] = frozenset(origin for row in rows for origin in row)
    found: frozenset[str] = kept["origins", ""]
    return found


def subject_for(work: UnitOfWork, client: AnyClient, subject: str) -> str:
    """The subject under which the client knows an account with this ``subject``: the same, or one
    of the client's sector (OIDC Core section 8)."""
    sector = client.sector_identifier
    return work.vault.pairwise_subject(sector, subject) if sector else subject


def _find(work: UnitOfWork, name: str, value: Any) -> ClientRecord | None:
    found: ClientRecord | None = work.presumed().get((name, value))
    if found is None:
        kept = work.kept()
        row = work.run(BY_ID if name == "id" else BY_CLIENT_ID, {"value": value}).first()
        if row is not None:
            found = ClientRecord(*frozen(row))
            # Unknown ids are not kept: there is no end of them.
            kept["id", found.id] = kept["client_id", found.client_id] = found
    return found
