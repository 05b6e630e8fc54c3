"""The cleaned values of a pushed Group, and the changes of members in a PATCH."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from scim2_models import (
    InvalidPathException,
    InvalidValueException,
    MutabilityException,
    PatchOp,
)

from idp.directory.provisioned_groups import is_one_of
from idp.directory.search_conditions import ALWAYS, Condition
from idp.directory.shown_accounts import MAX_SUBJECT
from registration_bridge.clean_values import clean
from registration_bridge.filters import of_members
from registration_bridge.user_schema import Member, Role


@dataclass(frozen=True)
class PushedGroup:
    """A whole Group; members by the ids of their accounts."""

    external_id: str | None
    display_name: str
    role_group: str
    participant: str
    participant_name: str
    members: frozenset[str]

    @classmethod
    def of(cls, resource: Any) -> PushedGroup:
        """Raises InvalidValueException."""
        extension = resource[Role]
        if extension is None:
            raise InvalidValueException(detail="The role group extension is required.")
        return cls(
            external_id=clean(resource.external_id) or None,
            display_name=clean(resource.display_name),
            role_group=clean(extension.role_group),
            participant=clean(extension.participant_id),
            participant_name=clean(extension.participant_name),
            members=_subjects(resource.members),
        )


@dataclass(frozen=True)
class MemberChange:
    """One operation on members: ``add`` or ``replace`` by account ids, ``remove`` by a condition.
    Large groups are changed without reading all members."""

    op: str
    subjects: frozenset[str] = frozenset()
    condition: Condition | None = None


def split(patch: PatchOp[Any]) -> tuple[list[MemberChange], PatchOp[Any] | None]:
    """Separate the operations of a PATCH on members from the others. Raises the errors of SCIM."""
    changes, rest = [], []
    for operation in patch.operations or ():
        path = operation.path
        if path is not None and path.parts and path.parts[0].casefold() == "members":
            changes.append(_member_change(operation))
        else:
            rest.append(operation)
    return changes, patch.model_copy(update={"operations": rest}) if rest else None


def _member_change(operation: Any) -> MemberChange:
    op, path = str(operation.op), operation.path
    if len(path.parts) > 1:
        raise MutabilityException(attribute="members", mutability="immutable")
    if path.value_filter is not None:
        if op != "remove":
            raise InvalidPathException(detail="Add members by value, without a filter.")
        return MemberChange(op, condition=of_members(path.value_filter))
    values = operation.value
    if op == "remove" and values in (None, []):
        return MemberChange(op, condition=ALWAYS)
    entries = values if isinstance(values, list) else [values]
    subjects = _subjects(map(_member, entries))
    if op == "remove":
        return MemberChange(op, condition=is_one_of(subjects))
    return MemberChange(op, subjects)


def _member(entry: Any) -> Member:
    try:
        return Member.model_validate(entry)
    except ValidationError as error:
        raise InvalidValueException(detail="A member must be an object with a value.") from error


def _subjects(members: Iterable[Member] | None) -> frozenset[str]:
    """The ids of members, each once."""
    rows = list(members or ())
    if any(row.type not in (None, "User") for row in rows):
        raise InvalidValueException(detail="Members must be Users.")
    return frozenset(clean(row.value)[:MAX_SUBJECT] for row in rows)
