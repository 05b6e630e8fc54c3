"""Mapping profiles for clients that know only the standard attributes (Okta, Microsoft Entra). A
profile says which attribute holds the Person ID, and which kind of account and participant is meant
if the client cannot name them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from scim2_models import InvalidValueException

from idp.models.records import AnyClient

USER = "urn:ieso:params:scim:schemas:extension:registration:2.0:User"
ROLE = "urn:ieso:params:scim:schemas:extension:role:2.0:Group"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
_EMPLOYEE = f"{ENTERPRISE}:employeeNumber"
CORE = "urn:ietf:params:scim:schemas:core:2.0:user:"
#: A number contains a digit. Names of role groups may have words in parentheses too.
_PAIR = re.compile(r"(?P<group>.+) \((?P<participant>[^()\s]*[0-9][^()\s]*)\)")
_OTHER_TELEPHONE = re.compile(r'phonenumbers\[type eq "(?!work")[a-z]+"\].*', re.IGNORECASE)


@dataclass(frozen=True)
class Profile:
    """The registered profile of a client: an attribute, a kind of account, and the number of a
    participant or nothing."""

    person_id: str
    kind: str
    participant: str

    @classmethod
    def of(cls, client: AnyClient) -> Profile | None:
        """None for a client that uses the gateway's own attributes."""
        if not client.push_person_id:
            return None
        return cls(client.push_person_id, client.push_account_kind, client.push_default_participant)

    def complete(self, place: str, body: dict[str, Any], *, is_new: bool) -> dict[str, Any]:
        """A whole resource with our extension. Raises InvalidValueException for a new User without
        a Person ID."""
        if place == "Users":
            return self._user(body, is_new=is_new)
        return self._group(body) if place == "Groups" else body

    def is_other_telephone(self, path: str) -> bool:
        """Whether a path names a phone number other than the one for work, which is the only one
        stored."""
        return bool(_OTHER_TELEPHONE.fullmatch(_plain(path)))

    def patched(self, place: str, operation: Any) -> list[Any]:
        """A PATCH operation as a whole resource would state it: only the phone number that counts,
        and the Person ID in addition to the attribute that holds it."""
        if place != "Users" or not isinstance(operation, dict):
            return [operation]
        path, value = _plain(str(_get(operation, "path") or "")), _get(operation, "value")
        whole = {path: value} if path else value
        if not isinstance(whole, dict):
            return [operation]
        numbers = _get(whole, "phoneNumbers")
        if isinstance(numbers, list):
            one = _one_telephone(numbers)
            told = one if path else _but(whole, "phoneNumbers") | {"phoneNumbers": one}
            operation = _but(operation, "value") | {"value": told}
        if not self._names_person(whole):
            return [operation]
        named = {"path": f"{USER}:personId", "value": self._person_id(whole)}
        return [operation, _but(operation, "path", "value") | named]

    def _names_person(self, body: dict[str, Any]) -> bool:
        """Whether the values include the attribute that holds the Person ID. A user name never
        changes and needs no other rule."""
        names = {key.casefold() for key in body} | {
            f"{ENTERPRISE}:{key}".casefold() for key in _object(body, ENTERPRISE)
        }
        held = {"externalId": "externalid", "employeeNumber": _EMPLOYEE.casefold()}
        return held.get(self.person_id) in names

    def name_of_group(self, role_group: str, participant: str) -> str:
        """The name by which such a client knows a role group at a participant."""
        return role_group if participant == self.participant else f"{role_group} ({participant})"

    def _user(self, body: dict[str, Any], *, is_new: bool) -> dict[str, Any]:
        said = _get(body, USER)
        if said is not None and not isinstance(said, dict):
            return body
        extension = dict(said or {})
        person = _get(extension, "personId") or self._person_id(body)
        if not person and is_new:
            raise InvalidValueException(
                detail=f"{self.person_id} is required: it contains the Person ID."
            )
        if person:
            extension = _but(extension, "personId") | {"personId": person}
        if is_new and not _get(extension, "accountKind"):
            extension = _but(extension, "accountKind") | {"accountKind": self.kind}
        numbers = _get(body, "phoneNumbers")
        changed = {"phoneNumbers": _one_telephone(numbers)} if isinstance(numbers, list) else {}
        return _with(_but(body, *changed) | changed, USER, extension)

    def _person_id(self, body: dict[str, Any]) -> Any:
        if self.person_id == "employeeNumber":
            return _get(_object(body, ENTERPRISE), self.person_id) or _get(body, _EMPLOYEE)
        return _get(body, self.person_id)

    def _group(self, body: dict[str, Any]) -> dict[str, Any]:
        """Read the name of a group: the role group, and the participant if it is not the client's
        only one."""
        name = _get(body, "displayName")
        if _object(body, ROLE) or not isinstance(name, str):
            return body
        pair = _PAIR.fullmatch(name)
        if pair is None and not self.participant:
            return body
        role = (
            {"roleGroup": pair["group"], "participantId": pair["participant"]}
            if pair
            else {"roleGroup": name, "participantId": self.participant}
        )
        return _with(body, ROLE, role)


def _plain(path: str) -> str:
    """A path without the schema of Users."""
    return path[len(CORE) :] if path.casefold().startswith(CORE) else path


def _get(body: dict[str, Any], name: str) -> Any:
    return next((v for key, v in body.items() if key.casefold() == name.casefold()), None)


def _object(body: dict[str, Any], name: str) -> dict[str, Any]:
    found = _get(body, name)
    return found if isinstance(found, dict) else {}


def _but(body: dict[str, Any], *names: str) -> dict[str, Any]:
    left_out = {name.casefold() for name in names}
    return {key: value for key, value in body.items() if key.casefold() not in left_out}


def _with(body: dict[str, Any], schema: str, extension: dict[str, Any]) -> dict[str, Any]:
    if not extension:
        return body
    schemas = _get(body, "schemas")
    listed = [*schemas, schema] if isinstance(schemas, list) and schema not in schemas else schemas
    return _but(body, schema, "schemas") | {"schemas": listed, schema: extension}


def _one_telephone(rows: list[Any]) -> list[Any]:
    """The phone number for work, else the primary one, else the first. An invalid value stays and
    is refused later."""
    if not all(isinstance(row, dict) for row in rows):
        return rows
    ranked = sorted(
        (row for row in rows if _get(row, "value")),
        key=lambda row: (_get(row, "type") != "work", _get(row, "primary") is not True),
    )
    # The primary one may be among those that are dropped.
    return [_but(row, "primary") for row in ranked[:1]]
