"""Networks of machine accounts.

Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "registered_network",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column(
            "account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("network", sa.String(length=50), nullable=False),
        sa.Column("label", sa.String(length=60), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_registered_network_account_id_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_registered_network")),
    )
    with op.batch_alter_table("registered_network", schema=None) as batch_op:
        batch_op.create_index(
            "uq_registered_network_account_id_network", ["account_id", "network"], unique=True
        )



def downgrade() -> None:
    with op.batch_alter_table("registered_network", schema=None) as batch_op:
        batch_op.drop_index("uq_registered_network_account_id_network")

    op.drop_table("registered_network")
