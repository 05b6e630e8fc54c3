"""What errors say: the gateway's words, whatever the libraries below it say of the same fault."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from scim2_models import Error, SCIMException

#: By the kind of a fault (pydantic's names of them), with the attribute that has it.
_FAULTS = {
    "missing": "{} is needed.",
    "required_error": "{} is needed.",
    "scim_invalidValue": "{} is missing or has a value that it cannot have.",
    "extra_forbidden": "There is no attribute {}.",
    "string_type": "{} is a text.",
    "bool_type": "{} is true or false.",
    "bool_parsing": "{} is true or false.",
    "int_type": "{} is a whole number.",
    "int_parsing": "{} is a whole number.",
    "list_type": "{} is a list.",
    "dict_type": "{} is an object.",
    "model_type": "{} is an object.",
    "model_attributes_type": "{} is an object.",
    "json_invalid": "The body is no JSON.",
    "scim_mutability": "{} cannot be changed.",
    "scim_invalidPath": "{} is no path of an attribute.",
    "scim_invalidFilter": "{} is no filter.",
}
_OTHER_FAULT = "{} has a value that it cannot have."
_MOMENT = "{} is a date and a time with its zone, as in 2027-01-01T00:00:00Z."
#: By the kind of an error, of what could not be read.
_UNREAD = {
    "invalidValue": _FAULTS["scim_invalidValue"],
    "invalidSyntax": "{} is no attribute, or is not built as SCIM prescribes.",
}
#: By the kind of an error (RFC 7644 section 3.12), or by its status where it has none.
_ERRORS: dict[str | int, str] = {
    "invalidFilter": "This is no filter, or one that is not supported.",
    "tooMany": "The filter finds too many resources.",
    "uniqueness": "One of the values is taken.",
    "mutability": "The attribute cannot be changed.",
    "invalidSyntax": "The body is not built as SCIM prescribes.",
    "invalidPath": "This is no path of an attribute.",
    "noTarget": "The path names nothing that could be changed.",
    "invalidValue": "A value is missing, or one that the attribute cannot have.",
    "invalidVers": "Only SCIM 2.0 is supported.",
    "sensitive": "This cannot be asked for in an address; ask for it by POST.",
    "invalidCursor": "The cursor is not one of this query.",
    "expiredCursor": "The cursor has expired; begin again with the first page.",
    "invalidCount": "count does not go with this cursor.",
    401: "A bearer token with the scope scim is needed.",
    403: "This client may not do that.",
    404: "There is no such resource.",
    405: "This resource does not take that method.",
    409: "The request does not go with what is there.",
    412: "The resource has changed since it was read.",
    413: "The body is too large.",
    415: "The body is application/scim+json or application/json.",
    501: "That is not supported.",
}


def error_of(exception: SCIMException) -> Error:
    """The error of an exception, whose detail is ours."""
    found = exception.to_error()
    detail = _of_cause(exception) or (
        None if exception._detail else _of_mutability(exception) or _default(exception)
    )
    return found if detail is None else found.model_copy(update={"detail": detail})


def of_unread(error: Error) -> Error:
    """The error of an operation of a Bulk that the library could not read: its text is left."""
    named = str(error.detail).rpartition(": ")[2].removeprefix("data.")
    words = _UNREAD.get(str(error.scim_type), _OTHER_FAULT)
    return error.model_copy(update={"detail": words.format(named)})


def _default(exception: SCIMException) -> str | None:
    return _ERRORS.get(exception.scim_type) or _ERRORS.get(exception.status)


def _of_mutability(exception: SCIMException) -> str | None:
    attribute = getattr(exception, "attribute", None)
    return _FAULTS["scim_mutability"].format(_camel(attribute)) if attribute else None


def _camel(name: str) -> str:
    """The name of an attribute as SCIM writes it, from that of its field."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def _of_cause(exception: SCIMException) -> str | None:
    cause = exception.__cause__
    return _of_fault(cause.errors()[0]) if isinstance(cause, ValidationError) else None


def _of_fault(fault: Mapping[str, Any]) -> str:
    kind = str(fault["type"])
    if kind == "required_error":
        # The library names the owner of what is missing, and the field apart.
        field = _camel(fault["ctx"]["field_name"])
        return _FAULTS[kind].format(_named((*fault["loc"], field)))
    if not fault["loc"]:
        return str(_ERRORS["invalidValue"])
    words = _MOMENT if kind.startswith("datetime") else _FAULTS.get(kind, _OTHER_FAULT)
    return words.format(_named(fault["loc"]))


def _named(loc: tuple[int | str, ...]) -> str:
    """An attribute as pushers write it."""
    parts = [str(part) for part in loc if not isinstance(part, int)]
    return ".".join(part if ":" in part else _camel(part) for part in parts)
