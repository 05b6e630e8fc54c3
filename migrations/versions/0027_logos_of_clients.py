"""Clients have logos.

Revises: 0026
"""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "logo",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("media_type", sa.String(length=20), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("stored_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_logo")),
        sa.UniqueConstraint("digest", name=op.f("uq_logo_digest")),
    )
    with op.batch_alter_table("client") as batch:
        batch.add_column(sa.Column("logo", sa.String(length=64), nullable=True))
        batch.create_foreign_key(batch.f("fk_client_logo_logo"), "logo", ["logo"], ["digest"])
        batch.create_index(batch.f("ix_client_logo"), ["logo"])


def downgrade() -> None:
    with op.batch_alter_table("client") as batch:
        batch.drop_index(batch.f("ix_client_logo"))
        batch.drop_constraint(batch.f("fk_client_logo_logo"), type_="foreignkey")
        batch.drop_column("logo")

    op.drop_table("logo")