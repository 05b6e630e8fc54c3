"""Writes the catalogue into the tables: new markets and roles are added, known ones take the texts
and rules of the file. What is not in the file stays, since people hold it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, TypeVar

from sqlalchemy import select

from registration import catalogue, history
from registration.models import AccessRole, ContactRole, Market
from registration.transaction import UnitOfWork

Row = TypeVar("Row", Market, ContactRole, AccessRole)


def write(work: UnitOfWork, wanted: catalogue.Catalogue) -> int:
    """Bring the tables to the catalogue; returns how many rows were added or changed."""
    changed = 0
    for position, market in enumerate(wanted.markets.values()):
        changed += _put(work, Market, market.code, {**asdict(market), "position": position})
    markets = {row.code: row.id for row in work.db.scalars(select(Market))}
    for position, contact in enumerate(wanted.contact_roles.values()):
        values = _plain(asdict(contact)) | {"position": position}
        values["is_guessed"] = values.pop("guessed")
        changed += _put(work, ContactRole, contact.code, values)
    for position, access in enumerate(wanted.access_roles.values()):
        values = _plain(asdict(access)) | {"position": position}
        values["market_id"] = markets[values.pop("market")]
        changed += _put(work, AccessRole, access.code, values)
    if changed:
        history.record(work, "catalogue.changed", after={"rows": changed})
    return changed


def _put(work: UnitOfWork, kind: type[Row], code: str, values: dict[str, Any]) -> bool:
    row = work.db.scalars(select(kind).where(kind.code == code)).one_or_none()
    if row is None:
        work.db.add(kind(**values))
        work.db.flush()
        return True
    different = {name for name, value in values.items() if getattr(row, name) != value}
    for name in different:
        setattr(row, name, values[name])
    return bool(different)


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {key: list(one) if isinstance(one, tuple) else one for key, one in values.items()}
