"""The list of participants for the console, by name or number."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import ColumnElement, exists, or_

from idp import list_pages
from idp.directory import participations
from idp.directory.participations import ParticipationRef
from idp.list_pages import ListPage, ListRequest
from idp.models import Participant, Participation
from idp.policy.search_terms import fold
from idp.transaction import UnitOfWork

SORTS: list_pages.Sorts = {"name": (Participant.name_key,), "number": (Participant.number,)}


class ParticipantState(StrEnum):
    """Whether a participant is current, has ended, or was removed."""

    CURRENT = "current"
    ENDED = "ended"
    REMOVED = "removed"


@dataclass(frozen=True, kw_only=True)
class ParticipantFilter:
    """The filter of the list. Empty means no restriction."""

    #: The beginning of the number, or of the name.
    text: str = ""
    state: str = ""
    participation: str = ""


@dataclass(frozen=True)
class ListedParticipant:
    """A participant in the list, with what it participates in."""

    participant: Participant
    participations: list[ParticipationRef]


def state_of(row: Participant) -> ParticipantState:
    """The state of a participant."""
    if row.removed_at is not None:
        return ParticipantState.REMOVED
    return ParticipantState.CURRENT if row.ended_at is None else ParticipantState.ENDED


def page(
    work: UnitOfWork, criteria: ParticipantFilter, request: ListRequest
) -> ListPage[ListedParticipant]:
    """A page of the participants that match."""
    found = list_pages.page(work, Participant.id, SORTS, request, *_conditions(criteria))
    rows = list_pages.load(work, Participant.id, found.rows)
    parts = participations.participations_by_participant(work, rows)
    return found.of([ListedParticipant(row, parts.get(row.id, [])) for row in rows])


def _conditions(criteria: ParticipantFilter) -> list[ColumnElement[bool]]:
    """The conditions for the WHERE clause. There are few participants, so no index is needed."""
    found: list[ColumnElement[bool]] = []
    if criteria.text:
        key = Participant.name_key.startswith(fold(criteria.text), autoescape=True)
        number = Participant.number.startswith(criteria.text, autoescape=True)
        found.append(or_(key, number))
    if criteria.state in _OF_STATE:
        found.extend(_OF_STATE[criteria.state])
    if criteria.participation:
        found.append(
            exists().where(
                Participation.participant_id == Participant.id,
                Participation.name == criteria.participation,
                Participation.ended_at.is_(None),
            )
        )
    return found


_OF_STATE: dict[str, tuple[ColumnElement[bool], ...]] = {
    ParticipantState.CURRENT: (Participant.removed_at.is_(None), Participant.ended_at.is_(None)),
    ParticipantState.ENDED: (Participant.removed_at.is_(None), Participant.ended_at.is_not(None)),
    ParticipantState.REMOVED: (Participant.removed_at.is_not(None),),
}
