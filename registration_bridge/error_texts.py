"""The texts of errors: those of the gateway, whatever the libraries say about the same fault."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from scim2_models import Error, ForbiddenException, InvalidValueException, SCIMException

from idp.directory.directory_refusals import OutOfScope
from idp.errors import ServiceError

#: By the kind of fault (pydantic's name), with the attribute that has it.
_FAULTS = {
    "missing": "{} is required.",
    "required_error": "{} is required.",
    "scim_invalidValue": "{} is missing or has an invalid value.",
    "extra_forbidden": "Unknown attribute: {}.",
    "string_type": "{} must be a string.",
    "bool_type": "{} must be true or false.",
    "bool_parsing": "{} must be true or false.",
    "int_type": "{} must be an integer.",
    "int_parsing": "{} must be an integer.",
    "list_type": "{} must be an array.",
    "dict_type": "{} must be an object.",
    "model_type": "{} must be an object.",
    "model_attributes_type": "{} must be an object.",
    "json_invalid": "The body must be JSON.",
    "scim_mutability": "{} cannot be changed.",
    "scim_invalidPath": "{} is not a valid attribute path.",
    "scim_invalidFilter": "{} is not a valid filter.",
}
_OTHER_FAULT = "{} has an invalid value."
_MOMENT = "{} must be a date and time with a time zone, such as 2027-01-01T00:00:00Z."
#: By the kind of error, for bodies that could not be read.
_UNREAD = {
    "invalidValue": _FAULTS["scim_invalidValue"],
    "invalidSyntax": "{} is not a valid attribute or does not follow the SCIM syntax.",
}
#: By the kind of error (RFC 7644 section 3.12), or by its status if it has none.
_ERRORS: dict[str | int, str] = {
    "invalidFilter": "The filter is invalid or not supported.",
    "tooMany": "The filter returns too many resources.",
    "uniqueness": "A value is already in use.",
    "mutability": "The attribute cannot be changed.",
    "invalidSyntax": "The body does not follow the SCIM syntax.",
    "invalidPath": "The attribute path is invalid.",
    "noTarget": "The path does not match an attribute that can be changed.",
    "invalidValue": "A value is missing or invalid.",
    "invalidVers": "Only SCIM 2.0 is supported.",
    "sensitive": "This query cannot use GET. Use POST with /.search.",
    "invalidCursor": "The cursor does not belong to this query.",
    "expiredCursor": "The cursor has expired. Start again from the first page.",
    "invalidCount": "count does not match this cursor.",
    401: "A bearer token with the scope scim is required.",
    403: "This client does not have permission for this operation.",
    404: "The resource does not exist.",
    405: "This resource does not support this method.",
    409: "The request conflicts with the current state.",
    412: "The resource has changed since you read it. Read it again.",
    413: "The body is too large.",
    415: "The content type must be application/scim+json or application/json.",
    501: "This operation is not supported.",
}


def error_of(exception: SCIMException) -> Error:
    """The error for an exception, with a detail of the gateway."""
    found = exception.to_error()
    detail = _of_cause(exception) or (
        None if exception._detail else _of_mutability(exception) or _default(exception)
    )
    return found if detail is None else found.model_copy(update={"detail": detail})


def of_refusal(error: ServiceError) -> SCIMException:
    """The error of SCIM for a refusal of the gateway."""
    if isinstance(error, OutOfScope):
        return ForbiddenException(detail=error.detail)
    return InvalidValueException(detail=error.detail or error.code)


def of_unread(error: Error) -> Error:
    """The error for an operation of a Bulk that the library could not read."""
    named = str(error.detail).rpartition(": ")[2].removeprefix("data.")
    words = _UNREAD.get(str(error.scim_type), _OTHER_FAULT)
    return error.model_copy(update={"detail": words.format(named)})


def _default(exception: SCIMException) -> str | None:
    return _ERRORS.get(exception.scim_type) or _ERRORS.get(exception.status)


def _of_mutability(exception: SCIMException) -> str | None:
    attribute = getattr(exception, "attribute", None)
    return _FAULTS["scim_mutability"].format(_camel(attribute)) if attribute else None


def _camel(name: str) -> str:
    """The SCIM name of an attribute, from the name of its field."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def _of_cause(exception: SCIMException) -> str | None:
    cause = exception.__cause__
    return _of_fault(cause.errors()[0]) if isinstance(cause, ValidationError) else None


def _of_fault(fault: Mapping[str, Any]) -> str:
    kind = str(fault["type"])
    if kind == "required_error":
        # The library gives the owner of a missing field and the field separately.
        field = _camel(fault["ctx"]["field_name"])
        return _FAULTS[kind].format(_named((*fault["loc"], field)))
    if not fault["loc"]:
        return str(_ERRORS["invalidValue"])
    words = _MOMENT if kind.startswith("datetime") else _FAULTS.get(kind, _OTHER_FAULT)
    return words.format(_named(fault["loc"]))


def _named(loc: tuple[int | str, ...]) -> str:
    """An attribute as clients write it."""
    parts = [str(part) for part in loc if not isinstance(part, int)]
    return ".".join(part if ":" in part else _camel(part) for part in parts)
