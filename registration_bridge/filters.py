"""Filters of SCIM as conditions of SQL: nothing is read that does not match."""

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
from sqlalchemy import (
    ColumnElement,
    Integer,
    and_,
    case,
    exists,
    false,
    func,
    not_,
    or_,
    true,
)

from idp.db import UtcDateTime
from idp.models import (
    Account,
    AccountState,
    Assignment,
    Participant,
    Person,
    ProvisionedAccount,
    ProvisionedGroup,
    RegisteredNetwork,
    RoleGroup,
)
from idp.policy.email_address import email_key
from idp.policy.names import name_key

#: Longer ones are no question but an attack.
MAX_LENGTH, MAX_TERMS = 2048, 32

Expression = ColumnElement[Any]
#: Attribute, in lower case and without its schema: the column, and the form in which it compares.
Columns = dict[str, tuple[Expression, Callable[[str], str]]]
_PLAIN: Callable[[str], str] = str
_FOLDED: Callable[[str], str] = str.casefold
COLUMNS: Columns = {
    "id": (Account.subject, _PLAIN),  # type: ignore[dict-item]
    "username": (Account.username_key, name_key),  # type: ignore[dict-item]
    "externalid": (ProvisionedAccount.external_id, _PLAIN),  # type: ignore[dict-item]
    "displayname": (
        func.trim(func.lower(Person.given_name + " " + Person.family_name)),
        _FOLDED,
    ),
    "name.givenname": (func.lower(Person.given_name), _FOLDED),
    "name.familyname": (func.lower(Person.family_name), _FOLDED),
    "name.middlename": (func.lower(Person.middle_name), _FOLDED),
    "nickname": (func.lower(Person.preferred_name), _FOLDED),
    "emails": (Person.email_key, email_key),  # type: ignore[dict-item]
    "emails.value": (Person.email_key, email_key),  # type: ignore[dict-item]
    "phonenumbers": (Person.phone, _PLAIN),  # type: ignore[dict-item]
    "phonenumbers.value": (Person.phone, _PLAIN),  # type: ignore[dict-item]
    "preferredlanguage": (Account.locale, _FOLDED),  # type: ignore[dict-item]
    "timezone": (func.lower(Account.zoneinfo), _FOLDED),
    "meta.created": (Account.created_at, _PLAIN),  # type: ignore[dict-item]
    "meta.lastmodified": (Account.updated_at, _PLAIN),  # type: ignore[dict-item]
    "personid": (Person.person_id, _PLAIN),  # type: ignore[dict-item]
    "accountkind": (Account.kind, _FOLDED),  # type: ignore[dict-item]
    "requestnumber": (ProvisionedAccount.request_number, _PLAIN),  # type: ignore[dict-item]
    "sequence": (ProvisionedAccount.sequence, _PLAIN),  # type: ignore[dict-item]
}
GROUP_COLUMNS: Columns = {
    "id": (ProvisionedGroup.public_id, _PLAIN),  # type: ignore[dict-item]
    "externalid": (ProvisionedGroup.external_id, _PLAIN),  # type: ignore[dict-item]
    "displayname": (func.lower(ProvisionedGroup.display_name), _FOLDED),
    "meta.created": (ProvisionedGroup.created_at, _PLAIN),  # type: ignore[dict-item]
    "meta.lastmodified": (ProvisionedGroup.updated_at, _PLAIN),  # type: ignore[dict-item]
    "rolegroup": (func.lower(RoleGroup.name), _FOLDED),
    "participantid": (Participant.number, _PLAIN),  # type: ignore[dict-item]
    "participantname": (func.lower(Participant.name), _FOLDED),
}
PARTICIPANT_COLUMNS: Columns = {
    "id": (Participant.number, _PLAIN),  # type: ignore[dict-item]
    "externalid": (Participant.external_id, _PLAIN),  # type: ignore[dict-item]
    "participantid": (Participant.number, _PLAIN),  # type: ignore[dict-item]
    "name": (func.lower(Participant.name), _FOLDED),
    "status": (case((Participant.ended_at.is_(None), "active"), else_="ended"), _FOLDED),
    "meta.created": (Participant.created_at, _PLAIN),  # type: ignore[dict-item]
    "meta.lastmodified": (
        func.coalesce(Participant.updated_at, Participant.created_at),
        _PLAIN,
    ),
}
#: Attributes of lists that are tables of their own.
_GRANTS = {"grants.rolegroup": RoleGroup.name, "grants.participantid": Participant.number}
_OPTIONAL = ("phonenumbers",)
#: Attributes that a row may lack, and what stands for them then.
_EMPTY: dict[str, str | int] = {
    "externalid": "", "requestnumber": "", "nickname": "", "name.middlename": "",
    "phonenumbers": "", "phonenumbers.value": "", "sequence": 0,
}  # fmt: skip
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


