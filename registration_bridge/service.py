"""The protocol of SCIM, with the answers that clients expect."""

from __future__ import annotations

from typing import Any

from flask import g
from scim2_models import ForbiddenException, NoTargetException, PatchOp, SCIMException
from scim2_server.bulk import BulkPlan
from scim2_server.requests import ScimRequest
from scim2_server.routing import Operation
from scim2_server.service import ScimService

from idp.current import work as work_of_request
from idp.directory.directory_refusals import OutOfScope
from idp.policy.scopes import PushOperation
from registration_bridge import custodian_changes, error_texts
from registration_bridge.message_urns import EFFECTS
from registration_bridge.user_schema import Group, Participant, Registration, Role, User

READS = (Operation.query, Operation.search, Operation.search_with_body)
#: What a PUT without them leaves as it is.
KEPT = (
    "person_id", "account_kind", "second_account", "registered_networks", "grants", "end_date",
)  # fmt: skip


class Service(ScimService):
    """The protocol, with the answers that clients expect of a PUT without the extension."""

    def authorize(self, request: ScimRequest, target: Any, resource_type: Any) -> None:  # noqa: ARG002 - by name
        """Check that the client may read; what a write needs is checked where it is done."""
        if target.operation not in READS:
            return
        try:
            g.scim_scope.check(PushOperation.READ)
        except OutOfScope as error:
            raise ForbiddenException(detail=error.detail) from error

    @staticmethod
    def error_of(exception: Exception) -> Any:
        """With a detail in the words of the gateway."""
        if isinstance(exception, SCIMException):
            return error_texts.error_of(exception)
        return ScimService.error_of(exception)

    def patch_response(self, base_url: str, resource: Any, response_parameters: Any) -> Any:
        """With a body, since clients show the result; 204 for a group too large to show."""
        if g.pop("scim_is_large", False):
            return super().patch_response(base_url, resource, response_parameters)
        return self.replacement_response(base_url, resource, response_parameters)

    def bulk_response(self, plan: BulkPlan) -> Any:
        """On a dry run with the effects of each operation."""
        answer = super().bulk_response(plan)
        tried = g.pop("scim_tried_by_index", {})
        entries = (answer.body or {}).get("Operations", [])
        for index, entry in zip(sorted(plan.results), entries, strict=True):
            if index in tried:
                entry[EFFECTS] = tried[index]
        return answer

    def apply_patch(self, current: Any, patch_op: PatchOp[Any], conditions: Any) -> Any:
        """What is replaced must exist; what a PATCH does not say of a new custodian stays."""
        if isinstance(current, User):
            custodian_changes.prepare_patch(work_of_request(), current, patch_op)
        check_targets(current, patch_op)
        return super().apply_patch(current, patch_op, conditions)

    def apply_replacement(self, current: Any, replacement: Any, conditions: Any) -> Any:
        """What a PUT leaves out of the extension stays: absence neither suspends nor revokes."""
        if isinstance(replacement, Group):
            if replacement[Role] is None:
                replacement[Role] = current[Role]
            return super().apply_replacement(current, replacement, conditions)
        if isinstance(replacement, Participant):
            replacement.status = replacement.status or current.status
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
    """What is replaced is there, if it is named by more than its kind: of a kind there can always
    be one, so clients make a telephone for work by replacing it. Raises NoTargetException (RFC 7644
    section 3.5.2.3)."""
    touched: set[str] = set()
    for operation in patch_op.operations or ():
        path = operation.path
        if path is None:
            # It may touch anything: what comes after it is not known here.
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
