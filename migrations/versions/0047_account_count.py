"""The database keeps the number of accounts that are not deactivated.

Revises: 0043
"""

import sqlalchemy as sa
from alembic import op

revision = "0047"
down_revision = "0043"
branch_labels = None
depends_on = None

SQLITE = """CREATE TRIGGER account_count_{name} AFTER {change} ON account
WHEN {condition} BEGIN INSERT INTO account_count (id, change) VALUES (1, {number})
ON CONFLICT (id) DO UPDATE SET change = change + excluded.change; END"""
OF_SQLITE = (
    ("insert", "INSERT", "NEW.state <> 'deactivated'", "1"),
    (
        "update",
        "UPDATE OF state",
        "(OLD.state = 'deactivated') <> (NEW.state = 'deactivated')",
        "CASE NEW.state WHEN 'deactivated' THEN -1 ELSE 1 END",
    ),
    ("delete", "DELETE", "OLD.state <> 'deactivated'", "-1"),
)
FUNCTION = """CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$ BEGIN {body}; RETURN NULL; END $$"""
FUNCTIONS = {
    "count_added_accounts": "INSERT INTO account_count (change) SELECT count(*) FROM added"
    " WHERE state <> 'deactivated' HAVING count(*) > 0",
    "count_changed_account": "INSERT INTO account_count (change)"
    " VALUES (CASE WHEN TG_OP = 'UPDATE' AND OLD.state = 'deactivated' THEN 1 ELSE -1 END)",
    "count_no_accounts": "DELETE FROM account_count",
}
OF_POSTGRESQL = (
    (
        "insert",
        "INSERT",
        "REFERENCING NEW TABLE AS added FOR EACH STATEMENT",
        "count_added_accounts",
    ),
    (
        "update",
        "UPDATE OF state",
        "FOR EACH ROW WHEN ((OLD.state = 'deactivated') <> (NEW.state = 'deactivated'))",
        "count_changed_account",
    ),
    ("delete", "DELETE", "FOR EACH ROW WHEN (OLD.state <> 'deactivated')", "count_changed_account"),
    ("truncate", "TRUNCATE", "FOR EACH STATEMENT", "count_no_accounts"),
)


def upgrade() -> None:
    op.create_table(
        "account_count",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("change", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_count")),
    )
    if op.get_bind().dialect.name == "sqlite":
        for name, change, condition, number in OF_SQLITE:
            op.execute(
                SQLITE.format(name=name, change=change, condition=condition, number=number)
            )
    else:
        for name, body in FUNCTIONS.items():
            op.execute(FUNCTION.format(name=name, body=body))
        for name, change, when, function in OF_POSTGRESQL:
            op.execute(
                f"CREATE TRIGGER account_count_{name} AFTER {change} ON account {when}"
                f" EXECUTE FUNCTION {function}()"
            )
    # Creating a trigger locks out writers of accounts until this is committed.
    op.execute(
        "INSERT INTO account_count (change) SELECT count(*) FROM account"
        " WHERE state <> 'deactivated'"
    )


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for name, *_ in OF_SQLITE:
            op.execute(f"DROP TRIGGER account_count_{name}")
    else:
        for name, *_ in OF_POSTGRESQL:
            op.execute(f"DROP TRIGGER account_count_{name} ON account")
        for name in FUNCTIONS:
            op.execute(f"DROP FUNCTION {name}()")
    op.drop_table("account_count")
