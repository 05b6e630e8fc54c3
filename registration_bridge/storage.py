"""SCIM storage: three resource types, each with its own part. The services of the gateway find and
store the resources. These parts clean a push (``PushedUser``, ``PushedGroup``,
``PushedParticipant``) and apply it (``user_writes``, ``group_writes``, ``participant_writes``)."""

from __future__ import annotations

from typing import Any

from scim2_models import NotImplementedException, ResourceType, ScimProvider, SearchRequest
from scim2_server.storage import ScimStorage, SearchPage

from registration_bridge.group_storage import Groups
from registration_bridge.paging import by_cursor, by_index
from registration_bridge.participant_storage import Participants
from registration_bridge.pushed_group import MemberChange
from registration_bridge.resource_document import ResourceKind
from registration_bridge.user_storage import Users

Part = Users | Groups | Participants


class BridgeStorage(ScimStorage):
    """Passes each call to the part of its resource type. What it returns for a response is a
    ``ResourceDocument``."""

    supports_cursors = True

    def __init__(self, provider: ScimProvider) -> None:
        self._groups = Groups(ResourceKind.of(provider, "Group"))
        self._parts: dict[str | None, Part] = {
            "Participant": Participants(ResourceKind.of(provider, "Participant")),
            "User": Users(ResourceKind.of(provider, "User")),
            "Group": self._groups,
        }

    def get(
        self, resource_type: ResourceType, resource_id: str, *, response_parameters: Any = None
    ) -> Any:
        """The resource as the library changes it; for a response, its document."""
        found = self._parts[resource_type.name].get(resource_id, response_parameters)
        return found.resource() if response_parameters is None else found

    def search(
        self,
        resource_types: list[ResourceType],
        search_request: SearchRequest[Any],
        *,
        position: Any = None,
    ) -> SearchPage:
        parts = [self._parts[resource_type.name] for resource_type in resource_types]
        if len(parts) == 1:
            return parts[0].search(search_request, position)
        if search_request.sort_by is not None:
            raise NotImplementedException(detail="Sorting requires a single resource type.")
        if search_request.cursor is None:
            return by_index(parts, search_request)
        return by_cursor(parts, search_request, position)

    def create(self, resource_type: ResourceType, resource: Any) -> Any:
        return self._parts[resource_type.name].create(resource)

    def update(
        self, resource_type: ResourceType, resource: Any, *, expected_version: str | None = None
    ) -> Any:
        return self._parts[resource_type.name].update(resource, expected_version)

    def begin_group(self, resource_id: str) -> Any:
        """The group without its members. It is locked until the push is done."""
        return self._groups.begin(resource_id).resource()

    def change_group(self, resource_id: str, group: Any | None, changes: list[MemberChange]) -> Any:
        """Change names, if a group is given, and members. Returns the group, with its members
        unless they are too many to show."""
        return self._groups.change(resource_id, group, changes)

    def delete(
        self,
        resource_type: ResourceType,
        resource_id: str,
        *,
        expected_version: str | None = None,
    ) -> None:
        self._parts[resource_type.name].delete(resource_id, expected_version)