def of_groups(scim_filter: ScimFilter[Any] | None) -> ColumnElement[bool]:
    """The condition of a filter on groups. Raises InvalidFilterException."""
    return _condition(scim_filter, _OfGroups())


def of_participants(scim_filter: ScimFilter[Any] | None) -> ColumnElement[bool]:
    """The condition of a filter on participants. Raises InvalidFilterException."""
    return _condition(scim_filter, _OfParticipants())


def of_users(
    scim_filter: ScimFilter[Any] | None, participants: ColumnElement[bool]
) -> ColumnElement[bool]:
    """The condition of a filter on users, whose grants are those at ``participants``. Raises
    InvalidFilterException."""
    return _condition(scim_filter, _OfUsers(participants))


def of_members(node: Any) -> ColumnElement[bool]:
    """The condition on accounts of the filter in ``members[...]``. Raises
    InvalidFilterException."""
    visitor = _OfMembers()
    return visitor.bounded(visitor.visit(node))


def _condition(scim_filter: ScimFilter[Any] | None, visitor: _ToSql) -> ColumnElement[bool]:
    if scim_filter is None:
        return true()
    return visitor.bounded(visitor.visit(scim_filter.ast))


class _ToSql(FilterVisitor[ColumnElement[bool]]):
    """What all resource types have in common; the others know their lists."""

    columns: ClassVar[Columns]
    #: What all have the same value of.
    constants: ClassVar[Mapping[str, str | bool]]

    def __init__(self) -> None:
        self.terms = 0
        self._prefix = ""

    def bounded(self, found: ColumnElement[bool]) -> ColumnElement[bool]:
        """The condition, if it has not too many terms. Raises InvalidFilterException."""
        if self.terms > MAX_TERMS:
            raise InvalidFilterException(detail=f"A filter has at most {MAX_TERMS} terms.")
        return found

    def of_list(self, name: str, node: Comparison | Present) -> ColumnElement[bool] | None:  # noqa: ARG002
        """The condition on what is no column; None for columns."""
        return None

    def visit_comparison(self, node: Comparison) -> ColumnElement[bool]:
        self.terms += 1
        name = self._prefix + key_of(node.attr_path)
        found = self.of_list(name, node)
        if found is not None:
            return found
        if name not in self.columns:
            return self._constant(name, node)
        column, form = self.columns[name]
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
        if name in ("meta", "schemas"):
            return true()
        found = self.of_list(name, node)
        if found is not None:
            return found
        if name in self.constants:
            return self._has(name)
        return not_(_absent(self.columns[name][0])) if name in self.columns else false()

    def _has(self, name: str) -> ColumnElement[bool]:
        """Whether there is what the constant is a part of: of addresses there always is one."""
        owner = name.partition(".")[0]
        return not_(_absent(self.columns[owner][0])) if owner in _OPTIONAL else true()

    def _constant(self, name: str, node: Comparison) -> ColumnElement[bool]:
        """The comparison with a value that everybody has who has any, or nobody."""
        value = self.constants.get(name)
        is_same = value is not None and value == node.value
        if node.op is CompareOperator.ne:
            return not_(self._has(name)) if is_same else true()
        if node.op is CompareOperator.eq and is_same:
            return self._has(name)
        return false()

    def visit_not(self, node: Not) -> ColumnElement[bool]:
        return not_(func.coalesce(self.visit(node.expr), false()))

    def visit_logical_expr(self, node: LogicalExpr) -> ColumnElement[bool]:
        parts = [self.visit(term) for term in node.terms]
        return and_(*parts) if node.op == LogicalOperator.and_ else or_(*parts)

    def visit_value_path(self, node: ValuePath) -> ColumnElement[bool]:
        self._prefix, before = f"{key_of(node.attr_path)}.", self._prefix
        try:
            return self.visit(node.val_filter)
        finally:
            self._prefix = before


