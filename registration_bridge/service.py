"""The protocol with the answers that clients expect; and Bulk, each operation a push of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import structlog
from flask import g
from scim2_models import (
    Error,
    InvalidValueException,
    NoTargetException,
    PatchOp,
    PreconditionFailedException,
    SCIMException,
)
from scim2_server.bulk import BulkPlan, BulkStep
from scim2_server.handler import ScimHandler
from scim2_server.requests import ScimRequest
from scim2_server.routing import Operation
from scim2_server.service import ScimService
from sqlalchemy.exc import OperationalError

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.current import runtime
from idp.current import work as work_of_request
from idp.directory import mass_change_breaker
from idp.errors import Collision, GatewayError
from idp.policy.scopes import PushOperation
from idp.transaction import committing
from registration_bridge import error_texts, group_resource, holders
from registration_bridge.effects import Effects
from registration_bridge.normalise import BulkBody
from registration_bridge.reach import Reach
from registration_bridge.storage import BridgeStorage
from registration_bridge.user_schema import EFFECTS, Group, Participant, Registration, Role, User
from registration_bridge.users import MassChange

log = structlog.get_logger("gateway.bridge")
Answer = TypeVar("Answer")
READS = (Operation.query, Operation.search, Operation.search_with_body)
#: What a PUT without them leaves as it is.
KEPT = (
    "person_id", "account_kind", "second_account", "registered_networks", "grants", "end_date",
)  # fmt: skip
#: A push that met another one at the same account is applied to what that left, so often.
RETRIES = 5
#: What PostgreSQL says to one of two that wait for each other, or who waited too long.
MET_ANOTHER = ("40P01", "40001", "55P03")


class Service(ScimService):
    """The protocol, with the answers that clients expect of a PUT without our extension."""

    def authorize(self, request: ScimRequest, target: Any, resource_type: Any) -> None:  # noqa: ARG002 - by name
        """Reading is an operation of its own; what writes do is looked at where they do it."""
        if target.operation in READS:
            g.scim_reach.check(PushOperation.READ)

    @staticmethod
    def error_of(exception: Exception) -> Any:
        """With a detail in our words."""
        if isinstance(exception, SCIMException):
            return error_texts.error_of(exception)
        return ScimService.error_of(exception)

    def patch_response(self, base_url: str, resource: Any, response_parameters: Any) -> Any:
        """With a body: clients show what came of it; but 204 for a group too large to show."""
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
        """Of what is to be replaced, all is there; what is not said of a new custodian stays."""
        if isinstance(current, User):
            holders.put_named(work_of_request(), current, patch_op)
        check_targets(current, patch_op)
        return super().apply_patch(current, patch_op, conditions)

    def apply_replacement(self, current: Any, replacement: Any, conditions: Any) -> Any:
        """What a PUT leaves out of ours stays: absence neither suspends nor takes access away."""
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
        holders.complete(work_of_request(), current, replacement)
        return super().apply_replacement(current, replacement, conditions)


class Handler(ScimHandler):
    """Of a Bulk each operation is a transaction of its own, as if it came alone."""

    def run_bulk_step(
        self, request: ScimRequest, plan: BulkPlan, step: BulkStep
    ) -> tuple[dict[str, Any], Any]:
        body: BulkBody = g.scim_bulk
        operation = plan.operation(step)
        if step.index in body.faults or step.index in body.empty:
            result, resource = self._known(request, plan, step, body.faults.get(step.index))
        else:
            result, resource = super().run_bulk_step(request, plan, step)
            if operation.response is not None and isinstance(result.get("response"), Error):
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
        """The outcome of what was refused on reading, or of a PATCH that asks for nothing."""
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
        """Of a group only what changes is read: members come and go by themselves."""
        if resource_type.name != "Group":
            return super().patch_resource(resource_type, resource_id, patch_op, conditions)
        storage = cast(BridgeStorage, self.storage)
        changes, rest = group_resource.split(patch_op)
        current = storage.begin_group(resource_id)
        self.service.check_preconditions(current, "PATCH", conditions)
        is_changed = rest is not None and rest.patch(current)
        return storage.change_group(resource_id, current if is_changed else None, changes)

    def apply_bulk_operation(self, resource_type: Any, operation: Any) -> Any:
        model = self.service.get_model(resource_type)
        if operation.data is not None and not isinstance(operation.data, (model, PatchOp)):
            raise InvalidValueException(detail="The data is of another resource type.")

        def act() -> Any:
            return super(Handler, self).apply_bulk_operation(
                resource_type, operation.model_copy(deep=True)
            )

        try:
            found = attempts(act, is_conditional=bool(operation.version))
            g.scim_tried = settle()
        except SCIMException:
            roll_back()
            raise
        except Exception:
            roll_back()
            log.exception("a push of a bulk failed", path=operation.path)
            raise
        return found


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
            raise NoTargetException(detail=f"Nothing is found by {str(path)!a}.")


def attempts(act: Callable[[], Answer], *, is_conditional: bool) -> Answer:
    """Do it; begin again with what another push left that came between, unless the pusher asked for
    a version. What a rule of the gateway refuses is a value that cannot be."""
    for left in range(RETRIES, -1, -1):
        try:
            return act()
        except (PreconditionFailedException, Collision):
            if not left or is_conditional:
                raise
            roll_back()
        except OperationalError as error:
            if not left or getattr(error.orig, "sqlstate", None) not in MET_ANOTHER:
                raise
            roll_back()
        except GatewayError as error:
            raise InvalidValueException(detail=error.detail or error.code) from error
    raise AssertionError("not reached")


def roll_back() -> None:
    """Nothing of it is done; nor would it be."""
    work_of_request().db.rollback()
    if "scim_effects" in g:
        g.scim_effects.clear()


def settle() -> dict[str, Any] | None:
    """Keep what a push did; or, on a dry run, nothing of it but the list of its effects."""
    if "scim_effects" not in g:
        work_of_request().db.commit()
        return None
    effects: Effects = g.scim_effects
    found = effects.take()
    work_of_request().db.rollback()
    return found


def record_refusal(reason: str, *, status: int, method: str, path: str) -> None:
    """The transaction of the push is rolled back by now; the refusal is a row of its own, but for
    a dry run, which leaves none."""
    if "scim_effects" in g:
        return
    reach: Reach | None = g.get("scim_reach")
    with committing(runtime().work(work_of_request().origin)) as work:
        events.record(
            work,
            AuditAction.SCIM_REFUSED,
            reason=reason[:60],
            pusher=reach.pusher.client_id if reach is not None else None,
            method=method,
            path=path[:200],
        )
        if status == MassChange.status:
            mass_change_breaker.raise_alarm(work)
