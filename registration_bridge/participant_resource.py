"""A participant as a SCIM resource: number, name, and whether it is active."""

from __future__ import annotations

from collections.abc import Collection

from idp.directory import contacts, participations
from idp.directory.participations import ParticipationRef
from idp.models import Contact, Participant
from idp.transaction import UnitOfWork
from registration_bridge.pushed_participant import ACTIVE, ENDED
from registration_bridge.resource_document import (
    ResourceDocument,
    ResourceKind,
    instant,
    present,
)


def documents_of(
    work: UnitOfWork, kind: ResourceKind, rows: Collection[Participant], base: str
) -> list[ResourceDocument]:
    """The Participants of these rows; ``base`` is the address of the service."""
    parts, people = (
        participations.participations_by_participant(work, rows),
        contacts.contacts_by_participant(work, rows),
    )
    return [
        _document(kind, row, parts.get(row.id, []), people.get(row.id, []), base) for row in rows
    ]


def document_of(
    work: UnitOfWork, kind: ResourceKind, row: Participant, base: str
) -> ResourceDocument:
    """The Participant of a row; its id is its number."""
    return documents_of(work, kind, [row], base)[0]


def _document(
    kind: ResourceKind,
    row: Participant,
    parts: list[ParticipationRef],
    people: list[Contact],
    base: str,
) -> ResourceDocument:
    values = present(
        externalId=row.external_id,
        participantId=row.number,
        name=row.name,
        status=ENDED if row.ended_at else ACTIVE,
        participations=[{"value": part.name, "type": part.kind} for part in parts] or None,
        contacts=[{"value": one.person.person_id, "type": one.function} for one in people] or None,
    )
    return kind.document(
        base,
        row.number,
        values,
        created=row.created_at,
        modified=row.updated_at or row.created_at,
        version_of=[values, instant(row.ended_at)],
    )
