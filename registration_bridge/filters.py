"""Filters of SCIM as conditions of SQL: nothing is read that does not match."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

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
from sqlalchemy import ColumnElement, and_, exists, false, func, not_, or_, true

from idp.models import (
    Account,
    AccountState,
    Assignment,
    Participant,
    Person,
    Provisioned,
    RegisteredNetwork,
    RoleGroup,
)
from idp.policy.names import name_key
from registration_bridge.schema import REGISTRATION

#: Longer ones are no question but an attack.
MAX_LENGTH, MAX_TERMS = 2048, 32

Expression = ColumnElement[Any]
#: Attribute, in lower case and without its schema: the column, and the form in which it compares.
_PLAIN: Callable[[str], str] = str
_FOLDED: Callable[[str], str] = str.casefold
COLUMNS: dict[str, tuple[Expression, Callable[[str], str]]] = {
    "id": (Account.subject, _PLAIN),  # type: ignore[dict-item]
    "username": (Account.username_key, name_key),  # type: ignore[dict-item]
    "externalid": (Provisioned.external_id, _PLAIN),  # type: ignore[dict-item]
    "displayname": (
        func.lower(Person.given_name + " " + Person.family_name),
        _FOLDED,
    ),
    "name.givenname": (func.lower(Person.given_name), _FOLDED),
    "name.familyname": (func.lower(Person.family_name), _FOLDED),
    "name.middlename": (func.lower(Person.middle_name), _FOLDED),
    "nickname": (func.lower(Person.preferred_name), _FOLDED),
    "emails": (Person.email_key, name_key),  # type: ignore[dict-item]
    "emails.value": (Person.email_key, name_key),  # type: ignore[dict-item]
    "phonenumbers": (Person.phone, _PLAIN),  # type: ignore[dict-item]
    "phonenumbers.value": (Person.phone, _PLAIN),  # type: ignore[dict-item]
    "preferredlanguage": (Account.locale, _FOLDED),  # type: ignore[dict-item]
    "timezone": (func.lower(Account.zoneinfo), _FOLDED),
    "meta.created": (Account.created_at, _PLAIN),  # type: ignore[dict-item]
    "meta.lastmodified": (Account.updated_at, _PLAIN),  # type: ignore[dict-item]
    "personid": (Person.person_id, _PLAIN),  # type: ignore[dict-item]
    "accountkind": (Account.kind, _FOLDED),  # type: ignore[dict-item]
    "requestnumber": (Provisioned.request_number, _PLAIN),  # type: ignore[dict-item]
    "sequence": (Provisioned.sequence, _PLAIN),  # type: ignore[dict-item]
}
#: Attributes of lists that are tables of their own.
_GRANTS = {"grants.rolegroup": RoleGroup.name, "grants.participantid": Participant.number}
ACTIVE = Account.state != AccountState.SUSPENDED


def key_of(path: AttrPath) -> str:
    """The attribute's name as the tables above have it."""
    name = path.attr.casefold()
    return f"{name}.{path.sub_attr.casefold()}" if path.sub_attr else name


def check_filter(text: str) -> None:
    """Refuse what is too long or too deep before it is parsed. Raises InvalidFilterException."""
    if len(text) > MAX_LENGTH or text.count("(") + text.count("[") > MAX_TERMS:
        raise InvalidFilterException(
            detail=f"A filter has at most {MAX_LENGTH} characters and {MAX_TERMS} terms."
        )


def condition(scim_filter: ScimFilter[Any] | None) -> ColumnElement[bool]:
    """The condition of a filter. Raises InvalidFilterException for what cannot be asked."""
    if scim_filter is None:
        return true()
    visitor = _ToSql()
    found = visitor.visit(scim_filter.ast)
    if visitor.terms > MAX_TERMS:
        raise InvalidFilterException(detail=f"A filter has at most {MAX_TERMS} terms.")
    return found


class _ToSql(FilterVisitor[ColumnElement[bool]]):
    def __init__(self) -> None:
        self.terms = 0
        self._prefix = ""

    def visit_comparison(self, node: Comparison) -> ColumnElement[bool]:
        self.terms += 1
        name = self._prefix + key_of(node.attr_path)
        if name == "active":
            return _active(node)
        if name in _GRANTS:
            return _held(_compare(_GRANTS[name], node.op, str(node.value)))
        if name in ("registerednetworks", "registerednetworks.value"):
            return _network(_compare(RegisteredNetwork.network, node.op, str(node.value)))
        if name not in COLUMNS:
            # Typed and primary are always the same here: there is one address and one telephone.
            return _constant(name, node)
        column, form = COLUMNS[name]
        if node.value is None:
            return _absent(column) if node.op is CompareOperator.eq else not_(_absent(column))
        if name.startswith("meta."):
            return _moment(column, node)
        if name == "sequence":
            return _number(column, node)
        return _compare(column, node.op, form(str(node.value)))

    def visit_present(self, node: Present) -> ColumnElement[bool]:
        self.terms += 1
        name = self._prefix + key_of(node.attr_path)
        if name in ("active", "name", "meta", "schemas"):
            return true()
        if name in ("grants", *_GRANTS):
            return _held(true())
        if name.startswith("registerednetworks"):
            return _network(true())
        if name not in COLUMNS:
            return false()
        return not_(_absent(COLUMNS[name][0]))

    def visit_not(self, node: Not) -> ColumnElement[bool]:
        return not_(func.coalesce(self.visit(node.expr), false()))

    def visit_logical_expr(self, node: LogicalExpr) -> ColumnElement[bool]:
        parts = [self.visit(term) for term in node.terms]
        return and_(*parts) if node.op == LogicalOperator.and_ else or_(*parts)

    def visit_value_path(self, node: ValuePath) -> ColumnElement[bool]:
        name = key_of(node.attr_path)
        if name == "grants":
            return _held(_of_one_grant(node))
        self._prefix, before = f"{name}.", self._prefix
        try:
            return self.visit(node.val_filter)
        finally:
            self._prefix = before


