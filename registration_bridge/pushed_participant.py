"""The cleaned values of a pushed Participant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from scim2_models import InvalidValueException

from idp.directory.contacts import ContactRef
from idp.directory.participations import ParticipationRef
from idp.models import ParticipationKind
from registration_bridge.clean_values import clean

ACTIVE, ENDED = "active", "ended"
_IS_ENDED = {None: None, ACTIVE: False, ENDED: True}


@dataclass(frozen=True)
class PushedParticipant:
    """A whole Participant. Participations and contacts are sorted and unique."""

    number: str
    name: str
    external_id: str | None
    #: None if the push does not contain it.
    is_ended: bool | None
    participations: tuple[ParticipationRef, ...]
    contacts: tuple[ContactRef, ...]

    @classmethod
    def of(cls, resource: Any) -> PushedParticipant:
        """Raises InvalidValueException."""
        if resource.status not in _IS_ENDED:
            raise InvalidValueException(detail=f"status must be {ACTIVE} or {ENDED}.")
        parts = {
            ParticipationRef(clean(entry.value), clean(entry.type) or ParticipationKind.MARKET)
            for entry in resource.participations or ()
        }
        people = {
            ContactRef(clean(entry.value), clean(entry.type)) for entry in resource.contacts or ()
        }
        return cls(
            number=clean(resource.participant_id),
            name=clean(resource.name),
            external_id=clean(resource.external_id) or None,
            is_ended=_IS_ENDED[resource.status],
            participations=tuple(sorted(parts)),
            contacts=tuple(sorted(people)),
        )
