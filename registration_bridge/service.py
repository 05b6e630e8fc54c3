"""The SCIM protocol, with the responses that clients expect."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Union

from flask import g
from scim2_models import (
    Context,
    ForbiddenException,
    ListResponse,
    NoTargetException,
    PatchOp,
    ResourceType,
    SCIMException,
)
from scim2_server.bulk import BulkPlan
from scim2_server.requests import ScimRequest
from scim2_server.responses import ScimResponse
from scim2_server.routing import Operation
from scim2_server.service import ScimService
from scim2_server.storage import SearchPage

from idp.current import work as work_of_request
from idp.directory.directory_refusals import OutOfScope
from idp.policy.scopes import PushOperation
from registration_bridge import custodian_changes, error_texts
from registration_bridge.message_urns import EFFECTS, LIST_RESPONSE
from registration_bridge.resource_document import ResourceDocument
from registration_bridge.user_schema import Group, Participant, Registration, Role, User

READS = (Operation.query, Operation.search, Operation.search_with_body)
#: Values that a PUT keeps if it omits them.
KEPT = (
    "person_id", "account_kind", "second_account", "registered_networks", "grants", "end_date",
)  # fmt: skip


class Service(ScimService):
    """The SCIM protocol. A PUT without the extension keeps it, as clients expect."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._models: set[type[Any]] = set()

    def authorize(self, request: ScimRequest, target: Any, resource_type: Any) -> None:  # noqa: ARG002 - by name
        """Check that the client may read. The permission to write is checked by each write."""
        if target.operation not in READS:
            return
        try:
            g.scim_scope.check(PushOperation.READ)
        except OutOfScope as error:
            raise ForbiddenException(detail=error.detail) from error

    @staticmethod
    def error_of(exception: Exception) -> Any:
        """The error with a detail in the gateway's words."""
        if isinstance(exception, SCIMException):
            return error_texts.error_of(exception)
        return ScimService.error_of(exception)

    def publish(self, base_url: str, resource: Any) -> Any:
        """A document is in the form sent to the client."""
        if isinstance(resource, ResourceDocument):
            return resource
        return super().publish(base_url, resource)

    def read_response_parameters(self, resource_type: ResourceType, query: Any) -> Any:
        """See ``_kept``."""
        return self._kept(super().read_response_parameters(resource_type, query))

    def read_search(self, resource_types: Any, payload: Any) -> Any:
        """See ``_kept``."""
        found, position = super().read_search(resource_types, payload)
        return self._kept(found), position

    def read_patch(self, resource_type: ResourceType, body: bytes, content_type: Any) -> Any:
        """See ``_kept``."""
        return self._kept(super().read_patch(resource_type, body, content_type))

    def _kept(self, message: Any) -> Any:
        """The message. Its model stays in memory: made again for a later message, it would cost
        more than the request."""
        self._models.add(type(message))
        return message

    def search_response(
        self, base_url: str, resource_types: Any, page: SearchPage, search_request: Any
    ) -> Any:
        """The documents of a page. What is around them is made by the library for a page by cursor
        only, which it seals."""
        if search_request.cursor is None:
            answer = ScimResponse(HTTPStatus.OK, {
                "schemas": [LIST_RESPONSE],
                "totalResults": page.total,
                "startIndex": search_request.start_index,
            })  # fmt: skip
        else:
            listed: Any = ListResponse
            self._models.add(listed[Union[tuple(self.get_models())]])  # noqa: UP007
            around = SearchPage(page.total, [], page.next, page.previous)
            answer = super().search_response(base_url, resource_types, around, search_request)
        found = [
            document.model_dump(
                scim_ctx=Context.RESOURCE_QUERY_RESPONSE, response_parameters=search_request
            )
            for document in page.resources
        ]
        answer.body = (answer.body or {}) | {"itemsPerPage": len(found), "Resources": found}
        return answer

    def patch_response(self, base_url: str, resource: Any, response_parameters: Any) -> Any:
        """A response with a body, because clients show the result; 204 for a group that is too
        large to show."""
        if g.pop("scim_is_large", False):
            return super().patch_response(base_url, resource, response_parameters)
        return self.replacement_response(base_url, resource, response_parameters)

    def bulk_response(self, plan: BulkPlan) -> Any:
        """The response; for a dry run, with the effects of each operation."""
        answer = super().bulk_response(plan)
        tried = g.pop("scim_tried_by_index", {})
        entries = (answer.body or {}).get("Operations", [])
        for index, entry in zip(sorted(plan.results), entries, strict=True):
            if index in tried:
                entry[EFFECTS] = tried[index]
        return answer

    def apply_patch(self, current: Any, patch_op: PatchOp[Any], conditions: Any) -> Any:
        """Apply a PATCH. A replaced value must exist. Values that the PATCH omits of a new
        custodian stay."""
        if isinstance(current, User):
            custodian_changes.prepare_patch(work_of_request(), current, patch_op)
        check_targets(current, patch_op)
        return super().apply_patch(current, patch_op, conditions)

    def apply_replacement(self, current: Any, replacement: Any, conditions: Any) -> Any:
        """Apply a PUT. Omitted values of the extension stay: an omission neither suspends nor
        revokes."""
        if isinstance(replacement, Group):
            if replacement[Role] is None:
                replacement[Role] = current[Role]
            return super().apply_replacement(current, replacement, conditions)
        if isinstance(replacement, Participant):
            if replacement.participations is None:
                replacement.participations = current.participations
            if replacement.contacts is None:
                replacement.contacts = current.contacts
            return super().apply_replacement(current, replacement, conditions)
        if replacement.active is None:
            replacement.active = current.active
        if replacement.user_name is None:
            replacement.user_name = current.user_name
        before, after = current[Registration], replacement[Registration]
        if after is None:
            replacement[Registration] = before
        else:
            for name in KEPT:
                if getattr(after, name) is None:
                    setattr(after, name, getattr(before, name))
        custodian_changes.complete_replacement(work_of_request(), current, replacement)
        return super().apply_replacement(current, replacement, conditions)


def check_targets(current: Any, patch_op: PatchOp[Any]) -> None:
    """Check that a replaced value exists, if the path has more than a type. For a type alone a
    value can always be added, so clients create a phone number for work by replacing it. Raises
    NoTargetException (RFC 7644 section 3.5.2.3)."""
    touched: set[str] = set()
    for operation in patch_op.operations or ():
        path = operation.path
        if path is None:
            # It may change anything, so later operations cannot be checked here.
            return
        attribute = path.parts[0].casefold()
        is_known = attribute not in touched
        touched.add(attribute)
        if path.value_filter is None or str(operation.op) != "replace" or not is_known:
            continue
        words = str(path.value_filter).casefold().split(" ")
        is_of_kind = len(words) == 3 and words[:2] == ["type", "eq"]
        if not is_of_kind and not path.get(current, strict=False):
            raise NoTargetException(detail=f"No value matches {str(path)!a}.")
