"""How many accounts are not deactivated, so that nobody has to count them.

Triggers of the database note each change of that number, by any program, in the transaction that
makes it. On PostgreSQL each change is a row of its own, so that writers do not wait for each other;
the worker adds them up. SQLite has one writer anyway, and one row.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Connection, event, func, select, text
from sqlalchemy.orm import Mapped, mapped_column

from idp.db import Base, PrimaryKey

_SQLITE = """CREATE TRIGGER IF NOT EXISTS account_count_{name} AFTER {change} ON account
WHEN {condition} BEGIN INSERT INTO account_count (id, change) VALUES (1, {number})
ON CONFLICT (id) DO UPDATE SET change = change + excluded.change; END"""
_OF_SQLITE = (
    ("insert", "INSERT", "NEW.state <> 'deactivated'", "1"),
    ("update", "UPDATE OF state", "(OLD.state = 'deactivated') <> (NEW.state = 'deactivated')",
     "CASE NEW.state WHEN 'deactivated' THEN -1 ELSE 1 END"),
    ("delete", "DELETE", "OLD.state <> 'deactivated'", "-1"),
)  # fmt: skip
_ADDED = """CREATE OR REPLACE FUNCTION count_added_accounts() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$ BEGIN
INSERT INTO account_count (change) SELECT count(*) FROM added WHERE state <> 'deactivated'
HAVING count(*) > 0; RETURN NULL; END $$"""
_CHANGED = """CREATE OR REPLACE FUNCTION count_changed_account() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$ BEGIN
INSERT INTO account_count (change)
VALUES (CASE WHEN TG_OP = 'UPDATE' AND OLD.state = 'deactivated' THEN 1 ELSE -1 END);
RETURN NULL; END $$"""
_EMPTIED = """CREATE OR REPLACE FUNCTION count_no_accounts() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$ BEGIN DELETE FROM account_count; RETURN NULL; END $$"""
_OF_POSTGRESQL = (
    ("insert", "INSERT", "REFERENCING NEW TABLE AS added FOR EACH STATEMENT",
     "count_added_accounts"),
    ("update", "UPDATE OF state", "FOR EACH ROW"
     " WHEN ((OLD.state = 'deactivated') <> (NEW.state = 'deactivated'))", "count_changed_account"),
    ("delete", "DELETE", "FOR EACH ROW WHEN (OLD.state <> 'deactivated')", "count_changed_account"),
    ("truncate", "TRUNCATE", "FOR EACH STATEMENT", "count_no_accounts"),
)  # fmt: skip


class AccountCount(Base):
    """A change of the number of accounts that are not deactivated. The sum of all is that
    number."""

    __tablename__ = "account_count"

    id: Mapped[PrimaryKey]
    change: Mapped[int] = mapped_column(BigInteger)


#: The number of accounts that are not deactivated, as a value of a statement.
NUMBER = select(func.coalesce(func.sum(AccountCount.change), 0)).scalar_subquery()


def statements(dialect: str) -> list[str]:
    """What creates the triggers."""
    if dialect == "sqlite":
        return [
            _SQLITE.format(name=name, change=change, condition=condition, number=number)
            for name, change, condition, number in _OF_SQLITE
        ]
    made = [_ADDED, _CHANGED, _EMPTIED]
    for name, change, when, function in _OF_POSTGRESQL:
        made.append(f"DROP TRIGGER IF EXISTS account_count_{name} ON account")
        made.append(
            f"CREATE TRIGGER account_count_{name} AFTER {change} ON account {when}"
            f" EXECUTE FUNCTION {function}()"
        )
    return made


@event.listens_for(Base.metadata, "after_create")
def _create(_metadata: Any, connection: Connection, **_rest: Any) -> None:
    for statement in statements(connection.dialect.name):
        connection.execute(text(statement))
