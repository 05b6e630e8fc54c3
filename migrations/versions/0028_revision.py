"""Processes keep clients and signing keys in memory; triggers change the revision of both.

Revises: 0027
"""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

TABLES = ("client", "signing_key")
CHANGES = ("insert", "update", "delete")
SQLITE = """CREATE TRIGGER {table}_revision_{change} AFTER {change} ON {table} BEGIN
INSERT INTO revision (id, value) VALUES (1, hex(randomblob(16)))
ON CONFLICT (id) DO UPDATE SET value = excluded.value; END"""
FUNCTION = """CREATE OR REPLACE FUNCTION change_revision() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$ BEGIN
INSERT INTO revision (id, value) VALUES (1, gen_random_uuid()::text)
ON CONFLICT (id) DO UPDATE SET value = excluded.value; RETURN NULL; END $$"""
POSTGRESQL = """CREATE TRIGGER {table}_revision AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE
ON {table} FOR EACH STATEMENT EXECUTE FUNCTION change_revision()"""


def upgrade() -> None:
    op.create_table(
        "revision",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("value", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_revision")),
    )
    if op.get_bind().dialect.name == "sqlite":
        for table in TABLES:
            for change in CHANGES:
                op.execute(SQLITE.format(table=table, change=change))
    else:
        op.execute(FUNCTION)
        for table in TABLES:
            op.execute(POSTGRESQL.format(table=table))
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    value = "hex(randomblob(16))" if is_sqlite else "gen_random_uuid()::text"
    op.execute(f"INSERT INTO revision (id, value) VALUES (1, {value})")


def downgrade() -> None:
    for table in TABLES:
        if op.get_bind().dialect.name == "sqlite":
            for change in CHANGES:
                op.execute(f"DROP TRIGGER {table}_revision_{change}")
        else:
            op.execute(f"DROP TRIGGER {table}_revision ON {table}")
    if op.get_bind().dialect.name != "sqlite":
        op.execute("DROP FUNCTION change_revision()")
    op.drop_table("revision")
