"""SCIM storage of Participants."""

from __future__ import annotations

from typing import Any, cast

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
from registration_bridge.request_context import base_url, scope
from registration_bridge.resource_changes import check_version, record_change
from registration_bridge.resource_document import ResourceDocument, ResourceKind


class Participants:
    """The participants that were not removed."""

    def __init__(self, kind: ResourceKind) -> None:
        self._kind = kind

    def get(self, resource_id: str, _parameters: Any = None) -> ResourceDocument:
        return self._document(self._row(resource_id))

    def _document(self, row: Participant) -> ResourceDocument:
        return participant_resource.document_of(current.work(), self._kind, row, base_url())

    def search(self, search_request: SearchRequest[Any], position: Any) -> SearchPage:
        page = provisioned_participants.page(
            current.work(),
            scope(),
            of_participants(search_request.filter),
            page_request(search_request, filter_attributes.PARTICIPANTS, position),
        )
        found = participant_resource.documents_of(current.work(), self._kind, page.rows, base_url())
        return SearchPage(page.total, cast(list[Any], found), page.next, page.previous)

    def create(self, resource: Any) -> ResourceDocument:
        scope().check(PushOperation.CREATE)
        wanted = PushedParticipant.of(resource)
        row, is_new = participant_writes.create(current.work(), scope(), wanted)
        g.scim_repeated = not is_new
        return self._document(row)

    def update(self, resource: Any, expected_version: str | None) -> ResourceDocument:
        row, before = self._locked(resource.id, expected_version)
        participant_writes.update(current.work(), scope(), row, PushedParticipant.of(resource))
        found = self._document(row)
        record_change(AuditAction.SCIM_PARTICIPANT_UPDATED, before, found, participant=row.number)
        return found

    def delete(self, resource_id: str, expected_version: str | None) -> None:
        row, _ = self._locked(resource_id, expected_version)
        participant_writes.delete(current.work(), scope(), row)

    def _row(self, resource_id: str) -> Participant:
        row = provisioned_participants.find(current.work(), scope(), resource_id)
        if row is None:
            raise NotFoundException
        return row

    def _locked(
        self, resource_id: str, expected_version: str | None
    ) -> tuple[Participant, ResourceDocument]:
        provisioned_participants.lock(current.work(), resource_id)
        row = self._row(resource_id)
        before = self._document(row)
        check_version(before.meta.version, expected_version)
        return row, before
