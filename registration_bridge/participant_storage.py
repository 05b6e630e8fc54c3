"""SCIM storage of Participants."""

from __future__ import annotations

from typing import Any

from flask import g
from scim2_models import NotFoundException, SearchRequest
from scim2_server.storage import SearchPage

from idp import current
from idp.audit.actions import AuditAction
from idp.directory import provisioned_participants
from idp.models import Participant
from idp.policy.scopes import PushOperation
from registration_bridge import filter_attributes, participant_resource, participant_writes
from registration_bridge.filters import of_participants
from registration_bridge.paging import page_request
from registration_bridge.pushed_participant import PushedParticipant
from registration_bridge.request_context import scope
from registration_bridge.resource_changes import check_version, record_change, shown


class Participants:
    """The participants that were not removed."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def get(self, resource_id: str, _parameters: Any = None) -> Any:
        return participant_resource.resource_of(current.work(), self._model, self._row(resource_id))

    def search(self, search_request: SearchRequest[Any], position: Any) -> SearchPage:
        page = provisioned_participants.page(
            current.work(),
            scope(),
            of_participants(search_request.filter),
            page_request(search_request, filter_attributes.PARTICIPANTS, position),
        )
        resources = participant_resource.resources_of(current.work(), self._model, page.rows)
        return SearchPage(page.total, resources, page.next, page.previous)

    def create(self, resource: Any) -> Any:
        scope().check(PushOperation.CREATE)
        wanted = PushedParticipant.of(resource)
        row, is_new = participant_writes.create(current.work(), scope(), wanted)
        g.scim_repeated = not is_new
        return participant_resource.resource_of(current.work(), self._model, row)

    def update(self, resource: Any, expected_version: str | None) -> Any:
        row, resource_before = self._locked(resource.id, expected_version)
        before = shown(resource_before)
        participant_writes.update(current.work(), scope(), row, PushedParticipant.of(resource))
        found = participant_resource.resource_of(current.work(), self._model, row)
        after = shown(found)
        record_change(AuditAction.SCIM_PARTICIPANT_UPDATED, before, after, participant=row.number)
        return found

    def delete(self, resource_id: str, expected_version: str | None) -> None:
        row, _ = self._locked(resource_id, expected_version)
        participant_writes.delete(current.work(), scope(), row)

    def _row(self, resource_id: str) -> Participant:
        row = provisioned_participants.find(current.work(), scope(), resource_id)
        if row is None:
            raise NotFoundException
        return row

    def _locked(self, resource_id: str, expected_version: str | None) -> tuple[Participant, Any]:
        provisioned_participants.lock(current.work(), resource_id)
        row = self._row(resource_id)
        resource_before = participant_resource.resource_of(current.work(), self._model, row)
        check_version(resource_before.meta.version, expected_version)
        return row, resource_before