class _OfUsers(_ToSql):
    columns = COLUMNS
    # There is one address and one telephone.
    constants: ClassVar[Mapping[str, str | bool]] = {
        "emails.type": "work", "emails.primary": True,
        "phonenumbers.type": "work", "phonenumbers.primary": True,
        "meta.resourcetype": "User",
    }  # fmt: skip

    def __init__(self, participants: ColumnElement[bool]) -> None:
        super().__init__()
        self._participants = participants

    def of_list(self, name: str, node: Comparison | Present) -> ColumnElement[bool] | None:
        if name in ("active", "name") and isinstance(node, Present):
            return true()
        if name == "active" and isinstance(node, Comparison):
            return _active(node)
        if name in _GRANTS or (name == "grants" and isinstance(node, Present)):
            return self._held(_each(node, _GRANTS.get(name, RoleGroup.name)))
        if name in ("registerednetworks", "registerednetworks.value"):
            return _network(_each(node, RegisteredNetwork.network))
        return None

    def visit_value_path(self, node: ValuePath) -> ColumnElement[bool]:
        if key_of(node.attr_path) == "grants":
            return self._held(_OfGrant(self._participants).visit(node.val_filter))
        return super().visit_value_path(node)

    def _held(self, where: ColumnElement[bool]) -> ColumnElement[bool]:
        return exists().where(
            Assignment.account_id == Account.id,
            Assignment.revoked_at.is_(None),
            RoleGroup.id == Assignment.role_group_id,
            Participant.id == Assignment.participant_id,
            self._participants,
            where,
        )


class _OfGroups(_ToSql):
    columns = GROUP_COLUMNS
    constants: ClassVar[Mapping[str, str | bool]] = {
        "meta.resourcetype": "Group",
        "members.type": "User",
    }

    def of_list(self, name: str, node: Comparison | Present) -> ColumnElement[bool] | None:
        if name in ("members", "members.value"):
            return _has_member(_each(node, Account.subject))
        return None


class _OfParticipants(_ToSql):
    columns = PARTICIPANT_COLUMNS
    constants: ClassVar[Mapping[str, str | bool]] = {"meta.resourcetype": "Participant"}


class _OfMembers(_ToSql):
    columns: ClassVar[Columns] = {"value": (Account.subject, _PLAIN)}  # type: ignore[dict-item]
    constants: ClassVar[Mapping[str, str | bool]] = {"type": "User"}


def _each(node: Comparison | Present, column: Any) -> ColumnElement[bool]:
    """The condition on one entry of a list."""
    return true() if isinstance(node, Present) else _compare(column, node.op, str(node.value))


def _has_member(where: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(
        Assignment.role_group_id == ProvisionedGroup.role_group_id,
        Assignment.participant_id == ProvisionedGroup.participant_id,
        Assignment.revoked_at.is_(None),
        Account.id == Assignment.account_id,
        Account.state != AccountState.DEACTIVATED,
        where,
    )


class _OfGrant(_OfUsers):
    """The conditions inside ``grants[...]``: all of one and the same grant."""

    def visit_comparison(self, node: Comparison) -> ColumnElement[bool]:
        name = f"grants.{key_of(node.attr_path)}"
        if name not in _GRANTS:
            raise InvalidFilterException(detail="grants have roleGroup and participantId.")
        return _compare(_GRANTS[name], node.op, str(node.value))

    def visit_present(self, node: Present) -> ColumnElement[bool]:  # noqa: ARG002 - by name
        return true()


def _network(where: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(RegisteredNetwork.account_id == Account.id, where)


def _active(node: Comparison) -> ColumnElement[bool]:
    if not isinstance(node.value, bool) or node.op not in (CompareOperator.eq, CompareOperator.ne):
        raise InvalidFilterException(detail="active is compared to true or false.")
    wanted = node.value == (node.op is CompareOperator.eq)
    return ACTIVE if wanted else not_(ACTIVE)


def _absent(column: Expression) -> ColumnElement[bool]:
    if isinstance(column.type, UtcDateTime):
        return column.is_(None)
    if isinstance(column.type, Integer):
        return func.coalesce(column, 0) == 0
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
        if moment.tzinfo is None:
            raise InvalidFilterException(detail="A moment needs its zone.")
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidFilterException(detail="A moment is written like 2026-11-25T00:00:00Z.") from (
            error
        )
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


def sort_columns(path: str, columns: Columns) -> list[Any]:
    """The columns that a ``sortBy`` names. Rows without a value come last, or first when the order
    is descending (RFC 7644 section 3.4.2.3). Raises InvalidFilterException."""
    name = path.casefold().rpartition(":")[2]
    if name == "active" and columns is COLUMNS:
        return [case((ACTIVE, 1), else_=0)]
    if name not in columns:
        raise InvalidFilterException(detail=f"{path} cannot be sorted by.")
    column = columns[name][0]
    if name not in _EMPTY:
        return [column]
    empty = _EMPTY[name]
    value = func.coalesce(column, empty)
    return [case((value == empty, 1), else_=0), value]
