"""How clients push that know only the standard attributes of SCIM.

Revises: 0021
"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("client", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "push_person_id", sa.String(length=20), server_default=sa.text("''"), nullable=False
            )
        )
        batch_op.add_column(
            sa.Column(
                "push_account_kind",
                sa.String(length=10),
                server_default=sa.text("'personal'"),
                nullable=False,
            )
        )
        batch_op.add_column(
            sa.Column(
                "push_default_participant",
                sa.String(length=20),
                server_default=sa.text("''"),
                nullable=False,
            )
        )


def downgrade() -> None:
    with op.batch_alter_table("client", schema=None) as batch_op:
        batch_op.drop_column("push_default_participant")
        batch_op.drop_column("push_account_kind")
        batch_op.drop_column("push_person_id")
