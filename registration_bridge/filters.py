"""SCIM filters as search conditions, so that the database reads only matching rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from scim2_models import InvalidFilterException, ScimFilter
from scim2_models.path import (
    AttrPath,
    CompareOperator,
    Comparison,
    FilterVisitor,
    LogicalExpr,
    LogicalOperator,
    Not,
    Present,
    ValuePath,
)

from idp.directory import provisioned_accounts, provisioned_groups
from idp.directory.provisioning_scope import ProvisioningScope
from idp.directory.search_conditions import (
    ALWAYS,
    NEVER,
    ORDERED,
    Attribute,
    AttributeType,
    Condition,
    Equality,
    Operator,
    all_of,
    any_of,
    negate,
)
from registration_bridge.filter_attributes import (
    GRANTS,
    GROUPS,
    MEMBERS,
    PARTICIPANTS,
    USERS,
    Attributes,
)

#: Longer filters are refused before they are parsed.
MAX_LENGTH, MAX_TERMS = 2048, 32
_OPTIONAL = ("phonenumbers",)


def key_of(path: AttrPath) -> str:
    """The attribute's name in lower case, with that of its parent."""
    name = path.attr.casefold()
    return f"{name}.{path.sub_attr.casefold()}" if path.sub_attr else name


def check_filter(text: str) -> None:
    """Refuse a filter that is too long or too deep, before it is parsed. Raises
    InvalidFilterException."""
    if len(text) > MAX_LENGTH or text.count("(") + text.count("[") > MAX_TERMS:
        raise InvalidFilterException(
            detail=f"A filter must not exceed {MAX_LENGTH} characters and {MAX_TERMS} terms."
        )


def of_groups(scim_filter: ScimFilter[Any] | None) -> Condition | None:
    """The condition of a filter on groups. Raises InvalidFilterException."""
    return _condition(scim_filter, _GroupFilter())


def of_participants(scim_filter: ScimFilter[Any] | None) -> Condition | None:
    """The condition of a filter on participants. Raises InvalidFilterException."""
    return _condition(scim_filter, _ParticipantFilter())


def of_users(
    scim_filter: ScimFilter[Any] | None, scope: ProvisioningScope
) -> Condition | Equality | None:
    """The condition of a filter on users. It covers only the grants that the client may see. Raises
    InvalidFilterException."""
    node = scim_filter.ast if scim_filter is not None else None
    if isinstance(node, Comparison) and node.op is CompareOperator.eq and node.value is not None:
        attribute = USERS.get(key_of(node.attr_path))
        if attribute is not None and attribute.is_key:
            return Equality(attribute, str(node.value))
    return _condition(scim_filter, _UserFilter(scope))


def of_members(node: Any) -> Condition:
    """The condition on accounts of the filter in ``members[...]``. Raises
    InvalidFilterException."""
    visitor = _MemberFilter()
    return visitor.bounded(visitor.visit(node))


def _condition(scim_filter: ScimFilter[Any] | None, visitor: _Filter) -> Condition | None:
    if scim_filter is None:
        return None
    return visitor.bounded(visitor.visit(scim_filter.ast))


class _Filter(FilterVisitor[Condition]):
    """What all resource types have in common. Each subclass knows its lists."""

    attributes: ClassVar[Attributes]
    #: Attributes that have the same value in all resources.
    constants: ClassVar[Mapping[str, str | bool]]

    def __init__(self) -> None:
        self.terms = 0
        self._prefix = ""

    def bounded(self, found: Condition) -> Condition:
        """The condition, unless it has too many terms. Raises InvalidFilterException."""
        if self.terms > MAX_TERMS:
            raise InvalidFilterException(detail=f"A filter must not exceed {MAX_TERMS} terms.")
        return found

    def list_condition(self, name: str, node: Comparison | Present) -> Condition | None:  # noqa: ARG002
        """The condition on an entry of a list; None for other attributes."""
        return None

    def visit_comparison(self, node: Comparison) -> Condition:
        self.terms += 1
        name = self._prefix + key_of(node.attr_path)
        found = self.list_condition(name, node)
        if found is not None:
            return found
        if name not in self.attributes:
            return self._constant(name, node)
        return _compare(self.attributes[name], node)

    def visit_present(self, node: Present) -> Condition:
        self.terms += 1
        name = self._prefix + key_of(node.attr_path)
        if name in ("meta", "schemas"):
            return ALWAYS
        found = self.list_condition(name, node)
        if found is not None:
            return found
        if name in self.constants:
            return self._has(name)
        return self.attributes[name].present() if name in self.attributes else NEVER

    def _has(self, name: str) -> Condition:
        """True if there is a value that has the constant; there is always an e-mail address."""
        owner = name.partition(".")[0]
        return self.attributes[owner].present() if owner in _OPTIONAL else ALWAYS

    def _constant(self, name: str, node: Comparison) -> Condition:
        """The comparison with a constant, or with an attribute that does not exist."""
        value = self.constants.get(name)
        is_same = value is not None and value == node.value
        if node.op is CompareOperator.ne:
            return negate(self._has(name)) if is_same else ALWAYS
        if node.op is CompareOperator.eq and is_same:
            return self._has(name)
        return NEVER

    def visit_not(self, node: Not) -> Condition:
        return negate(self.visit(node.expr))

    def visit_logical_expr(self, node: LogicalExpr) -> Condition:
        parts = [self.visit(term) for term in node.terms]
        return all_of(*parts) if node.op == LogicalOperator.and_ else any_of(*parts)

    def visit_value_path(self, node: ValuePath) -> Condition:
        self._prefix, before = f"{key_of(node.attr_path)}.", self._prefix
        try:
            return self.visit(node.val_filter)
        finally:
            self._prefix = before


