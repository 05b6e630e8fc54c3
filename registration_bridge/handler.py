"""Requests that need more than one step of the storage: Bulk, and the members of a group."""

from __future__ import annotations

from typing import Any, cast

from flask import g
from scim2_models import InvalidValueException, PatchOp, SCIMException
from scim2_server.bulk import BulkPlan, BulkStep
from scim2_server.handler import ScimHandler
from scim2_server.requests import ScimRequest

from registration_bridge import error_texts, pushed_group
from registration_bridge.bulk_body import BulkBody
from registration_bridge.push_transaction import (
    commit,
    record_refusal,
    roll_back,
    with_retries,
)
from registration_bridge.storage import BridgeStorage
from service_base import logs

log = logs.Logger("gateway.bridge")


class Handler(ScimHandler):
    """Each operation of a Bulk is a separate transaction, like a single request."""

    def run_bulk_step(
        self, request: ScimRequest, plan: BulkPlan, step: BulkStep
    ) -> tuple[dict[str, Any], Any]:
        body: BulkBody = g.scim_bulk
        operation = plan.operation(step)
        if step.index in body.faults or step.index in body.empty:
            result, resource = self._known(request, plan, step, body.faults.get(step.index))
        else:
            result, resource = super().run_bulk_step(request, plan, step)
            if operation.response is not None:
                result["response"] = error_texts.of_unread(result["response"])
        if g.pop("scim_repeated", False):
            result["status"] = 200
        if (effects := g.pop("scim_tried", None)) is not None:
            g.setdefault("scim_tried_by_index", {})[step.index] = effects
        if result["status"] >= 400:
            error = result["response"]
            record_refusal(
                error.scim_type or str(result["status"]),
                status=result["status"],
                method=str(operation.method or ""),
                path=operation.path or "",
            )
        return result, resource

    def _known(
        self,
        request: ScimRequest,
        plan: BulkPlan,
        step: BulkStep,
        fault: SCIMException | None,
    ) -> tuple[dict[str, Any], Any]:
        """The result of an operation that was refused when it was read, or of a PATCH that changes
        nothing."""
        operation = plan.operation(step)
        outcome = self.service.bulk_outcome(request.base_url, operation)
        try:
            if fault is not None:
                raise fault
            operation = plan.resolve(step)
            resource_type: Any = self.service.route_bulk_operation(operation)
            resource = self.storage.get(resource_type, operation.resource_id or "")
        except SCIMException as error:
            return self.service.bulk_failure(outcome, error), None
        return self.service.bulk_success(request.base_url, operation, outcome, resource), resource

    def patch_resource(
        self, resource_type: Any, resource_id: str, patch_op: PatchOp[Any], conditions: Any
    ) -> Any:
        """For a group, only the changes are read; members are added and removed as rows."""
        if resource_type.name != "Group":
            return super().patch_resource(resource_type, resource_id, patch_op, conditions)
        storage = cast(BridgeStorage, self.storage)
        changes, rest = pushed_group.split(patch_op)
        current = storage.begin_group(resource_id)
        self.service.check_preconditions(current, "PATCH", conditions)
        is_changed = rest is not None and rest.patch(current)
        return storage.change_group(resource_id, current if is_changed else None, changes)

    def apply_bulk_operation(self, resource_type: Any, operation: Any) -> Any:
        model = self.service.get_model(resource_type)
        if operation.data is not None and not isinstance(operation.data, (model, PatchOp)):
            raise InvalidValueException(detail="The data belongs to another resource type.")

        def act() -> Any:
            return super(Handler, self).apply_bulk_operation(
                resource_type, operation.model_copy(deep=True)
            )

        try:
            found = with_retries(act, is_conditional=bool(operation.version))
            g.scim_tried = commit()
        except SCIMException:
            roll_back()
            raise
        except Exception:
            roll_back()
            log.exception("a push of a bulk failed", path=operation.path)
            raise
        return found
