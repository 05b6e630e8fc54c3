"""Accounts have a place in lists: by the folded name of the person, and by state and time.

Revises: 0023
"""

import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


BATCH = 2000


def fold(text: str) -> str:
    key = unicodedata.normalize("NFKC", text.strip()).casefold()
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", key)).replace("’", "'")
    return "".join(char for char in plain if not unicodedata.combining(char))


def fill() -> None:
    connection = op.get_bind()
    account = sa.table("account", sa.column("id"), sa.column("person_id"), sa.column("sort_name"))
    person = sa.table(
        "person", sa.column("id"), sa.column("family_name"), sa.column("given_name")
    )
    names = (
        sa.select(account.c.id, person.c.family_name, person.c.given_name)
        .join_from(account, person, person.c.id == account.c.person_id)
        .order_by(account.c.id)
        .limit(BATCH)
    )
    change = (
        sa.update(account)
        .where(account.c.id == sa.bindparam("pk"))
        .values(sort_name=sa.bindparam("name"))
    )
    last = 0
    while rows := connection.execute(names.where(account.c.id > last)).all():
        values = [
            {"pk": pk, "name": f"{fold(family)} {fold(given)}"[:200]}
            for pk, family, given in rows
        ]
        connection.execute(change, values)
        last = rows[-1][0]


def upgrade() -> None:
    with op.batch_alter_table("account", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "sort_name",
                sa.String(length=200).with_variant(
                    sa.String(length=200, collation="C"), "postgresql"
                ),
                server_default=sa.text("''"),
                nullable=False,
            )
        )
    fill()
    with op.batch_alter_table("account", schema=None) as batch_op:
        batch_op.create_index("ix_account_sort_name_id", ["sort_name", "id"], unique=False)
        batch_op.create_index(
            "ix_account_state_sort_name_id", ["state", "sort_name", "id"], unique=False
        )
        batch_op.create_index(
            "ix_account_state_state_changed_at_id",
            ["state", "state_changed_at", "id"],
            unique=False,
        )
        batch_op.create_index(
            "ix_account_state_changed_at_id", ["state_changed_at", "id"], unique=False
        )
        batch_op.create_index("ix_account_kind", ["kind"], unique=False)

    with op.batch_alter_table("temporary_password", schema=None) as batch_op:
        batch_op.create_index("ix_temporary_password_expires_at", ["expires_at"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("temporary_password", schema=None) as batch_op:
        batch_op.drop_index("ix_temporary_password_expires_at")

    with op.batch_alter_table("account", schema=None) as batch_op:
        batch_op.drop_index("ix_account_kind")
        batch_op.drop_index("ix_account_state_changed_at_id")
        batch_op.drop_index("ix_account_state_state_changed_at_id")
        batch_op.drop_index("ix_account_state_sort_name_id")
        batch_op.drop_index("ix_account_sort_name_id")
        batch_op.drop_column("sort_name")
