"""A participant as a SCIM resource: number, name, and whether it is active."""

from __future__ import annotations

from collections.abc import Collection
from hashlib import sha256
from typing import Any

from scim2_models import Meta

from idp.directory import contacts, participations
from idp.directory.participations import ParticipationRef
from idp.models import Contact, Participant
from idp.transaction import UnitOfWork
from registration_bridge.pushed_participant import ACTIVE, ENDED
from registration_bridge.user_schema import ContactEntry, ParticipationEntry


def resources_of(work: UnitOfWork, model: Any, rows: Collection[Participant]) -> list[Any]:
    """The Participants of these rows."""
    parts, people = (
        participations.participations_by_participant(work, rows),
        contacts.contacts_by_participant(work, rows),
    )
    return [_resource(model, row, parts.get(row.id, []), people.get(row.id, [])) for row in rows]


def resource_of(work: UnitOfWork, model: Any, row: Participant) -> Any:
    """The Participant of a row; its id is its number."""
    return resources_of(work, model, [row])[0]


def _resource(
    model: Any, row: Participant, parts: list[ParticipationRef], people: list[Contact]
) -> Any:
    changed = row.updated_at or row.created_at
    listed = [(one.person.person_id, one.function) for one in people]
    shown = f"{row.number}/{row.name}/{row.external_id}/{row.ended_at}/{parts}/{listed}"
    return model(
        id=row.number,
        external_id=row.external_id,
        participant_id=row.number,
        name=row.name,
        status=ENDED if row.ended_at else ACTIVE,
        participations=[ParticipationEntry(value=p.name, type=p.kind) for p in parts] or None,
        contacts=[ContactEntry(value=person_id, type=function) for person_id, function in listed]
        or None,
        meta=Meta(
            resource_type="Participant",
            created=row.created_at,
            last_modified=changed,
            version=f'W/"{sha256(shown.encode()).hexdigest()[:32]}"',
        ),
    )
