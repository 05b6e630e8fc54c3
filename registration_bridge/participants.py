"""A participant as a SCIM resource: its number, its name, whether it still takes part."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Any

from scim2_models import (
    InvalidValueException,
    Meta,
    MutabilityException,
    UniquenessException,
)

from idp.accounts import directory, events, participants
from idp.errors import NotFound
from idp.models import Participant
from idp.policy.scopes import PushOperation
from idp.transaction import Work
from registration_bridge.reach import Reach
from registration_bridge.text import clean

ACTIVE, ENDED = "active", "ended"
MAX_NAME = 200
_NUMBER = re.compile(r"[A-Za-z0-9._-]{1,20}")


def resource_of(model: Any, row: Participant) -> Any:
    """The Participant of a row; its id is its number."""
    changed = row.updated_at or row.created_at
    shown = f"{row.number}/{row.name}/{row.external_id}/{row.ended_at}"
    return model(
        id=row.number,
        external_id=row.external_id,
        participant_id=row.number,
        name=row.name,
        status=ENDED if row.ended_at else ACTIVE,
        meta=Meta(
            resource_type="Participant",
            created=row.created_at,
            last_modified=changed,
            version=f'W/"{sha256(shown.encode()).hexdigest()[:32]}"',
        ),
    )


def create(work: Work, reach: Reach, wanted: Any) -> tuple[Participant, bool]:
    """A new participant, or one that was removed before; or the one that the same push made before
    (False). Raises the errors of SCIM."""
    reach.check(PushOperation.CREATE)
    number, name = clean(wanted.participant_id), _name(wanted)
    external_id = _external_id(wanted)
    _check(reach, number)
    if not _NUMBER.fullmatch(number):
        raise InvalidValueException(
            detail="participantId is 1 to 20 ASCII letters, digits, dots, hyphens and underscores."
        )
    is_ended = _is_ended(wanted.status)
    try:
        row = directory.participant(work, number)
    except NotFound:
        row, is_new = directory.ensure_participant(work, number, name), True
        if row.name != name:
            raise _taken(number) from None
    else:
        is_new = row.removed_at is not None
        if not is_new:
            present = (row.name, row.external_id, row.ended_at is not None)
            if present != (name, external_id, bool(is_ended)):
                raise _taken(number)
            return row, False
        row.removed_at = None
        participants.restore(work, row)
        directory.rename_participant(work, row, name)
    row.external_id = external_id
    events.record(work, "scim.participant_created", participant=number)
    if is_ended:
        participants.end(work, row)
    work.db.flush()
    return row, is_new


def update(work: Work, reach: Reach, row: Participant, wanted: Any) -> None:
    """Name and status as pushed. Raises the errors of SCIM."""
    _check(reach, row.number)
    if clean(wanted.participant_id) not in ("", row.number):
        raise MutabilityException(attribute="participantId", mutability="immutable")
    name, external_id = _name(wanted), _external_id(wanted)
    if (name, external_id) != (row.name, row.external_id):
        reach.check(PushOperation.UPDATE)
        directory.rename_participant(work, row, name)
        row.external_id, row.updated_at = external_id, work.now
    is_ended = _is_ended(wanted.status)
    if is_ended:
        _end(work, reach, row)
    elif is_ended is False and row.ended_at is not None:
        reach.check(PushOperation.CREATE)
        participants.restore(work, row)
    work.db.flush()


def delete(work: Work, reach: Reach, row: Participant) -> None:
    """It ends and is not shown any more; its number stays its own. Raises the errors of SCIM."""
    _check(reach, row.number)
    _end(work, reach, row, is_removed=True)
    row.removed_at = work.now
    events.record(work, "scim.participant_deleted", participant=row.number)
    work.db.flush()


def _end(work: Work, reach: Reach, row: Participant, *, is_removed: bool = False) -> None:
    if row.ended_at is not None and not is_removed:
        return
    reach.check(PushOperation.DEACTIVATE)
    reach.check_accounts(work, participants.holders(work, row))
    participants.end(work, row)


def _taken(number: str) -> UniquenessException:
    return UniquenessException(detail=f"participantId {number} is taken.")


def _check(reach: Reach, number: str) -> None:
    reach.check_no_operator(number)
    reach.check_participant(number)


def _name(wanted: Any) -> str:
    name = clean(wanted.name)
    if not 0 < len(name) <= MAX_NAME:
        raise InvalidValueException(detail=f"name is 1 to {MAX_NAME} characters.")
    return name


def _external_id(wanted: Any) -> str | None:
    return clean(wanted.external_id)[:200] or None


def _is_ended(status: str | None) -> bool | None:
    """None when the push does not say."""
    known = {None: None, ACTIVE: False, ENDED: True}
    if status not in known:
        raise InvalidValueException(detail=f"status is {ACTIVE} or {ENDED}.")
    return known[status]
