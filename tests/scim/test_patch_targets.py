"""Which values a PATCH may replace (RFC 7644 section 3.5.2.3)."""

from __future__ import annotations

from typing import Any

import pytest
from scim2_models import Context, NoTargetException, PatchOp

from registration_bridge.service import check_targets
from registration_bridge.user_schema import provider
from tests.scim.pusher import PATCH, user

HERE = "jsmith@northwind.example"


def operation(path: str | None, op: str = "replace", value: Any = "x") -> dict[str, Any]:
    return {"op": op, "value": value} | ({} if path is None else {"path": path})


def check(*operations: dict[str, Any]) -> None:
    described = provider()
    with described:
        model: Any = described.model_for("User")
        current = model.model_validate(
            user(1) | {"emails": [{"value": HERE, "type": "work"}], "phoneNumbers": None}
        )
        body = {"schemas": [PATCH], "Operations": list(operations)}
        patch = PatchOp[model].model_validate(body, scim_ctx=Context.RESOURCE_PATCH_REQUEST)
        check_targets(current, patch)


@pytest.mark.parametrize(
    "path",
    [
        'emails[value eq "nobody@x.example"].type',
        'phoneNumbers[type ne "work"].value',
        'phoneNumbers[type eq "work" and primary eq true].value',
        'phoneNumbers[value eq "work"].value',
    ],
)
def test_a_value_that_is_not_there_is_not_replaced(path: str) -> None:
    """RFC 7644 section 3.5.2.3: noTarget, unless the path has a type alone."""
    with pytest.raises(NoTargetException):
        check(operation(path))


@pytest.mark.parametrize(
    "operations",
    [
        [operation(f'emails[value eq "{HERE}"].type')],
        [operation('phoneNumbers[type eq "work"].value')],
        [operation('phoneNumbers[Type EQ "fax"].value')],
        [operation("phoneNumbers", value=[])],
        [operation('emails[value eq "nobody@x.example"].type', op="add")],
        [operation('emails[value eq "nobody@x.example"]', op="remove", value=None)],
        # An earlier operation may have added it.
        [
            operation("emails", op="add", value=[{"value": "new@x.example"}]),
            operation('Emails[value eq "new@x.example"].type'),
        ],
        [
            operation(None, op="add", value={"nickName": "Jim"}),
            operation('emails[value eq "nobody@x.example"].type'),
        ],
    ],
)
def test_other_operations_are_left_to_the_protocol(operations: list[dict[str, Any]]) -> None:
    """RFC 7644 section 3.5.2: operations are applied one after the other."""
    check(*operations)


def test_each_attribute_is_checked_by_itself() -> None:
    """RFC 7644 section 3.5.2.3: an operation on another attribute adds nothing here."""
    with pytest.raises(NoTargetException):
        check(operation("nickName"), operation('emails[value eq "nobody@x.example"].type'))
