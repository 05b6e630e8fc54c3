"""Why persons are not registered or changed, beside what delegation says."""

from __future__ import annotations

from service_base.phrases import N_
from service_base.refusals import Conflict


class SameNameRegistered(Conflict):
    """Persons of this name exist, and the actor has not confirmed that this is another one."""

    template = N_("persons of this name are registered: {person_ids}")
    person_ids: tuple[str, ...]


class PersonIdTaken(Conflict):
    """Somebody has this Person ID (RG-02)."""

    template = N_("somebody has the Person ID {person_id} already")
    person_id: str