class _OfGrant(_ToSql):
    """The conditions inside ``grants[...]``: all of one and the same grant."""

    def visit_comparison(self, node: Comparison) -> ColumnElement[bool]:
        name = f"grants.{key_of(node.attr_path)}"
        if name not in _GRANTS:
            raise InvalidFilterException(detail="grants have roleGroup and participantId.")
        return _compare(_GRANTS[name], node.op, str(node.value))

    def visit_present(self, node: Present) -> ColumnElement[bool]:  # noqa: ARG002 - by name
        return true()


def _of_one_grant(node: ValuePath) -> ColumnElement[bool]:
    return _OfGrant().visit(node.val_filter)


def _held(where: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(
        Assignment.account_id == Account.id,
        Assignment.revoked_at.is_(None),
        RoleGroup.id == Assignment.role_group_id,
        Participant.id == Assignment.participant_id,
        where,
    )


def _network(where: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(RegisteredNetwork.account_id == Account.id, where)


def _active(node: Comparison) -> ColumnElement[bool]:
    if not isinstance(node.value, bool) or node.op not in (CompareOperator.eq, CompareOperator.ne):
        raise InvalidFilterException(detail="active is compared to true or false.")
    wanted = node.value == (node.op is CompareOperator.eq)
    return ACTIVE if wanted else not_(ACTIVE)


def _constant(name: str, node: Comparison) -> ColumnElement[bool]:
    """Attributes with one value for everybody, and those that are stored for nobody."""
    known = {
        "emails.type": "work", "emails.primary": True,
        "phonenumbers.type": "work", "phonenumbers.primary": True,
        "meta.resourcetype": "User",
    }  # fmt: skip
    value = known.get(name)
    if node.op is CompareOperator.ne:
        return true() if value != node.value else false()
    if node.op is CompareOperator.eq:
        return true() if value is not None and value == node.value else false()
    return false()


def _absent(column: Expression) -> ColumnElement[bool]:
    return or_(column.is_(None), func.coalesce(func.length(column), 0) == 0)


def _compare(column: Any, op: CompareOperator, value: str) -> ColumnElement[bool]:
    """Strings are compared as they are stored; wildcards in a value are no wildcards."""
    if "\x00" in value:
        return false()
    made: dict[CompareOperator, Callable[[], ColumnElement[bool]]] = {
        CompareOperator.eq: lambda: column == value,
        CompareOperator.ne: lambda: or_(column != value, column.is_(None)),
        CompareOperator.co: lambda: column.contains(value, autoescape=True),
        CompareOperator.sw: lambda: column.startswith(value, autoescape=True),
        CompareOperator.ew: lambda: column.endswith(value, autoescape=True),
        CompareOperator.gt: lambda: column > value,
        CompareOperator.ge: lambda: column >= value,
        CompareOperator.lt: lambda: column < value,
        CompareOperator.le: lambda: column <= value,
    }
    return made[op]()


def _moment(column: Expression, node: Comparison) -> ColumnElement[bool]:
    try:
        moment = datetime.fromisoformat(str(node.value).replace("Z", "+00:00"))
    except ValueError as error:
        raise InvalidFilterException(detail="A moment is written like 2026-11-25T00:00:00Z.") from (
            error
        )
    if moment.tzinfo is None:
        raise InvalidFilterException(detail="A moment needs its zone.")
    return _ordered(column, node.op, moment)


def _number(column: Expression, node: Comparison) -> ColumnElement[bool]:
    if isinstance(node.value, bool) or not isinstance(node.value, int):
        raise InvalidFilterException(detail="sequence is compared to a whole number.")
    return _ordered(column, node.op, node.value)


def _ordered(column: Expression, op: CompareOperator, value: Any) -> ColumnElement[bool]:
    made: dict[CompareOperator, ColumnElement[bool]] = {
        CompareOperator.eq: column == value,
        CompareOperator.ne: column != value,
        CompareOperator.gt: column > value,
        CompareOperator.ge: column >= value,
        CompareOperator.lt: column < value,
        CompareOperator.le: column <= value,
    }
    if op not in made:
        raise InvalidFilterException(detail="This attribute is compared by eq, ne, gt, ge, lt, le.")
    return made[op]


def sort_column(path: str) -> Expression:
    """The column that a ``sortBy`` names. Raises InvalidFilterException."""
    name = path.casefold()
    for schema in ("urn:ietf:params:scim:schemas:core:2.0:user", str(REGISTRATION).casefold()):
        name = name.removeprefix(f"{schema}:")
    if name == "active":
        return ACTIVE
    if name not in COLUMNS:
        raise InvalidFilterException(detail=f"{path} cannot be sorted by.")
    return COLUMNS[name][0]
