"""Role groups at a participant that the registration system knows.

Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "provisioned_group",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column(
            "role_group_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "participant_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "client_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("external_id", sa.String(length=200), nullable=True),
        sa.Column("display_name", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id"], ["client.id"], name=op.f("fk_provisioned_group_client_id_client")
        ),
        sa.ForeignKeyConstraint(
            ["participant_id"],
            ["participant.id"],
            name=op.f("fk_provisioned_group_participant_id_participant"),
        ),
        sa.ForeignKeyConstraint(
            ["role_group_id"],
            ["role_group.id"],
            name=op.f("fk_provisioned_group_role_group_id_role_group"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provisioned_group")),
        sa.UniqueConstraint("public_id", name=op.f("uq_provisioned_group_public_id")),
    )
    with op.batch_alter_table("provisioned_group", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_provisioned_group_participant_id"), ["participant_id"], unique=False
        )
        batch_op.create_index(
            "uq_provisioned_group_client_id_external_id", ["client_id", "external_id"], unique=True
        )
        batch_op.create_index(
            "uq_provisioned_group_pair", ["role_group_id", "participant_id"], unique=True
        )


def downgrade() -> None:
    with op.batch_alter_table("provisioned_group", schema=None) as batch_op:
        batch_op.drop_index("uq_provisioned_group_pair")
        batch_op.drop_index("uq_provisioned_group_client_id_external_id")
        batch_op.drop_index(batch_op.f("ix_provisioned_group_participant_id"))

    op.drop_table("provisioned_group")
