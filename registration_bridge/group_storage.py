"""SCIM storage of Groups: role groups at participants."""

from __future__ import annotations

from typing import Any

from flask import g
from scim2_models import NotFoundException, SearchRequest
from scim2_server.storage import SearchPage

from idp import current
from idp.directory import provisioned_groups
from registration_bridge import filter_attributes, group_resource, group_writes
from registration_bridge.filters import of_groups
from registration_bridge.mapping_profile import Profile
from registration_bridge.paging import page_request
from registration_bridge.pushed_group import MemberChange, PushedGroup
from registration_bridge.request_context import base_url, scope
from registration_bridge.resource_changes import check_version
from registration_bridge.resource_document import ResourceDocument, ResourceKind
from registration_bridge.user_schema import MAX_RESULTS


class Groups:
    """The role groups that the registration system knows, each at one participant."""

    def __init__(self, kind: ResourceKind) -> None:
        self._kind = kind

    def get(self, resource_id: str, parameters: Any = None) -> ResourceDocument:
        view = self._view(resource_id, with_members=_wants_members(parameters))
        return self._document(view)

    def search(self, search_request: SearchRequest[Any], position: Any) -> SearchPage:
        if (profile := Profile.of(scope().client)) is not None:
            provisioned_groups.create_missing(current.work(), scope(), profile.name_of_group)
        page = provisioned_groups.page(
            current.work(),
            scope(),
            of_groups(search_request.filter),
            page_request(search_request, filter_attributes.GROUPS, position),
        )
        with_members = _wants_members(search_request)
        found = group_resource.views(current.work(), page.rows, with_members=with_members)
        documents: list[Any] = [self._document(view) for view in found]
        return SearchPage(page.total, documents, page.next, page.previous)

    def create(self, resource: Any) -> ResourceDocument:
        row, is_new = group_writes.create(current.work(), scope(), PushedGroup.of(resource))
        g.scim_repeated = not is_new
        return self.get(row.public_id)

    def update(self, resource: Any, expected_version: str | None) -> ResourceDocument:
        view = self._locked(resource.id, expected_version)
        group = PushedGroup.of(resource)
        changes = [MemberChange("replace", group.members)]
        group_writes.change(current.work(), scope(), view.row, group, changes)
        return self.get(resource.id)

    def delete(self, resource_id: str, expected_version: str | None) -> None:
        view = self._locked(resource_id, expected_version)
        group_writes.delete(current.work(), scope(), view.row)

    def begin(self, resource_id: str) -> ResourceDocument:
        return self._document(self._locked(resource_id, None))

    def change(
        self, resource_id: str, group: Any | None, changes: list[MemberChange]
    ) -> ResourceDocument:
        view = self._view(resource_id, with_members=False)
        named = PushedGroup.of(group) if group is not None else None
        group_writes.change(current.work(), scope(), view.row, named, changes)
        g.scim_is_large = provisioned_groups.size(current.work(), view.row) > MAX_RESULTS
        return self._document(self._view(resource_id, with_members=not g.scim_is_large))

    def _document(self, view: group_resource.View) -> ResourceDocument:
        return group_resource.document_of(self._kind, view, base_url())

    def _view(self, resource_id: str, *, with_members: bool) -> group_resource.View:
        work = current.work()
        row = provisioned_groups.find(work, scope(), resource_id)
        if row is None:
            raise NotFoundException
        return group_resource.views(work, [row], with_members=with_members)[0]

    def _locked(self, resource_id: str, expected_version: str | None) -> group_resource.View:
        provisioned_groups.lock(current.work(), resource_id)
        view = self._view(resource_id, with_members=False)
        check_version(self._document(view).meta.version, expected_version)
        return view


def _wants_members(parameters: Any) -> bool:
    """Whether the response includes members. Clients request large groups without them."""
    if parameters is None:
        return True
    excluded = {str(path).casefold() for path in parameters.excluded_attributes or ()}
    chosen = {str(path).casefold() for path in parameters.attributes or ()}
    if "members" in excluded:
        return False
    return not chosen or any("members" in path for path in chosen)
