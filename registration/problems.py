"""Error answers for programs: problem details (RFC 9457) with a type for each refusal."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Response, request

#: Addresses below it are for programs; the others are pages.
ROOT = "/api/"
PREFIX = "urn:ieso:registration:problem:"


@dataclass(frozen=True)
class Kind:
    """A type of problem: its status and title."""

    status: int
    title: str


KINDS: Mapping[str, Kind] = {
    "bad_request": Kind(400, "The request cannot be read."),
    "unstorable": Kind(400, "The database refuses a value."),
    "organization_name_invalid": Kind(400, "An organization needs a name."),
    "organization_number_invalid": Kind(400, "The Organization ID has another form."),
    "token_missing": Kind(401, "An access token is needed."),
    "token_invalid": Kind(401, "The access token is not valid here."),
    "session_ended": Kind(401, "The person has signed out since the access token was issued."),
    "factor_needed": Kind(401, "Recent extra verification is needed."),
    "scope_missing": Kind(403, "The access token lacks a scope."),
    "not_a_person": Kind(403, "Only people can use this interface."),
    "person_unknown": Kind(403, "Registration does not know the person."),
    "not_allowed": Kind(403, "Your roles do not include this."),
    "refused": Kind(403, "The change is refused."),
    "not_found": Kind(404, "There is no such thing, or you may not see it."),
    "method_not_allowed": Kind(405, "The address does not have this method."),
    "organization_taken": Kind(409, "Another organization has this name or number."),
    "batch_not_possible": Kind(409, "The changes cannot be made as a whole."),
    "contact_roles_not_possible": Kind(409, "The contact roles cannot be changed as a whole."),
    "leaver_not_possible": Kind(409, "What the person has here cannot end yet."),
    "changed_meanwhile": Kind(409, "Somebody else has changed the record."),
    "collision": Kind(409, "Another change came first."),
    "too_large": Kind(413, "The request is too large."),
    "not_json": Kind(415, "The body must be JSON."),
    "unexpected": Kind(500, "Something went wrong."),
    "unavailable": Kind(503, "The service does not answer now. Try again in a minute."),
}
#: The type of an answer of which only the status is known.
OF_STATUS = {
    400: "bad_request", 403: "refused", 404: "not_found", 405: "method_not_allowed",
    413: "too_large", 415: "not_json", 503: "unavailable",
}  # fmt: skip


class Problem(Exception):
    """The answer to a program is this problem. What was written is rolled back."""

    def __init__(
        self,
        code: str,
        detail: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(code)
        self.code, self.detail, self.members = code, detail, members
        self.headers = dict(headers or {})

    def response(self) -> Response:
        """The answer."""
        response = answer(self.code, self.detail, **self.members)
        response.headers.update(self.headers)
        return response


def is_asked() -> bool:
    """Whether the request is that of a program."""
    return request.path.startswith(ROOT)


def answer(code: str, detail: str = "", **members: Any) -> Response:
    """A problem of this type (RFC 9457 section 3)."""
    kind = KINDS[code]
    body: dict[str, Any] = {"type": PREFIX + code, "title": kind.title, "status": kind.status}
    if detail:
        body["detail"] = detail
    text = json.dumps(body | members, ensure_ascii=False)
    return Response(text, kind.status, content_type="application/problem+json")


def of_status(status: int, code: str = "") -> Response:
    """The problem of this code, if it is a type of this status; else that of the status."""
    if code in KINDS and KINDS[code].status == status:
        return answer(code)
    return answer(OF_STATUS.get(status, "unexpected" if status >= 500 else "bad_request"))
