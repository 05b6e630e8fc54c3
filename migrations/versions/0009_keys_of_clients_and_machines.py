"""Keys of clients and machine accounts, the overlap of two passwords, notices of dormancy.

Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "machine_key",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column(
            "account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("kid", sa.String(length=60), nullable=False),
        sa.Column("label", sa.String(length=60), nullable=False),
        sa.Column("jwk", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reminders", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_machine_key_account_id_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_machine_key")),
    )
    with op.batch_alter_table("machine_key", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_machine_key_account_id"), ["account_id"], unique=False)

    with op.batch_alter_table("account", schema=None) as batch_op:
        batch_op.add_column(sa.Column("former_password_hash", sa.String(length=200), nullable=True))
        batch_op.add_column(
            sa.Column("former_password_until", sa.DateTime(timezone=True), nullable=True)
        )
        batch_op.add_column(
            sa.Column("dormancy_notice_at", sa.DateTime(timezone=True), nullable=True)
        )

    with op.batch_alter_table("client", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("keys", sa.JSON(), server_default=sa.text("'[]'"), nullable=False)
        )
    with op.batch_alter_table("client", schema=None) as batch_op:
        batch_op.alter_column("keys", server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("client", schema=None) as batch_op:
        batch_op.drop_column("keys")

    with op.batch_alter_table("account", schema=None) as batch_op:
        batch_op.drop_column("dormancy_notice_at")
        batch_op.drop_column("former_password_until")
        batch_op.drop_column("former_password_hash")

    with op.batch_alter_table("machine_key", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_machine_key_account_id"))

    op.drop_table("machine_key")