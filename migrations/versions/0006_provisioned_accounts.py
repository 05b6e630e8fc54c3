"""Which pusher provisioned an account.

Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "provisioned",
        sa.Column(
            "account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "client_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("external_id", sa.String(length=200), nullable=True),
        sa.Column("content", sa.String(length=64), nullable=False),
        sa.Column("request_number", sa.String(length=60), nullable=False),
        sa.Column("sequence", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_provisioned_account_id_account")
        ),
        sa.ForeignKeyConstraint(
            ["client_id"], ["client.id"], name=op.f("fk_provisioned_client_id_client")
        ),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_provisioned")),
    )
    with op.batch_alter_table("provisioned", schema=None) as batch_op:
        batch_op.create_index(
            "uq_provisioned_client_id_external_id", ["client_id", "external_id"], unique=True
        )



def downgrade() -> None:
    with op.batch_alter_table("provisioned", schema=None) as batch_op:
        batch_op.drop_index("uq_provisioned_client_id_external_id")

    op.drop_table("provisioned")
