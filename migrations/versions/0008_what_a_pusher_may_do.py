"""What a pusher may do, and for which participants; those that exist go on doing everything.

Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("client", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("push_operations", sa.JSON(), server_default=sa.text("'[]'"), nullable=False)
        )
        batch_op.add_column(
            sa.Column(
                "push_participants", sa.JSON(), server_default=sa.text("'[]'"), nullable=False
            )
        )
    # For the rows that are there; new ones say it themselves.
    with op.batch_alter_table("client", schema=None) as batch_op:
        batch_op.alter_column("push_operations", server_default=None)
        batch_op.alter_column("push_participants", server_default=None)
    client = sa.table("client", sa.column("push_operations", sa.JSON()))
    everything = ["read", "create", "update", "grant", "suspend", "deactivate"]
    op.execute(client.update().values(push_operations=everything))


def downgrade() -> None:
    with op.batch_alter_table("client", schema=None) as batch_op:
        batch_op.drop_column("push_participants")
        batch_op.drop_column("push_operations")
