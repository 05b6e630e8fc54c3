"""Second accounts: why, and for which participant. What was made without a reason says so.

Revises: 0018
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

OPEN = "kind = 'personal' AND state != 'deactivated'"


def upgrade() -> None:
    with op.batch_alter_table("account", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "second_reason", sa.String(length=40), server_default=sa.text("''"), nullable=False
            )
        )
        batch_op.add_column(
            sa.Column(
                "second_participant_id",
                sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
                nullable=True,
            )
        )
        batch_op.create_foreign_key(
            batch_op.f("fk_account_second_participant_id_participant"),
            "participant",
            ["second_participant_id"],
            ["id"],
        )
        batch_op.create_index(
            batch_op.f("ix_account_second_participant_id"), ["second_participant_id"], unique=False
        )
    # Of several open accounts of one person the oldest is the first one.
    op.execute(
        f"UPDATE account SET second_reason = 'unstated' WHERE {OPEN} AND EXISTS ("
        "SELECT 1 FROM account AS other WHERE other.person_id = account.person_id "
        "AND other.kind = 'personal' AND other.state != 'deactivated' AND other.id < account.id)"
    )
    for name, columns, where in (
        ("uq_account_first", ["person_id"], f"{OPEN} AND second_reason = ''"),
        ("uq_account_second", ["person_id", "second_participant_id"], OPEN),
    ):
        op.create_index(
            name,
            "account",
            columns,
            unique=True,
            sqlite_where=sa.text(where),
            postgresql_where=sa.text(where),
        )


def downgrade() -> None:
    op.drop_index("uq_account_second", table_name="account")
    op.drop_index("uq_account_first", table_name="account")
    with op.batch_alter_table("account", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_account_second_participant_id"))
        batch_op.drop_constraint(
            batch_op.f("fk_account_second_participant_id_participant"), type_="foreignkey"
        )
        batch_op.drop_column("second_participant_id")
        batch_op.drop_column("second_reason")