class _UserFilter(_Filter):
    attributes = USERS
    # There is one address and one phone number.
    constants: ClassVar[Mapping[str, str | bool]] = {
        "emails.type": "work", "emails.primary": True,
        "phonenumbers.type": "work", "phonenumbers.primary": True,
        "meta.resourcetype": "User",
    }  # fmt: skip

    def __init__(self, scope: ProvisioningScope) -> None:
        super().__init__()
        self._scope = scope

    def list_condition(self, name: str, node: Comparison | Present) -> Condition | None:
        if name in ("active", "name") and isinstance(node, Present):
            return ALWAYS
        if name == "active" and isinstance(node, Comparison):
            return _active(node)
        if name in GRANTS or (name == "grants" and isinstance(node, Present)):
            entry = _entry(node, GRANTS.get(name, provisioned_accounts.ROLE_GROUP))
            return provisioned_accounts.holds(self._scope, entry)
        if name in ("registerednetworks", "registerednetworks.value"):
            return provisioned_accounts.has_network(_entry(node, provisioned_accounts.NETWORK))
        return None

    def visit_value_path(self, node: ValuePath) -> Condition:
        if key_of(node.attr_path) == "grants":
            entry = _GrantFilter(self._scope).visit(node.val_filter)
            return provisioned_accounts.holds(self._scope, entry)
        return super().visit_value_path(node)


class _GroupFilter(_Filter):
    attributes = GROUPS
    constants: ClassVar[Mapping[str, str | bool]] = {
        "meta.resourcetype": "Group",
        "members.type": "User",
    }

    def list_condition(self, name: str, node: Comparison | Present) -> Condition | None:
        if name in ("members", "members.value"):
            return provisioned_groups.has_member(_entry(node, provisioned_groups.MEMBER))
        return None


class _ParticipantFilter(_Filter):
    attributes = PARTICIPANTS
    constants: ClassVar[Mapping[str, str | bool]] = {"meta.resourcetype": "Participant"}


class _MemberFilter(_Filter):
    attributes = MEMBERS
    constants: ClassVar[Mapping[str, str | bool]] = {"type": "User"}


class _GrantFilter(_UserFilter):
    """The conditions inside ``grants[...]``, all on the same grant."""

    def visit_comparison(self, node: Comparison) -> Condition:
        name = f"grants.{key_of(node.attr_path)}"
        if name not in GRANTS:
            raise InvalidFilterException(
                detail="A filter on grants supports roleGroup and participantId only."
            )
        return _entry(node, GRANTS[name])

    def visit_present(self, node: Present) -> Condition:  # noqa: ARG002 - by name
        return ALWAYS


def _entry(node: Comparison | Present, attribute: Attribute) -> Condition:
    """The condition on one entry of a list."""
    if isinstance(node, Present):
        return ALWAYS
    return attribute.compare(Operator(node.op), str(node.value))


def _active(node: Comparison) -> Condition:
    # The library refuses other operators than eq and ne for booleans.
    if not isinstance(node.value, bool):
        raise InvalidFilterException(detail="active must be compared with true or false.")
    wanted = node.value == (node.op is CompareOperator.eq)
    return provisioned_accounts.ACTIVE if wanted else provisioned_accounts.SUSPENDED


def _compare(attribute: Attribute, node: Comparison) -> Condition:
    """The comparison with a value of the attribute's type. Raises InvalidFilterException."""
    if node.value is None:
        return attribute.absent() if node.op is CompareOperator.eq else attribute.present()
    value = _VALUES[attribute.type](node.value)
    operator = Operator(node.op)
    if attribute.type is not AttributeType.TEXT and operator not in ORDERED:
        raise InvalidFilterException(
            detail="This attribute supports eq, ne, gt, ge, lt and le only."
        )
    return attribute.compare(operator, value)


def _time(value: Any) -> datetime:
    try:
        found = datetime.fromisoformat(str(value).replace("Z", "+00:00"))
        if found.tzinfo is None:
            raise InvalidFilterException(detail="A date and time needs a time zone.")
        return found.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidFilterException(detail="Write a date and time as 2026-11-25T00:00:00Z.") from (
            error
        )


def _number(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidFilterException(detail="sequence must be compared with an integer.")
    return value


_VALUES: Mapping[AttributeType, Callable[[Any], str | int | datetime]] = {
    AttributeType.TEXT: str,
    AttributeType.NUMBER: _number,
    AttributeType.TIME: _time,
}


def sort_attribute(path: str, attributes: Attributes) -> Attribute:
    """The attribute that a ``sortBy`` names. Raises InvalidFilterException."""
    name = path.casefold().rpartition(":")[2]
    if name not in attributes:
        raise InvalidFilterException(detail=f"Sorting by {path} is not supported.")
    return attributes[name]
