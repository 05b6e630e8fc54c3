"""Conditions of a search. A service offers attributes; its callers compare them to values and
combine the conditions, without knowing the tables and columns behind them."""

from __future__ import annotations

import operator as operators
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Integer, and_, case, false, func, not_, or_, true

from idp.db import UtcDateTime

#: Opaque to callers.
Condition = ColumnElement[bool]
ALWAYS: Condition = true()
NEVER: Condition = false()


class Operator(StrEnum):
    """How an attribute is compared; the names of RFC 7644 section 3.4.2.2."""

    EQUAL = "eq"
    NOT_EQUAL = "ne"
    CONTAINS = "co"
    STARTS_WITH = "sw"
    ENDS_WITH = "ew"
    GREATER = "gt"
    GREATER_OR_EQUAL = "ge"
    LESS = "lt"
    LESS_OR_EQUAL = "le"


#: The operators that apply to numbers and times too.
ORDERED = frozenset(Operator) - {Operator.CONTAINS, Operator.STARTS_WITH, Operator.ENDS_WITH}


_ORDERING: Mapping[Operator, Callable[[Any, Any], Any]] = {
    Operator.EQUAL: operators.eq,
    Operator.NOT_EQUAL: operators.ne,
    Operator.GREATER: operators.gt,
    Operator.GREATER_OR_EQUAL: operators.ge,
    Operator.LESS: operators.lt,
    Operator.LESS_OR_EQUAL: operators.le,
}


class AttributeType(StrEnum):
    """What the values of an attribute are."""

    TEXT = "text"
    NUMBER = "number"
    TIME = "time"


@dataclass(frozen=True, eq=False)
class Attribute:
    """What a search can be about. A text value is normalised before it is compared. ``empty``
    replaces a missing value in an order; it is None where every row has one. The text of a key
    finds one row, or few."""

    column: Any
    normalise: Callable[[str], str] = str
    empty: str | int | None = None
    is_key: bool = False

    @property
    def type(self) -> AttributeType:
        """What its values are."""
        if isinstance(self.column.type, UtcDateTime):
            return AttributeType.TIME
        return AttributeType.NUMBER if isinstance(self.column.type, Integer) else AttributeType.TEXT

    def absent(self) -> Condition:
        """There is no value."""
        if self.type is AttributeType.TIME:
            return self.column.is_(None)  # type: ignore[no-any-return]
        if self.type is AttributeType.NUMBER:
            return func.coalesce(self.column, 0) == 0
        return or_(self.column.is_(None), func.coalesce(func.length(self.column), 0) == 0)

    def present(self) -> Condition:
        """There is a value."""
        return not_(self.absent())

    def compare(self, operator: Operator, value: str | int | datetime) -> Condition:
        """The comparison with a value of the attribute's type; for a number or a time by one of
        ``ORDERED``."""
        if self.type is AttributeType.TEXT:
            return self._compare_text(operator, self.normalise(str(value)))
        return self._compare_order(operator, value)

    def _compare_order(self, operator: Operator, value: Any) -> Condition:
        found: Condition = _ORDERING[operator](self.column, value)
        return found

    def _compare_text(self, operator: Operator, value: str) -> Condition:
        """Wildcards in a value have no meaning."""
        column = self.column
        if "\x00" in value:
            return NEVER
        if operator is Operator.NOT_EQUAL:
            return or_(column != value, column.is_(None))
        if operator in ORDERED:
            return self._compare_order(operator, value)
        match = {
            Operator.CONTAINS: column.contains,
            Operator.STARTS_WITH: column.startswith,
            Operator.ENDS_WITH: column.endswith,
        }[operator]
        return match(value, autoescape=True)  # type: ignore[no-any-return]

    def order(self) -> list[Any]:
        """The columns of an order. Rows without a value come last, or first when the order is
        descending (RFC 7644 section 3.4.2.3)."""
        if self.empty is None:
            return [self.column]
        value = func.coalesce(self.column, self.empty)
        return [case((value == self.empty, 1), else_=0), value]


@dataclass(frozen=True)
class Equality:
    """The condition that an attribute has a value. Where ``attribute.is_key``, a service may have a
    statement for it that is built once."""

    attribute: Attribute
    value: str

    def condition(self) -> Condition:
        """As every other condition."""
        return self.attribute.compare(Operator.EQUAL, self.value)


def all_of(*conditions: Condition) -> Condition:
    """All of them hold."""
    return and_(true(), *conditions)


def any_of(*conditions: Condition) -> Condition:
    """At least one of them holds."""
    return or_(false(), *conditions)


def negate(condition: Condition) -> Condition:
    """The condition does not hold, or a value that it compares is missing."""
    return not_(func.coalesce(condition, false()))
